//! Rules about what is filled in and what is mounted from the lock.

use serde_yaml_ng::Value;

use super::{Findings, Rule, Scope};
use crate::{
    catalogue::{Service, stack::nearest},
    render::variables,
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "variable",
        why: "a variable that nobody fills in is an empty setting",
        excepted: false,
        check: variable,
    },
    Rule {
        name: "artefact",
        why: "what is mounted from the image must be in its lock",
        excepted: false,
        check: artefact,
    },
    Rule {
        name: "instead-of",
        why: "one of two services is left out, so both must be there and work alone",
        excepted: false,
        check: instead_of,
    },
    Rule {
        name: "end-of-life",
        why: "what gets no fixes any more is deployed only where its owner asks for it",
        excepted: true,
        check: end_of_life,
    },
];

fn variable(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let mut texts = Vec::new();
    collect(&Value::Mapping(scope.service.compose.clone()), &mut texts);
    for (key, text) in texts {
        for name in variables::used(&text) {
            if variables::NAMES.contains(&name.as_str()) {
                continue;
            }
            let message = format!("`${{{name}}}` is filled in by nobody");
            let hint = match nearest(&name, variables::NAMES) {
                Some(near) => format!("did you mean `${{{near}}}`?"),
                None => format!("known: {}", variables::NAMES.join(", ")),
            };
            out.add(&[&key], message, hint);
        }
    }
}

/// All texts below a value with the outermost key that each stands under.
fn collect(value: &Value, out: &mut Vec<(String, String)>) {
    fn inner(value: &Value, key: &str, out: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => out.push((key.to_owned(), text.clone())),
            Value::Sequence(list) => list.iter().for_each(|value| inner(value, key, out)),
            Value::Mapping(map) => map.values().for_each(|value| inner(value, key, out)),
            _ => {}
        }
    }
    if let Value::Mapping(map) = value {
        for (key, value) in map {
            inner(value, key.as_str().unwrap_or_default(), out);
        }
    }
}

fn artefact(scope: &Scope<'_>, out: &mut Findings<'_>) {
    for mount in &scope.service.wish.artefacts {
        if scope.lock.artefact(&mount.name).is_none() {
            let message = format!("the artefact `{}` is not in images.lock", mount.name);
            out.add(&["x-homelab", "artefacts"], message, "");
        }
    }
}

fn instead_of(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let Some(name) = &scope.service.wish.instead_of else { return };
    let own = &scope.service.name;
    let (message, hint) = match scope.stack.service(name) {
        None => (format!("the stack has no service `{name}`"), "name one of the same stack"),
        Some(_) if name == own => (format!("`{own}` stands in for itself"), "name another one"),
        Some(other) if other.wish.instead_of.is_some() => (
            format!("`{name}` itself stands in for another one"),
            "name the one that is deployed by default",
        ),
        Some(other) if needs(scope.service, name) || needs(other, own) => (
            format!("one of `{own}` and `{name}` needs the other, but only one is deployed"),
            "remove that dependency",
        ),
        Some(_) => return,
    };
    out.add(&["x-homelab", "instead_of"], message, hint);
}

/// Whether a service never runs without another one.
fn needs(service: &Service, name: &str) -> bool {
    service.needs().any(|need| need == name)
}

fn end_of_life(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let wish = &scope.service.wish;
    if wish.end_of_life.is_some() && wish.instead_of.is_none() {
        let message = format!("`{}` is end of life, and deployed by default", scope.service.name);
        out.add(
            &["x-homelab", "end_of_life"],
            message,
            "say `instead_of`, or take another program",
        );
    }
}
