//! Every key of schema 1, in one table.
//!
//! Unknown keys and their hints, types, choices, what must be there, what is masked: all of it is
//! read off [`KEYS`], and so are the reference pages. A key that is not here does not exist.

/// One key of the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Path from the top, such as `storage.mount.at`; tables in lists are not numbered.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
    /// What it means, in one line without a full stop.
    pub about: &'static str,
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Number,
    /// Text in quotes.
    Text,
    /// A list of texts.
    Texts,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of these texts.
    Choices(&'static [&'static str]),
    /// A secret: text, or a table that says where it comes from.
    Secret(Origins),
    /// Names of the owner's choice, each with a text.
    TextMap,
    /// Names of the owner's choice, each with a secret.
    SecretMap(Origins),
    /// `[table]`
    Table,
    /// `[[table]]`, any number of them.
    Tables,
}

/// Where a secret may come from besides text and `{ file = "…" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origins {
    /// `{ generate = true }`
    pub generate: bool,
    /// `{ ask = true }`
    pub ask: bool,
}

/// Whether a key must be there. Conditions that span keys stand in the checks, not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Always, when its table is there.
    Required,
    /// No.
    Optional,
    /// No, and this is what holds then.
    Default(&'static str),
}

impl Key {
    /// The last part of the path.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The path of the table that it stands in; empty at the top.
    pub fn parent(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// Whether its text must not be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_) | Kind::SecretMap(_))
    }
}

/// Looks a key up by its path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The keys that stand in a table, in the order of the reference.
pub fn children(table: &str) -> impl Iterator<Item = &'static Key> + use<'_> {
    KEYS.iter().filter(move |key| key.parent() == table)
}

/// How a table's header is written: `[system]`, `[[storage.mount]]`; words for the top.
pub fn header(table: &str) -> String {
    match find(table).map(|key| key.kind) {
        _ if table.is_empty() => "the top of the seed".to_owned(),
        Some(Kind::Tables) => format!("`[[{table}]]`"),
        _ => format!("`[{table}]`"),
    }
}

/// A provider outside made it: only the owner can know it.
const KNOWN: Origins = Origins { generate: false, ask: true };
/// Nobody types it.
const LONG: Origins = Origins { generate: false, ask: false };
/// The box may make it.
const ANY: Origins = Origins { generate: true, ask: true };

const fn key(path: &'static str, kind: Kind, need: Need, about: &'static str) -> Key {
    Key { path, kind, need, about }
}

use Kind::{Choice, Choices, Number, SecretMap, Table, Tables, Text, TextMap, Texts};
use Need::{Default, Optional, Required};

