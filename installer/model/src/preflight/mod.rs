//! Preflights: what machine and network must give before a seed can be carried out, each judged by
//! itself from what was seen.
//!
//! [`Wanted`] is what a seed asks for; `engine::preflight` looks at the machine and hands what it
//! saw to the judges in [`network`], [`outside`] and [`room`]. A check that needs the network is
//! not asked without an address. A failure in the network is a warning where nothing of the seed
//! depends on it: such a box comes up complete without.

pub mod network;
pub mod outside;
pub mod room;
#[cfg(test)]
mod tests;
mod wanted;

use serde::Serialize;

pub use wanted::{Authority, Provider, Registry, Wanted, host};

/// What is looked at, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A network port has a cable, or its antenna a connection.
    Link,
    /// The box has an address.
    Address,
    /// The router is there.
    Gateway,
    /// Names are found.
    Dns,
    /// The time is right.
    Clock,
    /// The registries that images come from answer.
    Registry,
    /// The certificate authority of the seed answers.
    CertificateAuthority,
    /// The DNS provider of the seed answers.
    DnsProvider,
    /// The services fit into the memory.
    Memory,
    /// The images fit onto the disk.
    Disk,
    /// Nobody else has the ports of the services.
    Ports,
}

impl Check {
    /// As it is shown, and as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Address => "address",
            Self::Gateway => "gateway",
            Self::Dns => "dns",
            Self::Clock => "clock",
            Self::Registry => "registry",
            Self::CertificateAuthority => "certificate-authority",
            Self::DnsProvider => "dns-provider",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Ports => "ports",
        }
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Good.
    Ok,
    /// It will work, but not all of it, or not as it should.
    Warning,
    /// The seed cannot be carried out so.
    Failed,
    /// There was nothing to ask, or no way to ask it.
    NotAsked,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// How it came out.
    pub verdict: Verdict,
    /// What is there; why it was not asked.
    pub found: String,
    /// What that means for the box; empty if all is well.
    pub means: String,
    /// What the owner can do; empty if all is well.
    pub way_out: String,
}

impl Finding {
    fn new(check: Check, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { check, verdict, found: found.into(), means: String::new(), way_out: String::new() }
    }

    /// All is well.
    pub fn ok(check: Check, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, found)
    }

    /// It was not asked, and why.
    pub fn not_asked(check: Check, why: impl Into<String>) -> Self {
        Self::new(check, Verdict::NotAsked, why)
    }

    /// Something is not well.
    pub fn bad(
        check: Check,
        verdict: Verdict,
        found: impl Into<String>,
        means: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        let finding = Self::new(check, verdict, found);
        Self { means: means.into(), way_out: way_out.into(), ..finding }
    }
}

/// What `homelab preflight` exits with: 3 if a check failed, which is the machine's business.
pub fn exit(findings: &[Finding]) -> u8 {
    if findings.iter().any(|finding| finding.verdict == Verdict::Failed) { 3 } else { 0 }
}

/// `a`, `b` and `c`
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
