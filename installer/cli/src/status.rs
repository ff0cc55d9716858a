//! `status`, `report` and `authority`: what anybody on the box may see.

use std::collections::BTreeMap;

use engine::Journal;
use host::{
    Host,
    containers::{Container, Health},
    files, probe,
};
use model::{
    disk::Entry,
    memory::{ASLEEP, Found, Table},
    paths,
    plan::{Action, Plan},
    report::{Outcome, Report},
};
use serde::Serialize;
use terminal::qr::Form;

use crate::{
    command_line::{VERSION, say},
    day_two::{need_root, pretty, read_seed},
    disk,
    failure::Failure,
    inputs, sealing,
};

/// What is there.
#[derive(Debug, Serialize)]
struct Status {
    /// The last run came to its end.
    installed: bool,
    /// How the last run ended.
    verdict: Option<String>,
    /// When.
    finished: Option<String>,
    /// Where the seed came from, and when it was accepted.
    seed: Option<String>,
    links: BTreeMap<String, String>,
    addresses: Vec<String>,
    warnings: Vec<String>,
    /// Stacks that wait for a volume, with the reason.
    held: BTreeMap<String, String>,
    /// None: whoever asks may not ask the disks.
    disks: Option<Vec<Entry>>,
    /// None: whoever asks may not talk to the container engine.
    services: Option<Vec<ServiceStatus>>,
}

#[derive(Debug, Serialize)]
struct ServiceStatus {
    stack: String,
    service: String,
    /// `healthy`, `running`, `starting`, `unhealthy`, `asleep`, `held`, `stopped`, `missing`
    state: &'static str,
}

/// Shows what is there and whether it is well; 0 if all is, 4 if a service is not.
///
/// # Errors
/// The report cannot be read.
pub fn status(host: &Host, json: bool) -> Result<u8, Failure> {
    let status = gather(host)?;
    if json {
        say(&pretty(&status)?);
    } else {
        say(&text(&status));
    }
    let bad = |service: &ServiceStatus| !matches!(service.state, "healthy" | "running" | "asleep");
    let ill = status.services.iter().flatten().any(bad);
    Ok(if ill || !status.installed { 4 } else { 0 })
}

fn gather(host: &Host) -> Result<Status, Failure> {
    let report = last_report(host)?;
    // Only root may read the journal: the plan in it names what is where.
    let journal = Journal::load(host).ok().flatten();
    let installed = match &journal {
        Some(journal) => journal.complete,
        None => report.as_ref().is_some_and(|report| report.exit == 0),
    };
    let held = held(host, journal.as_ref(), report.as_ref());
    let warned =
        report.iter().flat_map(|report| &report.steps).filter_map(|step| match &step.outcome {
            Outcome::Warned { message } => Some(message.clone()),
            _ => None,
        });
    Ok(Status {
        installed,
        verdict: report.as_ref().map(|r| terminal::progress::verdict_text(&r.verdict)),
        finished: report.as_ref().map(|report| report.finished.clone()),
        seed: sealing::accepted(host).map(|seed| format!("{}, {}", seed.source, seed.at)),
        warnings: warned.collect(),
        links: report.as_ref().map(|report| report.links.clone()).unwrap_or_default(),
        addresses: probe::addresses(host)
            .map(|all| all.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        // Only root may ask a disk.
        disks: journal.is_some().then(|| disk::entries(host, false).ok()).flatten(),
        services: journal.and_then(|journal| services(host, &journal.plan, &held)),
        held,
    })
}

/// Stacks that wait for a volume: as it is now for root, for all others as it was last.
fn held(
    host: &Host,
    journal: Option<&Journal>,
    report: Option<&Report>,
) -> BTreeMap<String, String> {
    let context = engine::Context::new(host.clone(), VERSION);
    if let Some(held) = journal.and_then(|j| engine::held(&j.plan, &context).ok()) {
        return held;
    }
    let steps = report.iter().flat_map(|report| &report.steps);
    let held = steps.filter_map(|step| match &step.outcome {
        Outcome::Held { reason } => Some((step.id.0.replace("stacks/", ""), reason.clone())),
        _ => None,
    });
    held.collect()
}

/// What a QR code is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Qr {
    /// What the locale says that this terminal can show
    Auto,
    /// Half blocks of Unicode: fits 24 lines
    Blocks,
    /// `#` and spaces: higher than 24 lines
    Ascii,
}

