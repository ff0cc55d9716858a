//! Traefik, started with what is rendered for it: its two configurations, the labels of all
//! containers as the engine tells them, and certificates. It must log no error, be ready when it
//! knows the containers and not before, hear then that they are well, send everybody to the login
//! who has to go there, and lead each address to its own service.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::plan::{AccessExpectation, AccessProbe, Action};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use super::{
    bench::Case,
    engine::{self, Container, Engine, Stage},
    http::{Reply, Server},
    network::{NEIGHBOURS, TRAEFIK},
    root::Root,
};
use crate::{
    fixtures::authority::{Authority, Identity},
    guest::web::Browser,
};

/// How long it may take until everything is as it should be.
const PATIENCE: Duration = Duration::from_secs(120);
const STATIC: &str = "/etc/traefik/traefik.yml";
const SLEEPERS: &str = "/etc/traefik/dynamic/lazy.yml";

/// Starts it and looks.
///
/// # Errors
/// What is wrong: what Traefik itself says, or an address that leads elsewhere.
pub fn check(case: &Case<'_>) -> Result<()> {
    let domain = &case.variant.domain;
    let authority = Authority::make()?;
    let identity = authority.issue(&[], &[domain, &format!("*.{domain}")], &case.folder)?;
    own_certificate(case, &identity)?;
    let root = Root::of(&case.written, "core", "traefik", case.folder.join("traefik"))?;
    let root = root.within(case.network);
    acme_certificate(&root, domain, &identity)?;
    root.bind(&case.owners.program("traefik")?.program, "/traefik")?;
    let containers = engine::containers(case.variant, &case.written)?;
    root.put("/etc/hosts", &hosts(&containers))?;
    let logged_in = Arc::new(AtomicBool::new(false));
    let mut world = neighbours(&root, &containers, &logged_in)?;
    let engine = Arc::new(Engine::new(containers));
    let answering = Arc::clone(&engine);
    world.push(Server::start((NEIGHBOURS, 2375).into(), move |path| answering.answer(path))?);

    let log = case.folder.join("traefik.log");
    let mut traefik = root.program(&["/traefik"]).service(&log)?;
    let names: Vec<String> = case.variant.probes().map(host).collect();
    let browser = Browser::open(TRAEFIK.into(), &names, Some(&authority.certificate))?;
    let mut until = |right: &dyn Fn() -> Option<Wrong>| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            errors(&log)?;
            traefik.must_run()?;
            match right() {
                None => return Ok(()),
                Some(Wrong::NotYet(_)) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(100));
                }
                Some(Wrong::NotYet(why) | Wrong::ForGood(why)) => bail!("{why}"),
            }
        }
    };
    let ready = health_check(case)?;
    let alive = format!("http://{TRAEFIK}:8082/ping");
    until(&|| unready(&browser, &alive, true))?;
    until(&|| unready(&browser, &ready, false))?;
    engine.reaches(Stage::Starting);
    until(&|| unready(&browser, &ready, true))?;
    engine.reaches(Stage::Well);
    for who in [false, true] {
        logged_in.store(who, Ordering::Relaxed);
        until(&|| case.variant.probes().find_map(|probe| wrong(&browser, probe, who)))?;
    }
    drop((traefik, world));
    errors(&log)
}

/// The box's own certificate, as the step `certificates` would lay it there.
fn own_certificate(case: &Case<'_>, identity: &Identity) -> Result<()> {
    for step in &case.variant.plan.steps {
        let Action::Certificates(wish) = &step.action else { continue };
        for (from, to) in [(&identity.certificate, &wish.chain), (&identity.key, &wish.key)] {
            case.written.put(&to.path, &read(from)?)?;
        }
    }
    Ok(())
}

/// What Traefik keeps of an earlier run: a certificate for all names, so that it asks no authority
/// for one. There is none here.
fn acme_certificate(root: &Root, domain: &str, identity: &Identity) -> Result<()> {
    let settings: Yaml = serde_yaml_ng::from_str(&read(&root.at(STATIC))?)
        .with_context(|| format!("{STATIC} is no YAML"))?;
    let Some(file) = settings["certificatesResolvers"]["acme"]["acme"]["storage"].as_str() else {
        return Ok(());
    };
    let kept = json!({"acme": {"Account": null, "Certificates": [{
        "domain": {"main": domain, "sans": [format!("*.{domain}")]},
        "certificate": STANDARD.encode(read(&identity.certificate)?),
        "key": STANDARD.encode(read(&identity.key)?),
        "Store": "default",
    }]}});
    root.put(file, &kept.to_string())?;
    root.keep_private(file)
}

/// The names of Docker's networks.
fn hosts(containers: &[Container]) -> String {
    let fixed = ["socket-proxy", "sablier"];
    let mut text = format!("127.0.0.1 localhost\n{NEIGHBOURS} {}\n", fixed.join(" "));
    for container in containers.iter().filter(|one| !fixed.contains(&one.name.as_str())) {
        text.push_str(&format!("{} {}\n", container.address, container.name));
    }
    text
}

