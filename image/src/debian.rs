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
    error::{At as _, ImageError, Result, last_words},
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
        self.load(&self.path(program))
    }

    /// Any program, run by the tree's loader with the tree's libraries.
    fn load(&self, program: &Path) -> Command {
        Command::new(self.path("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"))
            .arg("--library-path")
            .arg(self.path("usr/lib/x86_64-linux-gnu"))
            .arg(program)
    }

    /// Does a program of this machine start with the libraries that every box has? One that was
    /// built on a newer system would not.
    ///
    /// # Errors
    /// It does not.
    pub fn start(&self, runner: &dyn Runner, program: &Path) -> Result<()> {
        runner.run(&self.load(program).arg("--version")).map(drop).map_err(|error| {
            ImageError::Other(format!(
                "`{}` does not start with the libraries of Debian 13: {}\n    = build it on \
                 Debian 13 or older, and name it with --installer",
                program.display(),
                last_words(&error)
            ))
        })
    }

    /// What a stage that uses the tools depends on: the versions of their packages.
    ///
    /// # Errors
    /// The tree is damaged.
    pub fn check(&self) -> Result<()> {
        for file in [
            "usr/sbin/mke2fs",
            "usr/sbin/e2fsck",
            "usr/sbin/debugfs",
            "usr/bin/grub-mkimage",
            "usr/lib/x86_64-linux-gnu/libarchive.so.13",
        ] {
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

#[cfg(test)]
mod tests {
    use host::fake::ScriptedRunner;

    use super::*;

    #[test]
    fn an_installer_that_is_too_new_for_the_box_is_refused() {
        let runner = ScriptedRunner::default();
        let tools = Tools::new(Path::new("/stage"));
        let loader = "/stage/tree/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        runner.answer([loader], "homelab 0.1.0");
        tools.start(&runner, Path::new("homelab")).unwrap();
        assert!(runner.commands()[0].ends_with("/x86_64-linux-gnu homelab --version"));
        runner.fail([loader], 1, "homelab: libc.so.6: version `GLIBC_2.99' not found");
        let error = tools.start(&runner, Path::new("homelab")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`homelab` does not start with the libraries of Debian 13: homelab: libc.so.6: \
             version `GLIBC_2.99' not found\n    = build it on Debian 13 or older, and name it \
             with --installer"
        );
    }

    /// The mmdebstrap here is a stand-in; a real one runs in every build.
    #[test]
    fn mirrors_packages_and_exclusions_reach_mmdebstrap_and_the_key() {
        let recipe = crate::recipe::parse("recipe.toml", include_str!("../recipe.toml"));
        let recipe = recipe.unwrap_or_else(|problems| panic!("{problems}"));
        let runner = ScriptedRunner::default();
        runner.answer(["mmdebstrap"], "");
        let scratch = Path::new("/scratch");
        let mirrors = ["https://deb.lan/debian".to_owned()];
        let source = Source { recipe: &recipe, mirrors: &mirrors, scratch };
        source.make_base(&runner, Path::new("/stage"), &mut |_| ()).unwrap();
        let command = runner.commands().remove(0);
        for part in [
            "SOURCE_DATE_EPOCH=1793491200 ",
            "TMPDIR=/scratch ",
            " --mode=unshare --variant=apt --format=tar --architectures=amd64 ",
            "--include=linux-image-amd64,",
            "'--dpkgopt=path-exclude=/usr/share/man/*'",
            "en_US.UTF-8 UTF-8",
            " trixie /stage/base.tar https://deb.lan/debian",
        ] {
            assert!(command.contains(part), "`{part}` is not in {command}");
        }
        let other = Source { mirrors: &[], ..source.clone() };
        let differing = |a: &Inputs, b: &Inputs| {
            a.iter().filter(|(name, value)| b.get(*name) != Some(value)).count()
        };
        assert_eq!(differing(&source.base_inputs(), &other.base_inputs()), 1);
        assert_eq!(differing(&source.tools_inputs(), &other.tools_inputs()), 1);
    }
}
