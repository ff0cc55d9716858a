//! The files of a disk on another one, all of them and as they are.
//!
//! `rsync` brings over what is not there yet, so a copy that was cut off goes on where it stopped.
//! Afterwards every byte of both is read and compared, with the new disk mounted anew, so that they
//! come from the medium.

use std::{
    io::{self, Write},
    panic::resume_unwind,
    path::Path,
    sync::mpsc,
    thread,
};

use model::disk::Crypt;

use crate::{
    Command, Host, HostError, Result, command::Streams, crypt, files, interrupt::Interrupt,
    mount_point,
};

/// Where the new disk is mounted meanwhile.
pub const PLACE: &str = "/run/homelab/copy";

/// The disk that is copied to.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What is mounted: a device by its UUID, or what a container is unlocked as.
    pub device: &'a str,
    /// Its file system: `ext4`, `xfs`…
    pub kind: &'a str,
    /// The container that it is in; none: it is not encrypted.
    pub crypt: Option<&'a Crypt>,
    /// It was formatted for this: what is on it and not on the old disk was deleted there meanwhile.
    pub exact: bool,
}

/// Copies what is mounted at `from`. Nobody may write there meanwhile. `tell` hears how far it is.
///
/// # Errors
/// Something cannot be read or written, or is not the same afterwards; it was interrupted. The next
/// call goes on.
pub fn copy(
    host: &Host,
    from: &str,
    target: &Target<'_>,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(String),
) -> Result<()> {
    let done = (|| {
        mount(host, target, "rw")?;
        transfer(host, from, target.exact, &[], interrupt, tell)?;
        mount(host, target, "ro")?;
        let differ = compare(host, from, target.exact, interrupt, tell)?;
        let Some(first) = differ.first() else { return Ok(()) };
        // What has the same size and time is not copied again by itself.
        mount(host, target, "rw")?;
        transfer(host, from, target.exact, &["--checksum"], interrupt, tell)?;
        // `>f.st...... series/a film.mkv`
        let name = first.split_once(' ').map_or(first.as_str(), |(_, name)| name.trim());
        Err(HostError::Refused {
            what: format!(
                "the copy differed from `{from}` in {} places, such as `{name}`; they were copied \
                 once more",
                differ.len()
            ),
            hint:
                "something wrote there meanwhile, or one of the disks is bad, which `homelab disk \
                   check` may know; the same command compares again"
                    .to_owned(),
        })
    })();
    let left = unmount(host).and_then(|()| match target.crypt {
        // It is unlocked again as at every start.
        Some(container) if crypt::is_unlocked(host, container) => crypt::lock(host, container),
        _ => Ok(()),
    });
    done.and(left)
}

fn mount(host: &Host, target: &Target<'_>, how: &str) -> Result<()> {
    // Mounted in another way, or left so by a run that was killed.
    unmount(host)?;
    if let Some(container) = target.crypt.filter(|container| !crypt::is_unlocked(host, container)) {
        let device = format!("/dev/disk/by-uuid/{}", container.uuid);
        crypt::unlock(host, container, Path::new(&device))?;
    }
    if !host.path(PLACE).is_dir() {
        files::ensure_folder(host.path(PLACE), 0o700, (0, 0))?;
    }
    host.runner.run(
        &Command::new("mount")
            .args(["--types", target.kind])
            .args(["--options", &format!("{how},nosuid,nodev,noatime")])
            .arg(target.device)
            .arg(host.path(PLACE)),
    )?;
    Ok(())
}

fn unmount(host: &Host) -> Result<()> {
    if mount_point::is_mounted(host, PLACE)? {
        host.runner.run(&Command::new("umount").arg(host.path(PLACE)))?;
    }
    Ok(())
}

/// What every call says: all that a file system knows of a file, and this file system only. What
/// `e2fsck` keeps for itself stays where it is.
fn call(host: &Host, from: &str, exact: bool, more: &[&str]) -> Command {
    let all = ["--archive", "--hard-links", "--acls", "--xattrs", "--numeric-ids", "--sparse"];
    let folder = |path: &str| format!("{}/", host.path(path).display());
    Command::new("rsync")
        .args(all)
        .args(["--one-file-system", "--exclude=/lost+found"])
        .args(exact.then_some("--delete"))
        .args(more)
        .args([folder(from), folder(PLACE)])
}

