//! Reading certificates: is the one that is there still good?

use sha2::{Digest as _, Sha256};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    pem::Pem,
    prelude::X509Certificate,
};

use crate::{HostError, Result};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Subject, such as `CN=homelab`.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// DNS names.
    pub names: Vec<String>,
    /// DNS subtrees that an authority is bound to; empty: to none.
    pub permitted: Vec<String>,
    /// Unix time from which it is good.
    pub not_before: i64,
    /// Unix time until which it is good.
    pub not_after: i64,
    /// SHA-256 of the whole, upper-case hex pairs joined by colons.
    pub fingerprint: String,
    /// Its public key, as DER.
    public_key: Vec<u8>,
    /// The whole, as DER.
    der: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn parse(pem: &str) -> Result<Self> {
        let unreadable = |cause: &dyn std::fmt::Display| {
            HostError::Other(format!("the certificate cannot be read: {cause}"))
        };
        let (_, block) =
            x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|e| unreadable(&e))?;
        Self::from_block(&block).map_err(|cause| unreadable(&cause))
    }

    fn from_block(block: &Pem) -> std::result::Result<Self, String> {
        let parsed: X509Certificate<'_> = block.parse_x509().map_err(|error| error.to_string())?;
        let dns = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        };
        let (mut names, mut permitted) = (Vec::new(), Vec::new());
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(found) => {
                    names.extend(found.general_names.iter().filter_map(dns));
                }
                ParsedExtension::NameConstraints(found) => {
                    let trees = found.permitted_subtrees.iter().flatten();
                    permitted.extend(trees.filter_map(|tree| dns(&tree.base)));
                }
                _ => {}
            }
        }
        let pairs: Vec<String> =
            Sha256::digest(&block.contents).iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            names,
            permitted,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            fingerprint: pairs.join(":"),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            der: block.contents.clone(),
        })
    }

    /// May this authority sign for all these names? One without constraints may.
    pub fn permits(&self, names: &[String]) -> bool {
        self.permitted.is_empty()
            || names.iter().all(|name| {
                let name = name.strip_prefix("*.").unwrap_or(name);
                self.permitted.iter().any(|tree| {
                    name == tree || name.strip_suffix(tree).is_some_and(|rest| rest.ends_with('.'))
                })
            })
    }

    /// Did this authority sign that certificate?
    pub fn signed(&self, other: &Self) -> bool {
        let parsed = |der| x509_parser::parse_x509_certificate(der).map(|(_, parsed)| parsed);
        match (parsed(&self.der), parsed(&other.der)) {
            (Ok(authority), Ok(other)) => {
                other.issuer() == authority.subject()
                    && other.verify_signature(Some(authority.public_key())).is_ok()
            }
            _ => false,
        }
    }
}

/// Why the server's certificate must be made anew; none: it is still good. It is renewed when a
/// third of its time is left, when the names or the authority changed, and when it is damaged.
pub fn renewal_reason(
    chain: &str,
    key: &model::Secret,
    names: &[String],
    authority: &str,
    now: i64,
) -> Option<String> {
    let leaf = match Certificate::parse(chain) {
        Ok(leaf) => leaf,
        Err(error) => return Some(error.to_string()),
    };
    let authority = match Certificate::parse(authority) {
        Ok(authority) => authority,
        Err(error) => return Some(error.to_string()),
    };
    if !authority.signed(&leaf) {
        return Some("another authority signed it".to_owned());
    }
    let key = rcgen::KeyPair::from_pem(key.reveal());
    if !key.is_ok_and(|key| key.public_key_raw() == leaf.public_key) {
        return Some("the key does not belong to it".to_owned());
    }
    let mut wanted = names.to_vec();
    let mut found = leaf.names.clone();
    wanted.sort_unstable();
    found.sort_unstable();
    if wanted != found {
        return Some(format!("it is for {}, not for {}", found.join(", "), wanted.join(", ")));
    }
    if now < leaf.not_before {
        return Some("it is from the future".to_owned());
    }
    let whole = leaf.not_after - leaf.not_before;
    if leaf.not_after - now <= whole / 3 {
        return Some(format!("it ends on {}", &crate::clock::rfc3339(leaf.not_after)[..10]));
    }
    None
}
