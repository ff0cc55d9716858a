//! What this machine must have before a build starts. Everything that is missing is named at once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use host::command::{Command, Runner};
use nix::sys::statvfs::statvfs;

use crate::{
    build::Inputs,
    error::{ImageError, Lack, Result, last_words},
    progress::bytes,
};

/// Programs of this machine: name, Debian package.
const PROGRAMS: &[(&str, &str)] =
    &[("mmdebstrap", "mmdebstrap"), ("newuidmap", "uidmap"), ("apt-get", "apt")];
/// Bytes that base, tools and image take at most.
const ROOM: u64 = 5 << 30;
/// Bytes that the unpacked base takes at most.
const SCRATCH_ROOM: u64 = 2 << 30;

/// What is looked at; a test hands in its own.
struct Machine<'a> {
    path: &'a str,
    proc: &'a Path,
    /// `/etc/subuid` and `/etc/subgid`.
    mappings: [&'a Path; 2],
    user: (u32, String),
    /// What a refused namespace said.
    refused: Option<String>,
    /// Place, free bytes, bytes that are needed.
    rooms: Vec<(PathBuf, u64, u64)>,
    installer: &'a Path,
}

/// Where the base is unpacked: a place that the users of a namespace can reach, which homes often
/// are not, and that does not lie in memory, as `/tmp` often does.
pub fn scratch_folder() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)
}

/// Looks whether a build can start.
///
/// # Errors
/// Everything that is missing, each with its remedy.
pub fn check(inputs: &Inputs, runner: &dyn Runner) -> Result<()> {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    let room = |path: &Path, need| {
        let existing = path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
        let free = statvfs(existing)
            .map_or(u64::MAX, |room| room.blocks_available().saturating_mul(room.fragment_size()));
        (path.to_owned(), free, need)
    };
    // What mmdebstrap will ask for: root needs a place for mounts, others a user of their own.
    let kind = if uid.is_root() { "--mount" } else { "--map-root-user" };
    let namespace = runner.run(&Command::new("unshare").args([kind, "true"]));
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let lacks = lacks(&Machine {
        path: &path,
        proc: Path::new("/proc"),
        mappings: [Path::new("/etc/subuid"), Path::new("/etc/subgid")],
        user: (uid.as_raw(), user.map_or_else(|| uid.to_string(), |user| user.name)),
        refused: namespace.err().map(|error| last_words(&error).to_owned()),
        rooms: vec![room(&inputs.cache, ROOM), room(&scratch_folder(), SCRATCH_ROOM)],
        installer: &inputs.installer,
    });
    if lacks.is_empty() { Ok(()) } else { Err(ImageError::Machine(lacks)) }
}

fn lacks(machine: &Machine<'_>) -> Vec<Lack> {
    let mut lacks = Vec::new();
    for (program, package) in PROGRAMS {
        if !std::env::split_paths(machine.path).any(|folder| folder.join(program).is_file()) {
            lacks.push(Lack {
                what: format!("the program `{program}` is missing"),
                remedy: format!("sudo apt-get install --no-install-recommends {package}"),
            });
        }
    }
    lacks.extend(namespace_lacks(machine));
    for (place, free, need) in &machine.rooms {
        if free < need {
            let place = place.display();
            lacks.push(Lack {
                what: format!(
                    "`{place}` has only {} free, {} are needed",
                    bytes(*free),
                    bytes(*need)
                ),
                remedy: "make room, or name another place: --cache FOLDER for what is kept, \
                         TMPDIR=FOLDER for what is not"
                    .to_owned(),
            });
        }
    }
    if !machine.installer.is_file() {
        lacks.push(Lack {
            what: format!("the installer `{}` is not built", machine.installer.display()),
            remedy: "cargo build --release, or name it with --installer".to_owned(),
        });
    }
    lacks
}

