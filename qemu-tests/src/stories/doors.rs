//! What is open, as seen by a neighbour and by a stranger.

use std::{collections::BTreeSet, net::IpAddr, panic::resume_unwind, thread};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    guest::ports::{answering_udp, open_tcp},
    scene::Scene,
    world::{GATEWAY, GATEWAY_6, STRANGER, STRANGER_6},
};

/// sshd offers public keys and nothing else, and takes ours.
pub fn ssh_takes_the_key_only(scene: &mut Scene<'_>) -> Result<()> {
    let ssh = &scene.installed()?.ssh;
    let methods = ssh.offered_methods()?;
    ensure!(methods == ["publickey"], "sshd offers {methods:?}");
    let who = ssh.run("id -un")?;
    ensure!(who.trim() == crate::seed::ADMIN, "logged in as {who}");
    Ok(())
}

/// Neighbour and stranger find exactly the model's ports, by IPv4 and by IPv6. All four look at the same
/// time: each spends most of it waiting for what the firewall drops.
pub fn ports(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let rules = rules_of(&installed.plan()?)?;
    let port = installed.machine.port();
    let views: [(IpAddr, IpAddr, IpAddr); 2] = [
        (port.ipv4.into(), GATEWAY.into(), STRANGER.into()),
        (port.ipv6.into(), GATEWAY_6.into(), STRANGER_6.into()),
    ];
    scene.note("all TCP ports, as neighbours and strangers see them");
    thread::scope(|scope| {
        let looks = views.map(|(target, neighbour, stranger)| {
            let rules = &rules;
            scope.spawn(move || exactly_the_models(rules, target, neighbour, stranger))
        });
        looks
            .into_iter()
            .try_for_each(|look| look.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    views
        .into_iter()
        .try_for_each(|(target, _, stranger)| nothing_else_by_udp(&rules, target, stranger))
}

/// Ports on which something may sit on a Debian box, asked for on UDP.
const USUAL_UDP: &[u16] = &[
    53, 67, 68, 69, 80, 111, 123, 137, 138, 161, 443, 500, 546, 547, 631, 1900, 2049, 4500, 5353,
    5355, 8080, 51820,
];

/// A rule of the plan, as JSON tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    port: u16,
    tcp: bool,
    /// Empty: from everywhere.
    from: Vec<String>,
}

fn exactly_the_models(
    rules: &[Rule],
    target: IpAddr,
    neighbour: IpAddr,
    stranger: IpAddr,
) -> Result<()> {
    let for_all: BTreeSet<u16> = rules
        .iter()
        .filter(|rule| rule.tcp && rule.from.is_empty())
        .map(|rule| rule.port)
        .collect();
    ensure!(
        for_all == BTreeSet::from([80, 443]),
        "the core stack should open 80 and 443 to everybody, the plan says {for_all:?}"
    );
    let near: BTreeSet<u16> = rules.iter().filter(|rule| rule.tcp).map(|rule| rule.port).collect();
    ensure!(near == BTreeSet::from([22, 80, 443]), "the plan opens {near:?} to neighbours");

    let (far, close) = thread::scope(|scope| {
        let far = scope.spawn(|| open_tcp(stranger, target, &for_all));
        let close = open_tcp(neighbour, target, &near);
        (far.join().unwrap_or_else(|panic| resume_unwind(panic)), close)
    });
    let open = far?;
    ensure!(open == for_all, "{stranger} finds {open:?} open, the model says {for_all:?}");
    // SSH is among them, so the stranger met the firewall and not an idle machine.
    let open = close?;
    ensure!(open == near, "{neighbour} finds {open:?} open, the model says {near:?}");
    Ok(())
}

fn nothing_else_by_udp(rules: &[Rule], target: IpAddr, stranger: IpAddr) -> Result<()> {
    let declared: BTreeSet<u16> =
        rules.iter().filter(|rule| !rule.tcp).map(|rule| rule.port).collect();
    let asked: BTreeSet<u16> = declared.iter().chain(USUAL_UDP).copied().collect();
    let asked: Vec<u16> = asked.into_iter().collect();
    let answering = answering_udp(stranger, target, &asked)?;
    let undeclared: Vec<&u16> = answering.iter().filter(|port| !declared.contains(port)).collect();
    ensure!(undeclared.is_empty(), "UDP {undeclared:?} answer, the model says {declared:?}");
    Ok(())
}

/// All port rules of a plan: those of the host and those of published container ports.
fn rules_of(plan: &Value) -> Result<Vec<Rule>> {
    let steps = plan["steps"].as_array().context("the plan has no steps")?;
    let firewall = steps
        .iter()
        .map(|step| &step["action"])
        .find(|action| action["op"] == "firewall")
        .context("the plan has no firewall")?;
    let mut rules = Vec::new();
    for group in ["host", "published"] {
        for rule in firewall[group].as_array().with_context(|| format!("no `{group}` rules"))? {
            let port = rule["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            let from = rule["from"].as_array().into_iter().flatten();
            rules.push(Rule {
                port: port.with_context(|| format!("no port in {rule}"))?,
                tcp: rule["protocol"] == "tcp",
                from: from.filter_map(Value::as_str).map(str::to_owned).collect(),
            });
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_rules_from_a_plan() {
        let plan = json!({"steps": [
            {"id": "clock", "action": {"op": "clock"}},
            {"id": "firewall", "action": {"op": "firewall",
                "host": [{"port": 22, "protocol": "tcp", "from": ["10.0.0.0/24"], "comment": ""}],
                "published": [{"port": 443, "protocol": "udp", "from": [], "comment": ""}]}}]});
        let rules = rules_of(&plan).unwrap();
        assert_eq!(rules[0], Rule { port: 22, tcp: true, from: vec!["10.0.0.0/24".into()] });
        assert_eq!(rules[1], Rule { port: 443, tcp: false, from: vec![] });
        assert!(rules_of(&json!({"steps": []})).is_err());
    }
}
