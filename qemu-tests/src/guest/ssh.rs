//! The box over SSH, by the `ssh` program.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::program::{Program, Said, Service, tail};

/// A key pair for the tests.
pub struct Key {
    /// File with the private key.
    pub file: PathBuf,
    /// The public key's line.
    pub public: String,
}

impl Key {
    /// Makes a new one in `folder`.
    ///
    /// # Errors
    /// `ssh-keygen` failed.
    pub fn make(folder: &Path, name: &str) -> Result<Self> {
        let file = folder.join(name);
        drop(fs::remove_file(&file));
        Program::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "qemu-tests", "-f"])
            .arg(&file)
            .run()?;
        let public = fs::read_to_string(file.with_extension("pub")).context("no public key")?;
        Ok(Self { file, public: public.trim().to_owned() })
    }
}

/// Whom we log in as, and where.
pub struct Ssh {
    address: IpAddr,
    user: String,
    password: String,
    key: PathBuf,
    control: tempfile::TempDir,
    master: Option<Service>,
}

impl Ssh {
    /// Nothing is connected yet. `password` is what sudo asks for.
    ///
    /// # Errors
    /// No folder for the control socket.
    pub fn new(address: IpAddr, user: &str, password: &str, key: &Key) -> Result<Self> {
        Ok(Self {
            address,
            user: user.to_owned(),
            password: password.to_owned(),
            key: key.file.clone(),
            control: tempfile::tempdir().context("cannot make a folder for SSH")?,
            master: None,
        })
    }

    /// Waits until the box lets us in, and keeps one connection for all that follows: a key
    /// exchange takes an emulated processor seconds.
    ///
    /// # Errors
    /// It does not within `at_most`.
    pub fn connect(&mut self, at_most: Duration) -> Result<()> {
        let deadline = Instant::now() + at_most;
        self.master = None;
        drop(fs::remove_file(self.socket()));
        let log = self.control.path().join("master.log");
        loop {
            let mut master = self.client().args(["-M", "-N"]).arg(self.target()).service(&log)?;
            while master.ended().is_none() && Instant::now() < deadline {
                if self.socket().exists() {
                    self.master = Some(master);
                    return Ok(());
                }
                thread::sleep(Duration::from_millis(200));
            }
            if Instant::now() >= deadline {
                let words = fs::read_to_string(&log).unwrap_or_default();
                bail!("SSH does not let us in at {}\n{}", self.address, tail(&words));
            }
            thread::sleep(Duration::from_secs(1));
        }
    }

    /// Forgets the connection, such as before a reboot.
    pub fn disconnect(&mut self) {
        self.master = None;
    }

    fn socket(&self) -> PathBuf {
        self.control.path().join("control")
    }

    fn target(&self) -> String {
        format!("{}@{}", self.user, self.address)
    }

    fn client(&self) -> Program {
        let socket = self.socket();
        client().arg("-i").arg(&self.key).args(["-o", "BatchMode=yes", "-S"]).arg(socket)
    }

    /// Runs a command of the shell, whatever its exit status.
    ///
    /// # Errors
    /// `ssh` cannot be started or takes longer than half an hour.
    pub fn finish(&self, script: &str, stdin: &[u8]) -> Result<Said> {
        self.client()
            .arg(self.target())
            .arg(script)
            .stdin(stdin)
            .timeout(Duration::from_secs(1800))
            .finish()
    }

    /// Runs a command of the shell and returns standard output.
    ///
    /// # Errors
    /// It exited with anything but 0.
    pub fn run(&self, script: &str) -> Result<String> {
        good(script, self.finish(script, b"")?)
    }

    /// As root, whatever the exit status. `script` shows up in the box's journal (sudo writes
    /// it); what must not be there goes through `stdin`.
    ///
    /// # Errors
    /// As [`Ssh::finish`].
    pub fn finish_as(&self, user: &str, script: &str, stdin: &[u8]) -> Result<Said> {
        let quoted = script.replace('\'', r"'\''");
        let mut input = format!("{}\n", self.password).into_bytes();
        input.extend_from_slice(stdin);
        // -k: always read a password, or the command would get it as its input.
        self.finish(&format!("sudo -k -S -p '' -u {user} -- sh -c '{quoted}'"), &input)
    }

    /// As root; standard output.
    ///
    /// # Errors
    /// It exited with anything but 0.
    pub fn sudo(&self, script: &str) -> Result<String> {
        good(script, self.finish_as("root", script, b"")?)
    }

    /// Writes a file as root.
    ///
    /// # Errors
    /// The box refused.
    pub fn write(&self, path: &str, mode: &str, bytes: &[u8]) -> Result<()> {
        let script =
            format!("mkdir -p \"$(dirname {path})\" && cat > {path} && chmod {mode} {path}");
        good(&script, self.finish_as("root", &script, bytes)?).map(drop)
    }

    /// Copies a folder of ours to the box, as root.
    ///
    /// # Errors
    /// The box refused.
    pub fn copy_folder(&self, from: &Path, to: &str) -> Result<()> {
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_dir_all(".", from).context("cannot pack a folder")?;
        let bytes = archive.into_inner().context("cannot pack a folder")?;
        let script = format!("mkdir -p {to} && tar -x --no-same-owner -C {to}");
        good(&script, self.finish_as("root", &script, &bytes)?).map(drop)
    }

    /// Reads a file as root.
    ///
    /// # Errors
    /// The box refused.
    pub fn read(&self, path: &str) -> Result<String> {
        self.sudo(&format!("cat {path}"))
    }

    /// What the box says to somebody who offers nothing but passwords: every method that sshd
    /// would take, such as `publickey`.
    ///
    /// # Errors
    /// It let us in, or said something else.
    pub fn offered_methods(&self) -> Result<Vec<String>> {
        let said = client()
            .args(["-o", "BatchMode=yes", "-o", "PubkeyAuthentication=no"])
            .args(["-o", "PreferredAuthentications=password,keyboard-interactive,none"])
            .arg(self.target())
            .arg("true")
            .timeout(Duration::from_secs(120))
            .finish()?;
        parse_methods(&said.stderr).with_context(|| {
            format!("SSH without a key: status {}, said `{}`", said.status, said.stderr.trim())
        })
    }
}

/// `ssh` with nothing of the user's own configuration.
fn client() -> Program {
    Program::new("ssh").args(["-F", "none"]).args(
        [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "ConnectTimeout=30",
            "ServerAliveInterval=20",
            "ServerAliveCountMax=15",
        ]
        .iter()
        .flat_map(|option| ["-o", option]),
    )
}

fn good(script: &str, said: Said) -> Result<String> {
    if said.status == 0 {
        return Ok(said.stdout);
    }
    bail!(
        "on the box, `{script}` exited with {}\n{}{}",
        said.status,
        tail(&said.stdout),
        tail(&said.stderr)
    )
}

/// `…: Permission denied (publickey,password).`
fn parse_methods(stderr: &str) -> Option<Vec<String>> {
    let (_, rest) = stderr.split_once("Permission denied (")?;
    let (methods, _) = rest.split_once(')')?;
    Some(methods.split(',').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_offered_methods() {
        let said = "alex@10.99.0.101: Permission denied (publickey).\r\n";
        assert_eq!(parse_methods(said).unwrap(), ["publickey"]);
        let said = "x: Permission denied (publickey,password,keyboard-interactive).";
        assert_eq!(parse_methods(said).unwrap().len(), 3);
        assert_eq!(parse_methods("Connection refused"), None);
    }
}
