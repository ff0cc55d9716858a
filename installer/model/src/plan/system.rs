//! Files of the system: network, Docker daemon; and who may use SSH.

use ipnet::IpNet;
use serde_json::json;

use super::{FileSet, FileWish};
use crate::{
    facts::Facts,
    render::Deployment,
    secret::SecretRef,
    seed::{Interface, InterfaceMatch, Seed},
};

/// Our files for systemd-networkd begin so.
const NETWORK_PREFIX: &str = "/etc/systemd/network/50-homelab-";

/// What is asked by DHCP. Option 101 is the name of the time zone (RFC 4833): networkd only writes it
/// down, and the setup begins with it, also when answers are changed after a failure.
const DHCP: &str = "[DHCPv4]\nClientIdentifier=mac\nRequestOptions=101\n";

/// Address ranges for Docker's networks; the first that no network of the box overlaps is taken.
const DOCKER_POOLS: [(&str, u8); 3] =
    [("172.28.0.0/14", 24), ("10.213.0.0/16", 24), ("192.168.192.0/19", 26)];

/// systemd-networkd files, with the title of their step.
pub(super) fn network(seed: &Seed) -> (String, FileSet) {
    let mut files: Vec<FileWish> = Vec::new();
    for (index, interface) in seed.interfaces.iter().enumerate() {
        let path = format!("{NETWORK_PREFIX}{:02}-{}.network", index + 1, slug(&interface.matches));
        files.push(system_file(path, interface_text(interface)));
    }
    let title = match seed.interfaces.is_empty() {
        true => "Network: DHCP on every wired port".to_owned(),
        false => {
            let ports: Vec<String> = seed.interfaces.iter().map(shown).collect();
            format!("Network: {}", ports.join(", "))
        }
    };
    if seed.interfaces.is_empty() {
        let text = "# Made by homelab. `Kind=!*` leaves out what is not hardware, such as Docker's bridges.\n\
                    [Match]\nType=ether\nKind=!*\n\n\
                    [Network]\nDHCP=yes\nIPv6AcceptRA=yes\n\n\
                    # Routers remember a box by its MAC address.\n";
        files.push(system_file(
            format!("{NETWORK_PREFIX}99-wired.network"),
            format!("{text}{DHCP}"),
        ));
    }
    (title, FileSet { files, owned_prefix: NETWORK_PREFIX.to_owned() })
}

fn slug(matches: &InterfaceMatch) -> String {
    match matches {
        InterfaceMatch::Mac(mac) => mac.replace(':', ""),
        InterfaceMatch::Name(name) => name.clone(),
    }
}

fn shown(interface: &Interface) -> String {
    let name = match &interface.matches {
        InterfaceMatch::Mac(name) | InterfaceMatch::Name(name) => name,
    };
    match interface.address.first() {
        Some(address) => format!("{name} {address}"),
        None => format!("{name} by DHCP"),
    }
}

fn interface_text(interface: &Interface) -> String {
    let matches = match &interface.matches {
        // The permanent address, or a bridge over the port would match as well.
        InterfaceMatch::Mac(mac) => format!("PermanentMACAddress={mac}\nKind=!*"),
        InterfaceMatch::Name(name) => format!("Name={name}"),
    };
    let mut text = format!("# Made by homelab.\n[Match]\n{matches}\n\n[Network]\n");
    if interface.address.is_empty() {
        text += "DHCP=yes\n";
    }
    for address in &interface.address {
        text += &format!("Address={address}\n");
    }
    text += &interface.gateway.iter().map(|at| format!("Gateway={at}\n")).collect::<String>();
    text += &interface.dns.iter().map(|at| format!("DNS={at}\n")).collect::<String>();
    text += "IPv6AcceptRA=yes\n";
    if interface.address.is_empty() {
        text += "\n";
        text += DHCP;
    }
    text
}

/// The Docker daemon's configuration, and the mirror's authority.
pub(super) fn docker(deployment: &Deployment<'_>) -> FileSet {
    let images = &deployment.seed.images;
    let (base, size) = pool(deployment);
    let configuration = json!({
        // Every container's log is rotated; the linter lets none say otherwise.
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        // Beside `system.slice`, not in it: otherwise each container gets as much of a busy processor
        // as everything that starts and watches containers together, and health checks starve.
        "cgroup-parent": "containers.slice",
        // Containers live on while the daemon is updated.
        "live-restore": true,
        "userland-proxy": true,
        "default-address-pools": [{"base": base, "size": size}],
    });
    let text = format!("{configuration:#}\n");
    let mut files = vec![system_file("/etc/docker/daemon.json".to_owned(), text)];
    if let (Some(mirror), Some(_)) = (&images.mirror, &images.mirror_ca) {
        let path = format!("/etc/docker/certs.d/{mirror}/ca.crt");
        let text = format!("{}\n", SecretRef::new("mirror-ca").placeholder());
        files.push(system_file(path, text));
    }
    FileSet { files, owned_prefix: String::new() }
}

fn pool(deployment: &Deployment<'_>) -> (&'static str, u8) {
    let mut taken = subnets(deployment.seed, deployment.facts);
    if let Some(crate::seed::VpnProtocol::Wireguard { addresses, .. }) =
        deployment.seed.vpn.as_ref().map(|vpn| &vpn.protocol)
    {
        taken.extend(addresses.iter().map(IpNet::trunc));
    }
    let free = |(base, _): &&(&str, u8)| {
        let base: Option<IpNet> = base.parse().ok();
        let overlaps =
            |net: &IpNet| base.is_some_and(|base| base.contains(net) || net.contains(&base));
        !taken.iter().any(overlaps)
    };
    *DOCKER_POOLS.iter().find(free).unwrap_or(&DOCKER_POOLS[0])
}

/// From where SSH is open: as the seed says, or the box's own subnets.
pub(super) fn ssh_from(seed: &Seed, facts: &Facts) -> Vec<IpNet> {
    let mut from = match &seed.ssh_from {
        Some(from) => from.clone(),
        None => neighbours(seed, facts),
    };
    from.sort();
    from.dedup();
    from
}

/// The box's own subnets, and whoever is on the link, whatever address they were given.
pub(super) fn neighbours(seed: &Seed, facts: &Facts) -> Vec<IpNet> {
    let mut own = subnets(seed, facts);
    own.extend("fe80::/10".parse::<IpNet>());
    own
}

/// Networks that the box is directly part of, by the seed and by what was found.
fn subnets(seed: &Seed, facts: &Facts) -> Vec<IpNet> {
    let wanted = seed.interfaces.iter().flat_map(|interface| &interface.address);
    let found = facts.interfaces.iter().flat_map(|port| &port.addresses);
    let host_only = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    let link_local = |net: &IpNet| match net {
        IpNet::V4(net) => net.addr().is_link_local(),
        IpNet::V6(net) => net.addr().segments()[0] & 0xffc0 == 0xfe80,
    };
    let mut subnets: Vec<IpNet> = wanted
        .chain(found)
        .filter(|net| !link_local(net) && !host_only(net))
        .map(IpNet::trunc)
        .collect();
    subnets.sort();
    subnets.dedup();
    subnets
}

fn system_file(path: String, text: String) -> FileWish {
    FileWish { path, mode: 0o644, owner: (0, 0), text }
}
