//! A box that came up: how it gets there, and how its owner reaches it.

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use model::{
    paths,
    report::{Event, Outcome, Report, Verdict},
};
use serde_json::Value;

use crate::{
    guest::{Browser, Ssh},
    machine::{Extras, Machine, Patience, Spec, disk::Disk, firmware::Firmware},
    scene::Scene,
    seed::{ADMIN, Wish},
};

/// GiB of a test box's disk: more than the image, so that it must grow.
pub const DISK_SIZE: u64 = 16;
/// MiB of RAM.
pub const MEMORY: u32 = 2048;
/// The same for a box with all stacks.
const LARGE: (u64, u32) = (40, 10_240);

/// Every identifier of a box that must be its own, by name.
pub type Identity = BTreeMap<String, String>;

/// A box that came up.
pub struct Installed {
    /// The machine it runs on.
    pub machine: Machine,
    /// Its shell.
    pub ssh: Ssh,
    /// What was wished for.
    pub wish: Wish,
    /// What it said about its installation.
    pub report: Report,
    /// PEM of its own authority, fetched over SSH.
    pub authority: String,
}

/// The machine of a story: one disk over an image with a seed on it.
///
/// # Errors
/// The image cannot be copied, or the builder refuses the seed.
pub fn machine_for(scene: &Scene<'_>, wish: &Wish, firmware: Firmware) -> Result<Spec> {
    let image = scene.image_with(&wish.text())?;
    let (size, memory) = if wish.stacks.len() > 1 { LARGE } else { (DISK_SIZE, MEMORY) };
    let disk = Disk::overlay(&image, &scene.folder.join("disk.qcow2"), size, "BOX-DISK-1")?;
    Ok(Spec {
        firmware,
        disks: vec![disk],
        boot_from: 0,
        memory,
        port: scene.setup.world.port()?,
        exempt: Vec::new(),
        folder: scene.folder.clone(),
        extras: Extras::default(),
    })
}

/// Follows a run until it is over; tells the person who waits about each step.
///
/// # Errors
/// The seed was refused, or the machine failed in any way ([`Machine::wait`]).
pub fn until_finished(scene: &Scene<'_>, machine: &mut Machine) -> Result<Verdict> {
    machine.wait("the end of the installation", patience_with(machine), |event| match event {
        Event::Finished { verdict } => Ok(Some(verdict.clone())),
        Event::SeedRefused { problems } => bail!("the seed was refused:\n{}", problems.join("\n")),
        event => {
            tell(scene, event);
            Ok(None)
        }
    })
}

/// How long a box may take for an installation, or a start.
fn patience_with(machine: &Machine) -> Patience {
    if machine.memory() > MEMORY { Patience::EVERYTHING } else { Patience::INSTALL }
}

/// Shows what matters of an event.
pub fn tell(scene: &Scene<'_>, event: &Event) {
    match event {
        Event::Waiting { reason } => scene.note(&format!("waits: {reason}")),
        Event::SeedAccepted { source, .. } => scene.note(&format!("seed from {source}")),
        Event::Ended { step, phase, outcome, seconds } => {
            let shown = match outcome {
                Outcome::Failed { causes, hint } => format!("failed: {causes:?} ({hint})"),
                Outcome::Warned { message } => format!("warned: {message}"),
                Outcome::Skipped { reason } => format!("skipped: {reason}"),
                Outcome::Held { reason } => format!("held: {reason}"),
                Outcome::Changed => "changed".to_owned(),
                Outcome::AlreadySo => "already so".to_owned(),
            };
            let phase = format!("{phase:?}").to_lowercase();
            if phase != "check" || !outcome.is_good() {
                scene.note(&format!("{phase} {step}: {shown} ({seconds:.1} s)"));
            }
        }
        _ => {}
    }
}

impl Installed {
    /// Installs a box on a machine that has the image and the seed: power, and then it must come up
    /// by itself.
    ///
    /// # Errors
    /// It did not; what can be read from its disk is written down.
    pub fn bring_up(scene: &Scene<'_>, wish: Wish, spec: Spec) -> Result<Self> {
        match Self::run_on(scene, spec)? {
            (machine, Ok(Verdict::Installed)) => Self::reach(scene, machine, wish),
            (machine, other) => Err(lost(scene, machine, &wish, other)),
        }
    }

