//! Seeds for the tests, and the planted secrets ("canaries") that must never be found again.

use std::{collections::BTreeMap, fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, Result};
use model::Digest;

use crate::program::Program;

/// What a test box is asked to be.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Host name.
    pub hostname: &'static str,
    /// Domain, if not the default.
    pub domain: Option<&'static str>,
    /// Dynamic DNS by DuckDNS.
    pub duckdns: bool,
    /// Stacks by name.
    pub stacks: &'static [&'static str],
    /// Services by name that stand in for another one.
    pub prefer: &'static [&'static str],
    /// Downloads go through a VPN.
    pub vpn: bool,
    /// `[[storage.mount]]` as it stands in the seed; empty: folders on the root disk.
    pub mounts: String,
    /// The admin's public key.
    pub ssh_key: String,
    /// `host:port` of the test registry.
    pub mirror: String,
    /// PEM of its authority.
    pub mirror_ca: String,
    /// Image reference or artefact name to digest.
    pub pins: BTreeMap<String, Digest>,
}

/// A provider that nobody reaches: the stand-in for Gluetun only checks what it is given.
const VPN: &str = "[vpn]\nprovider = \"mullvad\"\nprotocol = \"wireguard\"\n\
    private_key = \"wOEI9rqqbDwnN8/Bpp22sVz48T71vJ4fYmFWujulwUU=\"\n\
    addresses = [\"10.64.222.21/32\"]\n\n";

/// The admin of every test box.
pub const ADMIN: &str = "alex";

/// Planted secrets, by where they stand in the seed. Each is a text that occurs nowhere else.
#[derive(Debug, Clone)]
pub struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    /// Those of one box.
    pub fn of(hostname: &str) -> Self {
        let kinds = ["admin-password", "dns-duckdns-token", "ntfy-token", "backup-password"];
        let plant = |kind: &'static str| {
            let digest = Digest::of(format!("canary {hostname} {kind}"));
            let hex = digest.hex();
            let text = if kind == "dns-duckdns-token" {
                // DuckDNS gives tokens of this form, and the stand-in wants one.
                [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
            } else {
                format!("Zaun-{}", &hex[..20])
            };
            (kind, text)
        };
        Self(kinds.map(plant).to_vec())
    }

    /// By its place.
    pub fn get(&self, kind: &str) -> &str {
        self.0.iter().find(|(name, _)| *name == kind).map_or("", |(_, text)| text)
    }

    /// All, by place.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// Places of those that occur in some bytes.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&'static str> {
        let occurs = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.0.iter().filter(|(_, text)| occurs(text)).map(|(name, _)| *name).collect()
    }
}

impl Wish {
    /// The box's domain.
    pub fn domain(&self) -> String {
        self.domain.map_or_else(|| format!("{}.home.arpa", self.hostname), str::to_owned)
    }

    /// Its canaries.
    pub fn canaries(&self) -> Canaries {
        Canaries::of(self.hostname)
    }

    /// The seed's text.
    pub fn text(&self) -> String {
        let canaries = self.canaries();
        let mut text = format!(
            "schema = 1\n\n\
             [system]\nhostname = \"{}\"\ntimezone = \"Europe/Berlin\"\n\n\
             [admin]\nname = \"{ADMIN}\"\nemail = \"{ADMIN}@example.org\"\n\
             password = \"{}\"\nssh_keys = [\"{}\"]\n\n",
            self.hostname,
            canaries.get("admin-password"),
            self.ssh_key,
        );
        if let Some(domain) = self.domain {
            text.push_str(&format!("[domain]\nname = \"{domain}\"\n\n"));
        }
        if self.duckdns {
            text.push_str(&format!(
                "[domain.dns]\nprovider = \"duckdns\"\n\
                 credentials = {{ DUCKDNS_TOKEN = \"{}\" }}\n\n",
                canaries.get("dns-duckdns-token")
            ));
        }
        if self.vpn {
            text.push_str(VPN);
        }
        text.push_str(&self.mounts);
        text.push_str(&format!(
            "[stacks]\nenable = {:?}\nprefer = {:?}\n\n\
             [notifications.ntfy]\nurl = \"https://ntfy.example.org/homelab\"\ntoken = \"{}\"\n\n\
             [backup]\npassword = \"{}\"\n\n\
             [images]\nsource = \"registry\"\nmirror = \"{}\"\nmirror_ca = \"\"\"\n{}\"\"\"\n\n\
             [images.pins]\n",
            self.stacks,
            self.prefer,
            canaries.get("ntfy-token"),
            canaries.get("backup-password"),
            self.mirror,
            self.mirror_ca,
        ));
        for (name, digest) in &self.pins {
            text.push_str(&format!("\"{name}\" = \"{digest}\"\n"));
        }
        text
    }
}

/// Puts a seed on an image the way an owner does: `homelab-image seed inject IMAGE FILE`.
///
/// # Errors
/// The program refused.
pub fn inject(homelab_image: &Path, image: &Path, text: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the seed")?;
    let file = folder.path().join("seed.toml");
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .context("cannot write the seed")?;
    Program::new(homelab_image).args(["seed", "inject"]).args([image, &file]).run().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        Wish {
            hostname: "one",
            domain: Some("one-test.duckdns.org"),
            duckdns: true,
            stacks: &["core"],
            prefer: &[],
            vpn: true,
            mounts: "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:X\"\n\n".into(),
            ssh_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDx0 qemu-tests".into(),
            mirror: "10.99.0.1:5000".into(),
            mirror_ca: "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n".into(),
            pins: [("traefik:v3.7.11".to_owned(), Digest::of("x"))].into(),
        }
    }

    #[test]
    fn the_text_is_toml_and_holds_every_canary_once() {
        let wish = wish();
        let text = wish.text();
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["images"]["mirror"].as_str(), Some("10.99.0.1:5000"));
        assert_eq!(table["images"]["mirror_ca"].as_str(), Some(wish.mirror_ca.as_str()));
        for (kind, canary) in wish.canaries().all() {
            assert_eq!(text.matches(canary).count(), 1, "{kind}");
        }
    }

    #[test]
    fn canaries_are_found_and_differ_between_boxes() {
        let one = Canaries::of("one");
        let hay = format!("…{}…", one.get("ntfy-token"));
        assert_eq!(one.found_in(hay.as_bytes()), ["ntfy-token"]);
        assert_eq!(Canaries::of("two").found_in(hay.as_bytes()), Vec::<&str>::new());
    }
}
