//! Services that can stand in for another one (`instead_of`): which of the two is deployed.
//!
//! The seed chooses before anything else is looked at. What `disable`, a condition or the memory
//! then keeps from the box is not replaced by the other one.

use crate::{
    Problems,
    catalogue::{Catalogue, Service, Stack, nearest},
    seed::Seed,
};

/// Whether this one of the two is chosen. Most services have no other one, and are.
pub(super) fn is_chosen(seed: &Seed, stack: &Stack, service: &Service) -> bool {
    match service.wish.instead_of {
        Some(_) => seed.stacks.prefer.contains(&service.name),
        None => !stack.services.iter().any(|other| stands_in(seed, other, &service.name)),
    }
}

/// The service that is chosen instead of the one of this name.
pub(super) fn in_place_of<'a>(
    seed: &Seed,
    catalogue: &'a Catalogue,
    name: &str,
) -> Option<&'a Service> {
    catalogue.services().map(|(_, other)| other).find(|other| stands_in(seed, other, name))
}

fn stands_in(seed: &Seed, other: &Service, name: &str) -> bool {
    other.wish.instead_of.as_deref() == Some(name) && seed.stacks.prefer.contains(&other.name)
}

/// Whether this is the name of a service that could stand in for another one, and that nobody asked
/// for.
pub(super) fn is_unasked(seed: &Seed, catalogue: &Catalogue, name: &str) -> bool {
    let could = |service: &Service| service.name == name && service.wish.instead_of.is_some();
    catalogue.services().any(|(_, service)| could(service))
        && !seed.stacks.prefer.iter().any(|preferred| preferred == name)
}

/// Tells which names of `[stacks] prefer` choose nothing, and which choose twice.
pub(super) fn check(seed: &Seed, catalogue: &Catalogue, problems: &mut Problems) {
    let choices: Vec<(&str, &str)> = catalogue
        .services()
        .filter_map(|(_, service)| Some((&*service.name, service.wish.instead_of.as_deref()?)))
        .collect();
    let mut chosen: Vec<(&str, &str)> = Vec::new();
    for name in &seed.stacks.prefer {
        let Some(choice) = choices.iter().find(|(known, _)| known == name) else {
            let message = match catalogue.services().any(|(_, service)| service.name == *name) {
                true => format!("names `{name}`, which stands in for no other service"),
                false => format!("names the service `{name}`, which this image does not have"),
            };
            let hint = match nearest(name, choices.iter().map(|(known, _)| *known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => offer(name, &choices),
            };
            problems.push(None, format!("`[stacks] prefer` {message}"), hint);
            continue;
        };
        if let Some((other, replaced)) = chosen.iter().find(|(_, replaced)| *replaced == choice.1) {
            problems.push(
                None,
                format!(
                    "`[stacks] prefer` names `{other}` and `{name}`, both instead of `{replaced}`"
                ),
                format!("take `{other}` or `{name}` out of it"),
            );
        }
        chosen.push(*choice);
    }
}

fn offer(name: &str, choices: &[(&str, &str)]) -> String {
    let choices: Vec<String> = choices
        .iter()
        .map(|(known, replaced)| format!("`{known}` (instead of `{replaced}`)"))
        .collect();
    match choices.is_empty() {
        true => format!("take `{name}` out of it: nothing stands in for anything else"),
        false => format!("take `{name}` out of it; what can be named: {}", choices.join(", ")),
    }
}
