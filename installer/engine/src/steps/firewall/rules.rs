//! Rules as text: what UFW is told, what it shows, and the `DOCKER-USER` chain.

use std::{collections::BTreeSet, fmt::Write as _};

use ipnet::IpNet;
use model::plan::{Firewall, PortRule, Protocol};

/// How the comment of each of our rules begins: by it a later plan knows them again.
const OURS: &str = "homelab: ";
const BEGIN: &str = "# BEGIN homelab\n";
const END: &str = "# END homelab\n";

/// A rule that UFW must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// What `ufw` is called with.
    pub arguments: Vec<String>,
    /// How `ufw show added` shows it, without `ufw` and without the comment.
    pub shown: String,
    /// Its comment.
    pub comment: String,
}

/// All rules that UFW must have. Published ports are among them: Docker forwards IPv4 past UFW's
/// input rules, but IPv6 and connections from the box itself end at its proxy program, which is a
/// listener like any other.
pub(super) fn wanted(firewall: &Firewall) -> Vec<Rule> {
    let mut seen = BTreeSet::new();
    let mut rules = Vec::new();
    for port in firewall.host.iter().chain(&firewall.published) {
        for from in sources(port) {
            let rule = rule(port, from);
            if seen.insert(rule.shown.clone()) {
                rules.push(rule);
            }
        }
    }
    rules
}

/// Empty: from everywhere.
fn sources(port: &PortRule) -> Vec<Option<IpNet>> {
    if port.from.is_empty() {
        return vec![None];
    }
    port.from.iter().map(|from| Some(from.trunc())).collect()
}

fn rule(port: &PortRule, from: Option<IpNet>) -> Rule {
    let (number, protocol) = (port.port, protocol(port.protocol));
    let source = from.map_or("any".to_owned(), |from| from.to_string());
    // A comment with a quote in it is refused by UFW.
    let comment = format!("{OURS}{}", port.comment.replace('\'', "’"));
    let arguments = ["allow", "proto", protocol, "from", &source, "to", "any", "port"];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.extend([number.to_string(), "comment".to_owned(), comment.clone()]);
    let shown = match from {
        // Two networks of all addresses, IPv4's and IPv6's, are shown as one rule.
        None => format!("allow {number}/{protocol}"),
        Some(from) if from.prefix_len() == 0 => format!("allow {number}/{protocol}"),
        Some(from) => {
            let source = if from.prefix_len() == from.max_prefix_len() {
                from.addr().to_string()
            } else {
                from.to_string()
            };
            format!("allow from {source} to any port {number} proto {protocol}")
        }
    };
    Rule { arguments, shown, comment }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// A rule that UFW has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added {
    /// Without `ufw` and without the comment.
    pub rule: String,
    /// Empty if there is none.
    pub comment: String,
}

impl Added {
    /// A plan of ours wanted it once.
    pub(super) fn ours(&self) -> bool {
        self.comment.starts_with(OURS)
    }
}

/// Reads the output of `ufw show added`.
pub(super) fn parse_added(text: &str) -> Vec<Added> {
    text.lines()
        .filter_map(|line| line.strip_prefix("ufw "))
        .map(|line| match line.split_once(" comment '") {
            Some((rule, comment)) => {
                Added { rule: rule.to_owned(), comment: comment.trim_end_matches('\'').to_owned() }
            }
            None => Added { rule: line.to_owned(), comment: String::new() },
        })
        .collect()
}

/// A shell-like settings file with this line, once.
pub(super) fn with_setting(text: &str, key: &str, value: &str) -> String {
    let wanted = format!("{key}={value}");
    let is_it = |line: &str| line.split_once('=').is_some_and(|(found, _)| found.trim() == key);
    let mut lines: Vec<&str> = Vec::new();
    let mut written = false;
    for line in text.lines() {
        if !is_it(line) {
            lines.push(line);
        } else if !written {
            lines.push(&wanted);
            written = true;
        }
    }
    if !written {
        lines.push(&wanted);
    }
    lines.join("\n") + "\n"
}

/// UFW's file with our block at its end, in place of an earlier one.
pub(super) fn with_block(text: &str, block: &str) -> String {
    let rest = match (text.find(BEGIN), text.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{}", &text[..begin], &text[end + END.len()..])
        }
        // An end that is missing or comes first was not written by us as it stands.
        _ => text.to_owned(),
    };
    format!("{}\n\n{block}", rest.trim_end())
}

/// The block of `iptables-restore` text. Declaring the chain empties it first, so that a reload
/// replaces its rules and never doubles them.
///
/// What comes from containers passes. What comes from outside passes if its destination was
/// translated by Docker and its port, as it was before the translation, is one of the plan's:
/// `--ctorigdstport` sees 443 where the packet already says 8443, and `DNAT` keeps a neighbour out
/// who routes packets straight to a container's address. Everything else is dropped.
pub(super) fn docker_user(published: &[PortRule], six: bool) -> String {
    let mut lines = String::from(BEGIN);
    let mut add = |line: &str| {
        let _ = writeln!(lines, "{line}");
    };
    add("*filter");
    add(":DOCKER-USER - [0:0]");
    add("-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN");
    add("-A DOCKER-USER -i docker0 -j RETURN");
    add("-A DOCKER-USER -i br-+ -j RETURN");
    let mut seen = BTreeSet::new();
    for port in published {
        for from in sources(port) {
            let source = match from {
                None => String::new(),
                Some(from) if from.addr().is_ipv6() != six => continue,
                Some(from) if from.prefix_len() == 0 => String::new(),
                Some(from) => format!(" -s {from}"),
            };
            let rule = format!(
                "-A DOCKER-USER{source} -p {} -m conntrack --ctstate DNAT --ctdir ORIGINAL \
                 --ctorigdstport {} -j RETURN",
                protocol(port.protocol),
                port.port
            );
            if seen.insert(rule.clone()) {
                add(&rule);
            }
        }
    }
    add("-A DOCKER-USER -j DROP");
    add("COMMIT");
    lines + END
}

#[cfg(test)]
mod tests;
