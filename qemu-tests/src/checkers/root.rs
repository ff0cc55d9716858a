//! The file system that a container sees, made of what the rendered Compose file mounts into it:
//! a file that the service is not given is not there either.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use serde_yaml_ng::Value;

use super::{network::Network, variant::Written};
use crate::program::{Program, Said, tail};

/// How long a checker may take; the slowest loads 150 MB from a disk that others use, too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service's own root folder and environment.
pub struct Root {
    folder: PathBuf,
    environment: Vec<String>,
    /// What `nsenter` is told, if the container is not in our network.
    network: Option<String>,
}

impl Root {
    /// A folder of this machine as the whole of it.
    pub fn plain(folder: PathBuf) -> Self {
        Self { folder, environment: Vec::new(), network: None }
    }

    /// That of a service of a rendered stack, in an empty folder. What Docker itself or the system
    /// brings to the box is left out.
    ///
    /// # Errors
    /// There is no such service, or a file cannot be copied.
    pub fn of(written: &Written, stack: &str, service: &str, folder: PathBuf) -> Result<Self> {
        let compose = written.compose(stack)?;
        let wish = &compose["services"][service];
        if !wish.is_mapping() {
            bail!("the stack {stack} has no service {service}");
        }
        let root = Self { environment: environment(&wish["environment"]), ..Self::plain(folder) };
        let home = format!("{}/{stack}", model::paths::STACKS);
        for volume in list(&wish["volumes"]) {
            let (source, target) = parts(volume)?;
            let source = match source.strip_prefix("./") {
                Some(below) => format!("{home}/{below}"),
                None => source,
            };
            copy(&written.at(&source), &root.at(&target))?;
        }
        for name in list(&wish["secrets"]).iter().filter_map(Value::as_str) {
            let source = compose["secrets"][name]["file"].as_str();
            let source = source.and_then(|file| file.strip_prefix("./"));
            let source = source.with_context(|| format!("the secret {name} has no file"))?;
            let source = written.at(&format!("{home}/{source}"));
            copy(&source, &root.at(&format!("/run/secrets/{name}")))?;
        }
        for temporary in list(&wish["tmpfs"]).iter().filter_map(Value::as_str) {
            let path = root.at(temporary.split(':').next().unwrap_or_default());
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(root)
    }

    /// The same in a network of its own.
    pub fn within(self, network: &Network) -> Self {
        Self { network: Some(network.option()), ..self }
    }

    /// Where a path of the container lies here.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// Writes a file of the container.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, path: &str, text: &str) -> Result<()> {
        let path = self.at(path);
        make_parent(&path)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Leaves a file of the container to its owner alone.
    ///
    /// # Errors
    /// It is not there.
    pub fn keep_private(&self, path: &str) -> Result<()> {
        let place = self.at(path);
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("no {}", place.display()))
    }

    /// Lays a file or folder of this machine over a path of the container. Only in a mount
    /// namespace of our own.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn bind(&self, source: &Path, path: &str) -> Result<()> {
        let target = self.at(path);
        if source.is_dir() {
            fs::create_dir_all(&target)
                .with_context(|| format!("cannot make {}", target.display()))?;
        } else {
            self.put(path, "")?;
        }
        mount(Some(source), &target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .with_context(|| format!("cannot bind {}", source.display()))
    }

    /// A program of the container with the container's environment and no other.
    pub fn program(&self, words: &[&str]) -> Program {
        let program = match &self.network {
            Some(network) => Program::new("nsenter").args([network, "env"]),
            None => Program::new("env"),
        };
        program
            .arg("--ignore-environment")
            .args(&self.environment)
            // By its path: without an environment nothing is searched for.
            .args(["/usr/sbin/chroot".as_ref(), self.folder.as_os_str()])
            .args(words)
            .timeout(PATIENCE)
    }

    /// Runs it to the end and returns what it says.
    ///
    /// # Errors
    /// It does not exit with 0.
    pub fn run(&self, words: &[&str]) -> Result<Said> {
        let said = self.program(words).finish()?;
        if said.status != 0 {
            let words = words.join(" ");
            bail!("`{words}`: {}\n{}{}", said.status, tail(&said.stdout), tail(&said.stderr));
        }
        Ok(said)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[], Vec::as_slice)
}

/// `NAME=TEXT` of both forms that Compose knows, with its own escape of the dollar undone.
fn environment(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.replace("$$", "$"),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => String::new(),
    };
    match value {
        Value::Mapping(map) => {
            map.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
        }
        other => list(other).iter().map(text).collect(),
    }
}

/// Source and target of a mount.
fn parts(volume: &Value) -> Result<(String, String)> {
    let parts = match volume.as_str() {
        Some(text) => text.split(':').take(2).map(str::to_owned).collect::<Vec<_>>(),
        None => ["source", "target"]
            .iter()
            .filter_map(|key| Some(volume[*key].as_str()?.to_owned()))
            .collect(),
    };
    match <[String; 2]>::try_from(parts) {
        Ok([source, target]) => Ok((source, target)),
        Err(parts) => bail!("{parts:?} is no mount"),
    }
}

/// Copies a file or folder. A source that is not there is a volume, or is brought by the system: the
/// container then sees an empty folder.
///
/// # Errors
/// It cannot be copied.
pub fn copy(source: &Path, target: &Path) -> Result<()> {
    if source.is_file() {
        make_parent(target)?;
        return fs::copy(source, target)
            .map(drop)
            .with_context(|| format!("cannot copy {}", source.display()));
    }
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    if source.is_dir() {
        for entry in fs::read_dir(source).context("cannot list a folder")? {
            let entry = entry.context("cannot list a folder")?;
            copy(&entry.path(), &target.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn make_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_what_is_mounted_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let written = Written { root: folder.path().join("box"), files: Vec::new() };
        let compose = "services:\n  web:\n    environment: {A: $$x, B: 1}\n    secrets: [key]\n    \
            volumes:\n    - ./web/one:/etc/one:ro\n    - {type: bind, source: /srv, target: /data}\n    \
            - named:/kept\nsecrets:\n  key: {file: ./secrets/key}\n";
        for (path, text) in [
            ("/opt/stacks/s/compose.yaml", compose),
            ("/opt/stacks/s/web/one", "1"),
            ("/opt/stacks/s/web/two", "2"),
            ("/opt/stacks/s/secrets/key", "k"),
            ("/srv/below/file", "3"),
        ] {
            written.put(path, text).unwrap();
        }
        let root = Root::of(&written, "s", "web", folder.path().join("root")).unwrap();
        let read = |path: &str| fs::read_to_string(root.at(path)).unwrap();
        assert_eq!(read("/etc/one") + &read("/data/below/file") + &read("/run/secrets/key"), "13k");
        assert!(root.at("/kept").is_dir() && !root.at("/etc/two").exists());
        assert_eq!(root.environment, ["A=$x", "B=1"]);
        assert!(Root::of(&written, "s", "other", folder.path().join("x")).is_err());
    }
}
