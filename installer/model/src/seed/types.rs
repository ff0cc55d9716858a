//! The checked shape of a seed. No `Serialize`: a seed holds secrets.

use std::{collections::BTreeMap, fmt, net::IpAddr, path::PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use crate::disk::{FileSystem, Unlock};
use crate::{Digest, Secret};

/// What the owner wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// SHA-256 of the text that it was parsed from.
    pub digest: Digest,
    /// `[system]`
    pub system: System,
    /// `[admin]`
    pub admin: Admin,
    /// `[domain]`
    pub domain: Domain,
    /// `[[network.interface]]`; none: DHCP on every wired port.
    pub interfaces: Vec<Interface>,
    /// `[firewall] ssh_from`; none: the box's own subnets.
    pub ssh_from: Option<Vec<IpNet>>,
    /// `[[storage.mount]]`
    pub mounts: Vec<Mount>,
    /// `[install]`: copy this image to an internal disk and go on there.
    pub install: Option<DiskConsent>,
    /// `[vpn]`
    pub vpn: Option<Vpn>,
    /// `[stacks]`
    pub stacks: StackSelection,
    /// `[images]`
    pub images: Images,
    /// `[notifications]`
    pub notifications: Notifications,
    /// `[backup]`; its defaults where the seed says nothing.
    pub backup: Backup,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// Written in the seed.
    Text(Secret),
    /// `{ file = "…" }`: a file on the box, or beside the seed when the path is relative.
    File(PathBuf),
    /// `{ generate = true }`: made on the box, shown once on the recovery sheet.
    Generate,
    /// `{ ask = true }`: asked at the console.
    Ask,
}

/// `[system]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// One DNS label, default `homelab`.
    pub hostname: String,
    /// IANA name, default `Etc/UTC`.
    pub timezone: String,
    /// Default `en_US.UTF-8`.
    pub locale: String,
    /// XKB layout, default `us`.
    pub keyboard: String,
}

/// `[admin]`: the Linux user with sudo, and the first user of the single sign-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Linux user name.
    pub name: String,
    /// Default `<name>@<domain>`.
    pub email: String,
    /// Password or its hashes.
    pub password: AdminPassword,
    /// OpenSSH public keys, one line each.
    pub ssh_keys: Vec<String>,
}

/// Either a password or both its hashes, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminPassword {
    /// `password`
    Plain(SecretSource),
    /// `password_hash = { linux = "$y$…", sso = "$argon2id$…" }`
    Hashes {
        /// For `/etc/shadow`, as crypt(5) writes it.
        linux: SecretSource,
        /// For Authelia: an argon2id PHC string.
        sso: SecretSource,
    },
}

/// `[domain]`
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// Default `<hostname>.home.arpa`.
    pub name: String,
    /// `[domain.dns]`: address updates and DNS-01.
    pub dns: Option<DnsProvider>,
    /// `[domain.certificate]`
    pub certificate: Certificate,
}

/// `[domain.dns]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsProvider {
    /// As the proxy's ACME library (lego) names it, such as `duckdns`.
    pub provider: String,
    /// The provider's environment variables.
    pub credentials: BTreeMap<String, SecretSource>,
}

/// `[domain.certificate]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// The box's own authority.
    Local,
    /// An ACME authority, by DNS-01.
    Acme {
        /// Directory URL.
        directory: String,
        /// Contact.
        email: String,
        /// PEM of the authority's root, for private ones.
        root_ca: Option<SecretSource>,
    },
}

/// `[[network.interface]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Which port.
    pub matches: InterfaceMatch,
    /// Static addresses with prefix length; none: DHCP.
    pub address: Vec<IpNet>,
    /// Default gateway, inside one of the subnets.
    pub gateway: Option<IpAddr>,
    /// Resolvers.
    pub dns: Vec<IpAddr>,
}

/// `match` of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceMatch {
    /// `mac:52:54:00:12:34:56`, lower case.
    Mac(String),
    /// `name:enp1s0`
    Name(String),
}