/// Shows the start page as a QR code.
///
/// # Errors
/// There is none yet, or it does not fit.
pub fn qr(host: &Host, form: Qr) -> Result<u8, Failure> {
    let Some(start) = last_report(host)?.and_then(|report| report.start) else {
        return Err(Failure::machine(
            "there is no start page yet",
            "`sudo homelab apply` brings the box there",
        ));
    };
    let form = match form {
        Qr::Auto => Form::of_locale(&locale()),
        Qr::Blocks => Form::Blocks,
        Qr::Ascii => Form::Ascii,
    };
    match terminal::qr::text(&start, form) {
        Some(code) => say(&format!("{code}{start}\n")),
        None => {
            return Err(Failure::machine(
                format!("a QR code of {start} does not fit 80 columns"),
                "try `homelab status --qr=blocks`, or type the address",
            ));
        }
    }
    Ok(0)
}

/// What decides how this terminal's letters are read, as setlocale(3) has it.
fn locale() -> String {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let value = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    value.unwrap_or_default().to_string_lossy().into_owned()
}

/// The services of a plan as the container engine sees them; none: it does not answer us.
fn services(
    host: &Host,
    plan: &Plan,
    held: &BTreeMap<String, String>,
) -> Option<Vec<ServiceStatus>> {
    let mut all = Vec::new();
    for step in &plan.steps {
        let Action::Stack(stack) = &step.action else { continue };
        let containers = host.containers.project(&stack.name).ok()?;
        for service in &stack.services {
            let container = containers.iter().find(|container| container.service == service.name);
            all.push(ServiceStatus {
                stack: stack.name.clone(),
                service: service.name.clone(),
                state: match container {
                    Some(container) if container.running => state(Some(container), service.lazy),
                    _ if held.contains_key(&stack.name) => "held",
                    other => state(other, service.lazy),
                },
            });
        }
    }
    Some(all)
}

/// Shows what memory the services were counted with, may take and have.
///
/// # Errors
/// There is no seed, or the container engine does not answer.
pub fn memory(host: &Host, json: bool) -> Result<u8, Failure> {
    need_root("status --memory")?;
    let (seed, _) = read_seed(host, None)?;
    let (catalogue, facts) = inputs::gathered(host, &seed, probe::facts(host)?)?;
    let budget = model::plan::budget(&seed, &catalogue, &facts)?;
    let mut containers = BTreeMap::new();
    for share in &budget.services {
        if !containers.contains_key(&share.stack) {
            containers.insert(share.stack.clone(), host.containers.project(&share.stack)?);
        }
    }
    let mut found = BTreeMap::new();
    for share in &budget.services {
        let container = containers[&share.stack].iter().find(|c| c.service == share.service);
        let used = match container.filter(|container| container.running) {
            Some(container) => host.containers.memory(&container.id)?,
            None => None,
        };
        let state = state(container, share.lazy);
        found.insert((&share.stack, &share.service), Found { state, used });
    }
    let table = Table::new(&budget, |share| found[&(&share.stack, &share.service)]);
    say(&if json { pretty(&table)? } else { terminal::memory::text(&table) });
    Ok(0)
}

fn state(container: Option<&Container>, lazy: bool) -> &'static str {
    match container {
        None => "missing",
        Some(container) if !container.running => {
            if lazy {
                ASLEEP
            } else {
                "stopped"
            }
        }
        Some(container) => match container.health {
            None => "running",
            Some(Health::Healthy) => "healthy",
            Some(Health::Starting) => "starting",
            Some(Health::Unhealthy) => "unhealthy",
        },
    }
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:<11}{value}\n"));
    line("installed", if status.installed { "yes" } else { "no" });
    if let (Some(verdict), Some(finished)) = (&status.verdict, &status.finished) {
        line("last run", &format!("{verdict}, {finished}"));
    }
    if let Some(seed) = &status.seed {
        line("seed", seed);
    }
    line("addresses", &status.addresses.join(", "));
    for (title, url) in &status.links {
        line("link", &format!("{url}  {title}"));
    }
    for warning in &status.warnings {
        line("warning", warning);
    }
    for (stack, reason) in &status.held {
        line("held", &format!("{stack}: {reason}"));
    }
    for disk in status.disks.iter().flatten() {
        line("disk", &terminal::disks::line(disk));
    }
    match &status.services {
        Some(services) => {
            let name = |one: &ServiceStatus| format!("{}/{}", one.stack, one.service);
            let longest = services.iter().map(|one| name(one).len()).max().unwrap_or_default();
            for one in services {
                line("service", &format!("{:<longest$}  {}", name(one), one.state));
            }
        }
        None => line("services", "shown to root only: `sudo homelab status`"),
    }
    text
}

