//! The linter: named rules that every stack obeys.
//!
//! A rule that a service must break is excepted beside the service, with the reason:
//! `x-homelab: {exceptions: {raw-docker-socket: "…"}}`. An exception that nothing needs is an
//! error too, so that the list stays true.

mod hardening;
mod image;
mod storage;
mod traffic;
mod wiring;

use super::{Lock, Service, Stack, place::place, stack::nearest};
use crate::Problems;

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, for exceptions and messages.
    pub name: &'static str,
    /// Why there is this rule.
    pub why: &'static str,
    /// A service may break it with a reason.
    pub excepted: bool,
    check: fn(&Scope<'_>, &mut Findings<'_>),
}

/// What a rule looks at.
pub(super) struct Scope<'a> {
    stack: &'a Stack,
    service: &'a Service,
    lock: &'a Lock,
}

/// Where a rule puts what it finds.
pub(super) struct Findings<'a> {
    rule: &'static str,
    service: &'a str,
    found: Vec<Finding>,
}

struct Finding {
    rule: &'static str,
    path: Vec<String>,
    message: String,
    hint: String,
}

impl Findings<'_> {
    /// `path` is below the service.
    fn add(&mut self, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        let path = ["services", self.service].iter().chain(path).map(|s| (*s).to_owned()).collect();
        let (rule, message, hint) = (self.rule, message.into(), hint.into());
        self.found.push(Finding { rule, path, message, hint });
    }
}

/// All rules, in the order in which they are applied.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [image::RULES, hardening::RULES, storage::RULES, traffic::RULES, wiring::RULES]
        .into_iter()
        .flatten()
}

/// The rule that the linter itself enforces on exceptions.
pub const UNUSED_EXCEPTION: &str = "unused-exception";
/// The rule that names, URLs and ports belong to one service only.
pub const UNIQUE: &str = "unique";

/// Applies every rule to every service of a stack.
pub(super) fn check(stack: &Stack, lock: &Lock, problems: &mut Problems) {
    for service in &stack.services {
        let scope = Scope { stack, service, lock };
        let mut findings = Findings { rule: "", service: &service.name, found: Vec::new() };
        for rule in rules() {
            findings.rule = rule.name;
            (rule.check)(&scope, &mut findings);
        }
        let found = std::mem::take(&mut findings.found);
        findings.rule = UNUSED_EXCEPTION;
        for (name, reason) in &service.wish.exceptions {
            let path = ["x-homelab", "exceptions", name];
            let Some(rule) = rules().find(|rule| rule.name == name) else {
                let hint = nearest(name, rules().map(|rule| rule.name))
                    .map(|near| format!("did you mean `{near}`?"));
                findings.add(&path, format!("`{name}` is no rule"), hint.unwrap_or_default());
                continue;
            };
            if !rule.excepted {
                findings.add(&path, format!("nothing is excepted from `{name}`"), rule.why);
            } else if reason.trim().is_empty() {
                findings.add(&path, format!("the exception from `{name}` gives no reason"), "");
            } else if !found.iter().any(|finding| finding.rule == name) {
                let message = format!("`{}` does not break `{name}`", service.name);
                findings.add(&path, message, "remove the exception");
            }
        }
        for finding in found.into_iter().chain(findings.found) {
            let excepted = rules().find(|rule| rule.name == finding.rule).is_some_and(|rule| {
                rule.excepted && service.wish.exceptions.contains_key(rule.name)
            });
            if !excepted {
                report(finding, problems);
            }
        }
    }
}

/// Applies the rules between stacks: names, URLs and ports belong to one service only.
pub(super) fn check_between(stack: &Stack, others: &[Stack], problems: &mut Problems) {
    for (index, service) in stack.services.iter().enumerate() {
        let before = stack.services[..index].iter().map(|other| (stack, other));
        let elsewhere = others.iter().flat_map(|s| s.services.iter().map(move |o| (s, o)));
        let mut findings = Findings { rule: UNIQUE, service: &service.name, found: Vec::new() };
        for (other_stack, other) in before.chain(elsewhere) {
            let owner = format!("`{}` of stack `{}`", other.name, other_stack.name);
            if other.name == service.name {
                findings.add(&[], format!("the name `{}` is taken by {owner}", other.name), "");
            }
            if service.wish.url.is_some() && other.wish.url == service.wish.url {
                let message = format!("`{}` wants the URL of {owner}", service.name);
                findings.add(&["x-homelab", "url"], message, "");
            }
            for publish in &service.wish.publishes {
                let same = |p: &&super::wish::Publish| {
                    (p.port, p.protocol) == (publish.port, publish.protocol)
                };
                if other.wish.publishes.iter().any(|p| same(&p)) {
                    let message =
                        format!("`{}` wants port {} of {owner}", service.name, publish.port);
                    findings.add(&["x-homelab", "publishes"], message, "");
                }
            }
        }
        for finding in findings.found {
            report(finding, problems);
        }
    }
}

fn report(finding: Finding, problems: &mut Problems) {
    let path: Vec<&str> = finding.path.iter().map(String::as_str).collect();
    let span = place(&problems.text, &path);
    problems.push(span, format!("[{}] {}", finding.rule, finding.message), finding.hint);
}
