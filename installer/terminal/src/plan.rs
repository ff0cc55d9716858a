//! A plan as text: every step, and under it what it brings about. It holds no secret, only their
//! names.

mod words;

use std::fmt::{self, Write as _};

use model::plan::{AccessExpectation, Action, FileWish, Plan, PortRule, ServiceWish};

pub use words::words;

/// The whole plan for a person.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, plan);
    out
}

fn write(out: &mut String, plan: &Plan) -> fmt::Result {
    writeln!(
        out,
        "plan {}, {} steps; seed {}, catalogue {}\n",
        plan.digest().short(),
        plan.steps.len(),
        plan.seed.short(),
        plan.catalogue.short()
    )?;
    let width = plan.steps.len().to_string().len();
    for (index, step) in plan.steps.iter().enumerate() {
        let number = index + 1;
        writeln!(out, "[{number:>width$}/{}] {}: {}", plan.steps.len(), step.id, step.title)?;
        for line in details(&step.action) {
            writeln!(out, "{:1$}{line}", "", 2 * width + 4)?;
        }
    }
    Ok(())
}

/// What a step brings about, one line each.
fn details(action: &Action) -> Vec<String> {
    match action {
        Action::Install(install) => {
            let victim = install.consent.victim();
            let lost = match victim.contents.is_empty() {
                true => "it is empty".to_owned(),
                false => format!("everything on it is lost: {}", victim.contents.join(", ")),
            };
            vec![format!("onto {victim}, {lost}"), "the stick stays as it is".to_owned()]
        }
        Action::Clock => Vec::new(),
        Action::Identity(identity) => vec![
            format!("host name {} ({})", identity.hostname, identity.fqdn),
            format!(
                "time zone {}, locale {}, keyboard {}",
                identity.timezone, identity.locale, identity.keyboard
            ),
            format!("admin {} with {} SSH keys", identity.admin, identity.ssh_keys.len()),
        ],
        Action::Network(set) | Action::Docker(set) => set.files.iter().map(file).collect(),
        Action::Storage(storage) => {
            let grow = storage.grow_root.then(|| "root grows to the end of its disk".to_owned());
            let folders = storage.folders.iter().map(|f| format!("{} {:04o}", f.path, f.mode));
            let mounts =
                storage.mounts.iter().map(|m| format!("{} on {} ({})", m.what, m.at, m.kind));
            grow.into_iter().chain(folders).chain(mounts).collect()
        }
        Action::Firewall(firewall) => firewall
            .host
            .iter()
            .map(|rule| port("the box", rule))
            .chain(firewall.published.iter().map(|rule| port("containers", rule)))
            .collect(),
        Action::Networks { networks } => networks
            .iter()
            .map(|network| {
                let internal = if network.internal { ", no way out" } else { "" };
                format!("{}{internal}", network.name)
            })
            .collect(),
        Action::Secrets { wishes } => wishes.iter().map(|wish| wish.name.to_string()).collect(),
        Action::Certificates(certificates) => vec![
            format!("authority {}", certificates.authority),
            format!("names {}, {} days", certificates.names.join(", "), certificates.days),
        ],
        Action::Render(render) => {
            let initial = render.initial.iter().map(|f| format!("{}, once", file(f)));
            render.files.iter().map(file).chain(initial).collect()
        }
        Action::Images(images) => {
            let pulls = images.pulls.iter().map(|pull| match &pull.digest {
                Some(digest) => format!("{} {}", pull.reference, digest.short()),
                None => format!("{} by tag", pull.reference),
            });
            let artefacts =
                images.artefacts.iter().map(|wish| format!("{} {}", wish.name, wish.version));
            pulls.chain(artefacts).collect()
        }
        Action::Stack(stack) => stack.services.iter().flat_map(service).collect(),
        Action::Access { probes } => probes
            .iter()
            .map(|probe| match &probe.expect {
                AccessExpectation::Answers => format!("{} answers", probe.url),
                AccessExpectation::Portal { .. } => format!("{} asks for a login", probe.url),
                AccessExpectation::Passes => format!("{} lets through", probe.url),
                AccessExpectation::Refused => format!("{} refuses", probe.url),
            })
            .collect(),
        Action::Handover(handover) => vec![
            format!("log in as {} at {}", handover.admin, handover.portal),
            "secrets on the SEED partition are overwritten".to_owned(),
        ],
    }
}