/// Shows what the last run did.
///
/// # Errors
/// There was none.
pub fn report(host: &Host, json: bool) -> Result<u8, Failure> {
    let Some(report) = last_report(host)? else {
        return Err(Failure::machine("there was no run yet", "`sudo homelab apply` is one"));
    };
    if json {
        say(&pretty(&report)?);
    } else {
        say(&terminal::sheet::text(&report));
    }
    Ok(0)
}

/// The report of the last run, if there was one.
///
/// # Errors
/// It is damaged.
pub fn last_report(host: &Host) -> Result<Option<Report>, Failure> {
    let Some(bytes) = files::read_optional(host.path(paths::REPORT))? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Failure::machine(
            format!("`{}` is damaged: {error}", paths::REPORT),
            "`sudo homelab apply` writes it anew",
        )
    })
}

/// Prints the certificate of the box's own authority.
///
/// # Errors
/// The box has none.
pub fn authority(host: &Host) -> Result<u8, Failure> {
    let path = format!("{}/ca.pem", paths::AUTHORITY);
    match files::read_text_optional(host.path(&path))? {
        Some(pem) => say(&pem),
        None => {
            return Err(Failure::machine(
                "this box has no certificate authority of its own",
                "its certificates come from the issuer that its seed names, which devices trust \
                 already",
            ));
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_and_others_see() {
        let mut status = Status {
            installed: true,
            verdict: Some("installed".into()),
            finished: Some("2026-11-24T01:00:00Z".into()),
            seed: Some("the SEED partition, 2026-11-24T00:50:00Z".into()),
            links: [("Login".to_owned(), "https://auth.homelab.home.arpa".to_owned())].into(),
            addresses: vec!["192.168.1.10".into(), "fd00::1".into()],
            warnings: vec!["a plugin is missing".into()],
            held: [("media".to_owned(), "`/mnt/media` is not mounted".to_owned())].into(),
            disks: None,
            services: None,
        };
        assert_eq!(
            text(&status),
            "installed  yes\n\
             last run   installed, 2026-11-24T01:00:00Z\n\
             seed       the SEED partition, 2026-11-24T00:50:00Z\n\
             addresses  192.168.1.10, fd00::1\n\
             link       https://auth.homelab.home.arpa  Login\n\
             warning    a plugin is missing\n\
             held       media: `/mnt/media` is not mounted\n\
             services   shown to root only: `sudo homelab status`\n"
        );
        let service = |service: &str, state| ServiceStatus {
            stack: "core".into(),
            service: service.into(),
            state,
        };
        status.services =
            Some(vec![service("traefik", "healthy"), service("socket-proxy", "unhealthy")]);
        assert!(text(&status).ends_with(
            "service    core/traefik       healthy\n\
             service    core/socket-proxy  unhealthy\n"
        ));
    }

    #[test]
    fn a_lazy_service_that_is_stopped_is_asleep() {
        assert_eq!(state(None, true), "missing");
        let container = Container {
            name: "x".into(),
            service: "x".into(),
            id: "1".into(),
            image: "i".into(),
            running: false,
            exit: Some(0),
            health: None,
            started: 1,
            restarts: 0,
            astray: false,
        };
        assert_eq!(state(Some(&container), true), "asleep");
        assert_eq!(state(Some(&container), false), "stopped");
        let starting =
            Container { running: true, health: Some(Health::Starting), ..container.clone() };
        assert_eq!(state(Some(&starting), false), "starting");
    }
}