fn transfer(
    host: &Host,
    from: &str,
    exact: bool,
    more: &[&str],
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(String),
) -> Result<()> {
    let more = [&["--info=progress2", "--no-inc-recursive"], more].concat();
    let command = call(host, from, exact, &more);
    let mut percent = String::new();
    run(host, &command, interrupt, &mut |line| {
        // `  1,234,567  45%  110.23MB/s    0:00:12 …`
        let found = line.split_whitespace().find(|word| word.ends_with('%'));
        if let Some(found) = found.filter(|found| **found != percent) {
            found.clone_into(&mut percent);
            tell(format!("copying: {found}"));
        }
    })
}

/// What is not the same, a line each.
fn compare(
    host: &Host,
    from: &str,
    exact: bool,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(String),
) -> Result<Vec<String>> {
    tell("reading both disks to compare them".to_owned());
    let command = call(host, from, exact, &["--checksum", "--dry-run", "--itemize-changes"]);
    let mut differ: Vec<String> = Vec::new();
    run(host, &command, interrupt, &mut |line| differ.push(line.to_owned()))?;
    Ok(differ)
}

/// Runs a program whose lines are heard while it runs, until somebody wants us to stop.
fn run(
    host: &Host,
    command: &Command,
    interrupt: &Interrupt,
    hear: &mut dyn FnMut(&str),
) -> Result<()> {
    let runner = host.runner.as_ref();
    let (tell, told) = mpsc::channel();
    let ended = thread::scope(|scope| {
        let running = scope.spawn(move || {
            let mut lines = Lines { interrupt, line: Vec::new(), tell };
            runner.run_with(command, Streams { stdout: Some(&mut lines), ..Streams::default() })
        });
        for line in told {
            hear(&line);
        }
        running.join()
    });
    if interrupt.came() {
        return Err(HostError::Refused {
            what: "the copy was stopped".to_owned(),
            hint: "the same command goes on where it stopped".to_owned(),
        });
    }
    ended.unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(())
}

/// Hands lines on, and ends the program when somebody wants us to stop.
struct Lines<'a> {
    interrupt: &'a Interrupt,
    line: Vec<u8>,
    tell: mpsc::Sender<String>,
}

