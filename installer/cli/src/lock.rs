//! Two runs never overlap: whoever changes the box holds a lock of the kernel's, which a cut or a
//! kill releases by itself.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

use host::Host;
use nix::fcntl::{Flock, FlockArg};

use crate::failure::Failure;

/// Below `/run`: a restart forgets it.
const PATH: &str = "/run/homelab.lock";
/// Of those who change the users of the login service: a run that takes an hour has no part in it.
const USERS: &str = "/run/homelab-users.lock";

/// Held for as long as it lives.
pub struct Lock {
    _file: Flock<File>,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// Somebody else is at it.
    #[error("`homelab {command}` (process {process}) is at work on this box")]
    Held {
        /// Its command.
        command: String,
        /// Its process id.
        process: String,
    },
    /// The lock cannot be opened.
    #[error("cannot open `{path}`: {cause}")]
    Broken {
        /// Which.
        path: &'static str,
        /// Why.
        cause: std::io::Error,
    },
}

/// Takes the lock for a command such as `apply`.
///
/// # Errors
/// Somebody else has it.
pub fn take(host: &Host, command: &str) -> Result<Lock, Busy> {
    take_at(host, PATH, command)
}

/// Takes the lock of the login service's users.
///
/// # Errors
/// Somebody else has it.
pub fn take_users(host: &Host, command: &str) -> Result<Lock, Failure> {
    take_at(host, USERS, command)
        .map_err(|busy| Failure::machine(busy.to_string(), "wait until it is done"))
}

fn take_at(host: &Host, path: &'static str, command: &str) -> Result<Lock, Busy> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(host.path(path))
        .map_err(|cause| Busy::Broken { path, cause })?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut file) => {
            // For the message of whoever comes second; nothing depends on it.
            let _ = file.set_len(0);
            let _ = file.rewind();
            let _ = writeln!(file, "{} {command}", std::process::id());
            Ok(Lock { _file: file })
        }
        Err((mut file, _)) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            let (process, command) = text.trim().split_once(' ').unwrap_or(("?", "?"));
            Err(Busy::Held { command: command.to_owned(), process: process.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host_in;

    #[test]
    fn the_second_one_is_told_who_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        let host = host_in(folder.path());
        let first = take(&host, "install").unwrap();
        let message = take(&host, "apply").err().unwrap().to_string();
        let me = std::process::id();
        assert_eq!(message, format!("`homelab install` (process {me}) is at work on this box"));
        drop(first);
        assert!(take(&host, "apply").is_ok());
    }
}
