//! Folders that something is mounted on.
//!
//! As long as nothing is mounted there, such a folder is empty and nobody can write into it: a
//! service whose disk did not come would otherwise fill the disk of the system, and its files would
//! be hidden as soon as the disk is back.

use std::{fs, path::Path};

use crate::{
    Command, Host, HostError, Result,
    files::{self, failed},
};

/// Is something mounted there, an automount included?
///
/// # Errors
/// `/proc` cannot be read.
pub fn is_mounted(host: &Host, at: &str) -> Result<bool> {
    let mounts = files::read_text(host.path("/proc/self/mountinfo"))?;
    Ok(mounts.lines().any(|line| line.split(' ').nth(4) == Some(at)))
}

/// Something can be mounted there without hiding files.
///
/// # Errors
/// Files lie there.
pub fn check(host: &Host, at: &str) -> Result<()> {
    if is_mounted(host, at)? {
        return Ok(());
    }
    let folder = host.path(at);
    match first_file(&folder)? {
        None => Ok(()),
        Some(file) => Err(HostError::Refused {
            what: format!("`{at}` holds files, such as `{file}`, which the mount would hide"),
            hint: format!(
                "move them away (`mv {at} {at}.before`), and onto what is mounted afterwards"
            ),
        }),
    }
}

/// The folder is there, empty, and takes no files as long as nothing is mounted on it. Empty folders
/// inside it go; file systems without such a mark are left as they are.
///
/// # Errors
/// Those of [`check`]; the folder cannot be made.
pub fn close(host: &Host, at: &str) -> Result<()> {
    if is_mounted(host, at)? {
        return Ok(());
    }
    check(host, at)?;
    let folder = host.path(at);
    for name in files::list(&folder)? {
        // `check` found nothing but folders.
        let inside = folder.join(name);
        fs::remove_dir_all(&inside).map_err(failed("remove the empty folder", &inside))?;
    }
    if !folder.is_dir() {
        files::ensure_folder(&folder, 0o755, (0, 0))?;
    }
    mark(host, "+i", &folder)
}

/// The folder takes files again.
///
/// # Errors
/// `chattr` is not there.
pub fn open(host: &Host, at: &str) -> Result<()> {
    let folder = host.path(at);
    if folder.is_dir() { mark(host, "-i", &folder) } else { Ok(()) }
}

fn mark(host: &Host, how: &str, folder: &Path) -> Result<()> {
    match host.runner.run(&Command::new("chattr").arg(how).arg(folder)) {
        // It ran, but the file system knows no such mark.
        Err(error) if error.status.is_some() => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// Something in a folder that is no folder itself, by its way from there.
fn first_file(folder: &Path) -> Result<Option<String>> {
    for name in files::list(folder)? {
        let path = folder.join(&name);
        let found = fs::symlink_metadata(&path).map_err(failed("look at", &path))?;
        if !found.is_dir() {
            return Ok(Some(name));
        }
        if let Some(inside) = first_file(&path)? {
            return Ok(Some(format!("{name}/{inside}")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{Runner as _, SystemRunner, fake};

    const AT: &str = "/mnt/media";

    fn machine(folder: &Path) -> (fake::FakeHost, PathBuf) {
        let fake = fake::host(folder);
        fs::create_dir_all(folder.join("proc/self")).unwrap();
        fs::write(folder.join("proc/self/mountinfo"), "22 1 8:3 / / rw - ext4 /dev/sda3 rw\n")
            .unwrap();
        (fake, folder.join("mnt/media"))
    }

    #[test]
    fn files_are_never_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let (fake, place) = machine(folder.path());
        let host = fake.host();
        check(&host, AT).unwrap();
        fs::create_dir_all(place.join("series/old")).unwrap();
        fs::write(place.join("series/old/film"), "").unwrap();
        let HostError::Refused { what, hint } = close(&host, AT).unwrap_err() else { panic!() };
        assert_eq!(
            what,
            "`/mnt/media` holds files, such as `series/old/film`, which the mount would hide"
        );
        assert_eq!(
            hint,
            "move them away (`mv /mnt/media /mnt/media.before`), and onto what is mounted afterwards"
        );
        assert!(place.join("series/old/film").exists());
        assert!(fake.runner.commands().is_empty());
        // What lies on the disk that is mounted there is no matter.
        let mounts = "22 1 8:3 / / rw - ext4 /dev/sda3 rw\n23 22 8:17 / /mnt/media rw - xfs x rw\n";
        fs::write(folder.path().join("proc/self/mountinfo"), mounts).unwrap();
        assert!(is_mounted(&host, AT).unwrap() && !is_mounted(&host, "/mnt").unwrap());
        close(&host, AT).unwrap();
        assert!(fake.runner.commands().is_empty());
    }

    #[test]
    fn empty_folders_go_and_a_file_system_without_the_mark_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let (fake, place) = machine(folder.path());
        fs::create_dir_all(place.join("series/old")).unwrap();
        fake.runner.fail(["chattr"], 1, "chattr: Operation not supported while reading flags");
        close(&fake.host(), AT).unwrap();
        assert!(files::list(&place).unwrap().is_empty());
        open(&fake.host(), AT).unwrap();
        open(&fake.host(), "/mnt/none").unwrap();
        let commands = fake.runner.commands();
        let place = place.display();
        assert_eq!(commands, [format!("chattr +i {place}"), format!("chattr -i {place}")]);
    }

    #[test]
    fn nobody_can_write_into_a_closed_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (fake, place) = machine(folder.path());
        let mut host = fake.host();
        host.runner = std::sync::Arc::new(SystemRunner);
        fs::create_dir_all(&place).unwrap();
        let probe = Command::new("chattr").arg("+i").arg(&place);
        if let Err(error) = SystemRunner.run(&probe) {
            println!("not tested: folders cannot be closed here ({error})");
            return;
        }
        close(&host, AT).unwrap();
        close(&host, AT).unwrap();
        let written = fs::write(place.join("film"), "");
        open(&host, AT).unwrap();
        assert_eq!(written.unwrap_err().raw_os_error(), Some(nix::errno::Errno::EPERM as i32));
        fs::write(place.join("film"), "").unwrap();
    }
}
