//! `disk`: which disks there are and how they are, and what adds one to the box.

mod replace;

use std::{collections::BTreeMap, io::IsTerminal as _, path::Path};

use clap::{Args, Subcommand};
use engine::Journal;
use host::{Host, disks, files, probe, smart};
use model::{
    disk::{
        Entry, FileSystem, Unlock, inventory, joining, metrics as disk_metrics, mount_of, select,
        unused,
    },
    facts::Facts,
    paths,
    plan::{Action, Storage},
    seed::{edit, mount_text, rules},
};

use crate::{
    command_line::say,
    day_two::{need_root, pretty},
    failure::Failure,
    inputs, lock, sealing,
};

/// What is asked about the disks.
#[derive(Debug, Subcommand)]
pub enum Disk {
    /// Show every disk: how a seed selects it, what is on it, what it is used for, and how it is
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the seed must say to use a disk, alone or with those of its place; formats nothing
    Add(Add),
    /// Put another disk in the place of one that is dead, worn or too small
    Replace(replace::Replace),
    /// Look whether disks and file systems are well; wakes disks that sleep
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write how the disks are for the monitoring stack; run by homelab-disks.timer
    #[command(hide = true)]
    Metrics,
}

/// How a disk is added.
#[derive(Debug, Args)]
pub struct Add {
    /// Which one, as `disk list` shows it: serial:…, by-id:… or uuid:…
    disk: String,
    /// Its place: /mnt/media, /mnt/downloads or /mnt/backups
    #[arg(long, value_name = "PLACE")]
    at: String,
    /// File system that is on it, or that it gets: ext4, xfs or btrfs
    #[arg(long, value_parser = filesystem)]
    filesystem: Option<FileSystem>,
    /// It is encrypted, or is to be: `key` or `tpm2`
    #[arg(long, value_parser = unlock)]
    encrypt: Option<Unlock>,
    /// Everything on it may be lost: the seed says so, and the next `apply` formats it
    #[arg(long)]
    format: bool,
    /// Put it into the seed of the box, which the next `apply` carries out
    #[arg(long)]
    write: bool,
}

fn filesystem(word: &str) -> Result<FileSystem, String> {
    let all = [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Btrfs];
    all.into_iter().find(|kind| kind.word() == word).ok_or_else(|| "ext4, xfs or btrfs".to_owned())
}

fn unlock(word: &str) -> Result<Unlock, String> {
    let all = [Unlock::Key, Unlock::Tpm2];
    all.into_iter().find(|how| how.word() == word).ok_or_else(|| "key or tpm2".to_owned())
}

/// Does what was asked.
///
/// # Errors
/// The disks cannot be listed; the disk to be added is not meant, or does not fit the seed.
pub fn disk(host: &Host, asked: Disk) -> Result<u8, Failure> {
    match asked {
        Disk::List { json } => {
            need_root("disk list")?;
            let entries = entries(host, false)?;
            say(&if json { pretty(&entries)? } else { terminal::disks::list(&entries) });
            Ok(0)
        }
        Disk::Check { json } => {
            need_root("disk check")?;
            let entries = entries(host, true)?;
            let troubles = terminal::disks::troubles(&entries);
            if json {
                say(&pretty(&entries)?);
            } else if troubles.is_empty() {
                say(&format!("{} disks, nothing wrong is known of them\n", entries.len()));
            } else {
                say(&(troubles.join("\n") + "\n"));
            }
            Ok(if troubles.is_empty() { 0 } else { 4 })
        }
        Disk::Metrics => {
            need_root("disk metrics")?;
            metrics(host)
        }
        Disk::Add(asked) => {
            need_root("disk add")?;
            add(host, probe::facts(host)?, &asked)
        }
        Disk::Replace(asked) => {
            need_root("disk replace")?;
            replace::replace(host, probe::facts(host)?, &asked)
        }
    }
}

/// The disks of the box as they are now, and those of its plan that are missing. `wake`: also ask
/// disks that sleep.
///
/// # Errors
/// `lsblk` failed.
pub fn entries(host: &Host, wake: bool) -> Result<Vec<Entry>, Failure> {
    let journal = Journal::load(host).ok().flatten();
    let steps = journal.iter().flat_map(|journal| &journal.plan.steps);
    let storage: Option<&Storage> = steps.clone().find_map(|step| match &step.action {
        Action::Storage(storage) => Some(storage),
        _ => None,
    });
    let disks = disks::disks(host)?;
    Ok(inventory(&disks, storage, |disk| smart::look(host, disk, wake)))
}

