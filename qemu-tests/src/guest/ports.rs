//! Which ports of the box answer, by `nmap` from an address of our choice.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{program::Program, world::BRIDGE};

/// What a port showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

/// Packets a second of the scans, one after the other: a scan that lost too much is repeated at a
/// lower rate, because an emulated box drops what comes faster than it can think.
const RATES: &[u32] = &[1500, 700, 300];

/// All TCP ports of `target` that accept, as seen from `source`. `known` are ports that accept for
/// sure: a scan that misses one of them has lost answers and proves nothing about the rest.
///
/// # Errors
/// `nmap` failed, did not say that it looked at all ports, or missed a known one at every rate.
pub fn open_tcp(source: IpAddr, target: IpAddr, known: &BTreeSet<u16>) -> Result<BTreeSet<u16>> {
    // A few packets first: the sweep must not wait for the neighbour tables of both sides.
    let list: Vec<String> = known.iter().map(u16::to_string).collect();
    scan(source, target, RATES[0], &["-sS", &format!("-p{}", list.join(","))])?;
    let mut found = BTreeSet::new();
    for rate in RATES {
        let said = scan(source, target, *rate, &["-sS", "-p1-65535"])?;
        found.extend(with_state(&parse(&said, Protocol::Tcp)?, "open"));
        if found.is_superset(known) {
            return Ok(found);
        }
    }
    bail!("{source} finds {found:?} open at {target}, but {known:?} accept: the scans lost answers")
}

/// Those of `ports` that answer on UDP; a port that says nothing does not.
///
/// # Errors
/// `nmap` failed.
pub fn answering_udp(source: IpAddr, target: IpAddr, ports: &[u16]) -> Result<Vec<u16>> {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    let said = scan(source, target, RATES[0], &["-sU", &format!("-p{}", list.join(","))])?;
    let states = parse(&said, Protocol::Udp)?;
    let mut answering = with_state(&states, "open");
    // "Closed" is an answer too: the packet came through the firewall.
    answering.extend(with_state(&states, "closed"));
    answering.sort_unstable();
    Ok(answering)
}

fn with_state(states: &BTreeMap<u16, String>, wanted: &str) -> Vec<u16> {
    states.iter().filter(|(_, state)| *state == wanted).map(|(port, _)| *port).collect()
}

fn scan(source: IpAddr, target: IpAddr, rate: u32, what: &[&str]) -> Result<String> {
    Program::new("nmap")
        // No ping, no names. Lost packets are asked for again: an emulated box is slow.
        .args(["-n", "-Pn", "-T4", "--max-retries", "2", "-vv"])
        .args(["--min-rate", &rate.to_string()])
        .args(if target.is_ipv6() { &["-6"][..] } else { &[] })
        .args(["-e", BRIDGE, "-S", &source.to_string(), "-oG", "-"])
        .args(what)
        .arg(target.to_string())
        .timeout(Duration::from_secs(900))
        .run()
}

/// Reads nmap's "grepable" output: every listed port with its state.
///
/// # Errors
/// The output does not say that one host was looked at to the end.
fn parse(text: &str, protocol: Protocol) -> Result<BTreeMap<u16, String>> {
    if !text.contains("# Nmap done at") || !text.contains("1 IP address (1 host up)") {
        bail!("nmap did not finish its scan of one host:\n{text}");
    }
    let name = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let mut states = BTreeMap::new();
    let lists = text.lines().filter_map(|line| line.split_once("Ports: "));
    for (_, list) in lists {
        let list = list.split('\t').next().unwrap_or_default();
        // Empty when all ports are in the state that is not listed.
        for entry in list.split(", ").filter(|entry| !entry.trim().is_empty()) {
            let mut fields = entry.trim().split('/');
            let (port, state, kind) = (fields.next(), fields.next(), fields.next());
            let port = port.and_then(|port| port.parse().ok());
            let (port, state) = port.zip(state).with_context(|| format!("nmap said `{entry}`"))?;
            if kind == Some(name) {
                states.insert(port, state.to_owned());
            }
        }
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "# Nmap 7.93 scan initiated as: nmap\n\
        # Ports scanned: TCP(65535;1-65535) UDP(0;) SCTP(0;) PROTOCOLS(0;)\n\
        Host: 10.99.0.101 ()\tStatus: Up\n\
        Host: 10.99.0.101 ()\tPorts: 22/closed/tcp//ssh///, 80/open/tcp//http///, \
        443/open/tcp//https///\tIgnored State: filtered (65532)\n\
        # Nmap done at Sun Nov 22 21:00:00 2026 -- 1 IP address (1 host up) scanned in 9 seconds\n";

    #[test]
    fn reads_states() {
        let states = parse(TCP, Protocol::Tcp).unwrap();
        assert_eq!(with_state(&states, "open"), [80, 443]);
        assert_eq!(with_state(&states, "closed"), [22]);
        assert!(parse(TCP, Protocol::Udp).unwrap().is_empty());
    }

    #[test]
    fn a_target_that_answers_on_no_port() {
        let silent =
            TCP.replace("22/closed/tcp//ssh///, 80/open/tcp//http///, 443/open/tcp//https///", "");
        assert!(parse(&silent, Protocol::Tcp).unwrap().is_empty());
    }

    #[test]
    fn an_unfinished_scan_is_no_result() {
        let cut = TCP.split("# Nmap done").next().unwrap();
        assert!(parse(cut, Protocol::Tcp).is_err());
        assert!(parse(&TCP.replace("1 host up", "0 hosts up"), Protocol::Tcp).is_err());
    }
}
