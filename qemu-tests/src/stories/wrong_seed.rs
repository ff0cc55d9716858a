//! A seed with mistakes stops before any change, and says where they are.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use model::{
    paths,
    report::{Event, Report, Verdict},
};

use crate::{
    installed::MEMORY,
    machine::{
        Extras, Machine, Patience, Spec,
        disk::{Bus, Disk, Extent, fat_file, root_has},
        firmware::Firmware,
    },
    scene::{Scene, copy_sparse},
};

/// The mistakes: a word that is nearly a key, a value of no meaning, a missing table.
const WRONG: &str =
    "schema = 1\n\n[system]\nhostname = \"bad name\"\ntimezon = \"Europe/Berlin\"\n";

/// Files on the SEED partition.
const REPORT_TEXT: &str = "REPORT.TXT";
const REPORT_JSON: &str = "report.json";

/// Puts the bytes onto the SEED partition as any PC does, past the builder's own check.
pub(super) fn plant(image: &std::path::Path, seed: Extent, text: &str) -> Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(image)?;
    file.seek(SeekFrom::Start(seed.from))?;
    let mut volume = vec![0; usize::try_from(seed.length)?];
    file.read_exact(&mut volume)?;
    {
        let options = fatfs::FsOptions::new();
        let system = fatfs::FileSystem::new(std::io::Cursor::new(&mut volume), options)?;
        let mut target = system.root_dir().create_file(paths::partition::SEED_FILE)?;
        target.truncate()?;
        target.write_all(text.as_bytes())?;
    }
    file.seek(SeekFrom::Start(seed.from))?;
    file.write_all(&volume)?;
    Ok(())
}

fn spec(scene: &Scene<'_>) -> Result<Spec> {
    let disk = Disk::raw(scene.folder.join("disk.raw"), "BOX-DISK-1", Bus::Virtio);
    Ok(Spec {
        firmware: Firmware::SeaBios,
        disks: vec![disk],
        boot_from: 0,
        memory: MEMORY,
        port: scene.setup.world.port()?,
        exempt: Vec::new(),
        folder: scene.folder.clone(),
        extras: Extras::default(),
    })
}

/// The box says which problems the seed has, and begins nothing.
pub fn is_refused(scene: &mut Scene<'_>) -> Result<()> {
    copy_sparse(&scene.setup.image, &scene.folder.join("disk.raw"))?;
    let spec = spec(scene)?;
    let disk = spec.disks[0].clone();
    plant(&disk.path, disk.partition(paths::partition::SEED)?, WRONG)?;
    let mut machine = Machine::start(spec)?;
    let problems =
        machine.wait("the refusal of the seed", Patience::BOOT, |event| match event {
            Event::SeedRefused { problems } => Ok(Some(problems.clone())),
            Event::Started { .. } | Event::SeedAccepted { .. } => {
                anyhow::bail!("a wrong seed was taken: {event:?}")
            }
            _ => Ok(None),
        })?;
    ensure!(problems == expected(), "the problems were\n{}", problems.join("\n"));
    scene.machine = Some(machine);
    Ok(())
}

/// The exact messages for [`WRONG`].
fn expected() -> Vec<String> {
    EXPECTED.iter().map(|line| (*line).to_owned()).collect()
}

const EXPECTED: &[&str] = &[
    "seed.toml:4:12: `bad name` is no host name",
    "seed.toml:5:1: `timezon` is no key of `[system]`",
    "seed.toml: `[admin]` is missing",
];

/// A person at the screen reads the same.
pub fn is_shown_on_the_console(scene: &mut Scene<'_>) -> Result<()> {
    let machine = scene.machine.as_mut().context("there is no machine")?;
    for line in EXPECTED {
        machine.wait_for_line(line, Patience::BOOT)?;
    }
    machine.wait_for_line("^", Patience::BOOT)?;
    Ok(())
}

/// And so does a person who puts the disk into a PC.
pub fn is_reported(scene: &mut Scene<'_>) -> Result<()> {
    let machine = scene.machine.take().context("there is no machine")?;
    // The report is written after the words on the console; a retry would come later still.
    std::thread::sleep(Duration::from_secs(10));
    let spec = machine.power_off()?;
    let volume = spec.disks[0].seed_partition()?;
    let text = fat_file(&volume, REPORT_TEXT)?.context("no REPORT.TXT on SEED")?;
    let text = String::from_utf8(text).context("REPORT.TXT is no text")?;
    for line in EXPECTED {
        ensure!(text.contains(line), "REPORT.TXT does not say `{line}`:\n{text}");
    }
    let json = fat_file(&volume, REPORT_JSON)?.context("no report.json on SEED")?;
    let report: Report = serde_json::from_slice(&json).context("report.json")?;
    ensure!(report.verdict == Verdict::Refused, "report.json says {:?}", report.verdict);
    ensure!(report.exit == 2, "report.json says exit {}", report.exit);
    ensure!(report.problems == expected(), "report.json: {:?}", report.problems);
    let seed = fat_file(&volume, paths::partition::SEED_FILE)?.context("the seed is gone")?;
    ensure!(seed == WRONG.as_bytes(), "the owner's seed was changed");
    scene.spec = Some(spec);
    Ok(())
}

/// No sealed seed, no secrets, and the partition table is the image's.
pub fn nothing_was_changed(scene: &mut Scene<'_>) -> Result<()> {
    let disk = &scene.spec.as_ref().context("the machine never went off")?.disks[0];
    let root = disk.partition(paths::partition::ROOT)?;
    for path in [paths::SEED, paths::SECRETS, paths::JOURNAL, paths::AUTHORITY] {
        ensure!(!root_has(&disk.path, root, path)?, "{path} exists");
    }
    ensure!(root_has(&disk.path, root, paths::CATALOGUE)?, "debugfs does not see the root");
    let image = Disk { path: scene.setup.image.clone(), ..disk.clone() };
    let table = 34 * 512;
    ensure!(disk.read(0, table)? == image.read(0, table)?, "the partition table was changed");
    Ok(())
}

/// The owner corrects the file, and the box goes on.
pub fn good_one_is_taken(scene: &mut Scene<'_>) -> Result<()> {
    let spec = scene.spec.take().context("the machine never went off")?;
    let good = scene.wish("box-three").text();
    crate::seed::inject(&scene.setup.homelab_image, &spec.disks[0].path, &good)?;
    let mut machine = Machine::start(spec)?;
    machine.wait("a run with the corrected seed", Patience::BOOT, |event| match event {
        Event::SeedRefused { problems } => anyhow::bail!("refused: {problems:?}"),
        Event::Started { steps, .. } => Ok((!steps.is_empty()).then_some(())),
        _ => Ok(None),
    })?;
    drop(machine.cut());
    Ok(())
}