/// What keeps this user from the namespaces that the bootstrap runs in.
fn namespace_lacks(machine: &Machine<'_>) -> Vec<Lack> {
    let (uid, user) = &machine.user;
    let mut lacks = Vec::new();
    let mut lack = |what: String, remedy: String| lacks.push(Lack { what, remedy });
    if *uid == 0 {
        if let Some(words) = &machine.refused {
            lack(
                format!("root may not mount anything here: {words}"),
                "give the container `--privileged`, or build as another user".to_owned(),
            );
        }
        return lacks;
    }
    let settings = [
        ("user/max_user_namespaces", "0", "user namespaces are switched off", "15000"),
        (
            "kernel/unprivileged_userns_clone",
            "0",
            "users other than root may not make user namespaces",
            "1",
        ),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor keeps users other than root from making user namespaces",
            "0",
        ),
    ];
    let mut explained = false;
    for (name, bad, what, good) in settings {
        let value = fs::read_to_string(machine.proc.join("sys").join(name)).unwrap_or_default();
        if value.trim() == bad {
            explained = true;
            lack(what.to_owned(), format!("sudo sysctl {}={good}", name.replace('/', ".")));
        }
    }
    if let (Some(words), false) = (&machine.refused, explained) {
        lack(
            format!("user namespaces are refused here: {words}"),
            "build as root, or outside of this container or chroot".to_owned(),
        );
    }
    let mapped = |file: &Path| {
        fs::read_to_string(file).unwrap_or_default().lines().any(|line| {
            line.split(':').next().is_some_and(|name| name == user || name == uid.to_string())
        })
    };
    if !machine.mappings.into_iter().all(mapped) {
        lack(
            format!("the user `{user}` has no subordinate user and group ids"),
            format!("sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 {user}"),
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
        // Ids of one kind are not enough.
        fs::write(folder.path().join("subuid"), "other:1:1\nalex:100000:65536\n").unwrap();
        let mut machine = Machine {
            path: "/nowhere",
            proc: folder.path(),
            mappings: [&folder.path().join("subuid"), &folder.path().join("subgid")],
            user: (1000, "alex".to_owned()),
            refused: Some("unshare failed: Operation not permitted".to_owned()),
            rooms: vec![
                ("build/cache".into(), 1 << 30, ROOM),
                ("/var/tmp".into(), SCRATCH_ROOM, SCRATCH_ROOM),
            ],
            installer: Path::new("/nowhere/homelab"),
        };
        assert_eq!(
            ImageError::Machine(lacks(&machine)).to_string(),
            "this machine cannot do it yet:\n  \
             the program `mmdebstrap` is missing\n    = sudo apt-get install --no-install-recommends mmdebstrap\n  \
             the program `newuidmap` is missing\n    = sudo apt-get install --no-install-recommends uidmap\n  \
             the program `apt-get` is missing\n    = sudo apt-get install --no-install-recommends apt\n  \
             user namespaces are switched off\n    = sudo sysctl user.max_user_namespaces=15000\n  \
             users other than root may not make user namespaces\n    = sudo sysctl kernel.unprivileged_userns_clone=1\n  \
             AppArmor keeps users other than root from making user namespaces\n    = sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0\n  \
             the user `alex` has no subordinate user and group ids\n    = sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 alex\n  \
             `build/cache` has only 1.0 GiB free, 5.0 GiB are needed\n    = make room, or name another place: --cache FOLDER for what is kept, TMPDIR=FOLDER for what is not\n  \
             the installer `/nowhere/homelab` is not built\n    = cargo build --release, or name it with --installer"
        );
        // Without a setting that explains it, the refusal itself is told.
        machine.proc = Path::new("/nowhere");
        assert_eq!(
            ImageError::Machine(namespace_lacks(&machine)[..1].to_vec()).to_string(),
            "this machine cannot do it yet:\n  \
             user namespaces are refused here: unshare failed: Operation not permitted\n    \
             = build as root, or outside of this container or chroot"
        );
        machine.user = (0, "root".to_owned());
        assert_eq!(
            ImageError::Machine(namespace_lacks(&machine)).to_string(),
            "this machine cannot do it yet:\n  \
             root may not mount anything here: unshare failed: Operation not permitted\n    \
             = give the container `--privileged`, or build as another user"
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
            mappings: [Path::new("/nowhere"); 2],
            user: (0, "root".to_owned()),
            refused: None,
            rooms: vec![("/".into(), ROOM, ROOM)],
            installer: &installer,
        };
        assert_eq!(lacks(&machine), []);
    }
}
