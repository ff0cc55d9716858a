//! Effects: the only crate that runs programs, opens devices, talks to systemd and Docker.
//!
//! A [`Host`] is the machine as the engine sees it. Its parts are traits where a test must stand
//! in for the world ([`Runner`], [`Containers`], [`Web`], [`Clock`]); files are real and lie below
//! [`Host::root`], which is `/` on the box and a temporary folder in tests.

pub mod command;
pub mod containers;
pub mod error;
pub mod web;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use command::{Command, Output, Runner};
pub use containers::Containers;
pub use error::{HostError, Result};
pub use web::Web;

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
    /// An absolute path of the box as a path of this process.
    pub fn path(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let absolute = absolute.as_ref();
        self.root.join(absolute.strip_prefix("/").unwrap_or(absolute))
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
