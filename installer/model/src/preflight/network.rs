//! Link, address, gateway, names and time.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Check, Finding, Verdict, Wanted, listed};
use crate::facts::NetworkPort;

/// What a lack in the network is to a seed: a failure only if something depends on it.
fn weight(wanted: &Wanted) -> (Verdict, &'static str) {
    match (wanted.seed, wanted.needs_network()) {
        (true, true) => (Verdict::Failed, "images or certificates of the seed cannot be fetched"),
        (true, false) => {
            (Verdict::Warning, "nothing of the seed needs it, but nobody can reach the box")
        }
        (false, _) => (Verdict::Warning, "images cannot be fetched, and nobody can reach the box"),
    }
}

/// Does a port have a link?
pub fn link(ports: &[NetworkPort], wanted: &Wanted) -> Finding {
    let (verdict, means) = weight(wanted);
    if ports.is_empty() {
        return Finding::bad(
            Check::Link,
            verdict,
            "this machine has no network port that its kernel knows",
            means,
            "plug in a USB network adapter, or look with `lspci` which card has no driver",
        );
    }
    let linked: Vec<String> =
        ports.iter().filter(|port| port.carrier).map(|port| port.name.clone()).collect();
    if linked.is_empty() {
        let names: Vec<String> = ports.iter().map(|port| port.name.clone()).collect();
        let (verb, noun) = if names.len() == 1 { ("has", "port") } else { ("have", "ports") };
        return Finding::bad(
            Check::Link,
            verdict,
            format!("the {noun} {} {verb} no link", listed(&names)),
            means,
            "plug in the cable at both ends; is the switch on?",
        );
    }
    let verb = if linked.len() == 1 { "has" } else { "have" };
    Finding::ok(Check::Link, format!("{} {verb} a link", listed(&linked)))
}

/// Addresses that lead out of their own wire.
pub fn global(ports: &[NetworkPort]) -> Vec<IpNet> {
    let link_local = |net: &IpNet| match net {
        IpNet::V4(net) => net.addr().is_link_local(),
        IpNet::V6(net) => net.addr().segments()[0] & 0xffc0 == 0xfe80,
    };
    let all = ports.iter().flat_map(|port| &port.addresses);
    let mut found: Vec<IpNet> = all.filter(|net| !link_local(net)).copied().collect();
    found.sort_by_key(|net| net.addr().is_ipv6());
    found
}

/// Does the box have an address?
pub fn address(ports: &[NetworkPort], wanted: &Wanted) -> Finding {
    let (verdict, means) = weight(wanted);
    let found = global(ports);
    let absent: Vec<String> = wanted
        .addresses
        .iter()
        .filter(|net| !found.iter().any(|found| found.addr() == net.addr()))
        .map(|net| net.addr().to_string())
        .collect();
    if found.is_empty() && absent.is_empty() {
        return Finding::bad(
            Check::Address,
            verdict,
            "no port has an address",
            means,
            "is there a router that gives addresses (DHCP)? Otherwise write one into \
             `[[network.interface]]` of the seed",
        );
    }
    if !absent.is_empty() {
        let (noun, verb) = if absent.len() == 1 { ("address", "is") } else { ("addresses", "are") };
        return Finding::bad(
            Check::Address,
            Verdict::Warning,
            format!("the {noun} {} of the seed {verb} not set yet", listed(&absent)),
            "the step `network` sets it; what is asked below is asked from the present address",
            "run `homelab preflight` again after `homelab apply`",
        );
    }
    let found: Vec<String> = found.iter().map(|net| net.addr().to_string()).collect();
    Finding::ok(Check::Address, listed(&found))
}

