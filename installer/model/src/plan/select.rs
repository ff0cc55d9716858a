//! Which stacks and services are deployed, in which order, and whether the machine can carry them.

use super::stand_in;
use crate::{
    Problems,
    catalogue::{CORE, Catalogue, Service, Stack, nearest, wish::Memory},
    facts::Facts,
    render::{Deployment, holds},
    seed::Seed,
};

/// RAM that the system itself needs.
pub(super) const SYSTEM_MEMORY: u64 = 384 << 20;

/// The outcome of the selection.
#[derive(Debug)]
struct Selection<'a> {
    /// In the order in which they start.
    stacks: Vec<(&'a Stack, Vec<&'a Service>)>,
    /// Services of enabled stacks that the seed gives no reason to deploy.
    left_out: Vec<String>,
}

/// What is deployed of the catalogue, and what is left out; what the seed wants and nobody can give
/// goes to `problems`.
pub(super) fn deployment<'a>(
    seed: &'a Seed,
    catalogue: &'a Catalogue,
    facts: &'a Facts,
    problems: &mut Problems,
) -> (Deployment<'a>, Vec<String>) {
    let Selection { stacks, left_out } = select(seed, catalogue, facts, problems);
    (Deployment { seed, facts, stacks }, left_out)
}

/// Selects; what the seed wants and the catalogue cannot give goes to `problems`.
fn select<'a>(
    seed: &Seed,
    catalogue: &'a Catalogue,
    facts: &Facts,
    problems: &mut Problems,
) -> Selection<'a> {
    check_names(seed, catalogue, problems);
    let enabled = |stack: &&Stack| match &seed.stacks.enable {
        // The owner put an own stack there to have it.
        Some(names) => stack.own || stack.name == CORE || names.contains(&stack.name),
        None => true,
    };
    let enabled: Vec<&Stack> = catalogue.stacks.iter().filter(enabled).collect();
    let ordered = order(&enabled, catalogue, problems);
    let mut left_out = Vec::new();
    let mut stacks = Vec::new();
    for stack in ordered {
        let services = services(seed, catalogue, stack, facts, problems, &mut left_out);
        if !services.is_empty() {
            stacks.push((stack, services));
        }
    }
    check_core(&stacks, problems);
    Selection { stacks, left_out }
}

fn check_names(seed: &Seed, catalogue: &Catalogue, problems: &mut Problems) {
    let mut unknown = |kind: &str, name: &str, known: Vec<&str>, place: &str| {
        let message = format!("{place} names the {kind} `{name}`, which this image does not have");
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has: {}", known.join(", ")),
        };
        problems.push(None, message, hint);
    };
    for name in seed.stacks.enable.iter().flatten() {
        if catalogue.stack(name).is_none() {
            let known = catalogue.stacks.iter().map(|stack| stack.name.as_str()).collect();
            unknown("stack", name, known, "`[stacks] enable`");
        }
    }
    let names = seed.stacks.disable.iter().map(|name| (name, "`[stacks] disable`"));
    let direct = seed.stacks.without_vpn.iter().map(|name| (name, "`[stacks] without_vpn`"));
    for (name, key) in names.chain(direct) {
        if !catalogue.services().any(|(_, service)| service.name == *name) {
            let known = catalogue.services().map(|(_, service)| service.name.as_str()).collect();
            unknown("service", name, known, key);
        }
    }
    stand_in::check(seed, catalogue, problems);
}

/// Each stack after those that it needs; otherwise the catalogue's order, which has core first.
fn order<'a>(
    enabled: &[&'a Stack],
    catalogue: &Catalogue,
    problems: &mut Problems,
) -> Vec<&'a Stack> {
    for stack in enabled {
        for need in &stack.wish.needs {
            if enabled.iter().any(|other| other.name == *need) {
                continue;
            }
            let message = format!("the stack `{}` needs the stack `{need}`", stack.name);
            let hint = match catalogue.stack(need) {
                Some(_) => format!("add `{need}` to `[stacks] enable`"),
                None => "this image does not have it".to_owned(),
            };
            problems.push(None, message, hint);
        }
    }
    let mut ordered: Vec<&Stack> = Vec::new();
    let mut waiting: Vec<&Stack> = enabled.to_vec();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|stack| {
            !stack.wish.needs.iter().any(|need| waiting.iter().any(|other| other.name == *need))
        });
        let Some(ready) = ready else {
            let names: Vec<&str> = waiting.iter().map(|stack| stack.name.as_str()).collect();
            problems.push(None, format!("stacks need each other: {}", names.join(", ")), "");
            break;
        };
        ordered.push(waiting.remove(ready));
    }
    ordered.sort_by_key(|stack| stack.wish.last);
    ordered
}

