//! A person at the console: begins at the screen, loses power, goes on at the serial line, and has
//! a box in the end, though the power may go again.
//!
//! The seed on the disk lacks its password. It is refused, and fills in everything else: the test
//! world's registry, which nobody is asked about, and the key that the tests log in with. It lacks its
//! time zone too: that begins with what the network says.
//!
//! On the serial line the setup talks in plain lines. What is asked is heard on the event port, and
//! nothing is typed before that.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use model::{paths, report::Event};

use super::{cut, wrong_seed::plant};
use crate::{
    installed::{DISK_SIZE, Installed, MEMORY},
    machine::{Extras, Machine, Patience, Spec, disk::Disk, firmware::Firmware},
    scene::{Scene, copy_sparse},
    seed::{ADMIN, Wish},
    world::TIME_ZONE,
};

/// Host name of this story's box.
const NAME: &str = "box-asked";
/// After this question the power goes.
const DISKS: &str = "Network shares";
/// What is typed while a page changes may be lost, as it is for a person; emulation makes this long.
const PAGE: Duration = Duration::from_secs(5);

fn wish(scene: &Scene<'_>) -> Wish {
    scene.wish(NAME)
}

/// The seed without its password, which it must have, and its time zone, which the network says.
fn half_a_seed(whole: &str, password: &str) -> String {
    let lacks = |line: &&str| {
        *line != format!("password = \"{password}\"\n") && !line.starts_with("timezone = ")
    };
    whole.split_inclusive('\n').filter(lacks).collect()
}

/// What the setup says on the event port.
#[derive(Debug, PartialEq)]
enum Asked {
    /// A question, by its title.
    Question(String),
    /// Everything is answered.
    Ending,
}

/// Reads what the setup on a console says.
fn asked(event: &Event, console: &str) -> Option<Asked> {
    let Event::Waiting { reason } = event else { return None };
    let rest = reason.strip_prefix(&format!("the setup on {console} "))?;
    if rest.starts_with("is before its confirmation") {
        return Some(Asked::Ending);
    }
    let (title, _) = rest.strip_prefix("asks: ")?.rsplit_once(" (")?;
    Some(Asked::Question(title.to_owned()))
}

/// Waits for the next thing that the setup on a console asks.
fn next(machine: &mut Machine, console: &str) -> Result<Asked> {
    machine.wait(&format!("a question on {console}"), Patience::BOOT, |event| match event {
        Event::Started { .. } => bail!("it began before anybody has confirmed"),
        event => Ok(asked(event, console)),
    })
}

/// The refusal of half a seed offers the setup; begun at the screen, it is in use for the others.
pub fn begins_at_the_screen(scene: &mut Scene<'_>) -> Result<()> {
    let spec = with_half_a_seed(scene, Firmware::SeaBios)?;
    on_the_screen(scene, spec)
}

/// The same under Secure Boot, with a twin of the disk attached.
pub fn begins_beside_a_twin(scene: &mut Scene<'_>) -> Result<()> {
    let spec = with_half_a_seed(scene, Firmware::OvmfSecureBoot)?;
    let spec = cut::beside_its_twin(scene, spec)?;
    on_the_screen(scene, spec)
}

fn with_half_a_seed(scene: &Scene<'_>, firmware: Firmware) -> Result<Spec> {
    let wish = wish(scene);
    let image = scene.folder.join("image.raw");
    copy_sparse(&scene.setup.image, &image)?;
    let serial = "BOX-DISK-1";
    let disk = Disk::overlay(&image, &scene.folder.join("disk.qcow2"), DISK_SIZE, serial)?.honest();
    let half = half_a_seed(&wish.text(), wish.canaries().get("admin-password"));
    plant(&image, disk.partition(paths::partition::SEED)?, &half)?;
    Ok(Spec {
        firmware,
        disks: vec![disk],
        boot_from: 0,
        memory: MEMORY,
        port: scene.setup.world.port()?,
        exempt: Vec::new(),
        folder: scene.folder.clone(),
        extras: Extras { typed: true, usb: true, ..Extras::default() },
    })
}

fn on_the_screen(scene: &mut Scene<'_>, spec: Spec) -> Result<()> {
    let canaries = wish(scene).canaries();
    let mut machine = Machine::start(spec)?;
    refused(&mut machine)?;
    machine.wait_for_line("press Enter to answer the questions here", Patience::BOOT)?;
    let before = machine.screen("refused")?;
    machine.type_on_screen("\n")?;
    machine.wait_for_line("the setup is in use on tty1", Patience::BOOT)?;
    // The mistakes of the seed come first.
    machine.type_on_screen("\n")?;
    ensure!(next(&mut machine, "tty1")? == Asked::Question("Keyboard".into()), "another question");
    let question = machine.screen("keyboard")?;
    ensure!(question != before, "the screen does not show the question");
    // Enter takes the layout; another one leaves the page on which it can be tried. What is typed
    // while the layout is set is lost, and emulation makes that long.
    machine.type_on_screen("\n")?;
    machine.wait("the page on which the layout is tried", Patience::BOOT, |event| match event {
        Event::Waiting { reason } => {
            Ok(reason.starts_with("the setup on tty1 has `").then_some(()))
        }
        _ => Ok(None),
    })?;
    thread::sleep(PAGE);
    ensure!(machine.screen("layout")? != question, "the screen does not show that page");
    machine.type_on_screen("\n")?;
    loop {
        let answer = match next(&mut machine, "tty1")? {
            Asked::Ending => bail!("nobody was asked for disks and shares"),
            Asked::Question(title) if title == "Password" => {
                let password = format!("{}\n", canaries.get("admin-password"));
                machine.type_on_screen(&password)?;
                thread::sleep(PAGE);
                password
            }
            Asked::Question(title) if title == DISKS => break,
            Asked::Question(_) => "\n".to_owned(),
        };
        machine.type_on_screen(&answer)?;
    }
    machine.type_on_screen("\n")?;
    let at = next(&mut machine, "tty1")?;
    machine.screen("cut")?;
    let Asked::Question(title) = at else { bail!("nothing was asked after the disks") };
    fs::write(scene.folder.join("cut-at.txt"), &title).context("cannot write cut-at.txt")?;
    scene.note(&format!("power cut at the question `{title}`"));
    scene.spec = Some(machine.cut());
    Ok(())
}

