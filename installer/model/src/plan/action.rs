//! What a step does, as data. The engine has one file for each variant of [`Action`].

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    catalogue::wish::Setup,
    disk::{Consent, Crypt, Format},
    secret::{Notation, SecretRef},
    seed::ImageSource,
};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Action {
    /// The system is copied from the stick that it runs from to another disk. All there is to do: the
    /// rest is done there.
    Install(Install),
    /// The clock runs and is set from the network when there is one.
    Clock,
    /// Host name, time zone, locale, keyboard, the admin's account, and the box's own identifiers:
    /// machine-id, SSH host keys, disk, partition and file-system UUIDs.
    Identity(Identity),
    /// systemd-networkd files.
    Network(FileSet),
    /// Root grows to its disk; folders and mounts exist.
    Storage(Storage),
    /// UFW, and through its `after.rules` the `DOCKER-USER` chain.
    Firewall(Firewall),
    /// The daemon's configuration, and the daemon running with it.
    Docker(FileSet),
    /// Docker networks that stacks share.
    Networks {
        /// In order of creation.
        networks: Vec<Network>,
    },
    /// Secrets exist in [`crate::paths::SECRETS`].
    Secrets {
        /// In order of making: later ones may be computed from earlier ones.
        wishes: Vec<SecretWish>,
    },
    /// The box's own authority and a certificate of it.
    Certificates(Certificates),
    /// Files below `/opt/stacks`.
    Render(Render),
    /// Images and artefacts are on the box.
    Images(Images),
    /// A Compose project is up and healthy.
    Stack(StackWish),
    /// Every URL answers through the proxy as the model says.
    Access {
        /// What to ask for.
        probes: Vec<AccessProbe>,
    },
    /// Console banner, recovery sheet, seed scrubbed, install attempts cleared.
    Handover(Handover),
}

/// See [`Action::Install`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Install {
    /// The disk, everything on which is lost.
    pub consent: Consent,
    /// Bytes that the system needs there.
    pub needs: u64,
}

/// A file as it should lie there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWish {
    /// Absolute path.
    pub path: String,
    /// Permission bits, such as `0o600`.
    pub mode: u32,
    /// Numeric user and group.
    pub owner: (u32, u32),
    /// Text with placeholders for secrets.
    pub text: String,
}

/// A folder as it should lie there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderWish {
    /// Absolute path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Numeric user and group.
    pub owner: (u32, u32),
}

impl FolderWish {
    /// Is it this place, or below it?
    pub fn is_in(&self, at: &str) -> bool {
        self.path.strip_prefix(at).is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

/// Files of one service of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSet {
    /// The files.
    pub files: Vec<FileWish>,
    /// Files of ours from an earlier plan are removed when their name matches
    /// this path prefix and they are not in `files`. Empty: nothing is removed.
    pub owned_prefix: String,
}

/// See [`Action::Identity`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// One DNS label.
    pub hostname: String,
    /// Full name for `/etc/hosts`: `<hostname>.<domain>` or the domain itself.
    pub fqdn: String,
    /// IANA name.
    pub timezone: String,
    /// Such as `en_US.UTF-8`.
    pub locale: String,
    /// XKB layout.
    pub keyboard: String,
    /// Linux user name of the admin.
    pub admin: String,
    /// OpenSSH public keys.
    pub ssh_keys: Vec<String>,
    /// Where the admin's password comes from.
    pub password: PasswordWish,
}

/// Where the admin's Linux password comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasswordWish {
    /// Plain text by this name.
    Plain(SecretRef),
    /// crypt(5) hash by this name.
    Hash(SecretRef),
}

/// See [`Action::Storage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Grow the root partition and its file system to the end of the disk.
    pub grow_root: bool,
    /// Folders that must exist.
    pub folders: Vec<FolderWish>,
    /// Mounts.
    pub mounts: Vec<MountWish>,
}

impl Storage {
    /// The containers that are unlocked.
    pub fn crypts(&self) -> impl Iterator<Item = &Crypt> {
        self.mounts.iter().filter_map(|mount| mount.crypt.as_ref())
    }

    /// What is formatted before it is mounted.
    pub fn formats(&self) -> impl Iterator<Item = &Format> {
        self.mounts.iter().filter_map(|mount| mount.format.as_ref())
    }

    /// The mount at a place.
    pub fn mount(&self, at: &str) -> Option<&MountWish> {
        self.mounts.iter().find(|mount| mount.at == at)
    }
}

/// One mount, as systemd mount unit settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountWish {
    /// Mount point.
    pub at: String,
    /// `UUID=…`, `host:/export` or `//host/share`.
    pub what: String,
    /// File-system type for systemd: `ext4`, `nfs`, `cifs`…
    pub kind: String,
    /// Mount options, joined by commas.
    pub options: String,
    /// Mounted on first use (network shares).
    pub automount: bool,
    /// Credentials file that the options name.
    pub credentials: Option<FileWish>,
    /// The disk that must be formatted first, with the permission to do so; none: what is mounted
    /// exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The container that is unlocked first; none: it is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypt: Option<Crypt>,
    /// Mount points without which this one is not mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// The disk that it lies on, as the seed selects it; none: it is no disk of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
}

impl MountWish {
    /// The UUID by which the volume is known: of the file system, or of the container around it.
    pub fn uuid(&self) -> Option<&str> {
        match &self.crypt {
            Some(crypt) => Some(&crypt.uuid),
            None => self.what.strip_prefix("UUID="),
        }
    }

    /// The device that is mounted, if it is one of the box.
    pub fn device(&self) -> Option<String> {
        match &self.crypt {
            Some(crypt) => Some(crypt.device()),
            None => self.uuid().map(|uuid| format!("/dev/disk/by-uuid/{uuid}")),
        }
    }
}

