//! Somebody's file server on the LAN: one share by NFS (NFS-Ganesha), one by SMB (Samba), both of
//! Debian, in a root folder of their own.

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    checkers::root::Root,
    fixtures,
    program::{Program, Service},
    world::GATEWAY,
};

/// What is served by NFS, as clients name it and as it lies in the root folder.
pub const EXPORT: (&str, &str) = ("/export/media", "/srv/media");
/// The same for SMB.
pub const SHARE: (&str, &str) = ("backups", "/srv/backups");
/// Who may use the SMB share.
pub const USER: &str = "owner";
/// Where its programs come from.
pub const PACKAGES: &[&str] = &["samba", "nfs-ganesha", "nfs-ganesha-vfs"];
const SAMBA: &str = "/etc/samba.conf";
const GANESHA: &str = "/etc/ganesha.conf";
/// A day: the server is ended with its story.
const ALWAYS: Duration = Duration::from_secs(86_400);
/// For both to be asked.
const START: Duration = Duration::from_secs(60);

/// The server. Off until [`FileServer::start`].
pub struct FileServer {
    root: Root,
    logs: PathBuf,
    running: Vec<Service>,
}

impl FileServer {
    /// Lays its files below `folder`. Only in namespaces of our own.
    ///
    /// # Errors
    /// The packages cannot be had, or the kernel refuses a mount.
    pub fn lay(folder: &Path, password: &str) -> Result<Self> {
        let archive = fixtures::debian(PACKAGES)?;
        let path = folder.join("file-server");
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let unpack = Program::new("tar").args(["--extract", "--no-same-owner", "--directory"]);
        // Devices are brought by the bind mount below.
        unpack.args([&path]).args(["--exclude=./dev/*", "--file"]).arg(&archive).run()?;
        let root = Root::plain(path);
        root.put(
            "/etc/passwd",
            &format!(
                "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n\
                 {USER}:x:1000:1000::/:/bin/sh\n"
            ),
        )?;
        root.put("/etc/group", &format!("root:x:0:\nnogroup:x:65534:\n{USER}:x:1000:\n"))?;
        root.put(SAMBA, &samba())?;
        root.put(GANESHA, &ganesha())?;
        for path in [
            EXPORT.1,
            SHARE.1,
            "/run/samba",
            "/var/run/ganesha",
            "/var/lib/samba/private",
            "/var/lib/nfs/ganesha",
            "/var/log/samba",
        ] {
            let path = root.at(path);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        root.bind(Path::new("/dev"), "/dev")?;
        root.bind(Path::new("/proc"), "/proc")?;
        // Ganesha looks for the file system of its export there, and sees none but in the root.
        root.bind(&root.at(EXPORT.1), EXPORT.1)?;
        let mounts = root.at("/etc/mtab");
        symlink("/proc/self/mounts", &mounts)
            .with_context(|| format!("cannot make {}", mounts.display()))?;
        let words = ["/usr/bin/smbpasswd", "-c", SAMBA, "-a", "-s", USER];
        let twice = format!("{password}\n{password}\n");
        root.program(&words).stdin(twice).run().context("the SMB server knows nobody")?;
        Ok(Self { root, logs: folder.to_owned(), running: Vec::new() })
    }

    /// Switches it on.
    ///
    /// # Errors
    /// A server does not start, or nobody answers at its port.
    pub fn start(&mut self) -> Result<()> {
        let smb = ["/usr/sbin/smbd", "--foreground", "--no-process-group", "--configfile", SAMBA];
        let nfs = ["/usr/bin/ganesha.nfsd", "-F", "-f", GANESHA, "-L", "STDERR"];
        for (words, log) in [(&smb[..], "smbd.log"), (&nfs[..], "ganesha.log")] {
            let program = self.root.program(words).timeout(ALWAYS);
            self.running.push(program.service(&self.logs.join(log))?);
        }
        for port in [445, 2049] {
            let deadline = Instant::now() + START;
            while TcpStream::connect((GATEWAY, port)).is_err() {
                ensure!(Instant::now() < deadline, "nobody serves at port {port}; see *.log");
                thread::sleep(Duration::from_millis(200));
            }
        }
        Ok(())
    }

    /// Switches it off.
    pub fn stop(&mut self) {
        self.running.clear();
    }

    /// Where a file of it lies here.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.at(path)
    }
}

fn samba() -> String {
    let (name, path) = SHARE;
    format!(
        "[global]\nserver role = standalone server\nmap to guest = never\n\
         log file = /var/log/samba/smbd.log\ndisable spoolss = yes\n\
         [{name}]\npath = {path}\nread only = no\nforce user = root\n"
    )
}

/// Without the older versions of the protocol, which need a portmapper; and where a process may not
/// call itself one that writes for others, it does without.
fn ganesha() -> String {
    let (name, path) = EXPORT;
    format!(
        "NFS_CORE_PARAM {{ Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; \
         Enable_UDP = false; allow_set_io_flusher_fail = true; }}\n\
         NFSv4 {{ Graceless = true; RecoveryBackend = \"fs\"; Only_Numeric_Owners = true; }}\n\
         EXPORT {{ Export_Id = 1; Path = {path}; Pseudo = {name}; Access_Type = RW; \
         Squash = No_Root_Squash; SecType = sys; Transports = TCP; FSAL {{ Name = VFS; }} }}\n"
    )
}