fn service(service: &ServiceWish) -> Vec<String> {
    let lazy = if service.lazy { ", asleep until asked for" } else { "" };
    let line = format!("{}, healthy within {} s{lazy}", service.name, service.deadline);
    let end = service.end_of_life.as_ref();
    let warning = end.map(|end| format!("warning: {} is end of life {end}", service.name));
    std::iter::once(line).chain(warning).collect()
}

fn file(wish: &FileWish) -> String {
    format!("{} {:04o}", wish.path, wish.mode)
}

fn port(whose: &str, rule: &PortRule) -> String {
    format!("{} of {whose} from {}: {}", number(rule), sources(rule), rule.comment)
}

/// Such as `443/tcp`.
fn number(rule: &PortRule) -> String {
    format!("{}/{}", rule.port, format!("{:?}", rule.protocol).to_lowercase())
}

/// From where a port is open.
fn sources(rule: &PortRule) -> String {
    match rule.from.as_slice() {
        [] => "everywhere".to_owned(),
        nets => nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use model::{
        Digest,
        plan::{FORMAT, Firewall, Protocol, StackWish, Step, StepId},
    };

    use super::*;

    #[test]
    fn steps_with_their_details() {
        let step = |id: &str, title: &str, action| Step {
            id: StepId::new(id),
            title: title.into(),
            action,
        };
        let rule = |port, from: &[&str], comment: &str| PortRule {
            port,
            protocol: Protocol::Tcp,
            from: from.iter().map(|net| net.parse().unwrap()).collect(),
            comment: comment.into(),
        };
        let firewall = Firewall {
            host: vec![rule(22, &["192.168.1.0/24"], "SSH")],
            published: vec![rule(443, &[], "proxy")],
        };
        let service = |name: &str, lazy, end_of_life: Option<&str>| ServiceWish {
            name: name.into(),
            deadline: 120,
            lazy,
            configuration: Digest::of(""),
            end_of_life: end_of_life.map(str::to_owned),
            after: Vec::new(),
            network_of: None,
            setup: Vec::new(),
        };
        let stack = StackWish {
            name: "shelf".into(),
            folder: "/opt/stacks/shelf".into(),
            services: vec![
                service("books", true, None),
                service("scrolls", false, Some("since the year 400; nobody copies them")),
            ],
            digest: Digest::of("shelf"),
            needs: Vec::new(),
        };
        let plan = Plan {
            format: FORMAT,
            seed: Digest::of("seed"),
            catalogue: Digest::of("catalogue"),
            steps: vec![
                step("clock", "Clock", Action::Clock),
                step("firewall", "Firewall: 22, 443", Action::Firewall(firewall)),
                step("stacks/shelf", "Stack shelf", Action::Stack(stack)),
            ],
        };
        let shown = text(&plan);
        let (head, steps) = shown.split_once("\n\n").unwrap();
        assert_eq!(
            head,
            format!(
                "plan {}, 3 steps; seed {}, catalogue {}",
                plan.digest().short(),
                plan.seed.short(),
                plan.catalogue.short()
            )
        );
        assert_eq!(
            steps,
            "[1/3] clock: Clock
[2/3] firewall: Firewall: 22, 443
      22/tcp of the box from 192.168.1.0/24: SSH
      443/tcp of containers from everywhere: proxy
[3/3] stacks/shelf: Stack shelf
      books, healthy within 120 s, asleep until asked for
      scrolls, healthy within 120 s
      warning: scrolls is end of life since the year 400; nobody copies them
"
        );
    }
}