/// See [`Action::Firewall`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// What is open to the host itself; everything else is refused.
    pub host: Vec<PortRule>,
    /// Ports published by containers: the same rules for Docker's forwarded traffic.
    pub published: Vec<PortRule>,
}

/// One open port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortRule {
    /// 1 to 65535.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// From where; empty: from everywhere.
    pub from: Vec<IpNet>,
    /// What for, shown by `ufw status`.
    pub comment: String,
}

/// Transport protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

/// A Docker network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name in Docker.
    pub name: String,
    /// No way out.
    pub internal: bool,
    /// IPv4 subnet; none: Docker chooses.
    pub subnet: Option<IpNet>,
}

/// A secret that must exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretWish {
    /// Its name.
    pub name: SecretRef,
    /// How to make it when it is not there, or when what it is made from has changed.
    pub source: SecretMaking,
}

/// How a secret is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretMaking {
    /// Taken from the seed, under this secret's own name.
    Seed,
    /// Characters `A–Z a–z 0–9` from the kernel's randomness.
    Random {
        /// Number of characters.
        length: usize,
    },
    /// A digest of another secret.
    Digest {
        /// The other one.
        of: SecretRef,
        /// In whose notation.
        notation: Notation,
    },
    /// Digits `0–9 a–f` from the kernel's randomness.
    Hex {
        /// Number of digits.
        length: usize,
    },
    /// RSA private key, PKCS#8 PEM.
    RsaKey {
        /// Bits.
        bits: usize,
    },
}

/// See [`Action::Certificates`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// Common name of the authority.
    pub authority: String,
    /// DNS names of the certificate, wildcard included.
    pub names: Vec<String>,
    /// Days that the certificate is good for; made anew when a third is left.
    pub days: u32,
    /// Where the chain (PEM) goes.
    pub chain: FolderFile,
    /// Where the key (PEM) goes.
    pub key: FolderFile,
}

/// A file that the engine computes, with its mode and owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderFile {
    /// Absolute path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Numeric user and group.
    pub owner: (u32, u32),
}

/// See [`Action::Render`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Render {
    /// Folders, parents first.
    pub folders: Vec<FolderWish>,
    /// Files.
    pub files: Vec<FileWish>,
    /// Files that a running program rewrites (such as Authelia's user database): written only
    /// when they are not there.
    pub initial: Vec<FileWish>,
}

/// See [`Action::Images`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Where they may come from.
    pub source: ImageSource,
    /// One entry an image, in order of the lock.
    pub pulls: Vec<ImagePull>,
    /// What is not an image.
    pub artefacts: Vec<ArtefactWish>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePull {
    /// The catalogue's reference, such as `traefik:v3.7.11`; the image bears it afterwards.
    pub reference: String,
    /// Where it is pulled from, without tag or digest: `docker.io/library/traefik`, or the same
    /// behind the mirror: `10.0.0.1:5000/docker.io/library/traefik`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// The digest; none: the tag is pulled, and what came is pinned and reported.
    pub digest: Option<Digest>,
}

/// Something that is not an image but must be on the box at the first start: a folder of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtefactWish {
    /// Its name in the lock.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest over its files; see `catalogue::lock`.
    pub digest: Option<Digest>,
    /// Where it must lie, absolute.
    pub at: String,
}

/// See [`Action::Stack`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackWish {
    /// Its name; also the Compose project.
    pub name: String,
    /// Folder with `compose.yaml`.
    pub folder: String,
    /// Its services.
    pub services: Vec<ServiceWish>,
    /// Digest of everything rendered for it: containers are looked at anew when it changes.
    pub digest: Digest,
    /// Mount points of [`Storage::mounts`] without which it does not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

/// One service of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceWish {
    /// Name in the Compose file; the container bears it too.
    pub name: String,
    /// Seconds from its start until it must be healthy.
    pub deadline: u64,
    /// Sleeps until asked for: stopped is as good as healthy.
    pub lazy: bool,
    /// Digest of the rendered files that it reads at its start only; when it differs from what
    /// the running container was started with, the container is restarted.
    pub configuration: Digest,
    /// Since when its makers care for it no more, and what that means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_life: Option<String>,
    /// Services of its stack that must be well before it is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The service whose network it uses, if it has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_of: Option<String>,
    /// What is done inside its container once it is healthy, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Setup>,
}

/// One question to the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessProbe {
    /// The service it is about.
    pub service: String,
    /// What is asked for, without a session.
    pub url: String,
    /// What must come back.
    pub expect: AccessExpectation,
}

/// What a visitor must get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessExpectation {
    /// Any answer below 500 that is not a redirect to the portal and not 404 of the proxy itself.
    Answers,
    /// A redirect to this portal URL's host.
    Portal {
        /// `https://auth.<domain>`
        url: String,
    },
    /// Whoever has logged in is let through: [`Self::Answers`], and not by the login's refusal.
    Passes,
    /// The login's refusal: who has logged in is not among those who may.
    Refused,
}

/// See [`Action::Handover`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Title to URL.
    pub links: BTreeMap<String, String>,
    /// Where the admin logs in first.
    pub portal: String,
    /// The admin's name.
    pub admin: String,
    /// The domain, to tell which names need a DNS entry on the LAN.
    pub domain: String,
    /// Certificates come from the box's own authority.
    pub local_authority: bool,
    /// Secrets that were generated and are shown once on the recovery sheet.
    pub show_once: Vec<SecretRef>,
    /// Addresses from the seed, if static; else the machine's own are shown.
    pub addresses: Vec<IpAddr>,
}
