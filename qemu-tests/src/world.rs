//! The world around the machines: a network of its own, with everything a box on a LAN expects.
//!
//! [`enclosed`] starts this program again inside private network, PID and mount namespaces;
//! whatever runs in there dies with it, and nothing of it can be seen from outside. Inside,
//! [`World::build`] makes
//!
//! ```text
//!   10.99.0.1, fd00:99::1   bridge: DHCP, router advertisements, DNS that knows no name, registry
//!   10.99.0.101 …           one port for each machine, its address by its MAC
//!   10.98.0.1, fd00:98::1   a stranger: reached through the gateway, outside the boxes' subnets
//! ```

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::program::{Program, Service};

/// The bridge's address: gateway, DHCP server, registry.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The same for IPv6.
pub const GATEWAY_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x99, 0, 0, 0, 0, 0, 1);
/// An address outside the boxes' subnets.
pub const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);
/// The same for IPv6.
pub const STRANGER_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x98, 0, 0, 0, 0, 0, 1);
/// The time zone that DHCP says (RFC 4833).
pub const TIME_ZONE: &str = "Europe/Vienna";
/// The bridge.
pub const BRIDGE: &str = "br0";
/// How many machines can be plugged in over a run.
const PORTS: u8 = 24;
/// Whether this network namespace is a router for IPv6.
const FORWARDING: &str = "/proc/sys/net/ipv6/conf/all/forwarding";
/// Set for the process inside.
const INSIDE: &str = "QEMU_TESTS_INSIDE";

/// A socket of the bridge, with the addresses that a machine with this MAC gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Name of the tap device.
    pub tap: String,
    /// MAC address of the machine.
    pub mac: String,
    /// By DHCP.
    pub ipv4: Ipv4Addr,
    /// By router advertisement and EUI-64.
    pub ipv6: Ipv6Addr,
}

impl Port {
    fn number(number: u8) -> Self {
        Self {
            tap: format!("tap{number}"),
            mac: format!("52:54:00:99:00:{number:02x}"),
            ipv4: Ipv4Addr::new(10, 99, 0, 100 + number),
            ipv6: Ipv6Addr::new(0xfd00, 0x99, 0, 0, 0x5054, 0xff, 0xfe99, number.into()),
        }
    }

    /// Both addresses.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.ipv4.into(), self.ipv6.into()]
    }
}

/// Runs this program again, with the same arguments, inside namespaces of its own. Returns the
/// exit status, or none if we are inside already.
///
/// # Errors
/// `unshare` is missing or not permitted.
pub fn enclosed() -> Result<Option<i32>> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(None);
    }
    let root = nix::unistd::geteuid().is_root();
    let own = std::env::current_exe().context("cannot find this program")?;
    let status = Program::new("setpriv")
        // If this process is killed, `unshare` goes, then its child, then all of the namespace.
        .args(["--pdeathsig", "KILL", "unshare"])
        .args(if root { &[][..] } else { &["--map-root-user"] })
        .args(["--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"])
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .foreground()?;
    Ok(Some(status))
}

/// Brings up the loopback of this (private) network namespace, for who needs no more of a world.
///
/// # Errors
/// `ip` is missing or the kernel refuses.
pub fn loopback() -> Result<()> {
    if std::env::var_os(INSIDE).is_none() {
        bail!("the network of the host is left alone");
    }
    Program::new("ip").args(["link", "set", "lo", "up"]).run().map(drop)
}

/// The network with its servers. Everything ends when it is dropped.
pub struct World {
    free: Mutex<Vec<Port>>,
    _names: Service,
}

impl World {
    /// Builds it inside this (private) network namespace; logs go to `folder`.
    ///
    /// # Errors
    /// A tool is missing or the kernel refuses.
    pub fn build(folder: &Path) -> Result<Self> {
        if std::env::var_os(INSIDE).is_none() {
            bail!("the world is only built inside a network namespace of its own");
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        // As a router says of itself. Of one that advertises itself as a router and answers its
        // neighbours as a host, Linux forgets the default route, sooner or later (RFC 4861, 7.2.5).
        fs::write(FORWARDING, "1").with_context(|| format!("cannot write {FORWARDING}"))?;
        let ports: Vec<Port> = (1..=PORTS).map(Port::number).collect();
        Program::new("ip").args(["-batch", "-"]).stdin(network_script(&ports)).run()?;
        let leases = folder.join("leases");
        drop(fs::remove_file(&leases));
        let names = Program::new("dnsmasq")
            .args(["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"])
            .args([&format!("--interface={BRIDGE}"), "--bind-interfaces", "--except-interface=lo"])
            .arg(format!("--dhcp-leasefile={}", leases.display()))
            .arg("--dhcp-range=10.99.0.101,static,255.255.255.0,12h")
            .args(ports.iter().map(|port| format!("--dhcp-host={},{}", port.mac, port.ipv4)))
            .arg(format!("--dhcp-option=101,{TIME_ZONE}"))
            .args(["--enable-ra", "--dhcp-range=fd00:99::,ra-only,64,12h", "--log-dhcp"])
            .service(&folder.join("dnsmasq.log"))?;
        let world = Self { free: Mutex::new(ports.into_iter().rev().collect()), _names: names };
        world.started()
    }

    fn started(mut self) -> Result<Self> {
        std::thread::sleep(Duration::from_millis(300));
        self._names.must_run()?;
        Ok(self)
    }

    /// A port that no machine had before.
    ///
    /// # Errors
    /// All are given away.
    pub fn port(&self) -> Result<Port> {
        let mut free = self.free.lock().map_err(|_| anyhow::anyhow!("a test panicked"))?;
        free.pop().with_context(|| format!("all {PORTS} ports of the bridge are taken"))
    }
}

/// What `ip -batch` is told.
fn network_script(ports: &[Port]) -> String {
    let mut script = format!(
        "link set lo up\n\
         link add {BRIDGE} type bridge\n\
         addr add {GATEWAY}/24 dev {BRIDGE}\n\
         addr add {GATEWAY_6}/64 dev {BRIDGE} nodad\n\
         addr add {STRANGER}/32 dev lo\n\
         addr add {STRANGER_6}/128 dev lo nodad\n\
         link set {BRIDGE} up\n"
    );
    for Port { tap, .. } in ports {
        script.push_str(&format!(
            "tuntap add {tap} mode tap\nlink set {tap} master {BRIDGE}\nlink set {tap} up\n"
        ));
    }
    script
}

/// Where the results of one scenario go; what an earlier run left there is removed.
///
/// # Errors
/// The folder cannot be made.
pub fn fresh_folder(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot clear {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
    path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_its_addresses_from_its_number() {
        let port = Port::number(7);
        assert_eq!(port.mac, "52:54:00:99:00:07");
        assert_eq!(port.addresses()[0].to_string(), "10.99.0.107");
        assert_eq!(port.addresses()[1].to_string(), "fd00:99::5054:ff:fe99:7");
    }

    #[test]
    fn the_stranger_is_in_no_subnet_of_the_boxes() {
        let script = network_script(&[Port::number(1)]);
        assert!(script.contains("addr add 10.98.0.1/32 dev lo\n"), "{script}");
        assert!(script.ends_with("link set tap1 master br0\nlink set tap1 up\n"), "{script}");
    }

    #[test]
    fn is_never_built_in_the_network_of_the_host() {
        if std::env::var_os(INSIDE).is_none() {
            let folder = tempfile::tempdir().unwrap();
            assert!(World::build(folder.path()).is_err());
        }
    }
}
