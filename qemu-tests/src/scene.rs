//! What a story works with: what all stories share ([`Setup`]) and what is its own ([`Scene`]).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use model::Digest;

use crate::{
    file_server::FileServer,
    fixtures::registry::Registry,
    guest::Key,
    installed::{Identity, Installed},
    machine::{Machine, Spec},
    program::Program,
    seed::Wish,
    world::{World, fresh_folder},
};

/// What all stories share.
pub struct Setup {
    /// The network.
    pub world: World,
    /// The image under test. Nobody writes to it.
    pub image: PathBuf,
    /// The builder's binary, for `seed inject`.
    pub homelab_image: PathBuf,
    /// Results: one folder a story.
    pub results: PathBuf,
    /// The admin's key.
    pub key: Key,
    /// Where images come from.
    pub images: Images,
    /// Keep the disks of stories that passed, too.
    pub keep: bool,
    /// Identities of the boxes that came up in this run, by story.
    pub identities: Mutex<BTreeMap<String, Identity>>,
}

/// Where the boxes' images come from.
pub struct Images {
    /// `host:port`
    pub mirror: String,
    /// PEM of its authority.
    pub authority: String,
    /// Image reference or artefact name to digest.
    pub pins: BTreeMap<String, Digest>,
    /// The stand-in for Sablier's plugin, as a folder.
    pub plugin: PathBuf,
    /// What serves them.
    pub registry: Registry,
}

/// What is a story's own.
pub struct Scene<'a> {
    /// What all share.
    pub setup: &'a Setup,
    /// Results of this story.
    pub folder: PathBuf,
    /// The box, once it is up.
    pub installed: Option<Installed>,
    /// A machine on its way there.
    pub machine: Option<Machine>,
    /// A machine that is off.
    pub spec: Option<Spec>,
    /// A file server of the LAN.
    pub file_server: Option<FileServer>,
    name: String,
    begun: Instant,
}

impl<'a> Scene<'a> {
    /// Begins a story; the results of an earlier run are removed.
    ///
    /// # Errors
    /// The folder for results cannot be made.
    pub fn open(setup: &'a Setup, name: &str) -> Result<Self> {
        let folder = fresh_folder(&setup.results.join(name))?;
        Ok(Self {
            setup,
            folder,
            installed: None,
            machine: None,
            spec: None,
            file_server: None,
            name: name.to_owned(),
            begun: Instant::now(),
        })
    }

    /// A line for the person who waits, on standard error.
    pub fn note(&self, text: &str) {
        eprintln!("[{} +{:.0} s] {text}", self.name, self.begun.elapsed().as_secs_f64());
    }

    /// The story's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The box.
    ///
    /// # Errors
    /// It never came up.
    pub fn installed(&mut self) -> Result<&mut Installed> {
        self.installed.as_mut().context("there is no box")
    }

    /// A wish with everything that the test world has.
    pub fn wish(&self, hostname: &'static str) -> Wish {
        let Images { mirror, authority, pins, .. } = &self.setup.images;
        Wish {
            hostname,
            domain: None,
            duckdns: false,
            stacks: &["core"],
            prefer: &[],
            vpn: false,
            mounts: String::new(),
            ssh_key: self.setup.key.public.clone(),
            mirror: mirror.clone(),
            mirror_ca: authority.clone(),
            pins: pins.clone(),
        }
    }

    /// A copy of the image with a seed on it, in this story's folder.
    ///
    /// # Errors
    /// The copy failed, or the builder refused the seed.
    pub fn image_with(&self, seed: &str) -> Result<PathBuf> {
        let copy = self.folder.join("image.raw");
        copy_sparse(&self.setup.image, &copy)?;
        crate::seed::inject(&self.setup.homelab_image, &copy, seed)?;
        Ok(copy)
    }

    /// Ends the story: what the box can still tell is written down, disks go unless somebody
    /// may want to look at them.
    pub fn close(mut self) {
        if let Some(installed) = self.installed.take() {
            installed.write_down(&self.folder);
        }
        if !self.setup.keep {
            let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
            for path in files.map(|entry| entry.path()) {
                let disk = path.extension().is_some_and(|end| end == "raw" || end == "qcow2");
                if disk {
                    drop(fs::remove_file(path));
                }
            }
        }
    }
}

/// Copies a file without its holes.
///
/// # Errors
/// `cp` failed.
pub fn copy_sparse(from: &Path, to: &Path) -> Result<()> {
    Program::new("cp").args(["--sparse=always", "--reflink=auto"]).args([from, to]).run().map(drop)
}

/// Asks until there is nothing to complain about any more.
///
/// # Errors
/// There still is after `patience`, or nobody answers.
pub fn until(
    patience: Duration,
    mut complaint: impl FnMut() -> Result<Option<String>>,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    while let Some(text) = complaint()? {
        ensure!(Instant::now() < deadline, "after {} s: {text}", patience.as_secs());
        std::thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}
