//! Rules about what is filled in and what is mounted from the lock.

use serde_yaml_ng::Value;

use super::{Findings, Rule, Scope};
use crate::{catalogue::stack::nearest, render::variables};

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