/// The address that the health check of its container asks for.
fn health_check(case: &Case<'_>) -> Result<String> {
    let compose = case.written.compose("core")?;
    let test = &compose["services"]["traefik"]["healthcheck"]["test"];
    let address = test.as_sequence().and_then(|words| words.last()).and_then(Yaml::as_str);
    let address = address.context("the health check of Traefik asks for no address")?;
    Ok(address.replace("127.0.0.1", &TRAEFIK.to_string()))
}

/// What is wrong with what Traefik says of itself, if that should be good or should not.
fn unready(browser: &Browser, address: &str, should: bool) -> Option<Wrong> {
    match browser.get(address) {
        Err(error) => Some(Wrong::NotYet(format!("{error:#}"))),
        Ok(answer) => match (should, answer.status == 200) {
            (false, true) => {
                Some(Wrong::ForGood("Traefik is ready before it knows a container".to_owned()))
            }
            (true, false) => Some(Wrong::NotYet(format!("{address} does not say 200: {answer:?}"))),
            _ => None,
        },
    }
}

/// Sablier to whom everybody is awake, the login, and one page for each service that says whose it
/// is.
fn neighbours(
    root: &Root,
    containers: &[Container],
    logged_in: &Arc<AtomicBool>,
) -> Result<Vec<Server>> {
    let sleepers: Yaml = serde_yaml_ng::from_str(&read(&root.at(SLEEPERS))?)
        .with_context(|| format!("{SLEEPERS} is no YAML"))?;
    let mut servers = Vec::new();
    for container in containers {
        let route = &sleepers["http"]["services"][container.name.as_str()]["loadBalancer"];
        let woken = route["servers"][0]["url"].as_str().and_then(|url| url.rsplit(':').next());
        let Some(port) = container.port().or_else(|| woken?.parse().ok()) else { continue };
        let (name, logged_in) = (container.name.clone(), Arc::clone(logged_in));
        servers.push(Server::start((container.address, port).into(), move |path| {
            match path.starts_with("/api/authz/") && !logged_in.load(Ordering::Relaxed) {
                true => Reply { status: 302, ..Reply::body("") }.header("Location", LOGIN),
                false => Reply::body(name.clone()),
            }
        })?);
    }
    servers.push(Server::start((NEIGHBOURS, 10_000).into(), |_| {
        Reply::body("").header("X-Sablier-Session-Status", "ready")
    })?);
    Ok(servers)
}

/// What a Traefik without its pages says at each start.
const NOT_BUILT: &str = "Error appending dashboard to API router";
/// Where the login of this world sends who has not logged in.
const LOGIN: &str = "https://login.invalid/";

fn host(probe: &AccessProbe) -> String {
    probe.url.trim_start_matches("https://").trim_end_matches('/').to_owned()
}

/// An answer that is not the right one.
enum Wrong {
    /// As long as Traefik has not read everything, it knows no address, no certificate or no login.
    NotYet(String),
    /// Somebody has answered who should not.
    ForGood(String),
}

/// What is wrong with the answer of an address, if anything.
fn wrong(browser: &Browser, probe: &AccessProbe, logged_in: bool) -> Option<Wrong> {
    let AccessProbe { service, url, expect } = probe;
    // Traefik's own page is not built; what it tells the page is there.
    let own = logged_in && service == "traefik";
    let address = if own { format!("{url}api/version") } else { url.clone() };
    let answer = match browser.get(&address) {
        Ok(answer) => answer,
        Err(error) => return Some(Wrong::NotYet(format!("{error:#}"))),
    };
    let location = answer.location.as_deref();
    let right = match (logged_in, expect) {
        (false, AccessExpectation::Portal { .. }) => location == Some(LOGIN),
        // Whether the portal itself lets them in is for Authelia to say.
        (false, _) => location == Some(LOGIN) || answer.body == *service,
        (true, _) if own => answer.body.contains("\"Version\":"),
        (true, _) => answer.body == *service,
    };
    let why = format!("{url} is not answered as by {service}: {answer:?}");
    match answer.status {
        _ if right => None,
        404 | 500.. => Some(Wrong::NotYet(why)),
        _ => Some(Wrong::ForGood(why)),
    }
}

/// Fails with the lines in which Traefik tells an error.
fn errors(log: &Path) -> Result<()> {
    let is_error = |line: &&str| {
        let told: Option<Value> = serde_json::from_str(line).ok();
        let level = told.as_ref().and_then(|told| told["level"].as_str());
        // What is no JSON is said before the log is set up, or while falling over.
        !matches!(level, Some("debug" | "info" | "warn")) && !line.contains(NOT_BUILT)
    };
    let text = read(log)?;
    let lines: Vec<&str> = text.lines().filter(is_error).take(5).collect();
    match lines.is_empty() {
        true => Ok(()),
        false => bail!("{}", lines.join("\n")),
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
