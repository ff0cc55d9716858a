//! What comes from Debian: the base tar of the image, and the tools that make file systems and
//! boot images. The tools come from Debian 13 whatever this machine is, so that the same recipe
//! gives the same bytes everywhere; they run through their own loader, without a chroot.

use std::{
    fs,
    path::{Path, PathBuf},
};

use host::command::{Command, Runner, Streams};

use crate::{
    cache::Inputs,
    error::{At as _, ImageError, Result},
    recipe::Recipe,
};

/// What the tools tree is made of: `mke2fs` that reads a tar (with the library that it does not
/// depend on), GRUB's parts for BIOS, and the signed boot files.
const TOOLS: &[&str] = &[
    "e2fsprogs",
    "libarchive13t64",
    "grub-common",
    "grub-pc-bin",
    "grub-efi-amd64-signed",
    "shim-signed",
    "shim-helpers-amd64-signed",
];

/// How packages are fetched.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// What to build.
    pub recipe: &'a Recipe,
    /// Mirrors as `mmdebstrap` takes them (a URL or a line of sources.list); none: its defaults,
    /// which have the security updates.
    pub mirrors: &'a [String],
    /// Where temporary trees go.
    pub scratch: &'a Path,
}

impl Source<'_> {
    fn mmdebstrap(&self, variant: &str, packages: &[impl AsRef<str>]) -> Command {
        let include = packages.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",");
        let scratch = self.scratch.to_string_lossy().into_owned();
        Command::new("mmdebstrap")
            // As root too: the namespace keeps maintainer scripts away from this machine, and the
            // result has the same owners.
            .arg("--mode=unshare")
            .arg(format!("--variant={variant}"))
            .arg("--format=tar")
            .arg(format!("--architectures={}", self.recipe.image.architecture))
            .arg(format!("--components={}", self.recipe.debian.components.join(",")))
            .arg("--aptopt=Acquire::Retries \"3\"")
            .arg(format!("--include={include}"))
            .env("SOURCE_DATE_EPOCH", self.recipe.image.epoch.to_string())
            .env("TZ", "UTC")
            .env("TMPDIR", scratch.clone())
            .env("HOME", scratch)
    }

    /// What the base depends on.
    pub fn base_inputs(&self) -> Inputs {
        let debian = &self.recipe.debian;
        [
            ("architecture", self.recipe.image.architecture.clone()),
            ("components", debian.components.join(" ")),
            ("epoch", self.recipe.image.epoch.to_string()),
            ("exclude", debian.exclude.join(" ")),
            ("include", debian.include.join(" ")),
            ("locales", debian.locales.join(" ")),
            ("mirrors", self.mirrors.join(" ")),
            ("packages", debian.packages.join(" ")),
            ("script", setup_script(&debian.locales)),
            ("suite", debian.suite.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Bootstraps the base into `folder/base.tar`; `note` hears what is going on.
    ///
    /// # Errors
    /// `mmdebstrap` failed; its last words say why.
    pub fn make_base(
        &self,
        runner: &dyn Runner,
        folder: &Path,
        note: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        let debian = &self.recipe.debian;
        let mut command = self.mmdebstrap("apt", &debian.packages);
        for path in &debian.exclude {
            command = command.arg(format!("--dpkgopt=path-exclude={path}"));
        }
        for path in &debian.include {
            command = command.arg(format!("--dpkgopt=path-include={path}"));
        }
        command = command
            .arg(format!("--customize-hook={}", setup_script(&debian.locales)))
            .arg(&debian.suite)
            .arg(folder.join("base.tar"))
            .args(self.mirrors);
        follow(runner, &command, note)
    }

    /// What the tools depend on.
    pub fn tools_inputs(&self) -> Inputs {
        [
            ("architecture", self.recipe.image.architecture.clone()),
            ("mirrors", self.mirrors.join(" ")),
            ("packages", TOOLS.join(" ")),
            ("suite", self.recipe.debian.suite.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Bootstraps the tools into `folder/tree`.
    ///
    /// # Errors
    /// `mmdebstrap` failed, or its tar cannot be unpacked.
    pub fn make_tools(
        &self,
        runner: &dyn Runner,
        folder: &Path,
        note: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        let tar = folder.join("tools.tar");
        let command = self
            .mmdebstrap("extract", TOOLS)
            .arg(&self.recipe.debian.suite)
            .arg(&tar)
            .args(self.mirrors);
        follow(runner, &command, note)?;
        note("unpacking");
        let tree = folder.join("tree");
        fs::create_dir(&tree).at("create", &tree)?;
        let mut archive = tar::Archive::new(fs::File::open(&tar).at("read", &tar)?);
        for entry in archive.entries().at("read", &tar)? {
            let mut entry = entry.at("read", &tar)?;
            // Only what runs and what is copied; devices would need root.
            if entry.path_bytes().starts_with(b"./usr/") {
                entry.set_preserve_permissions(true);
                entry.unpack_in(&tree).at("unpack", &tar)?;
            }
        }
        fs::remove_file(&tar).at("remove", &tar)
    }
}

/// What is done inside the tree before it becomes a tar. Runs with the tree as `$1`.
fn setup_script(locales: &[String]) -> String {
    let list = locales.iter().map(|locale| format!("{locale} UTF-8\\n")).collect::<String>();
    // The folder has an access list, which no image carries; journald makes it again.
    format!(
        "printf '{list}' > \"$1/etc/locale.gen\" && chroot \"$1\" locale-gen \
         && rm -rf \"$1/var/log/journal\""
    )
}

fn follow(
    runner: &dyn Runner,
    command: &Command,
    note: &mut (dyn FnMut(&str) + Send),
) -> Result<()> {
    let mut lines = |line: &str| {
        if let Some(text) = line.strip_prefix("I: ") {
            note(text);
        }
    };
    let streams = Streams { lines: Some(&mut lines), ..Streams::default() };
    runner.run_with(command, streams)?;
    Ok(())
}

/// The unpacked tools.
#[derive(Debug, Clone)]
pub struct Tools {
    tree: PathBuf,
}

impl Tools {
    /// The tools in the result folder of the stage.
    pub fn new(stage: &Path) -> Self {
        Self { tree: stage.join("tree") }
    }

    /// A file of the tree, such as `usr/lib/shim/shimx64.efi.signed`.
    pub fn path(&self, below: &str) -> PathBuf {
        self.tree.join(below)
    }

    /// Reads a file of the tree.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(&self, below: &str) -> Result<Vec<u8>> {
        let path = self.path(below);
        fs::read(&path).at("read", path)
    }

    /// A program of the tree, run by the tree's loader with the tree's libraries.
    pub fn command(&self, program: &str) -> Command {
        Command::new(self.path("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"))
            .arg("--library-path")
            .arg(self.path("usr/lib/x86_64-linux-gnu"))
            .arg(self.path(program))
    }

    /// What a stage that uses the tools depends on: the versions of their packages.
    ///
    /// # Errors
    /// The tree is damaged.
    pub fn check(&self) -> Result<()> {
        for file in
            ["usr/sbin/mke2fs", "usr/bin/grub-mkimage", "usr/lib/x86_64-linux-gnu/libarchive.so.13"]
        {
            if !self.path(file).exists() {
                return Err(ImageError::Other(format!(
                    "the tools in the cache are damaged (`{file}` is missing); remove `{}`",
                    self.tree.display()
                )));
            }
        }
        Ok(())
    }
}
