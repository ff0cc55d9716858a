//! A box with disks of its owner: one that may be formatted, one with data that is used as it is, and
//! one that nobody has named.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use model::{Digest, report::Event};

use crate::{
    installed::{Installed, machine_for, until_finished},
    machine::{
        Machine, Patience,
        disk::{Bus, Disk},
        firmware::Firmware,
    },
    program::Program,
    scene::Scene,
};

/// The one partition of a disk that the box has formatted.
pub(super) const DATA: u32 = 1;
/// Bytes of each disk.
const SIZE: u64 = 1 << 30;
/// The file that must survive.
const KEPT: &str = "kept.bin";

const MOUNTS: &str = "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:BOX-MEDIA\"\n\
    filesystem = \"ext4\"\nwipe = \"BOX-MEDIA\"\n\n\
    [[storage.mount]]\nat = \"/mnt/backups\"\ndisk = \"serial:BOX-BACKUP\"\nfilesystem = \"ext4\"\n\n";

const TWINS: &str = "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:TWIN\"\n\
    filesystem = \"ext4\"\nwipe = \"TWIN\"\n\n";

pub(super) fn file(scene: &Scene<'_>, name: &str) -> PathBuf {
    scene.folder.join(format!("{name}.raw"))
}

/// A disk with an ext4 file system that holds one file.
pub(super) fn with_data(scene: &Scene<'_>, name: &str) -> Result<PathBuf> {
    let (path, folder) = (file(scene, name), scene.folder.join(format!("{name}.files")));
    fs::create_dir(&folder)?;
    let bytes: Vec<u8> = (0..2_000_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    fs::write(folder.join(KEPT), bytes)?;
    File::create(&path)?.set_len(SIZE)?;
    Program::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([&folder, &path]).run()?;
    Ok(path)
}

pub(super) fn empty(scene: &Scene<'_>, name: &str) -> Result<PathBuf> {
    let path = file(scene, name);
    File::create(&path)?.set_len(SIZE)?;
    Ok(path)
}

pub(super) fn digest(path: &Path) -> Result<Digest> {
    fs::read(path).map(Digest::of).with_context(|| path.display().to_string())
}

/// The box comes up with both of its disks, on three buses and in an order of their own.
pub fn on_seabios(scene: &mut Scene<'_>) -> Result<()> {
    let wish = crate::seed::Wish { mounts: MOUNTS.to_owned(), ..scene.wish("box-disks") };
    let mut spec = machine_for(scene, &wish, Firmware::SeaBios)?;
    let foreign = with_data(scene, "foreign")?;
    fs::write(scene.folder.join("foreign.digest"), digest(&foreign)?.as_str())?;
    spec.disks.push(Disk::raw(foreign, "BOX-FOREIGN", Bus::Sata));
    spec.disks.push(Disk::raw(with_data(scene, "backup")?, "BOX-BACKUP", Bus::Nvme));
    spec.disks.push(Disk::raw(empty(scene, "media")?, "BOX-MEDIA", Bus::Virtio));
    scene.installed = Some(Installed::bring_up(scene, wish, spec)?);
    Ok(())
}

/// What is mounted where: by UUID, from the right disk, with nothing that a data disk needs not.
pub fn each_is_at_its_place(scene: &mut Scene<'_>) -> Result<()> {
    let ssh = &scene.installed()?.ssh;
    for (at, serial) in [("/mnt/media", "BOX-MEDIA"), ("/mnt/backups", "BOX-BACKUP")] {
        let said = ssh.run(&format!(
            "findmnt -rno SOURCE,FSTYPE,OPTIONS {at}; \
             lsblk -ndo SERIAL $(lsblk -nrpso NAME $(findmnt -rno SOURCE {at}) | tail -n 1)"
        ))?;
        ensure!(said.lines().last().map(str::trim) == Some(serial), "{at}: {said}");
        for word in [" ext4 ", "nosuid", "nodev"] {
            ensure!(said.contains(word), "{at} lacks `{word}`: {said}");
        }
        let unit = format!("/etc/systemd/system/{}.mount", at[1..].replace('/', "-"));
        let what = ssh.run(&format!("grep ^What= {unit}"))?;
        ensure!(what.starts_with("What=UUID="), "{at} is {what}");
    }
    Ok(())
}

/// A disk that is used as it is keeps every byte of its files.
pub fn data_survives(scene: &mut Scene<'_>) -> Result<()> {
    let wanted = digest(&scene.folder.join("backup.files").join(KEPT))?;
    let ssh = &scene.installed()?.ssh;
    let said = ssh.sudo(&format!("sha256sum /mnt/backups/{KEPT}"))?;
    ensure!(said.starts_with(wanted.hex()), "{said}, and it was {wanted}");
    ssh.sudo("sh -c \"echo here > /mnt/media/probe\"").map(drop)
}

/// A disk that nobody has named is the same, byte for byte.
pub fn others_are_left_alone(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed.take().context("there is no box")?;
    scene.spec = Some(installed.machine.power_off()?);
    let before = fs::read_to_string(scene.folder.join("foreign.digest"))?;
    let now = digest(&file(scene, "foreign"))?;
    ensure!(now.as_str() == before, "the foreign disk was {before} and is {now}");
    Ok(())
}

/// Without its disk the box starts all the same, says what is missing, and lets nobody write to
/// the place where the disk belongs.
pub fn starts_without_a_disk(scene: &mut Scene<'_>) -> Result<()> {
    let mut spec = scene.spec.take().context("the machine never went off")?;
    let media = spec.disks.pop().context("it has no disk")?;
    ensure!(media.serial == "BOX-MEDIA", "another disk was taken out: {}", media.serial);
    spec.exempt.push("failed-unit");
    let machine = Machine::start(spec)?;
    let wish = crate::seed::Wish { mounts: MOUNTS.to_owned(), ..scene.wish("box-disks") };
    let installed = Installed::reach(scene, machine, wish)?;
    let write = installed.ssh.finish_as("root", "touch /mnt/media/lost", b"")?;
    ensure!(write.status != 0, "a file can be written to the root disk below /mnt/media");
    let said = installed.ssh.finish_as("root", "homelab verify", b"")?;
    let said = format!("{}{}", said.stdout, said.stderr);
    ensure!(said.contains("/mnt/media"), "nobody says what is missing:\n{said}");
    let kept = installed.ssh.sudo(&format!("ls /mnt/backups/{KEPT}"))?;
    ensure!(kept.contains(KEPT), "the other disk is gone, too");
    let mut spec = installed.machine.power_off()?;
    spec.disks.push(media);
    spec.exempt.clear();
    scene.spec = Some(spec);
    Ok(())
}

/// When the disk is back, so is what was on it.
pub fn disk_returns(scene: &mut Scene<'_>) -> Result<()> {
    let spec = scene.spec.take().context("the machine never went off")?;
    let mut machine = Machine::start(spec)?;
    // Its own look at the start is over, and so are the starts of its containers.
    until_finished(scene, &mut machine)?;
    let wish = crate::seed::Wish { mounts: MOUNTS.to_owned(), ..scene.wish("box-disks") };
    let installed = Installed::reach(scene, machine, wish)?;
    let probe = installed.ssh.sudo("cat /mnt/media/probe")?;
    ensure!(probe.trim() == "here", "the probe says `{probe}`");
    scene.installed = Some(installed);
    super::repeat::second_apply(scene)
}

/// Two disks that both match are named, and neither is touched.
pub fn two_alike_are_refused(scene: &mut Scene<'_>) -> Result<()> {
    let wish = crate::seed::Wish { mounts: TWINS.to_owned(), ..scene.wish("box-twins") };
    let mut spec = machine_for(scene, &wish, Firmware::SeaBios)?;
    let mut before = Vec::new();
    for (name, bus) in [("twin-one", Bus::Virtio), ("twin-two", Bus::Sata)] {
        let path = with_data(scene, name)?;
        before.push((digest(&path)?, path.clone()));
        spec.disks.push(Disk::raw(path, "TWIN", bus));
    }
    let mut machine = Machine::start(spec)?;
    let problems =
        machine.wait("the refusal of two disks", Patience::BOOT, |event| match event {
            Event::SeedRefused { problems } => Ok(Some(problems.clone())),
            Event::Started { .. } => bail!("it began with two disks that match"),
            _ => Ok(None),
        })?;
    let text = problems.join("\n");
    ensure!(text.contains("`/mnt/media`: 2 disks are `serial:TWIN`"), "it says:\n{text}");
    let line = machine.wait_for_line("2 disks are `serial:TWIN`", Patience::BOOT)?;
    scene.note(&line);
    let line = machine.wait_for_line("they are serial:TWIN", Patience::BOOT)?;
    scene.note(&line);
    for bus in ["virtio", "sata"] {
        ensure!(line.contains(bus), "the {bus} disk is not named: {line}");
    }
    drop(machine.power_off()?);
    for (before, path) in before {
        ensure!(digest(&path)? == before, "{} was written to", path.display());
    }
    Ok(())
}
