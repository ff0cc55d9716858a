//! `disk`: which disks there are and how they are, and what adds one to the box.

use std::{collections::BTreeMap, io::IsTerminal as _};

use clap::{Args, Subcommand};
use engine::Journal;
use host::{Host, disks, files, probe, smart};
use model::{
    disk::{Entry, FileSystem, Unlock, inventory, mount_of, select},
    facts::Facts,
    paths,
    plan::{Action, Storage},
    seed::{mount_text, rules},
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
    /// Show what the seed must say to use a disk; formats nothing
    Add(Add),
    /// Look whether disks and file systems are well; wakes disks that sleep
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
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
        Disk::Add(asked) => {
            need_root("disk add")?;
            add(host, probe::facts(host)?, &asked)
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

fn add(host: &Host, facts: Facts, asked: &Add) -> Result<u8, Failure> {
    let refuse = |refused: rules::Refused| Failure::machine(refused.what, refused.hint);
    let chosen = rules::selector(&asked.disk).map_err(refuse)?;
    let disk = select(&chosen, &facts).map_err(refuse)?;
    let mount = mount_of(disk, chosen, &asked.at, asked.filesystem, asked.encrypt, asked.format)
        .map_err(refuse)?;
    let lines = mount_text(&mount);
    say(&lines);
    let sealed = sealing::sealed(host)?;
    let Some(sealed) = sealed else {
        return Err(Failure::machine(
            format!("there is no seed at `{}`", paths::SEED),
            "this box is not installed: put the lines into the seed that it will be given",
        ));
    };
    let text = format!("{}\n\n{lines}", sealed.trim_end());
    // With its place, should something in the seed be against it.
    let seed = model::seed::parse(paths::SEED, &text)?;
    inputs::plan(host, &seed, facts)?;
    let tell = std::io::stderr().is_terminal();
    if !asked.write {
        if tell {
            eprintln!(
                "nothing was changed: put these lines at the end of {}, or say --write",
                paths::SEED
            );
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
    use std::{fs, os::unix::fs::symlink, path::Path};

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

    const SEED: &str = "# mine\nschema = 1\n[admin]\nname = \"alex\"\n\
        email = \"alex@example.org\"\npassword = { file = \"pw\" }\n\
        [stacks]\nenable = [\"core\"]\n";

    /// A box with a seed, the real catalogue, and these disks.
    fn installed(folder: &Path, children: &str) -> (Host, Facts) {
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
        assert_eq!(twice.exit(), 2);
        assert!(twice.text().contains("`/mnt/media` already has a mount"), "{}", twice.text());
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
