//! What all checks share, and what one of them works with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::plan::Action;

use super::{
    network::Network,
    root::{self, Root},
    variant::{self, Variant, Written},
};
use crate::{
    fixtures::{
        PLUGIN,
        owners::{self, Owners},
    },
    world::fresh_folder,
};

/// What all checks share.
pub struct Bench {
    /// The programs.
    pub owners: Owners,
    /// What is checked.
    pub variants: Vec<Variant>,
    /// Names of checkers whose programs are not there.
    pub left_out: &'static [&'static str],
    folder: PathBuf,
    /// What there is only inside of the enclosure.
    inside: Option<Inside>,
}

struct Inside {
    /// A private key as the box makes one.
    key: String,
    network: Network,
}

/// What one check works with.
pub struct Case<'a> {
    /// The programs.
    pub owners: &'a Owners,
    /// The box.
    pub variant: &'a Variant,
    /// Where Traefik runs.
    pub network: &'a Network,
    /// Its files.
    pub written: Written,
    /// A folder of this check.
    pub folder: PathBuf,
}

impl Bench {
    /// Makes the programs but for those of the checkers that are left out, and the plans; outside of
    /// the enclosure, where there is a network.
    ///
    /// # Errors
    /// A program cannot be had, or a seed not be fulfilled.
    pub fn open(
        source: &Path,
        base: &Path,
        folder: &Path,
        left_out: &'static [&'static str],
    ) -> Result<Self> {
        let owners = owners::ensure(source, base, left_out)?;
        let variants = variant::all(source)?;
        Ok(Self { owners, variants, left_out, folder: folder.to_owned(), inside: None })
    }

    /// Makes what the cases need; inside of it.
    ///
    /// # Errors
    /// No key or no network can be made.
    pub fn prepare(&mut self) -> Result<()> {
        self.folder = fresh_folder(&self.folder)?;
        let root = Root::plain(self.folder.join("key"));
        root.bind(&self.owners.program("authelia")?.program, "/authelia")?;
        root.run(&["/authelia", "crypto", "pair", "rsa", "generate", "--directory", "/"])?;
        let key = std::fs::read_to_string(root.at("/private.pem")).context("there is no key")?;
        self.inside = Some(Inside { key, network: Network::make(&self.folder)? });
        Ok(())
    }

    /// A variant, written anew.
    ///
    /// # Errors
    /// There is no such variant, or a file cannot be written.
    pub fn case(&self, name: &str, variant: &str) -> Result<Case<'_>> {
        let found = self.variants.iter().find(|known| known.name == variant);
        let variant = found.with_context(|| format!("there is no variant {variant}"))?;
        let folder = fresh_folder(&self.folder.join(name.replace("::", "-")))?;
        let inside = self.inside.as_ref().context("nothing is prepared")?;
        let written = variant.write(&folder.join("box"), &inside.key)?;
        for step in &variant.plan.steps {
            let Action::Images(images) = &step.action else { continue };
            for artefact in &images.artefacts {
                if artefact.name != PLUGIN {
                    bail!("the checkers do not have the artefact {}", artefact.name);
                }
                root::copy(&self.owners.plugin, &written.at(&artefact.at))?;
            }
        }
        Ok(Case { owners: &self.owners, variant, network: &inside.network, written, folder })
    }
}