    /// The same with its machine, for a box whose way up is long: where its run ended with a
    /// failure, the box is there to be asked all the same, with what failed.
    ///
    /// # Errors
    /// The run never ended, or nobody gets in.
    pub fn bring_up_whatever(
        scene: &Scene<'_>,
        wish: Wish,
        firmware: Firmware,
    ) -> Result<(Self, Result<()>)> {
        match Self::run_on(scene, machine_for(scene, &wish, firmware)?)? {
            (machine, Ok(verdict)) => {
                let ending = match &verdict {
                    Verdict::Installed => Ok(()),
                    other => Err(failures(&machine, other)),
                };
                Ok((Self::reach(scene, machine, wish)?, ending))
            }
            (machine, error) => Err(lost(scene, machine, &wish, error)),
        }
    }

    /// Power, and then it is waited for until its run is over.
    fn run_on(scene: &Scene<'_>, spec: Spec) -> Result<(Machine, Result<Verdict>)> {
        let begun = Instant::now();
        let mut machine = Machine::start(spec)?;
        machine.wait("the first word of the box", Patience::BOOT, |_| Ok(Some(())))?;
        let first_word = begun.elapsed().as_secs_f64();
        scene.note(&format!("first boot unit speaks after {first_word:.0} s"));
        let verdict = until_finished(scene, &mut machine);
        let finished = begun.elapsed().as_secs_f64();
        let times =
            format!("power on to first word: {first_word:.1} s\nto the end: {finished:.1} s\n");
        fs::write(scene.folder.join("times.txt"), times).context("cannot write times.txt")?;
        Ok((machine, verdict))
    }

    /// Logs in to a box that says it is installed, and fetches what it says about itself.
    ///
    /// # Errors
    /// SSH does not let us in, or something is not where it belongs.
    pub fn reach(scene: &Scene<'_>, machine: Machine, wish: Wish) -> Result<Self> {
        let canaries = wish.canaries();
        let address = machine.port().ipv4.into();
        let mut ssh = Ssh::new(address, ADMIN, canaries.get("admin-password"), &scene.setup.key)?;
        if let Err(error) = ssh.connect(Duration::from_secs(240)) {
            return Err(lost(scene, machine, &wish, Err(error)));
        }
        let report = fetch_report(&ssh)?;
        let authority = ssh.run(&format!("cat {}/ca.pem", paths::AUTHORITY))?;
        Ok(Self { machine, ssh, wish, report, authority })
    }

    /// `https://NAME.DOMAIN`
    pub fn url(&self, name: &str) -> String {
        format!("https://{name}.{}", self.wish.domain())
    }

    /// A browser on the LAN that trusts only this box's authority.
    ///
    /// # Errors
    /// The authority is no certificate.
    pub fn browser(&self) -> Result<Browser> {
        self.browser_at(self.machine.port().ipv4.into(), true)
    }

    /// The same by a certain address, or without any trust.
    ///
    /// # Errors
    /// The authority is no certificate.
    pub fn browser_at(&self, address: IpAddr, trusting: bool) -> Result<Browser> {
        let probes = ["probe-open", "probe-one", "probe-two", "probe-lazy"]
            .map(|name| format!("{name}.{}", self.wish.domain()));
        let links = self.report.links.values().filter_map(|link| link.strip_prefix("https://"));
        let names: Vec<String> = links.map(str::to_owned).chain(probes).collect();
        Browser::open(address, &names, trusting.then_some(self.authority.as_str()))
    }

    /// The plan that holds for the box now, as `homelab plan --json` prints it. The tests read
    /// it as plain JSON: they see the box from outside.
    ///
    /// # Errors
    /// The program failed or printed something else.
    pub fn plan(&self) -> Result<Value> {
        let text = self.ssh.sudo("homelab plan --json")?;
        serde_json::from_str(&text).context("`homelab plan --json` printed no JSON")
    }

