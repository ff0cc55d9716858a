//! Rules about images and their health checks.

use serde_yaml_ng::Value;

use super::{Findings, Rule, Scope};
use crate::{
    catalogue::{lock::Reference, stack::scalar},
    render::DEADLINE,
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "image-tag",
        why: "the same catalogue must mean the same programs tomorrow",
        excepted: false,
        check: image_tag,
    },
    Rule {
        name: "image-lock",
        why: "a tag can be moved by whoever owns it; a digest cannot",
        excepted: false,
        check: image_lock,
    },
    Rule {
        name: "healthcheck",
        why: "without one nobody knows whether the service works, and the proxy routes to it blindly",
        excepted: true,
        check: healthcheck,
    },
    Rule {
        name: "health-pace",
        why: "each check starts a program in the container: what checks often or gives up soon brings a \
              slow box to a state in which nothing but checks runs and all of them are too late",
        excepted: false,
        check: health_pace,
    },
];

/// Seconds between two checks of a service that is well, at least.
const INTERVAL: u64 = 300;
/// Seconds that a check may take, at least.
const TIMEOUT: u64 = 60;

fn image_tag(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let (name, image) = (&scope.service.name, &scope.service.image);
    if scope.service.compose.contains_key("build") {
        out.add(&["build"], format!("`{name}` is built on the box"), "name a finished image");
    }
    if image.is_empty() {
        out.add(&[], format!("`{name}` names no image"), "");
        return;
    }
    let hint = "name the exact version, such as `traefik:v3.7.11`";
    match Reference::parse(image).tag.as_deref() {
        None => out.add(&["image"], format!("`{image}` has no tag"), hint),
        Some(tag @ ("latest" | "stable" | "nightly" | "edge" | "main" | "master" | "lts")) => {
            out.add(&["image"], format!("the tag `{tag}` of `{image}` moves"), hint);
        }
        Some(_) if image.contains('@') => {
            let hint = "write the tag here and the digest into images.lock";
            out.add(&["image"], format!("`{image}` carries its digest"), hint);
        }
        Some(_) => {}
    }
}

fn image_lock(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let image = &scope.service.image;
    if scope.stack.own || image.is_empty() {
        return;
    }
    let Some(entry) = scope.lock.image(image) else {
        let hint = "add an entry with its digest";
        out.add(&["image"], format!("`{image}` is not in images.lock"), hint);
        return;
    };
    let reference = Reference::parse(image);
    if reference.repository != entry.repository || reference.tag.as_deref() != Some(&entry.tag) {
        let message =
            format!("images.lock pulls `{}:{}` for `{image}`", entry.repository, entry.tag);
        let tag = reference.tag.unwrap_or_default();
        out.add(&["image"], message, format!("it must be `{}:{tag}`", reference.repository));
    }
}

fn healthcheck(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let name = &scope.service.name;
    let Some(check) = scope.service.compose.get("healthcheck") else {
        out.add(&[], format!("`{name}` has no health check"), "add `healthcheck`");
        return;
    };
    let path = ["healthcheck", "test"];
    if check.get("disable") == Some(&Value::Bool(true)) {
        out.add(&path, format!("`{name}` switches its health check off"), "");
        return;
    }
    let words: Vec<String> = match check.get("test") {
        Some(Value::Sequence(list)) => list.iter().map(scalar).collect(),
        Some(Value::String(text)) => vec!["CMD-SHELL".to_owned(), text.clone()],
        _ => Vec::new(),
    };
    let Some((program, shown)) = (match words.first().map(String::as_str) {
        Some("CMD") => words.get(1).map(|word| (word.as_str(), word.clone())),
        Some("CMD-SHELL") => Some(("sh", "sh".to_owned())),
        _ => None,
    }) else {
        let hint = "write `test: [CMD, program, argument]`";
        out.add(&path, format!("the health check of `{name}` runs nothing"), hint);
        return;
    };
    let Some(image) = scope.lock.image(&scope.service.image) else { return };
    if !image.programs.is_empty() && !image.programs.iter().any(|known| known == program) {
        let message = format!("the health check of `{name}` runs `{shown}`, which its image lacks");
        let hint = format!("images.lock knows of: {}", image.programs.join(", "));
        out.add(&path, message, hint);
    }
}

fn health_pace(scope: &Scope<'_>, out: &mut Findings<'_>) {
    let Some(check) = scope.service.compose.get("healthcheck") else { return };
    if scope.stack.own {
        return;
    }
    let name = &scope.service.name;
    let start = scope.service.wish.deadline.unwrap_or(DEADLINE);
    for (key, least) in [("interval", INTERVAL), ("timeout", TIMEOUT), ("start_period", start)] {
        let told = check.get(key).map(scalar).unwrap_or_default();
        let seconds = told.strip_suffix('s').and_then(|number| number.parse::<u64>().ok());
        if seconds.is_none_or(|seconds| seconds < least) {
            let message = format!("`{key}` of the health check of `{name}` is `{told}`");
            out.add(&["healthcheck", key], message, format!("write `{key}: {least}s`, or more"));
        }
    }
}
