//! Passwords, keys and tokens.
//!
//! [`Secret`] has no `Serialize`, so a plan, an event or a report that holds one does not compile,
//! and its `Debug` shows nothing. Whoever needs the text calls [`Secret::reveal`], which can be
//! found with grep. A plan names a secret by [`SecretRef`]; the engine fetches it when it acts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that must never reach a log, an argument list, a plan or a report.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Hand it to a file of mode 0600 or to a program's stdin, to nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Notations of password digests, each that of the program that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notation {
    /// argon2id PHC string (64 MiB, 3 passes, 4 lanes: Authelia's default).
    Argon2id,
    /// PBKDF2-SHA512 as Authelia writes it.
    Pbkdf2Sha512,
    /// bcrypt (cost 10), the `$2b$…` text once more in base64, as Backrest wants it.
    BcryptBase64,
    /// PBKDF2-SHA512 of 100000 rounds, `salt:key` in base64, as qBittorrent writes it.
    QBittorrent,
}

/// The name of a secret, such as `authelia-session` or `admin-password`: lower-case words joined
/// by hyphens. Under this name it lies in [`crate::paths::SECRETS`] on the box.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(pub String);

impl SecretRef {
    /// Names a secret.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// How a rendered text stands in for the secret until the engine writes the file:
    /// `@@secret:NAME@@`.
    pub fn placeholder(&self) -> String {
        format!("@@secret:{}@@", self.0)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names of all secrets that a text has placeholders for, in order of appearance.
pub fn placeholders(text: &str) -> Vec<SecretRef> {
    let mut found: Vec<SecretRef> = Vec::new();
    for part in text.split("@@secret:").skip(1) {
        if let Some((name, _)) = part.split_once("@@") {
            let name = SecretRef::new(name);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// Puts the secrets in place of their placeholders.
///
/// # Errors
/// The first secret that `lookup` does not know, whatever its error.
pub fn fill<E>(
    text: &str,
    mut lookup: impl FnMut(&SecretRef) -> Result<Secret, E>,
) -> Result<Secret, E> {
    let mut filled = text.to_owned();
    for name in placeholders(text) {
        filled = filled.replace(&name.placeholder(), lookup(&name)?.reveal());
    }
    Ok(Secret::new(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }

    #[test]
    fn placeholders_are_found_and_filled() {
        let text = "a=@@secret:one@@ b=@@secret:two@@ c=@@secret:one@@";
        assert_eq!(placeholders(text), [SecretRef::new("one"), SecretRef::new("two")]);
        let filled = fill(text, |name| Ok::<_, ()>(Secret::new(name.0.to_uppercase()))).unwrap();
        assert_eq!(filled.reveal(), "a=ONE b=TWO c=ONE");
        assert_eq!(fill(text, |_| Err::<Secret, _>("missing")), Err("missing"));
    }
}
