//! Memory, disk and ports: what the machine itself must have.

use std::net::IpAddr;

use super::{Check, Finding, Verdict, Wanted, listed};
use crate::{
    memory::Budget,
    plan::{PortRule, Protocol},
    render::protocol_word,
};

/// What an image of the catalogue takes on the disk, unpacked, when nothing is known about it.
/// Most take less; the check is to find a disk that is hopelessly small, not to be exact.
const TYPICAL: u64 = 300 << 20;
/// What must stay free for logs and the containers' own data.
const RESERVE: u64 = 512 << 20;
/// Below this, what the services write soon fills the disk.
const TIGHT: u64 = 4 << 30;

/// Bytes that so many images that are not there yet need.
pub fn space_for(images: u64) -> u64 {
    images * TYPICAL + RESERVE
}

/// Do the services fit into the memory? `total` is in bytes.
pub fn memory(total: u64, wanted: &Wanted) -> Finding {
    let check = Check::Memory;
    let Some(budget) = &wanted.budget else {
        let why = if wanted.seed { "the services are not known" } else { "there is no seed yet" };
        return Finding::not_asked(check, format!("{why}; this machine has {} MiB", total >> 20));
    };
    let need = budget.system + budget.services.iter().map(|share| share.tier).sum::<u64>();
    let found = format!(
        "the services need {} MiB with the system, and this machine has {} MiB",
        need >> 20,
        total >> 20
    );
    if need <= total {
        return Finding::ok(check, found);
    }
    Finding::bad(
        check,
        Verdict::Failed,
        found,
        "the kernel would kill services at random",
        format!("leave some out with `[stacks] disable`; the largest are {}", largest(budget)),
    )
}

fn largest(budget: &Budget) -> String {
    let mut shares: Vec<_> = budget.services.iter().collect();
    shares.sort_by_key(|share| (std::cmp::Reverse(share.tier), &share.service));
    let shown =
        |share: &&crate::memory::Share| format!("{} {} MiB", share.service, share.tier >> 20);
    listed(&shares.iter().take(3).map(shown).collect::<Vec<_>>())
}

/// Room on the disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free where Docker keeps images.
    pub free: u64,
    /// What the root file system gains when it grows to its disk.
    pub grows: u64,
}

/// Do the images fit onto the disk?
pub fn disk(room: Room, wanted: &Wanted) -> Finding {
    let check = Check::Disk;
    let have = room.free + room.grows;
    let grows = match room.grows {
        0 => String::new(),
        grows => format!(" ({} MiB of it when root grows to its disk)", grows >> 20),
    };
    let free = format!("{} MiB are free{grows}", have >> 20);
    let Some(images) = wanted.missing_images else {
        let why = if wanted.seed { "the images are not known" } else { "there is no seed yet" };
        return Finding::not_asked(check, format!("{why}; {free}"));
    };
    let need = space_for(images as u64);
    let noun = if images == 1 { "image" } else { "images" };
    let found = format!("{images} {noun} to come need about {} MiB, and {free}", need >> 20);
    let way_out = "use a larger disk, or name fewer stacks in `[stacks] enable`";
    if have < need {
        let means = "the pull would stop half-way with a full disk";
        return Finding::bad(check, Verdict::Failed, found, means, way_out);
    }
    if have - need < TIGHT {
        let means = "little is left for what the services write";
        return Finding::bad(check, Verdict::Warning, found, means, way_out);
    }
    Finding::ok(check, found)
}

/// A socket that somebody listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Protocol.
    pub protocol: Protocol,
    /// Address; none: all of them.
    pub address: Option<IpAddr>,
    /// Port.
    pub port: u16,
    /// Who; none: it is not known.
    pub program: Option<String>,
}

/// Who listens for containers on the box.
const DOCKER: &str = "docker-proxy";

/// Are the ports of the services free, or theirs already?
pub fn ports(listeners: &[Listener], wanted: &Wanted) -> Finding {
    let check = Check::Ports;
    let Some(ports) = &wanted.ports else {
        let why = if wanted.seed { "the ports are not known" } else { "there is no seed yet" };
        return Finding::not_asked(check, why);
    };
    let word = |rule: &PortRule| format!("{}/{}", rule.port, protocol_word(rule.protocol));
    let mut taken = Vec::new();
    let mut programs = Vec::new();
    for rule in ports {
        let of_rule = |l: &&Listener| l.port == rule.port && l.protocol == rule.protocol;
        let other = |l: &&Listener| l.program.as_deref() != Some(DOCKER);
        if let Some(listener) = listeners.iter().filter(of_rule).find(other) {
            let program = listener.program.clone();
            let who = program.clone().unwrap_or_else(|| "an unknown program".to_owned());
            let service = rule.comment.split(':').next().unwrap_or_default();
            taken.push(format!("{} of {service} is taken by {who}", word(rule)));
            programs.extend(program.filter(|program| !programs.contains(program)));
        }
    }
    if !taken.is_empty() {
        let way_out = match programs.as_slice() {
            [] => "`sudo ss --listening --numeric --processes` shows more".to_owned(),
            some => format!(
                "stop {} and keep it from starting (`sudo systemctl disable --now NAME`), or leave \
                 the service out with `[stacks] disable`",
                listed(some)
            ),
        };
        let means = "the service cannot start";
        return Finding::bad(check, Verdict::Failed, taken.join("; "), means, way_out);
    }
    let mut words: Vec<String> = ports.iter().map(word).collect();
    words.dedup();
    Finding::ok(check, format!("free, or the services' own: {}", words.join(", ")))
}