/// Every key, grouped by table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("schema", Number, Required, "Version of the seed's schema: `1`"),
    key("system", Table, Optional, "The machine itself"),
    key("system.hostname", Text, Default("homelab"), "Name of the box, one DNS label"),
    key("system.timezone", Text, Default("Etc/UTC"), "Time zone as IANA names it"),
    key("system.locale", Text, Default("en_US.UTF-8"), "Language and formats, always UTF-8"),
    key("system.keyboard", Text, Default("us"), "Keyboard layout of the console"),
    key("admin", Table, Required, "The Linux user with sudo, and the first user of the single sign-on"),
    key("admin.name", Text, Default("admin"), "Linux user name"),
    key("admin.email", Text, Default("<name>@<domain>"), "Address for the single sign-on and for notices"),
    key("admin.password", Kind::Secret(ANY), Optional, "Password, at least 10 characters; this or `password_hash`"),
    key("admin.password_hash", Table, Optional, "Hashes in place of the password"),
    key("admin.password_hash.linux", Kind::Secret(LONG), Required, "crypt(5) hash for Linux: `$y$…` or `$6$…`"),
    key("admin.password_hash.sso", Kind::Secret(LONG), Required, "Hash for the single sign-on: `$argon2id$…`"),
    key("admin.ssh_keys", Texts, Default("none"), "OpenSSH public keys; without one nobody gets in by SSH"),
    key("domain", Table, Optional, "The name that every service stands under"),
    key("domain.name", Text, Default("<hostname>.home.arpa"), "DNS name"),
    key("domain.dns", Table, Optional, "The DNS provider, for address updates and for certificates by DNS-01"),
    key("domain.dns.provider", Text, Required, "Provider as the lego ACME library names it"),
    key("domain.dns.credentials", SecretMap(KNOWN), Required, "The provider's environment variables"),
    key("domain.certificate", Table, Optional, "Who vouches for the box's names"),
    key("domain.certificate.issuer", Choice(&["local", "letsencrypt", "letsencrypt-staging", "custom"]), Default("local"), "The box's own authority, or one that speaks ACME"),
    key("domain.certificate.email", Text, Default("`admin.email`, if it is given"), "Contact for the authority"),
    key("domain.certificate.directory", Text, Optional, "Directory URL of the authority; only for `custom`"),
    key("domain.certificate.root_ca", Kind::Secret(LONG), Optional, "Root certificate of the authority (PEM); only for `custom`"),
    key("network", Table, Optional, "Network ports"),
    key("network.interface", Tables, Optional, "A port with settings of its own; with none, every wired port asks DHCP"),
    key("network.interface.match", Text, Required, "Which port: `mac:52:54:00:12:34:56` or `name:enp1s0`"),
    key("network.interface.address", Texts, Default("DHCP"), "Static addresses with prefix length"),
    key("network.interface.gateway", Text, Optional, "Default gateway, inside one of the subnets"),
    key("network.interface.dns", Texts, Optional, "Addresses of resolvers"),
    key("firewall", Table, Optional, "What is open besides what the stacks need"),
    key("firewall.ssh_from", Texts, Default("the box's own subnets"), "Networks that may reach SSH"),
    key("storage", Table, Optional, "Disks and network shares"),
    key("storage.mount", Tables, Optional, "One disk or share and the place it is mounted at"),
    key("storage.mount.at", Choice(&["/mnt/media", "/mnt/downloads", "/mnt/backups", "/mnt/storage"]), Required, "The place"),
    key("storage.mount.holds", Choices(&["media", "downloads", "backups"]), Optional, "What `/mnt/storage` takes in; only there"),
    key("storage.mount.disk", Text, Optional, "Disk: `serial:…`, `by-id:…` or `uuid:…`; this, `disks` or `remote`"),
    key("storage.mount.disks", Texts, Optional, "Several disks whose files are shown as one folder, each as in `disk`"),
    key("storage.mount.filesystem", Choice(&["ext4", "xfs", "btrfs"]), Default("ext4"), "File system of the disk"),
    key("storage.mount.wipe", Text, Optional, "Consent to format: repeats the serial of the disk"),
    key("storage.mount.wipes", Texts, Optional, "The same for `disks`: the serials of those that may be formatted"),
    key("storage.mount.encrypt", Choice(&["key", "tpm2"]), Default("not encrypted"), "The disk is encrypted, and unlocked at the start by a key on the box or by its TPM"),
    key("storage.mount.remote", Text, Optional, "Share: `host:/export` is NFS, `//host/share` is SMB"),
    key("storage.mount.user", Text, Optional, "User name for an SMB share"),
    key("storage.mount.password", Kind::Secret(KNOWN), Optional, "Password for an SMB share"),
    key("install", Table, Optional, "Copy this image to an internal disk and go on there"),
    key("install.disk", Text, Required, "Disk: `serial:…` or `by-id:…`"),
    key("install.wipe", Text, Required, "Consent: repeats the serial of the disk"),
    key("vpn", Table, Optional, "The tunnel for downloads; without it nothing that must go through it is deployed"),
    key("vpn.provider", Text, Required, "Provider as Gluetun names it"),
    key("vpn.protocol", Choice(&["wireguard", "openvpn"]), Required, "Kind of tunnel"),
    key("vpn.private_key", Kind::Secret(KNOWN), Optional, "WireGuard private key, 44 characters of base64"),
    key("vpn.addresses", Texts, Optional, "WireGuard addresses inside the tunnel, with prefix length"),
    key("vpn.user", Kind::Secret(KNOWN), Optional, "OpenVPN user name"),
    key("vpn.password", Kind::Secret(KNOWN), Optional, "OpenVPN password"),
    key("stacks", Table, Optional, "What is deployed"),
    key("stacks.enable", Texts, Default("all"), "Stacks by name; `core` is always one of them"),
    key("stacks.disable", Texts, Default("none"), "Services by name that are left out"),
    key(
        "stacks.without_vpn",
        Texts,
        Default("none"),
        "Services by name that may use the Internet directly when there is no `[vpn]`",
    ),
    key(
        "stacks.prefer",
        Texts,
        Default("none"),
        "Services by name that are deployed in the place of the one that they can stand in for",
    ),
    key("images", Table, Optional, "Where container images come from"),
    key("images.source", Choice(&["auto", "bundle", "registry"]), Default("auto"), "`bundle`: only from the medium; `registry`: only from the network; `auto`: bundle first"),
    key("images.mirror", Text, Optional, "Registry that pulls go through, `host` or `host:port`, by https"),
    key("images.mirror_ca", Kind::Secret(LONG), Optional, "Root certificate of the mirror (PEM)"),
    key("images.pins", TextMap, Optional, "Digests that stand in for the lock's, by image reference or artefact name"),
    key("notifications", Table, Optional, "Where the box reports to"),
    key("notifications.smtp", Table, Optional, "Mail"),
    key("notifications.smtp.server", Text, Required, "`host:port`; 465 speaks TLS at once, others STARTTLS"),
    key("notifications.smtp.user", Text, Optional, "User name"),
    key("notifications.smtp.password", Kind::Secret(KNOWN), Optional, "Password"),
    key("notifications.smtp.from", Text, Required, "Sender"),
    key("notifications.smtp.to", Text, Default("`admin.email`"), "Recipient"),
    key("notifications.ntfy", Table, Optional, "Push messages by ntfy"),
    key("notifications.ntfy.url", Text, Required, "https URL with the topic"),
    key("notifications.ntfy.token", Kind::Secret(KNOWN), Optional, "Access token"),
    key("backup", Table, Optional, "Backups of the services' data"),
    key("backup.repository", Text, Default("/mnt/backups/restic"), "restic repository: a folder below `/mnt`, or `sftp:…`, `rest:https://…`"),
    key("backup.password", Kind::Secret(ANY), Default("generated"), "Password of the repository"),
    key("backup.schedule", Text, Default("*-*-* 03:00:00"), "When, as a systemd calendar expression"),
];

