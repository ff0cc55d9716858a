//! A network of its own for Traefik, as its container has one: only there the ports of the box and
//! those of the services do not meet.
//!
//! ```text
//!   10.97.0.2      Traefik
//!   10.97.0.1      what it asks, and the browser
//!   10.97.1.0/24   the containers
//! ```

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::program::{Program, Service};

/// Where Traefik is.
pub const TRAEFIK: Ipv4Addr = Ipv4Addr::new(10, 97, 0, 2);
/// What it asks.
pub const NEIGHBOURS: Ipv4Addr = Ipv4Addr::new(10, 97, 0, 1);

/// The address of a container.
pub fn container(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 97, 1, number)
}

/// Traefik's side of the network. It ends when this is dropped.
pub struct Network {
    holder: Service,
}

impl Network {
    /// Makes it, inside a network namespace of our own.
    ///
    /// # Errors
    /// A tool is missing or the kernel refuses.
    pub fn make(folder: &Path) -> Result<Self> {
        let log = folder.join("network.log");
        let holder = Program::new("unshare").args(["--net", "sleep", "infinity"]).service(&log)?;
        let network = Self { holder };
        let pid = network.holder.id();
        let name = |path: &Path| {
            fs::read_link(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while name(&network.path())? == name(Path::new("/proc/self/ns/net"))? {
            if Instant::now() > deadline {
                bail!("`unshare --net` does not get on");
            }
            thread::sleep(Duration::from_millis(10));
        }
        let ours = format!(
            "link add ours type veth peer name theirs netns {pid}\n\
             addr add {NEIGHBOURS}/24 dev ours\n\
             link set ours up\n\
             route add local 10.97.1.0/24 dev lo\n"
        );
        let theirs = format!(
            "link set lo up\n\
             addr add {TRAEFIK}/24 dev theirs\n\
             link set theirs up\n\
             route add default via {NEIGHBOURS}\n"
        );
        Program::new("ip").args(["-batch", "-"]).stdin(ours).run()?;
        Program::new("nsenter")
            .arg(network.option())
            .args(["ip", "-batch", "-"])
            .stdin(theirs)
            .run()?;
        Ok(network)
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.holder.id()))
    }

    /// What `nsenter` is told to bring a program there.
    pub fn option(&self) -> String {
        format!("--net={}", self.path().display())
    }
}
