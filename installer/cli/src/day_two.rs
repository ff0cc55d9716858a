//! `plan`, `apply`, `verify` and `renew`: the engine in its owner's hands.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use engine::{Context, Journal, Sink};
use host::{Host, probe, volume::Use};
use model::{
    Secret, paths,
    plan::Plan,
    report::{Event, Report},
    secret::SecretRef,
    seed::Seed,
};
use terminal::{bars::Bars, progress::Progress};

use crate::{
    command_line::{VERSION, say},
    failure::Failure,
    first_boot, inputs, lock, machine, sealing,
    secrets::{self, Outside},
};

/// How `apply` is asked for.
#[derive(Debug, Default, Args)]
pub struct Apply {
    /// Take this seed from now on; it becomes /etc/homelab/seed.toml
    #[arg(long)]
    seed: Option<PathBuf>,
    /// Give up a run that was cut off and carry out the present seed instead
    #[arg(long)]
    replace_plan: bool,
    /// Replace this file although it was edited by hand; a copy is kept beside it
    #[arg(long, value_name = "PATH")]
    overwrite: Vec<String>,
    /// The report as JSON
    #[arg(long)]
    json: bool,
}

/// Shows what `apply` would do.
///
/// # Errors
/// There is no seed, it is wrong, or it does not fit this machine.
pub fn plan(host: &Host, seed: Option<&Path>, json: bool) -> Result<u8, Failure> {
    need_root("plan")?;
    let (seed, _) = read_seed(host, seed)?;
    let plan = make_plan(host, &seed)?;
    if json {
        say(&pretty(&plan)?);
    } else {
        say(&terminal::plan::text(&plan));
    }
    Ok(0)
}

/// Brings the box to what its seed says.
///
/// # Errors
/// As for [`plan`]; another run is at work; a run was cut off that had another plan.
pub fn apply(host: &Host, options: &Apply) -> Result<u8, Failure> {
    need_root("apply")?;
    let _lock = lock::take(host, "apply").map_err(|busy| {
        Failure::machine(busy.to_string(), "wait until it is done; `homelab status` shows it")
    })?;
    let (seed, text) = read_seed(host, options.seed.as_deref())?;
    let source = options.seed.as_ref().map(|path| path.display().to_string());
    carry_out(host, &seed, source.as_deref().map(|source| (text.as_str(), source)), options)
}

/// Brings the box to a seed, for whoever holds the lock. `accepted`: the seed's text, which becomes
/// the box's own before anything is changed, and where it came from.
///
/// # Errors
/// As for [`apply`].
pub fn carry_out(
    host: &Host,
    seed: &Seed,
    accepted: Option<(&str, &str)>,
    options: &Apply,
) -> Result<u8, Failure> {
    let plan = make_plan(host, seed)?;
    let resolved =
        secrets::resolve(seed, paths::SEED, &mut Desk { host, seed: options.seed.as_deref() })?;
    let plan = engine::prepare(host, plan, options.replace_plan)?;
    if let Some((text, source)) = accepted {
        sealing::seal(host, text, source, &resolved.foreign)?;
    }
    let mut context = context(host);
    context.secrets = resolved.all;
    context.overwrite.clone_from(&options.overwrite);
    let report = engine::run(&plan, &context, listener().as_mut());
    publish(&report, &context);
    tell(&report, &plan, options.json)
}

/// Looks whether everything holds.
///
/// # Errors
/// As for [`plan`].
pub fn verify(host: &Host, json: bool) -> Result<u8, Failure> {
    need_root("verify")?;
    let (seed, _) = read_seed(host, None)?;
    let plan = make_plan(host, &seed)?;
    let mut context = context(host);
    context.secrets = secrets::resolve(&seed, paths::SEED, &mut Desk { host, seed: None })?.all;
    let report = engine::verify(&plan, &context, listener().as_mut());
    tell(&report, &plan, json)
}

/// Renews the certificate of the box's own authority if it is time.
///
/// # Errors
/// The certificate cannot be made.
pub fn renew(host: &Host) -> Result<u8, Failure> {
    let Some(journal) = journal(host)?.filter(|journal| journal.complete) else { return Ok(0) };
    let Ok(_lock) = lock::take(host, "renew") else {
        // Whoever is at work renews it too.
        return Ok(0);
    };
    let changed = engine::renew(&journal.plan, &context(host))?;
    say(if changed { "the certificate was renewed\n" } else { "the certificate is good\n" });
    Ok(0)
}

/// Between two looks at the services that use another container's network.
const LOOK: Duration = Duration::from_secs(15);

/// Gives services their network again, for as long as the box runs: Docker does not follow a
/// container that was started anew, such as the VPN's, and does not try again after a reboot when
/// the VPN was not there yet.
///
/// # Errors
/// The journal cannot be read.
pub fn rejoin(host: &Host) -> Result<u8, Failure> {
    let mut last = String::new();
    loop {
        let trouble =
            rejoin_once(host)?.err().map(|failure| failure.to_string()).unwrap_or_default();
        // What does not pass is said once.
        if trouble != last && !trouble.is_empty() {
            say(&format!("{trouble}\n"));
        }
        last = trouble;
        host.clock.sleep(LOOK);
    }
}