    /// Runs `homelab apply --json` and returns its report.
    ///
    /// # Errors
    /// The program did not say how it ended, or its exit status says something else.
    pub fn apply(&self) -> Result<Report> {
        let said = self.ssh.finish_as("root", "homelab apply --json", b"")?;
        let report: Report = serde_json::from_str(&said.stdout).with_context(|| {
            format!(
                "`homelab apply --json` exited with {} and printed no report\n{}{}",
                said.status,
                crate::program::tail(&said.stdout),
                crate::program::tail(&said.stderr)
            )
        })?;
        ensure!(
            i32::from(report.exit) == said.status,
            "{:?} with exit code {}, but exit status {}\n{}",
            report.verdict,
            report.exit,
            said.status,
            crate::program::tail(&said.stderr)
        );
        Ok(report)
    }

    /// Every identifier that must be this box's own.
    ///
    /// # Errors
    /// The box cannot say.
    pub fn identity(&self) -> Result<Identity> {
        let text = self.ssh.sudo(IDENTITY)?;
        parse_identity(&text)
    }

    /// Restarts the box and waits until it has said how it found itself. Nobody asks it meanwhile: a
    /// login takes an emulated processor seconds, and a box that starts has none to spare.
    ///
    /// # Errors
    /// It does not come back.
    pub fn reboot(&mut self) -> Result<Verdict> {
        let boot = "cat /proc/sys/kernel/random/boot_id";
        let before = self.ssh.run(boot)?;
        // What it said until now is not about the restart.
        self.machine.look_for_badness()?;
        // The connection may end before the answer.
        drop(self.ssh.finish_as("root", "systemctl reboot", b""));
        self.ssh.disconnect();
        let Patience { ceiling, .. } = patience_with(&self.machine);
        // While its stacks come up it says nothing.
        let patience = Patience { stall: ceiling, ceiling };
        let what = "the look of a box that was restarted";
        let verdict = self.machine.wait(what, patience, |event| match event {
            Event::Finished { verdict } => Ok(Some(verdict.clone())),
            _ => Ok(None),
        })?;
        self.ssh.connect(Duration::from_secs(240)).context("after a reboot")?;
        ensure!(self.ssh.run(boot)? != before, "it was never restarted");
        Ok(verdict)
    }

    /// Writes down what the box can still tell: journal, report, containers, rendered files.
    /// Whatever fails here is only missing from the results.
    pub fn write_down(&self, folder: &Path) {
        let save = |name: &str, script: &str| {
            if let Ok(said) = self.ssh.finish_as("root", script, b"") {
                drop(fs::write(folder.join(name), said.stdout + &said.stderr));
            }
        };
        save("journal.log", "journalctl --no-pager -o short-precise");
        save("report.json", &format!("cat {}", paths::REPORT));
        save("containers.log", CONTAINERS);
        save("rendered.txt", RENDERED);
    }
}

/// All containers with their last words.
const CONTAINERS: &str = "docker ps -a; docker images --digests; \
    for c in $(docker ps -aq); do docker inspect -f \"=== {{.Name}} {{json .State}}\" $c; \
    docker logs --tail 60 $c 2>&1; done";
/// Every rendered file but secrets.
const RENDERED: &str = "find /opt/stacks /etc/systemd/network /etc/ufw/after.rules \
    /etc/ufw/user.rules /etc/docker -type f -not -path \"*/secrets/*\" -not -name \"*.key\" \
    -not -name .env -size -64k | sort | while read -r f; do echo \"=== $f\"; cat \"$f\"; done; \
    ufw status verbose; iptables-save; ip6tables-save";

/// Prints `name value` lines.
const IDENTITY: &str = "\
    echo machine-id $(cat /etc/machine-id); \
    for f in /etc/ssh/ssh_host_*_key.pub; do \
      echo $(basename $f) $(ssh-keygen -l -f $f | cut -d\" \" -f2); done; \
    disk=$(lsblk -nro PKNAME $(findmnt -no SOURCE /)); \
    echo disk $(blkid -p -s PTUUID -o value /dev/$disk); \
    for n in 1 2 3 4; do \
      echo partition-$n $(blkid -p -s PART_ENTRY_UUID -o value /dev/$disk$n); done; \
    for n in 2 3 4; do echo file-system-$n $(blkid -p -s UUID -o value /dev/$disk$n); done; \
    echo authority $(sha256sum /etc/homelab/ca/ca.pem | cut -d\" \" -f1); \
    for f in /etc/homelab/secrets/authelia-*; do \
      echo secret-$(basename $f) $(sha256sum $f | cut -d\" \" -f1); done";