fn services<'a>(
    seed: &Seed,
    catalogue: &Catalogue,
    stack: &'a Stack,
    facts: &Facts,
    problems: &mut Problems,
    left_out: &mut Vec<String>,
) -> Vec<&'a Service> {
    // Who names a stack wants all of it; otherwise a small box gets a selection that fits.
    let named = seed.stacks.enable.as_ref().is_some_and(|names| names.contains(&stack.name));
    let disabled = |service: &Service| seed.stacks.disable.contains(&service.name);
    let chosen = |service: &Service| stand_in::is_chosen(seed, stack, service);
    let mut kept: Vec<&Service> =
        stack.services.iter().filter(|s| chosen(s) && !disabled(s)).collect();
    kept.retain(|service| {
        let wanted = service.wish.when.as_ref().is_none_or(|condition| holds(condition, seed))
            && (named || service.wish.from_memory.is_none_or(|least| facts.memory >= least.0));
        if !wanted {
            left_out.push(service.name.clone());
        }
        wanted
    });
    // What shares the network of a service that is left out would have no way out, or worse, the
    // wrong one. What depends on one would never start.
    loop {
        let gone = kept.iter().position(|service| {
            let needs = service.depends_on();
            let direct = seed.stacks.without_vpn.contains(&service.name);
            let network = service.network_of().filter(|_| !direct);
            let needs = needs.iter().map(String::as_str).chain(network);
            needs.into_iter().any(|need| {
                left_out.iter().any(|name| name == need)
                    || stand_in::is_unasked(seed, catalogue, need)
            })
        });
        let Some(gone) = gone else { break };
        left_out.push(kept.remove(gone).name.clone());
    }
    for service in &kept {
        for need in service.needs() {
            let name = &service.name;
            if let Some(other) = stand_in::in_place_of(seed, catalogue, &need) {
                let other = &other.name;
                problems.push(
                    None,
                    format!("`{name}` needs `{need}`, but `[stacks] prefer` names `{other}`"),
                    format!("take `{other}` out of `prefer`, or disable `{name}` too"),
                );
            } else if seed.stacks.disable.contains(&need) {
                problems.push(
                    None,
                    format!("`{name}` needs `{need}`, which `[stacks] disable` names"),
                    format!("enable `{need}`, or disable `{name}` too"),
                );
            }
        }
    }
    kept
}

/// Nothing can be reached without the proxy, and nothing is safe without the login.
fn check_core(stacks: &[(&Stack, Vec<&Service>)], problems: &mut Problems) {
    let deployed = |wanted: fn(&Service) -> bool| {
        stacks.iter().flat_map(|(_, services)| services).any(|service| wanted(service))
    };
    let has_urls = deployed(|service| service.wish.url.is_some());
    let parts = [
        ("the reverse proxy", deployed(|service| service.wish.certificate.is_some())),
        ("the login", deployed(|service| service.wish.oidc_provider.is_some())),
    ];
    for (what, is_deployed) in parts {
        if has_urls && !is_deployed {
            let message = format!("{what} is disabled, but there are services with a URL");
            problems.push(None, message, "remove it from `[stacks] disable`");
        }
    }
}

/// What everything deployed needs must fit into RAM, or the kernel kills what it likes.
pub(super) fn check_memory(deployment: &Deployment<'_>, problems: &mut Problems) {
    let need = |service: &Service| service.wish.memory.map_or(0, |memory| memory.0);
    let services: Vec<&Service> = deployment.services().map(|(_, service)| service).collect();
    let total: u64 = SYSTEM_MEMORY + services.iter().map(|service| need(service)).sum::<u64>();
    if total <= deployment.facts.memory {
        return;
    }
    let mut largest = services;
    largest.sort_by_key(|service| (std::cmp::Reverse(need(service)), &service.name));
    let largest: Vec<String> = largest
        .iter()
        .take(3)
        .map(|service| format!("{} {}", service.name, Memory(need(service))))
        .collect();
    let largest = format!("the largest are {}", largest.join(", "));
    problems.push(
        None,
        format!(
            "the services need {} of memory with the system, and this machine has {}",
            Memory(total),
            Memory(deployment.facts.memory)
        ),
        match less(deployment, total - deployment.facts.memory) {
            Some(names) => format!("{largest}; it fits with `[stacks] disable = {names:?}`"),
            None => format!("{largest}; it does not fit even with the core stack alone"),
        },
    );
}

/// What the seed has to disable so that so many bytes less are needed: as few services as possible,
/// each with all that is left out with it.
fn less(deployment: &Deployment<'_>, bytes: u64) -> Option<Vec<String>> {
    let deployed: Vec<&Service> = deployment.services().map(|(_, service)| service).collect();
    let freed = |names: &[String]| -> u64 {
        let gone = deployed.iter().filter(|service| names.contains(&service.name));
        gone.filter_map(|service| service.wish.memory).map(|memory| memory.0).sum()
    };
    let mut groups: Vec<Vec<String>> = deployment
        .services()
        .filter(|(stack, service)| stack.name != CORE && service.stands_for_itself())
        .map(|(stack, service)| {
            let mut names = stack.with_dependents(service);
            names.retain(|name| deployed.iter().any(|service| service.name == *name));
            names
        })
        .collect();
    groups.sort_by_key(|names| freed(names));
    let mut out = deployment.seed.stacks.disable.clone();
    while freed(&out) < bytes {
        let missing = bytes - freed(&out);
        let enough = groups.iter().position(|names| freed(names) >= missing);
        let group = groups.get(enough.or(groups.len().checked_sub(1))?)?.clone();
        groups.retain(|names| names != &group);
        out.extend(group.into_iter().filter(|name| !out.contains(name)).collect::<Vec<_>>());
    }
    Some(out)
}