/// Puts what the disks say where the node exporter finds it. No disk is woken.
fn metrics(host: &Host) -> Result<u8, Failure> {
    let path = host.path(paths::DISK_METRICS);
    if !path.parent().is_some_and(Path::is_dir) {
        say("the monitoring stack is not there, so nothing was written\n");
        return Ok(0);
    }
    let before = files::read_text_optional(&path)?.unwrap_or_default();
    let text = disk_metrics::text(&entries(host, false)?, &before);
    files::write_atomic(&path, text, 0o644, (0, 0))?;
    Ok(0)
}

fn failure(refused: rules::Refused) -> Failure {
    Failure::machine(refused.what, refused.hint)
}

fn add(host: &Host, facts: Facts, asked: &Add) -> Result<u8, Failure> {
    let chosen = rules::selector(&asked.disk).map_err(failure)?;
    let disk = select(&chosen, &facts).map_err(failure)?;
    let Add { at, filesystem, encrypt, format, .. } = asked;
    let alone = || mount_of(disk, chosen.clone(), at, *filesystem, *encrypt, *format);
    let Some(sealed) = sealing::sealed(host)? else {
        say(&mount_text(&alone().map_err(failure)?));
        return Err(Failure::machine(
            format!("there is no seed at `{}`", paths::SEED),
            "this box is not installed: put the lines into the seed that it will be given",
        ));
    };
    let before = model::seed::parse(paths::SEED, &sealed)?;
    let there = before.mounts.iter().find(|mount| mount.at == *at);
    let text = match there {
        None => format!("{}\n\n{}", sealed.trim_end(), mount_text(&alone().map_err(failure)?)),
        Some(mount) => {
            unused(&chosen, disk, &before, &facts).map_err(failure)?;
            joining(disk, chosen, mount, *filesystem, *encrypt, *format)
                .and_then(|member| edit::add_disk(&sealed, at, &member))
                .map_err(failure)?
        }
    };
    // With its place, should something in the seed be against it.
    let seed = model::seed::parse(paths::SEED, &text)?;
    for mount in seed.mounts.iter().filter(|mount| mount.at == *at) {
        say(&mount_text(mount));
    }
    inputs::plan(host, &seed, facts)?;
    let tell = std::io::stderr().is_terminal();
    if !asked.write {
        let so = match there {
            None => "put these lines at the end of",
            Some(_) => "write the mount so in",
        };
        if tell {
            eprintln!("nothing was changed: {so} {}, or say --write", paths::SEED);
        }
        return Ok(0);
    }
    let _lock = lock::take(host, "disk add")
        .map_err(|busy| Failure::machine(busy.to_string(), "wait until it is done"))?;
    if files::read_text(host.path(paths::SEED))? != sealed {
        return Err(Failure::machine(
            format!("`{}` has changed meanwhile", paths::SEED),
            "run the command again",
        ));
    }
    sealing::seal(host, &text, "`homelab disk add`", &BTreeMap::new())?;
    if tell {
        eprintln!("the seed has it now: see `homelab plan`, then run `homelab apply`");
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use model::facts::lsblk;

    use super::*;
    use crate::testing::host_in;

    #[test]
    fn words_of_the_command_line() {
        assert_eq!(filesystem("xfs"), Ok(FileSystem::Xfs));
        assert_eq!(filesystem("ntfs"), Err("ext4, xfs or btrfs".to_owned()));
        assert_eq!(unlock("tpm2"), Ok(Unlock::Tpm2));
        assert_eq!(unlock("pin"), Err("key or tpm2".to_owned()));
    }

    pub const SEED: &str = "# mine\nschema = 1\n[admin]\nname = \"alex\"\n\
        email = \"alex@example.org\"\npassword = { file = \"pw\" }\n\
        [stacks]\nenable = [\"core\"]\n";

    /// A box with a seed, the real catalogue, and these disks.
    pub fn installed(folder: &Path, children: &str) -> (Host, Facts) {
        let host = host_in(folder);
        let catalogue = host.path(paths::CATALOGUE);
        fs::create_dir_all(catalogue.parent().unwrap()).unwrap();
        let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacks");
        symlink(stacks, catalogue).unwrap();
        fs::create_dir_all(host.path("/etc/homelab")).unwrap();
        fs::write(host.path(paths::SEED), SEED).unwrap();
        let listing = format!(
            r#"{{"blockdevices": [{{"name": "sdb", "type": "disk", "size": 4000000000000,
                "log-sec": 512, "serial": "WD-1", "children": [{children}]}}]}}"#
        );
        let disks = lsblk::parse(&listing).unwrap();
        (host, Facts { disks, ..Facts::of_memory(16 << 30) })
    }

    const XFS: &str =
        r#"{"name": "sdb1", "type": "part", "size": 1, "fstype": "xfs", "uuid": "u-1"}"#;

    fn asked(disk: &str, write: bool) -> Add {
        let (disk, at) = (disk.to_owned(), "/mnt/media".to_owned());
        Add { disk, at, filesystem: None, encrypt: None, format: false, write }
    }

    #[test]
    fn a_disk_is_put_into_the_seed_only_when_that_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (host, facts) = installed(folder.path(), XFS);
        assert_eq!(add(&host, facts.clone(), &asked("serial:WD-1", false)).unwrap_or(99), 0);
        assert_eq!(sealing::sealed(&host).unwrap().unwrap(), SEED);
        let added = add(&host, facts.clone(), &asked("serial:WD-1", true));
        assert_eq!(added.map_err(|failure| failure.text()), Ok(0));
        // The owner's own words stay, and the lines are at the end.
        assert_eq!(
            sealing::sealed(&host).unwrap().unwrap(),
            format!(
                "{SEED}\n[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-1\"\n\
                 filesystem = \"xfs\"\n"
            )
        );
        let twice = add(&host, facts, &asked("serial:WD-1", true)).unwrap_err();
        assert_eq!(
            twice.text(),
            "error: `serial:WD-1` serves `/mnt/media` already\n\
             hint: name a disk that the seed does not use\n"
        );
    }

    #[test]
    fn one_more_disk_joins_the_one_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (host, mut facts) = installed(folder.path(), XFS);
        let mount = "\n[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-0\" # first\n\
                     filesystem = \"xfs\"\n";
        fs::write(host.path(paths::SEED), format!("{SEED}{mount}")).unwrap();
        let mut first = facts.disks[0].clone();
        (first.name, first.serial) = ("sda".into(), "WD-0".into());
        (first.contents[0].name, first.contents[0].uuid) = ("sda1".into(), Some("u-0".into()));
        facts.disks.push(first);
        let added = add(&host, facts, &asked("serial:WD-1", true));
        assert_eq!(added.map_err(|failure| failure.text()), Ok(0));
        let joined = "\n[[storage.mount]]\nat = \"/mnt/media\"\nfilesystem = \"xfs\"\n\
                      disks = [\"serial:WD-0\", \"serial:WD-1\"]\n";
        assert_eq!(sealing::sealed(&host).unwrap().unwrap(), format!("{SEED}{joined}"));
    }

    #[test]
    fn the_monitoring_is_told_without_waking_a_disk() {
        let folder = tempfile::tempdir().unwrap();
        host_in(folder.path());
        let fake = host::fake::host(folder.path());
        host::fake::boot_disk(folder.path(), "vda", 3);
        let (host, path) = (fake.host(), fake.host().path(paths::DISK_METRICS));
        assert_eq!(metrics(&host).unwrap_or(99), 0);
        assert!(fake.runner.commands().is_empty() && !path.exists());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fake.runner.answer(
            ["lsblk"],
            r#"{"blockdevices": [{"name": "sdb", "type": "disk", "size": 4000000000000,
                "log-sec": 512, "serial": "WD-1", "model": "WDC WD40"}]}"#,
        );
        let say = |said: &str| fake.runner.answer(["smartctl"], said);
        let worn = "homelab_disk_worn{disk=\"serial:WD-1\",device=\"sdb\",model=\"WDC WD40\",\
                    used_for=\"nothing\"} ";
        let failed = r#"{"smartctl": {}, "smart_status": {"passed": false}}"#;
        let asleep = r#"{"smartctl": {"messages": [{"string": "Device is in STANDBY mode"}]}}"#;
        for (said, sleeps) in [(failed, 0), (asleep, 1)] {
            say(said);
            assert_eq!(metrics(&host).unwrap_or(99), 0);
            let text = fs::read_to_string(&path).unwrap();
            let failing = worn.replace("worn", "failing");
            assert!(text.contains(&format!("{failing}1\n")), "{text}");
            assert!(text.contains(&format!("{worn}0\n")), "{text}");
            let asleep = worn.replace("worn", "asleep");
            assert!(text.contains(&format!("{asleep}{sleeps}\n")), "{text}");
        }
        let looks = fake.runner.commands();
        let mut looks = looks.iter().filter(|command| command.starts_with("smartctl"));
        assert!(looks.all(|command| command.contains("--nocheck=standby")));
    }

    #[test]
    fn nothing_is_written_for_a_disk_that_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let (host, facts) = installed(folder.path(), "");
        for (disk, said) in [
            ("/dev/sdb", "/dev/sdb"),
            ("serial:WD-9", "no disk is `serial:WD-9`"),
            ("serial:WD-1", "has no file system that can be used: empty"),
        ] {
            let failure = add(&host, facts.clone(), &asked(disk, true)).unwrap_err();
            assert!(failure.text().contains(said), "{}", failure.text());
        }
        let format = Add { format: true, ..asked("serial:WD-1", true) };
        assert_eq!(add(&host, facts, &format).unwrap_or(99), 0);
        let text = sealing::sealed(&host).unwrap().unwrap();
        assert!(text.contains("\nwipe = \"WD-1\"\n"), "{text}");
    }
}