fn parse_identity(text: &str) -> Result<Identity> {
    let mut identity = Identity::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        ensure!(!value.is_empty(), "the box has no `{name}`");
        identity.insert(name.to_owned(), value.to_owned());
    }
    for needed in ["machine-id", "disk", "partition-3", "file-system-3", "authority"] {
        ensure!(identity.contains_key(needed), "the box did not tell its `{needed}`");
    }
    ensure!(identity.keys().any(|name| name.starts_with("ssh_host_")), "no SSH host key");
    Ok(identity)
}

/// The identifiers in which two boxes agree, though no two boxes may.
pub fn in_common(one: &Identity, two: &Identity) -> Vec<String> {
    let names = one.keys().filter(|name| one.get(*name) == two.get(*name));
    names.cloned().collect()
}

fn fetch_report(ssh: &Ssh) -> Result<Report> {
    let text = ssh.read(paths::REPORT)?;
    serde_json::from_str(&text).with_context(|| format!("{} is no report", paths::REPORT))
}

/// A box that did not come up: writes down what can be had and says why.
fn lost(
    scene: &Scene<'_>,
    mut machine: Machine,
    wish: &Wish,
    ending: Result<Verdict>,
) -> anyhow::Error {
    let error = ending.map_or_else(|error| error, |verdict| failures(&machine, &verdict));
    machine.picture("lost");
    let canaries = wish.canaries();
    let address = machine.port().ipv4.into();
    let shell = Ssh::new(address, ADMIN, canaries.get("admin-password"), &scene.setup.key);
    if let Ok(mut ssh) = shell {
        if ssh.connect(Duration::from_secs(20)).is_ok() {
            let report = Report::new("", Verdict::Refused, 0, "");
            let (wish, authority) = (wish.clone(), String::new());
            Installed { machine, ssh, wish, report, authority }.write_down(&scene.folder);
            return error;
        }
    }
    let spec = machine.cut();
    drop(dump(&spec, &scene.folder));
    error
}

/// What failed in a run that came to its end.
fn failures(machine: &Machine, verdict: &Verdict) -> anyhow::Error {
    let failures: Vec<String> = machine
        .heard()
        .iter()
        .filter_map(|event| match event {
            Event::Ended { step, outcome: Outcome::Failed { causes, hint }, .. } => {
                Some(format!("  {step}: {} ({hint})", causes.join(": ")))
            }
            _ => None,
        })
        .collect();
    anyhow::anyhow!("the installation ended with {verdict:?}\n{}", failures.join("\n"))
}

/// Copies logs and state out of the root file system of a machine that is off.
fn dump(spec: &Spec, folder: &Path) -> Result<()> {
    let disk = &spec.disks[spec.boot_from];
    let root = disk.partition(paths::partition::ROOT)?;
    let raw = folder.join("dump.raw");
    disk.to_raw(&raw)?;
    for path in ["/var/log/journal", paths::STATE] {
        crate::machine::disk::dump(&raw, root, path, folder)?;
    }
    fs::remove_file(&raw).context("cannot remove the copy")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "machine-id 0011\nssh_host_ed25519_key.pub SHA256:aa\ndisk d0\n\
                        partition-3 p3\nfile-system-3 f3\nauthority a0\n";

    #[test]
    fn an_identity_is_complete_or_an_error() {
        let identity = parse_identity(SAID).unwrap();
        assert_eq!(identity["partition-3"], "p3");
        let error = parse_identity(&SAID.replace("disk d0", "disk")).unwrap_err();
        assert_eq!(error.to_string(), "the box has no `disk`");
        let error = parse_identity("machine-id 1\n").unwrap_err();
        assert_eq!(error.to_string(), "the box did not tell its `disk`");
    }

    #[test]
    fn names_what_two_boxes_share() {
        let one = parse_identity(SAID).unwrap();
        let two = parse_identity(&SAID.replace("d0", "d1").replace("a0", "a1")).unwrap();
        assert_eq!(
            in_common(&one, &two),
            ["file-system-3", "machine-id", "partition-3", "ssh_host_ed25519_key.pub"]
        );
    }
}