fn refused(machine: &mut Machine) -> Result<()> {
    machine.wait("the refusal of half a seed", Patience::BOOT, |event| match event {
        Event::SeedRefused { .. } => Ok(Some(())),
        Event::SeedAccepted { .. } => bail!("half a seed was taken"),
        _ => Ok(None),
    })
}

/// After the cut the setup goes on at the serial line with the question that was open.
pub fn goes_on_at_the_serial_line(scene: &mut Scene<'_>) -> Result<()> {
    let spec = scene.spec.take().context("the power was never cut")?;
    let open = fs::read_to_string(scene.folder.join("cut-at.txt")).context("cut-at.txt")?;
    let mut machine = Machine::start(spec)?;
    refused(&mut machine)?;
    machine.wait_for_line("press Enter to answer the questions here", Patience::BOOT)?;
    machine.type_on_serial("plain\n")?;
    machine.wait_for_line("What is good in it stands ready as answers.", Patience::BOOT)?;
    machine.type_on_serial("\n")?;
    let first = next(&mut machine, "ttyS0")?;
    ensure!(first == Asked::Question(open.clone()), "asked {first:?}, `{open}` was open");
    scene.machine = Some(machine);
    Ok(())
}

/// Everything that will happen is told before the one confirmation.
pub fn tells_the_plan(scene: &mut Scene<'_>) -> Result<()> {
    let machine = scene.machine.as_mut().context("there is no machine")?;
    // The first question is open already.
    machine.type_on_serial("\n")?;
    while let Asked::Question(_) = next(machine, "ttyS0")? {
        machine.type_on_serial("\n")?;
    }
    for words in [
        "Nothing on this machine has been changed so far.".to_owned(),
        format!("the box is called {NAME} ({NAME}.home.arpa)"),
        "disk that is not named here is written to.".to_owned(),
        "22/tcp".to_owned(),
        "Services: core (".to_owned(),
    ] {
        machine.wait_for_line(&words, Patience::BOOT)?;
    }
    machine.type_on_serial("\n")?;
    machine.wait_for_line("All is answered", Patience::BOOT)?;
    Ok(())
}

/// The one confirmation, whose answers are taken for a seed.
fn confirm(machine: &mut Machine) -> Result<()> {
    machine.type_on_serial("yes\n")?;
    let from = machine.wait("the seed of the setup", Patience::BOOT, |event| match event {
        Event::SeedAccepted { source, .. } => Ok(Some(source.clone())),
        _ => Ok(None),
    })?;
    ensure!(from == "the setup on ttyS0", "the seed came from {from}");
    Ok(())
}

/// The confirmation begins an installation, which loses its power while images are pulled.
pub fn is_cut_in_images(scene: &mut Scene<'_>) -> Result<()> {
    let mut machine = scene.machine.take().context("there is no machine")?;
    cut::while_pulling(scene, || {
        confirm(&mut machine)?;
        Ok(machine)
    })
}

/// The confirmation leads to the same box as a seed that was written by hand.
pub fn comes_up(scene: &mut Scene<'_>) -> Result<()> {
    let machine = scene.machine.as_mut().context("there is no machine")?;
    confirm(machine)?;
    comes_up_complete(scene)
}

/// The installation goes on to its end, and the box is the one that was asked for.
pub fn comes_up_complete(scene: &mut Scene<'_>) -> Result<()> {
    let wish = wish(scene);
    cut::complete(scene, wish)?;
    let Installed { machine, ssh, .. } = scene.installed()?;
    machine.wait_for_line("homelab: the box is ready", Patience::BOOT)?;
    machine.wait_for_line(&format!("(log in as {ADMIN})"), Patience::BOOT)?;
    let zone = ssh.run("timedatectl show --property=Timezone --value")?;
    ensure!(zone.trim() == TIME_ZONE, "the time zone is {zone}, and the network says {TIME_ZONE}");
    let left = ssh.sudo(&format!("ls {} 2>&1 || true", paths::ANSWERS))?;
    ensure!(left.contains("No such file"), "the answers are still there: {left}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(reason: &str) -> Event {
        Event::Waiting { reason: reason.to_owned() }
    }

    #[test]
    fn questions_are_told_by_their_console_and_title() {
        let question = waiting("the setup on tty1 asks: Network shares (8 of 13)");
        assert_eq!(asked(&question, "tty1"), Some(Asked::Question(DISKS.to_owned())));
        assert_eq!(asked(&question, "ttyS0"), None);
        let ending = waiting("the setup on ttyS0 is before its confirmation");
        assert_eq!(asked(&ending, "ttyS0"), Some(Asked::Ending));
        assert_eq!(asked(&waiting("no seed was found yet"), "tty1"), None);
    }

    #[test]
    fn half_a_seed_lacks_nothing_but_the_password_and_the_time_zone() {
        let whole = "timezone = \"UTC\"\n\n[admin]\npassword = \"Zaun-1\"\nssh_keys = []";
        assert_eq!(half_a_seed(whole, "Zaun-1"), "\n[admin]\nssh_keys = []");
        assert_eq!(half_a_seed(whole, "other"), "\n[admin]\npassword = \"Zaun-1\"\nssh_keys = []");
    }
}
