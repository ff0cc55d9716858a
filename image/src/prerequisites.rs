//! What this machine must have before a build starts. Everything that is missing is named at once.

use std::{fs, path::Path};

use nix::sys::statvfs::statvfs;

use crate::{
    build::Inputs,
    error::{ImageError, Lack, Result},
    progress::bytes,
};

/// Programs of this machine: name, Debian package.
const PROGRAMS: &[(&str, &str)] =
    &[("mmdebstrap", "mmdebstrap"), ("newuidmap", "uidmap"), ("apt-get", "apt")];
/// Bytes that a build takes at most: the base, its unpacked tree, the image.
const ROOM: u64 = 6 << 30;

/// What is looked at; a test hands in its own.
struct Machine<'a> {
    path: &'a str,
    proc: &'a Path,
    subuid: &'a Path,
    user: (u32, String),
    free: u64,
    installer: &'a Path,
}

/// Looks whether a build can start.
///
/// # Errors
/// Everything that is missing, each with its remedy.
pub fn check(inputs: &Inputs) -> Result<()> {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    let existing = inputs.cache.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let free = statvfs(existing)
        .map_or(u64::MAX, |room| room.blocks_available().saturating_mul(room.fragment_size()));
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let lacks = lacks(&Machine {
        path: &path,
        proc: Path::new("/proc"),
        subuid: Path::new("/etc/subuid"),
        user: (uid.as_raw(), user.map_or_else(|| uid.to_string(), |user| user.name)),
        free,
        installer: &inputs.installer,
    });
    if lacks.is_empty() { Ok(()) } else { Err(ImageError::Machine(lacks)) }
}

fn lacks(machine: &Machine<'_>) -> Vec<Lack> {
    let mut lacks = Vec::new();
    let mut lack = |what: String, remedy: String| lacks.push(Lack { what, remedy });
    for (program, package) in PROGRAMS {
        if !std::env::split_paths(machine.path).any(|folder| folder.join(program).is_file()) {
            lack(
                format!("the program `{program}` is missing"),
                format!("sudo apt-get install --no-install-recommends {package}"),
            );
        }
    }
    let setting = |name: &str| fs::read_to_string(machine.proc.join("sys").join(name)).ok();
    let zero = |name: &str| setting(name).is_some_and(|text| text.trim() == "0");
    let (uid, user) = &machine.user;
    if zero("user/max_user_namespaces") {
        lack(
            "user namespaces are switched off".to_owned(),
            "sudo sysctl user.max_user_namespaces=15000".to_owned(),
        );
    }
    if *uid != 0 && zero("kernel/unprivileged_userns_clone") {
        lack(
            "users other than root may not make user namespaces".to_owned(),
            "sudo sysctl kernel.unprivileged_userns_clone=1".to_owned(),
        );
    }
    if *uid != 0
        && setting("kernel/apparmor_restrict_unprivileged_userns").is_some_and(|t| t.trim() == "1")
    {
        lack(
            "AppArmor keeps users other than root from making user namespaces".to_owned(),
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0".to_owned(),
        );
    }
    let subuids = fs::read_to_string(machine.subuid).unwrap_or_default();
    let mapped = subuids.lines().any(|line| {
        line.split(':').next().is_some_and(|name| name == user || name == uid.to_string())
    });
    if *uid != 0 && !mapped {
        lack(
            format!("the user `{user}` has no subordinate user ids"),
            format!("sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 {user}"),
        );
    }
    if machine.free < ROOM {
        lack(
            format!("only {} are free for the build", bytes(machine.free)),
            format!("free {}, or name another place with --cache and --output", bytes(ROOM)),
        );
    }
    if !machine.installer.is_file() {
        lack(
            format!("the installer `{}` is not built", machine.installer.display()),
            "cargo build --release, or name it with --installer".to_owned(),
        );
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_named_at_once_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("user/max_user_namespaces", "0\n"),
            ("kernel/unprivileged_userns_clone", "0\n"),
            ("kernel/apparmor_restrict_unprivileged_userns", "1\n"),
        ] {
            let path = folder.path().join("sys").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(folder.path().join("subuid"), "other:100000:65536\n").unwrap();
        let machine = Machine {
            path: "/nowhere",
            proc: folder.path(),
            subuid: &folder.path().join("subuid"),
            user: (1000, "alex".to_owned()),
            free: 1 << 30,
            installer: Path::new("/nowhere/homelab"),
        };
        let error = ImageError::Machine(lacks(&machine));
        assert_eq!(
            error.to_string(),
            "this machine cannot do it yet:\n  \
             the program `mmdebstrap` is missing\n    = sudo apt-get install --no-install-recommends mmdebstrap\n  \
             the program `newuidmap` is missing\n    = sudo apt-get install --no-install-recommends uidmap\n  \
             the program `apt-get` is missing\n    = sudo apt-get install --no-install-recommends apt\n  \
             user namespaces are switched off\n    = sudo sysctl user.max_user_namespaces=15000\n  \
             users other than root may not make user namespaces\n    = sudo sysctl kernel.unprivileged_userns_clone=1\n  \
             AppArmor keeps users other than root from making user namespaces\n    = sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0\n  \
             the user `alex` has no subordinate user ids\n    = sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 alex\n  \
             only 1.0 GiB are free for the build\n    = free 6.0 GiB, or name another place with --cache and --output\n  \
             the installer `/nowhere/homelab` is not built\n    = cargo build --release, or name it with --installer"
        );
    }

    #[test]
    fn root_needs_neither_mapping_nor_leave() {
        let folder = tempfile::tempdir().unwrap();
        let installer = folder.path().join("homelab");
        fs::write(&installer, "").unwrap();
        for name in ["mmdebstrap", "newuidmap", "apt-get"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let machine = Machine {
            path: &folder.path().to_string_lossy(),
            proc: folder.path(),
            subuid: Path::new("/nowhere"),
            user: (0, "root".to_owned()),
            free: ROOM,
            installer: &installer,
        };
        assert_eq!(lacks(&machine), []);
    }
}
