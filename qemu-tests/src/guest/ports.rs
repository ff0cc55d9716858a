//! Which ports of the box answer, from an address of our choice.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{net::TcpSocket, sync::Semaphore, task::JoinSet, time::timeout};

use crate::{program::Program, world::BRIDGE};

/// Connections of a sweep that wait at once, one sweep after the other: one that lost too much is
/// repeated, because an emulated box drops what comes faster than it can think. The second time most
/// other sweeps are over, so it is as fast; then more slowly.
const ABREAST: &[usize] = &[2000, 2000, 1000, 500];

/// Sweeps that may run at once: each is idle most of its time.
const SWEEPS: u64 = 4;

/// How long a connection of a sweep waits: Linux asks at once, after one second and after three.
const ANSWER: Duration = Duration::from_secs(4);

/// How long a port that accepts for sure may take, with all times that Linux asks again.
const KNOWN: Duration = Duration::from_secs(60);

/// All TCP ports of `target` that accept a connection from `source`. `known` are ports that accept
/// for sure: a sweep that misses one of them has lost answers and proves nothing about the rest.
///
/// The kernel connects, not a scanner with packets of its own: it looks up the neighbour, asks
/// again for what is lost, and has an error for what cannot be sent.
///
/// # Errors
/// A known port does not accept, a connection fails here and not there, or every sweep missed a
/// known port.
pub fn open_tcp(source: IpAddr, target: IpAddr, known: &BTreeSet<u16>) -> Result<BTreeSet<u16>> {
    let most = SWEEPS * (ABREAST.iter().max().copied().unwrap_or_default() as u64 + 200);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(most <= hard, "{SWEEPS} sweeps need {most} open files, the limit is {hard}");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(most), hard)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for port in known {
            let accepts = accepts(source, target, *port, KNOWN).await?;
            ensure!(accepts, "{source} gets no connection to port {port} of {target}");
        }
        let mut found = BTreeSet::new();
        for abreast in ABREAST {
            found.extend(sweep(source, target, *abreast).await?);
            if found.is_superset(known) {
                return Ok(found);
            }
        }
        bail!("{source} finds {found:?} open at {target}, but {known:?} accept: answers were lost")
    })
}

/// One look at every port.
async fn sweep(source: IpAddr, target: IpAddr, abreast: usize) -> Result<BTreeSet<u16>> {
    let slots = Arc::new(Semaphore::new(abreast));
    let mut tries = JoinSet::new();
    for port in 1..=u16::MAX {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        tries.spawn(async move {
            let accepts = accepts(source, target, port, ANSWER).await;
            drop(slot);
            accepts.map(|accepts| accepts.then_some(port))
        });
    }
    tries.join_all().await.into_iter().filter_map(Result::transpose).collect()
}

/// Whether a port takes a connection. What stays silent, refuses, or cannot be reached does not.
async fn accepts(source: IpAddr, target: IpAddr, port: u16, patience: Duration) -> Result<bool> {
    let socket = if target.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }
        .context("cannot open a socket")?;
    socket.bind((source, 0).into()).with_context(|| format!("cannot connect from {source}"))?;
    match timeout(patience, socket.connect((target, port).into())).await {
        Ok(Ok(_)) => Ok(true),
        Err(_) => Ok(false),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::TimedOut => Ok(false),
            _ => Err(error).with_context(|| format!("cannot connect to port {port} of {target}")),
        },
    }
}

/// Those of `ports` that answer on UDP; a port that says nothing does not.
///
/// # Errors
/// `nmap` failed.
pub fn answering_udp(source: IpAddr, target: IpAddr, ports: &[u16]) -> Result<Vec<u16>> {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    let said = Program::new("nmap")
        // No ping, no names. Lost packets are asked for again: an emulated box is slow.
        .args(["-n", "-Pn", "-T4", "--max-retries", "2", "-vv"])
        .args(if target.is_ipv6() { &["-6"][..] } else { &[] })
        .args(["-e", BRIDGE, "-S", &source.to_string(), "-oG", "-"])
        .args(["-sU", &format!("-p{}", list.join(","))])
        .arg(target.to_string())
        .timeout(Duration::from_secs(300))
        .run()?;
    let states = parse(&said)?;
    let mut answering = with_state(&states, "open");
    // "Closed" is an answer too: the packet came through the firewall.
    answering.extend(with_state(&states, "closed"));
    answering.sort_unstable();
    Ok(answering)
}