/// `[[storage.mount]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `/mnt/media`, `/mnt/downloads`, `/mnt/backups` or `/mnt/storage`.
    pub at: String,
    /// For `/mnt/storage`: which of `media`, `downloads`, `backups` it holds.
    pub holds: Vec<String>,
    /// What is mounted there.
    pub source: MountSource,
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// A disk or a partition; several: their files are shown as one folder.
    Disks {
        /// Which ones, at least one.
        members: Vec<Member>,
        /// File system of each.
        filesystem: FileSystem,
        /// How each is unlocked; none: they are not encrypted.
        encrypt: Option<Unlock>,
    },
    /// `host:/export`
    Nfs(String),
    /// `//host/share`
    Smb {
        /// `//host/share`
        share: String,
        /// User name, if the share asks for one.
        user: Option<String>,
        /// Its password.
        password: Option<SecretSource>,
    },
}

/// A disk of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which one.
    pub selector: DiskSelector,
    /// Serial that permits formatting; none: it is never formatted.
    pub wipe: Option<String>,
}

/// Selects a disk; it must match exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskSelector {
    /// `serial:…`
    Serial(String),
    /// `by-id:…`, a name below `/dev/disk/by-id`.
    ById(String),
    /// `uuid:…` of a file system.
    Uuid(String),
}

/// As it is written in a seed.
impl fmt::Display for DiskSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial:{serial}"),
            Self::ById(id) => write!(f, "by-id:{id}"),
            Self::Uuid(uuid) => write!(f, "uuid:{uuid}"),
        }
    }
}

/// `[install]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskConsent {
    /// Which disk.
    pub disk: DiskSelector,
    /// Consent: repeats the serial.
    pub wipe: String,
}

/// `[vpn]`
#[derive(Debug, Clone, PartialEq)]
pub struct Vpn {
    /// As Gluetun names it.
    pub provider: String,
    /// WireGuard or OpenVPN.
    pub protocol: VpnProtocol,
}

/// How the VPN is spoken, with its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VpnProtocol {
    /// WireGuard.
    Wireguard {
        /// Base64 private key.
        private_key: SecretSource,
        /// Addresses inside the tunnel.
        addresses: Vec<IpNet>,
    },
    /// OpenVPN.
    Openvpn {
        /// User name.
        user: SecretSource,
        /// Password.
        password: SecretSource,
    },
}

/// `[stacks]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackSelection {
    /// Stacks by name; none: all of the catalogue. `core` is always part of it.
    pub enable: Option<Vec<String>>,
    /// Services by name.
    pub disable: Vec<String>,
    /// Services by name that are deployed without the VPN that they would go through.
    pub without_vpn: Vec<String>,
    /// Services by name that are deployed in another one's place.
    pub prefer: Vec<String>,
}

/// `[images]`
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// Bundle, registry or both.
    pub source: ImageSource,
    /// Registry that pulls go through, `host[:port]`, always https.
    pub mirror: Option<String>,
    /// PEM of the mirror's authority.
    pub mirror_ca: Option<SecretSource>,
    /// `pins`: digests that stand in for the lock's, by image reference or artefact name.
    pub pins: BTreeMap<String, Digest>,
}

/// `[images] source`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageSource {
    /// Bundle first, registry for what it lacks.
    Auto,
    /// Only what the medium carries.
    Bundle,
    /// Only the registry.
    Registry,
}

/// `[notifications]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notifications {
    /// `[notifications.smtp]`
    pub smtp: Option<Smtp>,
    /// `[notifications.ntfy]`
    pub ntfy: Option<Ntfy>,
}

/// `[notifications.smtp]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// `host:port`; port 465 speaks TLS at once, others STARTTLS.
    pub server: String,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<SecretSource>,
    /// Sender.
    pub from: String,
    /// Recipient, default the admin.
    pub to: String,
}

/// `[notifications.ntfy]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ntfy {
    /// https URL with the topic.
    pub url: String,
    /// Access token.
    pub token: Option<SecretSource>,
}

/// `[backup]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// A restic repository, default `/mnt/backups/restic`.
    pub repository: String,
    /// Its password, default generated.
    pub password: SecretSource,
    /// systemd calendar expression, default `*-*-* 03:00:00`.
    pub schedule: String,
}
