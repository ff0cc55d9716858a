//! UFW, and through its `after.rules` the `DOCKER-USER` chain.
//!
//! Docker publishes ports past UFW's input rules. One owner for both is the only way that they
//! cannot disagree: UFW restores `DOCKER-USER` whenever it is loaded, from the same plan as its
//! own rules. Rules that somebody added by hand stay, and are told.

mod rules;

use host::{Command, files};
use model::{Digest, plan::Firewall};

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    state::{Applied, Kept as _},
    steps::{Doing, Holding},
};

const UNIT: &str = "ufw.service";
const DEFAULTS: &str = "/etc/default/ufw";
const SETTINGS: &str = "/etc/ufw/ufw.conf";
/// What these two files must say; Debian says most of it already.
const LINES: [(&str, &str, &str); 5] = [
    (DEFAULTS, "IPV6", "yes"),
    (DEFAULTS, "DEFAULT_INPUT_POLICY", "\"DROP\""),
    (DEFAULTS, "DEFAULT_OUTPUT_POLICY", "\"ACCEPT\""),
    (DEFAULTS, "DEFAULT_FORWARD_POLICY", "\"DROP\""),
    (SETTINGS, "LOGLEVEL", "low"),
];

pub(crate) struct Doer<'a>(pub &'a Firewall);

impl Doing for Doer<'_> {
    fn check(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        scene.run(Command::new("ufw").arg("version")).because(
            "UFW is not installed",
            "this installer runs on its own image; on another system install `ufw`",
        )?;
        Ok(Vec::new())
    }

    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        for (path, text) in self.texts(scene)? {
            let good = scene.read(path)?.is_some_and(|found| found == text);
            holding.need(good, || format!("`{path}` is not as planned"));
        }
        let changes = self.changes(scene)?;
        for rule in &changes.missing {
            holding.lacks(format!("the rule `{}` is missing", rule.shown));
        }
        for rule in &changes.stale {
            holding.lacks(format!("the rule `{rule}` of an earlier plan is there"));
        }
        for rule in &changes.foreign {
            holding.warn(format!(
                "`{rule}` was added by hand and is kept; `ufw delete {rule}` removes it"
            ));
        }
        holding.need(scene.enabled(UNIT)?, || format!("{UNIT} is not enabled"));
        holding.need(active(scene)?, || "the firewall is not active".to_owned());
        let loaded = Applied::load(scene.host())?.firewall;
        holding.need(loaded == Some(self.digest()), || {
            "the firewall was not loaded with these rules".to_owned()
        });
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        for (path, text) in self.texts(scene)? {
            let mode = if path == DEFAULTS || path == SETTINGS { 0o644 } else { 0o640 };
            files::ensure(scene.host().path(path), text, mode, (0, 0))?;
        }
        let changes = self.changes(scene)?;
        for rule in &changes.missing {
            progress.note(format!("opening {}", rule.shown));
            scene
                .run(Command::new("ufw").args(&rule.arguments))
                .because(format!("the rule `{}` cannot be added", rule.shown), "")?;
        }
        for rule in &changes.stale {
            progress.note(format!("closing {rule}"));
            scene
                .run(Command::new("ufw").args(["--force", "delete"]).args(rule.split(' ')))
                .because(format!("the rule `{rule}` cannot be removed"), "")?;
        }
        progress.note("loading the rules");
        let load: &[&str] = if active(scene)? { &["reload"] } else { &["--force", "enable"] };
        scene.run(Command::new("ufw").args(load)).because(
            "the firewall cannot be loaded",
            "`ufw --dry-run enable` and `journalctl -u ufw` show why",
        )?;
        scene.enable(UNIT)?;
        let mut applied = Applied::load(scene.host())?;
        applied.firewall = Some(self.digest());
        applied.save(scene.host())
    }
}

/// How UFW's own rules differ from the plan.
struct Changes {
    missing: Vec<rules::Rule>,
    stale: Vec<String>,
    foreign: Vec<String>,
}

impl Doer<'_> {
    fn changes(&self, scene: &Scene<'_>) -> Result<Changes> {
        let wanted = rules::wanted(self.0);
        let added =
            rules::parse_added(&scene.run(Command::new("ufw").args(["show", "added"]))?.stdout);
        let is_wanted = |rule: &str| wanted.iter().any(|wanted| wanted.shown == rule);
        let (mut stale, mut foreign) = (Vec::new(), Vec::new());
        for found in &added {
            match (is_wanted(&found.rule), found.ours()) {
                (true, _) => {}
                (false, true) => stale.push(found.rule.clone()),
                (false, false) => foreign.push(found.rule.clone()),
            }
        }
        let is_there = |wanted: &rules::Rule| {
            added.iter().any(|found| found.rule == wanted.shown && found.comment == wanted.comment)
        };
        let missing = wanted.iter().filter(|wanted| !is_there(wanted)).cloned().collect();
        Ok(Changes { missing, stale, foreign })
    }

    /// Files of UFW with what the plan wants of them, the rest as it is.
    fn texts(&self, scene: &Scene<'_>) -> Result<Vec<(&'static str, String)>> {
        let mut texts = Vec::new();
        for path in [DEFAULTS, SETTINGS] {
            let mut text = scene.read(path)?.unwrap_or_default();
            for (_, key, value) in LINES.iter().filter(|(of, _, _)| *of == path) {
                text = rules::with_setting(&text, key, value);
            }
            texts.push((path, text));
        }
        for (path, six) in [("/etc/ufw/after.rules", false), ("/etc/ufw/after6.rules", true)] {
            let text = scene.read(path)?.ok_or_else(|| {
                Trouble::new(format!("`{path}` is missing"), "run `apt install --reinstall ufw`")
            })?;
            texts.push((
                path,
                rules::with_block(&text, &rules::docker_user(&self.0.published, six)),
            ));
        }
        Ok(texts)
    }

    /// Of what only counts when it is loaded.
    fn digest(&self) -> Digest {
        let blocks = [false, true].map(|six| rules::docker_user(&self.0.published, six));
        Digest::of(format!("{LINES:?}{}", blocks.concat()))
    }
}

fn active(scene: &Scene<'_>) -> Result<bool> {
    let status = scene.run(Command::new("ufw").arg("status"))?;
    Ok(status.stdout.lines().next() == Some("Status: active"))
}