/// The known key that somebody who wrote `name` in `table` most likely meant.
pub(super) fn nearest(table: &str, name: &str) -> Option<&'static Key> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wrote = plain(name);
    let close = |key: &&Key| {
        let known = key.name();
        let distance = strsim::osa_distance(&wrote, known);
        let begins = wrote.len() >= 3 && (known.starts_with(&wrote) || wrote.starts_with(known));
        (distance <= 2.min(known.len() / 2) || begins).then_some(distance)
    };
    children(table)
        .filter_map(|key| Some((close(&key)?, key)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_a_known_table_once() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(!KEYS[..index].iter().any(|other| other.path == key.path), "{}", key.path);
            if !key.parent().is_empty() {
                let parent = find(key.parent()).map(|parent| parent.kind);
                assert!(matches!(parent, Some(Table | Tables)), "{}", key.path);
            }
        }
    }

    #[test]
    fn nearest_key_of_the_table() {
        for (table, wrote, meant) in [
            ("system", "hostnam", "system.hostname"),
            ("system", "host", "system.hostname"),
            ("system", "time-zone", "system.timezone"),
            ("admin", "ssh-keys", "admin.ssh_keys"),
            ("admin", "pasword", "admin.password"),
            ("", "amdin", "admin"),
            ("storage.mount", "fileystem", "storage.mount.filesystem"),
        ] {
            assert_eq!(nearest(table, wrote).map(|key| key.path), Some(meant), "{wrote}");
        }
        assert_eq!(nearest("system", "colour"), None);
        assert_eq!(nearest("storage.mount", "to"), None);
    }
}