/// Is the router there? Each gateway with whether it was seen.
pub fn gateway(seen: &[(IpAddr, bool)], wanted: &Wanted) -> Finding {
    let (verdict, means) = weight(wanted);
    if seen.is_empty() {
        return Finding::bad(
            Check::Gateway,
            verdict,
            "there is no default gateway",
            means,
            "let the router give one by DHCP, or write `gateway` into `[[network.interface]]`",
        );
    }
    let named = |there: bool| -> Vec<String> {
        let these = seen.iter().filter(|(_, seen)| *seen == there);
        these.map(|(address, _)| address.to_string()).collect()
    };
    let (there, absent) = (named(true), named(false));
    match (there.is_empty(), absent.is_empty()) {
        (false, true) => {
            let verb = if there.len() == 1 { "is" } else { "are" };
            Finding::ok(Check::Gateway, format!("{} {verb} there", listed(&there)))
        }
        (false, false) => Finding::bad(
            Check::Gateway,
            Verdict::Warning,
            format!("{} is there, {} is not", listed(&there), listed(&absent)),
            "what goes by the other gateway takes long or fails",
            "switch the other router on, or take it out of the seed",
        ),
        (true, _) => Finding::bad(
            Check::Gateway,
            verdict,
            format!("nobody on the network has the gateway's address {}", listed(&absent)),
            means,
            "is the router on, and is this its address?",
        ),
    }
}

/// Are names found? `servers` are the resolvers that the box asks; each name with its addresses.
pub fn dns(servers: &[IpAddr], asked: &[(String, Vec<IpAddr>)], wanted: &Wanted) -> Finding {
    let (verdict, means) = weight(wanted);
    if servers.is_empty() {
        return Finding::bad(
            Check::Dns,
            verdict,
            "the box knows no resolver",
            means,
            "let the router give one by DHCP, or write `dns` into `[[network.interface]]`",
        );
    }
    if asked.is_empty() {
        return Finding::not_asked(
            Check::Dns,
            "neither the seed nor the box's updates need a name",
        );
    }
    let unknown: Vec<String> = asked
        .iter()
        .filter(|(_, found)| found.is_empty())
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    if unknown.is_empty() {
        let names: Vec<String> = asked.iter().map(|(name, _)| name.clone()).collect();
        return Finding::ok(
            Check::Dns,
            format!("{} found by {}", listed(&names), listed(&servers)),
        );
    }
    let way_out = if unknown.len() == asked.len() {
        "does the resolver work, and may the box use it? Another one goes into `dns` of \
         `[[network.interface]]`"
    } else {
        "other names are found, so look at how these are written in the seed, and whether the \
         resolver blocks them"
    };
    let verb = if unknown.len() == 1 { "is" } else { "are" };
    Finding::bad(
        Check::Dns,
        verdict,
        format!("{} {verb} not found by {}", listed(&unknown), listed(&servers)),
        means,
        way_out,
    )
}

/// What is known about the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock<'a> {
    /// Now, in seconds since the epoch.
    pub now: i64,
    /// The same as a text.
    pub shown: &'a str,
    /// When the image was built: no earlier time can be right.
    pub built: Option<i64>,
    /// A program is there that sets the clock from the network.
    pub possible: bool,
    /// It has done so.
    pub synchronised: bool,
}

/// Is the time right?
pub fn clock(clock: &Clock<'_>, wanted: &Wanted) -> Finding {
    let Clock { now, shown, built, possible, synchronised } = *clock;
    if built.is_some_and(|built| now < built) {
        let verdict = if wanted.authority.is_some() { Verdict::Failed } else { Verdict::Warning };
        return Finding::bad(
            Check::Clock,
            verdict,
            format!("it says {shown}, which is before the image was built"),
            "no certificate of others is good at such a time",
            "set it in the firmware's setup; a battery on the mainboard may be empty",
        );
    }
    let unsure = |found: String, way_out: &str| {
        let means = "certificates and one-time codes go by the time; nobody has confirmed it";
        Finding::bad(Check::Clock, Verdict::Warning, found, means, way_out)
    };
    if !possible {
        return unsure(
            format!("it says {shown}, and no program sets it from the network"),
            "install systemd-timesyncd",
        );
    }
    if !synchronised {
        return unsure(
            format!("it says {shown}; no time server has answered yet"),
            "let the router give or pass time servers (NTP, UDP port 123)",
        );
    }
    Finding::ok(Check::Clock, format!("{shown}, set from the network"))
}
