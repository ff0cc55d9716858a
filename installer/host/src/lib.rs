//! Effects: the only crate that runs programs, opens devices, talks to systemd and Docker.
//!
//! A [`Host`] is the machine as the engine sees it. Its parts are traits where a test must stand
//! in for the world ([`Runner`], [`Containers`], [`Web`], [`Clock`]); files are real and lie below
//! [`Host::root`], which is `/` on the box and a temporary folder in tests.

pub mod account;
pub mod authority;
pub mod boot_entry;
pub mod boot_loader;
pub mod clock;
pub mod command;
pub mod consoles;
pub mod containers;
pub mod copy;
pub mod crypt;
pub mod disks;
pub mod error;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod fat;
pub mod files;
pub mod flash;
pub mod format;
pub mod identifiers;
pub mod interrupt;
pub mod key;
pub mod keyboard;
pub mod login_users;
#[cfg(test)]
mod loop_device;
pub mod mount_point;
pub mod mounted;
pub mod network;
pub mod one_time;
pub mod password;
mod patience;
pub mod probe;
pub mod public_keys;
pub mod random;
pub mod root_disk;
pub mod smart;
pub mod stick;
pub mod systemd;
pub mod table;
pub mod time_zones;
pub mod transfer;
pub mod udev;
pub mod usage;
pub mod users;
pub mod volume;
pub mod web;
pub mod window;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use clock::SystemClock;
pub use command::{Command, Output, Runner, SystemRunner};
pub use containers::{Containers, Docker};
pub use disks::BootDisk;
pub use error::{HostError, Result, tells_of_full_disk};
pub use web::{SystemWeb, Web};

/// The machine as the engine sees it.
#[derive(Clone)]
pub struct Host {
    /// `/`, or a temporary folder in tests.
    pub root: PathBuf,
    /// Runs programs.
    pub runner: Arc<dyn Runner>,
    /// The container engine.
    pub containers: Arc<dyn Containers>,
    /// Asks URLs.
    pub web: Arc<dyn Web>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Host {
    /// This machine.
    ///
    /// # Errors
    /// No event loop can be made for the container engine; whether that runs is not asked.
    pub fn system() -> Result<Self> {
        Ok(Self {
            root: PathBuf::from("/"),
            runner: Arc::new(SystemRunner),
            containers: Arc::new(Docker::connect()?),
            web: Arc::new(SystemWeb),
            clock: Arc::new(SystemClock),
        })
    }

    /// An absolute path of the box as a path of this process.
    pub fn path(&self, absolute: impl AsRef<Path>) -> PathBuf {
        files::below(&self.root, absolute)
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, as RFC 3339 in UTC with whole seconds.
    fn now(&self) -> String;
    /// Seconds since the Unix epoch.
    fn epoch(&self) -> i64;
    /// Waits; a scripted clock only counts.
    fn sleep(&self, duration: std::time::Duration);
}