fn with_state(states: &BTreeMap<u16, String>, wanted: &str) -> Vec<u16> {
    states.iter().filter(|(_, state)| *state == wanted).map(|(port, _)| *port).collect()
}

/// Reads nmap's "grepable" output of one protocol: every listed port with its state.
///
/// # Errors
/// The output does not say that one host was looked at to the end.
fn parse(text: &str) -> Result<BTreeMap<u16, String>> {
    if !text.contains("# Nmap done at") || !text.contains("1 IP address (1 host up)") {
        bail!("nmap did not finish its scan of one host:\n{text}");
    }
    let mut states = BTreeMap::new();
    let lists = text.lines().filter_map(|line| line.split_once("Ports: "));
    for (_, list) in lists {
        let list = list.split('\t').next().unwrap_or_default();
        // Empty when all ports are in the state that is not listed.
        for entry in list.split(", ").filter(|entry| !entry.trim().is_empty()) {
            let mut fields = entry.trim().split('/');
            let port = fields.next().and_then(|port| port.parse().ok());
            let (port, state) =
                port.zip(fields.next()).with_context(|| format!("nmap said `{entry}`"))?;
            states.insert(port, state.to_owned());
        }
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: &str = "# Nmap 7.93 scan initiated as: nmap\n\
        # Ports scanned: TCP(0;) UDP(3;53,123,443) SCTP(0;) PROTOCOLS(0;)\n\
        Host: 10.99.0.101 ()\tStatus: Up\n\
        Host: 10.99.0.101 ()\tPorts: 53/open/udp//domain///, 123/closed/udp//ntp///, \
        443/open|filtered/udp//https///\n\
        # Nmap done at Sun Nov 22 21:00:00 2026 -- 1 IP address (1 host up) scanned in 9 seconds\n";

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn finds_exactly_the_ports_that_accept() {
        let listeners =
            [(); 3].map(|()| std::net::TcpListener::bind((HOME, 0)).expect("a free port"));
        let ports: BTreeSet<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().expect("it is bound").port())
            .collect();
        let found = open_tcp(HOME, HOME, &ports).unwrap();
        assert!(found.is_superset(&ports), "{found:?} lacks some of {ports:?}");
        let shut: BTreeSet<u16> = ports.into_iter().take(1).collect();
        drop(listeners);
        let error = open_tcp(HOME, HOME, &shut).unwrap_err().to_string();
        let port = shut.first().expect("one");
        assert_eq!(error, format!("127.0.0.1 gets no connection to port {port} of 127.0.0.1"));
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error() {
        let foreign = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
        let error = open_tcp(foreign, HOME, &BTreeSet::from([1])).unwrap_err().to_string();
        assert_eq!(error, "cannot connect from 192.0.2.1");
    }

    #[test]
    fn reads_states() {
        let states = parse(UDP).unwrap();
        assert_eq!(with_state(&states, "open"), [53]);
        assert_eq!(with_state(&states, "closed"), [123]);
    }

    #[test]
    fn a_target_that_answers_on_no_port() {
        let list =
            "53/open/udp//domain///, 123/closed/udp//ntp///, 443/open|filtered/udp//https///";
        let silent = UDP.replace(list, "");
        assert_ne!(silent, UDP);
        assert!(parse(&silent).unwrap().is_empty());
    }

    #[test]
    fn an_unfinished_scan_is_no_result() {
        let cut = UDP.split("# Nmap done").next().unwrap();
        assert!(parse(cut).is_err());
        assert!(parse(&UDP.replace("1 host up", "0 hosts up")).is_err());
    }
}