/// One look. The inner failure may pass.
fn rejoin_once(host: &Host) -> Result<Result<bool, engine::Failure>, Failure> {
    let Some(journal) = journal(host)?.filter(|journal| journal.complete) else {
        return Ok(Ok(false));
    };
    // Only who acts takes the lock: an owner's `apply` must not be turned away by a look.
    match engine::is_astray(&journal.plan, &context(host)) {
        Ok(true) => {}
        looked => return Ok(looked),
    }
    // Whoever is at work on the box looks for it too.
    let Ok(_lock) = lock::take(host, "rejoin") else { return Ok(Ok(false)) };
    Ok(engine::rejoin(&journal.plan, &context(host), &mut Notes))
}

/// The journal of the box, if it has one.
///
/// # Errors
/// It cannot be read.
pub fn journal(host: &Host) -> Result<Option<Journal>, Failure> {
    Journal::load(host).map_err(|trouble| Failure::machine(trouble.to_string(), trouble.hint()))
}

/// Tells what is being done, a line each.
pub struct Notes;

impl Sink for Notes {
    fn event(&mut self, event: &Event) {
        if let Event::Progress { note, .. } = event {
            say(&format!("{note}\n"));
        }
    }
}

/// Says so plainly if whoever asks is not root.
///
/// # Errors
/// It is somebody else.
pub fn need_root(command: &str) -> Result<(), Failure> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::machine(
        format!("`homelab {command}` must be run by root"),
        format!("sudo homelab {command}"),
    ))
}

/// A seed of the owner's choice, or the sealed one; with its text.
///
/// # Errors
/// There is none, or it is wrong.
pub fn read_seed(host: &Host, path: Option<&Path>) -> Result<(Seed, String), Failure> {
    let (name, text) = match path {
        Some(path) => (path.display().to_string(), host::files::read_text(path)?),
        None => match sealing::sealed(host)? {
            Some(text) => (paths::SEED.to_owned(), text),
            None => {
                return Err(Failure::machine(
                    format!("there is no seed at `{}`", paths::SEED),
                    "this box is not installed: put a seed on its SEED partition and restart it, \
                     or run `homelab apply --seed FILE`",
                ));
            }
        },
    };
    Ok((model::seed::parse(&name, &text)?, text))
}

/// The plan for a seed and this machine as it is now.
///
/// # Errors
/// What the owner wrote does not fit this machine.
pub fn make_plan(host: &Host, seed: &Seed) -> Result<Plan, Failure> {
    inputs::plan(host, seed, probe::facts(host)?)
}

fn context(host: &Host) -> Context {
    let mut context = Context::new(host.clone(), VERSION);
    context.built = inputs::built(host);
    context.medium = machine::seed_partition(host, Use::Write);
    context
}

fn publish(report: &Report, context: &Context) {
    let text = terminal::sheet::text(report);
    if let Err(error) = engine::publish(context, report, &text) {
        eprintln!("warning: the report could not be put in place: {}", error.causes().join(": "));
    }
}

/// Shows a run on a terminal as bars, elsewhere as lines; on standard error, so that standard
/// output is the report's.
pub fn listener() -> Box<dyn Sink> {
    struct Drawn(Bars);
    impl Sink for Drawn {
        fn event(&mut self, event: &Event) {
            self.0.event(event);
        }
    }
    struct Plain(Progress, Instant);
    impl Sink for Plain {
        fn event(&mut self, event: &Event) {
            for line in self.0.lines(event, self.1.elapsed()) {
                // A closed standard error must not stop a run.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }
    if std::io::stderr().is_terminal() {
        Box::new(Drawn(Bars::new()))
    } else {
        Box::new(Plain(Progress::new(Duration::from_secs(5)), Instant::now()))
    }
}

fn tell(report: &Report, plan: &Plan, json: bool) -> Result<u8, Failure> {
    if json {
        say(&pretty(report)?);
    } else {
        match terminal::card::Stop::of(report) {
            Some(stop) => say(&terminal::card::stopped(&stop, terminal::card::Next::Apply)),
            None => say(&terminal::card::ready(report, first_boot::handover(plan))),
        }
    }
    Ok(report.exit)
}

/// A value as JSON for people and programs.
///
/// # Errors
/// It cannot be told as JSON, which is a bug.
pub fn pretty(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Failure::bug(format!("cannot be told as JSON: {error}"), Vec::new()))
}

/// The outside of a seed on an installed box: files, what was kept, and nobody to ask.
pub struct Desk<'a> {
    /// The machine.
    pub host: &'a Host,
    /// The seed's own path, if it is not the sealed one: relative files lie beside it.
    pub seed: Option<&'a Path>,
}

impl Outside for Desk<'_> {
    fn file(&mut self, path: &Path) -> Result<String, String> {
        match self.seed.and_then(Path::parent).filter(|_| path.is_relative()) {
            Some(folder) => {
                host::files::read_text(folder.join(path)).map_err(|error| error.to_string())
            }
            None => sealing::file(self.host, path),
        }
    }

    fn ask(&mut self, _: &SecretRef) -> Result<String, String> {
        Err("it is only asked for on first boot".to_owned())
    }

    fn kept(&mut self, name: &SecretRef) -> Option<Secret> {
        sealing::kept(self.host, name)
    }
}
