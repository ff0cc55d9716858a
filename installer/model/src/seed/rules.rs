//! The rules of single values, for those who take the same values elsewhere than in a seed.

use super::{DiskSelector, MountSource, reader::Wrong, shape};
use crate::Secret;

/// Why a value cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refused {
    /// What is wrong with it.
    pub what: String,
    /// The way out.
    pub hint: String,
}

impl Refused {
    /// Says what is wrong, and the way out.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        Self { what: wrong.what, hint: wrong.way_out }
    }
}

/// A name such as `[admin] name`.
///
/// # Errors
/// Why it is none.
pub fn user_name(text: &str) -> Result<(), Refused> {
    Ok(shape::user_name(text).map(drop)?)
}

/// A mail address such as `[admin] email`.
///
/// # Errors
/// Why it is none.
pub fn email(text: &str) -> Result<(), Refused> {
    Ok(shape::email(text).map(drop)?)
}

/// A password such as `[admin] password`.
///
/// # Errors
/// Why it is too weak, or cannot be typed.
pub fn password(password: &Secret) -> Result<(), Refused> {
    Ok(shape::password(password.reveal())?)
}

/// The text of a key, such as `system.hostname`, by the rule that the parser holds it to. Keys whose
/// text may be anything obey the rule of secrets.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn value(path: &str, text: &str) -> Result<(), Refused> {
    match path {
        "system.hostname" => drop(shape::host_label(text)?),
        "system.timezone" => drop(shape::timezone(text)?),
        "system.keyboard" => drop(shape::keyboard(text)?),
        "admin.name" => drop(shape::user_name(text)?),
        "admin.email" | "notifications.smtp.from" => drop(shape::email(text)?),
        "admin.ssh_keys" => drop(shape::ssh_key(text)?),
        "domain.name" => drop(shape::domain(text)?),
        "domain.dns.provider" => drop(shape::provider(text)?),
        "domain.dns.credentials" => drop(shape::environment_variable(text)?),
        "domain.certificate.directory" => drop(shape::directory(text)?),
        "storage.mount.user" => drop(shape::share_user(text)?),
        "vpn.provider" => drop(shape::vpn_provider(text)?),
        "vpn.private_key" => shape::wireguard_key(text)?,
        "vpn.addresses" => drop(shape::address(text)?),
        "backup.repository" => drop(shape::repository(text)?),
        "notifications.smtp.server" => drop(shape::server_and_port(text)?),
        "notifications.ntfy.url" => drop(shape::ntfy_url(text)?),
        _ => secret(text)?,
    }
    Ok(())
}

/// A secret of one line, as text in a seed may give it.
fn secret(text: &str) -> Result<(), Refused> {
    let hint = "type the secret itself";
    if text.is_empty() {
        return Err(Refused::new("this must not be empty", hint));
    }
    if text.bytes().all(|byte| byte == b'*') {
        return Err(Refused::new("nothing but stars is how a secret looks that was masked", hint));
    }
    if text.contains("@@secret:") {
        return Err(Refused::new("`@@secret:` is kept for the installer", "choose another secret"));
    }
    Ok(shape::plain_secret(text)?)
}

/// The disk that `serial:…`, `by-id:…` or `uuid:…` means.
///
/// # Errors
/// What is wrong with it.
pub fn selector(text: &str) -> Result<DiskSelector, Refused> {
    Ok(shape::selector(text)?)
}

/// The share that `host:/export` or `//host/share` means.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn remote(text: &str) -> Result<MountSource, Refused> {
    Ok(shape::remote(text)?)
}

/// Whether the serial can stand in a seed, as a selector and as consent.
pub(crate) fn is_serial(text: &str) -> bool {
    shape::serial(text).is_ok()
}

/// Whether no public authority certifies the name.
pub(crate) fn is_private(name: &str) -> bool {
    super::v1::is_private(name)
}
