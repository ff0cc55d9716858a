//! What a run is given besides its plan.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use host::Host;
use model::{Secret, secret::SecretRef};

/// What a run is given besides its plan.
#[derive(Clone)]
pub struct Context {
    /// The machine.
    pub host: Host,
    /// Version of the installer, for the report.
    pub installer: String,
    /// Secrets of the seed under their names, files read and questions answered. Generated ones
    /// are not among them.
    pub secrets: BTreeMap<SecretRef, Secret>,
    /// When the image was built, in seconds since the epoch: a clock before that is wrong.
    pub built: Option<i64>,
    /// The SEED partition, to scrub the seed and to leave the report; none: there is none.
    pub medium: Option<Arc<dyn Medium>>,
    /// Paths of files edited by hand that are to be taken from the plan after all.
    pub overwrite: Vec<String>,
    /// How long [`crate::verify`] looks again before it calls a step failed. Services of a box
    /// that has just been started need their time; zero for one look.
    pub patience: Duration,
}

impl Context {
    /// For a machine, without seed secrets, SEED partition or special wishes.
    pub fn new(host: Host, installer: impl Into<String>) -> Self {
        Self {
            host,
            installer: installer.into(),
            secrets: BTreeMap::new(),
            built: None,
            medium: None,
            overwrite: Vec::new(),
            patience: Duration::ZERO,
        }
    }
}

/// A file system that is only mounted while it is needed: the SEED partition.
pub trait Medium: Send + Sync {
    /// Calls `work` with the folder where the file system can be read and written, and has
    /// everything on the medium when it returns.
    ///
    /// # Errors
    /// It cannot be mounted or unmounted, or what `work` returned.
    fn with(&self, work: &mut dyn FnMut(&Path) -> host::Result<()>) -> host::Result<()>;
}

/// A plain folder as a medium: tests, and a SEED partition that somebody else mounted.
#[derive(Debug, Clone)]
pub struct Folder(pub std::path::PathBuf);

impl Medium for Folder {
    fn with(&self, work: &mut dyn FnMut(&Path) -> host::Result<()>) -> host::Result<()> {
        work(&self.0)
    }
}