impl Write for Lines<'_> {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        if self.interrupt.came() {
            return Err(io::Error::other("it was interrupted"));
        }
        for &byte in block {
            match byte {
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    if !line.is_empty() {
                        let _ = self.tell.send(String::from_utf8_lossy(&line).into_owned());
                    }
                }
                _ => self.line.push(byte),
            }
        }
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, sync::Arc};

    use super::*;
    use crate::{Output, Runner, SystemRunner, command::CommandError, fake};

    const TARGET: Target<'_> =
        Target { device: "/dev/disk/by-uuid/u-2", kind: "xfs", crypt: None, exact: true };

    /// A box where `mount` and `umount` do what they say to `mountinfo`.
    fn machine(folder: &Path) -> fake::FakeHost {
        let fake = fake::host(folder);
        fs::create_dir_all(folder.join("proc/self")).unwrap();
        let info = folder.join("proc/self/mountinfo");
        fs::write(&info, "").unwrap();
        let file = info.clone();
        fake.runner.act(["mount"], "", move |_| {
            fs::write(&file, format!("31 22 8:17 / {PLACE} rw - xfs /dev/sdc1 rw\n")).unwrap();
        });
        fake.runner.act(["umount"], "", move |_| fs::write(&info, "").unwrap());
        fake
    }

    fn refused(result: Result<()>) -> (String, String) {
        match result {
            Err(HostError::Refused { what, hint }) => (what, hint),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_copied_and_then_compared_as_they_lie_on_the_medium() {
        let folder = tempfile::tempdir().unwrap();
        let fake = machine(folder.path());
        fake.runner.answer(["rsync"], "");
        // The copy itself draws; the comparison, which is told by its words, says nothing.
        let progress = "  1,024  45%  1.00MB/s    0:00:12\r  2,048  45%\r  4,096 100%\n";
        let all = "--archive --hard-links --acls --xattrs --numeric-ids --sparse --one-file-system \
                   --exclude=/lost+found --delete";
        let words: Vec<String> =
            format!("rsync {all} --info=progress2").split_whitespace().map(str::to_owned).collect();
        fake.runner.answer(words.iter().map(String::as_str), progress);
        let mut told = Vec::new();
        let none = Interrupt::default();
        copy(&fake.host(), "/mnt/media", &TARGET, &none, &mut |note| told.push(note)).unwrap();
        assert_eq!(told, ["copying: 45%", "copying: 100%", "reading both disks to compare them"]);
        let root = folder.path().display();
        let (from, to) = (format!("{root}/mnt/media/"), format!("{root}{PLACE}"));
        let device = TARGET.device;
        assert_eq!(
            fake.runner.commands(),
            [
                format!("mount --types xfs --options rw,nosuid,nodev,noatime {device} {to}"),
                format!("rsync {all} --info=progress2 --no-inc-recursive {from} {to}/"),
                format!("umount {to}"),
                format!("mount --types xfs --options ro,nosuid,nodev,noatime {device} {to}"),
                format!("rsync {all} --checksum --dry-run --itemize-changes {from} {to}/"),
                format!("umount {to}"),
            ]
        );
    }

    #[test]
    fn what_differs_or_cannot_be_read_is_told_and_nothing_stays_mounted() {
        let folder = tempfile::tempdir().unwrap();
        let fake = machine(folder.path());
        let go = |interrupt: &Interrupt| {
            copy(&fake.host(), "/mnt/media", &TARGET, interrupt, &mut |_| {})
        };
        let (none, stop) = (Interrupt::default(), Interrupt::default());
        fake.runner.answer(["rsync"], ">f.c....... series/a film\n*deleting b\n");
        let (what, hint) = refused(go(&none));
        assert_eq!(
            what,
            "the copy differed from `/mnt/media` in 2 places, such as `series/a film`; they were \
             copied once more"
        );
        assert!(hint.starts_with("something wrote there meanwhile, or one of the disks is bad"));
        fake.runner.fail(["rsync"], 23, "rsync: read errors mapping \"b\": Input/output error (5)");
        assert!(go(&none).unwrap_err().to_string().contains("Input/output error"));
        stop.raise();
        assert_eq!(
            refused(go(&stop)),
            ("the copy was stopped".into(), "the same command goes on where it stopped".into())
        );
        assert!(!mount_point::is_mounted(&fake.host(), PLACE).unwrap());
    }

    /// The real `rsync` between two folders.
    struct Rsync(Arc<dyn Runner>);

    impl Runner for Rsync {
        fn run(&self, command: &Command) -> std::result::Result<Output, CommandError> {
            match command.program.to_str() {
                Some("rsync") => SystemRunner.run(command),
                _ => self.0.run(command),
            }
        }
    }

    #[test]
    #[allow(clippy::print_stdout, reason = "a test that is not run must say so")]
    fn a_second_try_goes_on_and_makes_both_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let fake = machine(folder.path());
        if SystemRunner.run(&Command::new("rsync").arg("--version")).is_err() {
            println!("not tested: there is no rsync here");
            return;
        }
        let host = Host { runner: Arc::new(Rsync(fake.runner.clone())), ..fake.host() };
        let (old, new) = (host.path("/mnt/media"), host.path(PLACE));
        fs::create_dir_all(old.join("series")).unwrap();
        fs::create_dir_all(old.join("lost+found")).unwrap();
        fs::write(old.join("series/a film"), [7; 9000]).unwrap();
        fs::hard_link(old.join("series/a film"), old.join("again")).unwrap();
        symlink("nowhere", old.join("link")).unwrap();
        // A first try was cut off, and a file was deleted since.
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join("gone"), "x").unwrap();
        let mut told = Vec::new();
        let none = Interrupt::default();
        copy(&host, "/mnt/media", &TARGET, &none, &mut |note| told.push(note)).unwrap();
        assert_eq!(files::list(&new).unwrap(), ["again", "link", "series"]);
        assert_eq!(fs::read(new.join("series/a film")).unwrap(), [7; 9000]);
        // A file that has two names counts twice, and comes once.
        assert!(told[0].starts_with("copying: "), "{told:?}");
        // Another byte, the same size and time.
        let time = fs::metadata(new.join("again")).unwrap().modified().unwrap();
        let damaged = new.join("series/a film");
        fs::write(&damaged, [8; 9000]).unwrap();
        fs::File::options().write(true).open(&damaged).unwrap().set_modified(time).unwrap();
        let what = refused(copy(&host, "/mnt/media", &TARGET, &none, &mut |_| {})).0;
        assert!(what.starts_with("the copy differed from `/mnt/media` in "), "{what}");
        copy(&host, "/mnt/media", &TARGET, &none, &mut |_| {}).unwrap();
        assert_eq!(fs::read(new.join("again")).unwrap(), [7; 9000]);
    }
}
