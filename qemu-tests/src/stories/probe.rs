//! Services of the owner's own, behind each level of access, put on the box after its install.

use anyhow::{Context as _, Result, ensure};
use model::{
    paths,
    report::{Outcome, Verdict},
};
use serde_json::json;
use std::time::{Duration, Instant};

use crate::{fixtures::PLUGIN, guest::Browser, installed::Installed, scene::Scene, seed::ADMIN};

/// The stack, as its owner writes it.
const STACK: &str = include_str!("../../fixtures/probe-stack/compose.yaml");

/// Deploys the probe stack as an owner does: a folder in their own stacks, the plugin that the
/// image lacks, then `homelab apply`.
pub fn deploy(scene: &mut Scene<'_>) -> Result<()> {
    put_plugin(scene)?;
    let installed = scene.installed()?;
    let file = format!("{}/probe/compose.yaml", paths::OWN_STACKS);
    installed.ssh.write(&file, "0644", STACK.as_bytes())?;
    let report = installed.apply()?;
    ensure!(report.verdict == Verdict::Installed, "the stack was deployed with {report:?}");
    let step = report.steps.iter().find(|step| step.id.0 == "stacks/probe");
    let outcome = step.map(|step| &step.outcome);
    ensure!(outcome == Some(&Outcome::Changed), "stacks/probe: {outcome:?}");
    Ok(())
}

/// Puts the plugin that the image lacks where its owner would.
pub fn put_plugin(scene: &mut Scene<'_>) -> Result<()> {
    let plugin = scene.setup.images.plugin.clone();
    let target = format!("{}/{PLUGIN}", paths::OWN_ARTEFACTS);
    scene.installed()?.ssh.copy_folder(&plugin, &target)
}

/// How the probe's own answer begins, which no redirect and no waiting page holds.
const BODY: &str = "Name: probe";

/// `bypass` means anybody.
pub fn anonymous_passes_at_bypass(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let url = installed.url("probe-open");
    let answer = installed.browser()?.get(&url)?;
    ensure!(answer.status == 200 && answer.body.contains(BODY), "{url}: {answer:?}");
    Ok(())
}

/// At `one_factor` and `two_factor` anybody is sent to the portal, which knows where to go back.
pub fn anonymous_is_sent_to_the_portal(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    for name in ["probe-one", "probe-two"] {
        must_be_sent_to_portal(installed, &installed.browser()?, name)?;
    }
    Ok(())
}

fn must_be_sent_to_portal(installed: &Installed, browser: &Browser, name: &str) -> Result<()> {
    let url = installed.url(name);
    let answer = browser.get(&url)?;
    ensure!(matches!(answer.status, 302 | 303), "{url}: {answer:?}");
    let location = answer.location.unwrap_or_default();
    let portal = installed.url("auth");
    ensure!(location.starts_with(&format!("{portal}/?rd=")), "{url} redirects to `{location}`");
    ensure!(!answer.body.contains(BODY), "{url} shows its page in the redirect");
    Ok(())
}

/// Logs in at Authelia's API; the status of its answer.
fn log_in(installed: &Installed, browser: &Browser, password: &str) -> Result<u16> {
    let url = format!("{}/api/firstfactor", installed.url("auth"));
    let target = installed.url("probe-one");
    let wish = json!({"username": ADMIN, "password": password, "keepMeLoggedIn": false,
        "targetURL": target, "requestMethod": "GET"});
    Ok(browser.post(&url, &wish)?.status)
}

/// A wrong password is refused, and the session stays worthless.
pub fn wrong_password(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let browser = installed.browser()?;
    let status = log_in(installed, &browser, "not the password")?;
    ensure!(status == 401, "Authelia answers {status} to a wrong password");
    must_be_sent_to_portal(installed, &browser, "probe-one")
}

/// The seed's password opens what asks for one factor.
pub fn password_opens_one_factor(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let browser = logged_in(installed)?;
    let url = installed.url("probe-one");
    let answer = browser.get(&url)?;
    ensure!(answer.status == 200 && answer.body.contains(BODY), "{url}: {answer:?}");
    Ok(())
}

/// One factor is not two.
pub fn one_factor_is_not_two(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let browser = logged_in(installed)?;
    must_be_sent_to_portal(installed, &browser, "probe-two")
}

fn logged_in(installed: &Installed) -> Result<Browser> {
    let browser = installed.browser()?;
    let canaries = installed.wish.canaries();
    let status = log_in(installed, &browser, canaries.get("admin-password"))?;
    ensure!(status == 200, "Authelia answers {status} to the seed's password");
    Ok(browser)
}

/// Sleeps, wakes when somebody asks, and sleeps again when nobody does.
pub fn lazy_service(scene: &mut Scene<'_>) -> Result<()> {
    sleeps_and_wakes(scene.installed()?, "probe-lazy", BODY)
}

/// The container of this name, which has a URL of the same name that shows `body` to anybody.
pub fn sleeps_and_wakes(installed: &Installed, container: &str, body: &str) -> Result<()> {
    must_become(installed, container, false)?;
    let url = installed.url(container);
    let browser = installed.browser()?;
    let first = browser.get(&url)?;
    ensure!(first.status < 500, "{url}: {first:?}");
    ensure!(!first.body.contains(body), "{url} was awake already: {first:?}");
    let deadline = Instant::now() + Duration::from_secs(240);
    loop {
        let answer = browser.get(&url)?;
        if answer.status == 200 && answer.body.contains(body) {
            break;
        }
        ensure!(Instant::now() < deadline, "{url} never woke: {answer:?}");
        std::thread::sleep(Duration::from_secs(2));
    }
    ensure!(is_running(installed, container)?, "it answered, but no container runs");
    must_become(installed, container, false).context("nobody asked for it any more")
}

fn is_running(installed: &Installed, container: &str) -> Result<bool> {
    let look = format!("docker inspect -f \"{{{{.State.Running}}}}\" {container}");
    let said = installed.ssh.sudo(&look)?;
    Ok(said.trim() == "true")
}

fn must_become(installed: &Installed, container: &str, running: bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(420);
    while is_running(installed, container)? != running {
        ensure!(Instant::now() < deadline, "{container} is still running: {}", !running);
        std::thread::sleep(Duration::from_secs(3));
    }
    Ok(())
}
