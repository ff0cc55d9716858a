//! A disk whose content nobody can read without a key.

use serde::{Deserialize, Serialize};

/// How an encrypted disk is unlocked at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unlock {
    /// By a key in a file on the disk of the system.
    Key,
    /// By the machine's TPM 2.0; the key file is for the day when that refuses.
    Tpm2,
}

impl Unlock {
    /// As it is written in a seed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tpm2 => "tpm2",
        }
    }
}

/// A LUKS container. Everything about it is named by its UUID, which stays when the disk gets
/// another place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crypt {
    /// UUID of the container.
    pub uuid: String,
    /// How it is unlocked at the start.
    pub unlock: Unlock,
}

impl Crypt {
    /// Name of the device by which its content is seen once it is unlocked.
    pub fn name(&self) -> String {
        format!("luks-{}", self.uuid)
    }

    /// That device.
    pub fn device(&self) -> String {
        format!("/dev/mapper/{}", self.name())
    }

    /// Where its key lies: letters and digits without a line's end, so that it can be typed too.
    pub fn key(&self) -> String {
        format!("{}/{}.key", crate::paths::KEYS, self.uuid)
    }

    /// Its line of `/etc/crypttab`. A start waits half a minute for the disk and asks nobody.
    pub fn line(&self) -> String {
        let (key, how) = match self.unlock {
            Unlock::Key => (self.key(), ""),
            Unlock::Tpm2 => ("-".to_owned(), "tpm2-device=auto,"),
        };
        format!(
            "{} UUID={} {key} luks,nofail,headless=true,{how}x-systemd.device-timeout=30s",
            self.name(),
            self.uuid
        )
    }
}
