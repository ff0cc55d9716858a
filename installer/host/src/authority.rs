//! The box's own certificate authority, for homes without a public domain.
//!
//! Owners import its certificate into their browsers, so it is made to be worth as little as
//! possible to a thief: it may sign servers only directly (path length 0) and, by a critical name
//! constraint, only names of the box's own domain and no IP addresses.

mod look;

use model::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use time::{Duration, OffsetDateTime};

pub use look::{Certificate, renewal_reason};

use crate::{HostError, Result};

/// How long an authority is good for.
const AUTHORITY_DAYS: i64 = 3650;
/// Clocks of phones and of boxes without a battery are off by hours; certificates begin earlier.
const SLACK: Duration = Duration::days(1);

/// A certificate authority: EC P-256.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its private key, PKCS#8 PEM.
    pub key: Secret,
}

/// A server's certificate with its key.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The server's certificate, then the authority's, PEM.
    pub chain: String,
    /// The private key, PKCS#8 PEM, EC P-256.
    pub key: Secret,
}

impl Authority {
    /// Makes an authority that is good for ten years from `now` (Unix time) for `domain` and all
    /// names below it.
    ///
    /// # Errors
    /// A name that cannot stand in a certificate.
    pub fn create(common_name: &str, domain: &str, now: i64) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(domain.to_owned())],
            // A constraint on DNS names says nothing about addresses; these exclude all of them.
            excluded_subtrees: vec![
                GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)),
                GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)),
            ],
        });
        (params.not_before, params.not_after) = validity(now, AUTHORITY_DAYS)?;
        let key = KeyPair::generate().map_err(bad)?;
        let certificate = params.self_signed(&key).map_err(bad)?;
        Ok(Self { certificate: certificate.pem(), key: Secret::new(key.serialize_pem()) })
    }

    /// Signs a new key for a server with these DNS names (a wildcard may be among them), good for
    /// so many days from `now`. Browsers refuse more than 398 days, whoever signed; a local
    /// authority is exempt in most, but not in all.
    ///
    /// # Errors
    /// The authority's own key cannot be read, or a name cannot stand in a certificate.
    pub fn issue(&self, names: &[String], days: u32, now: i64) -> Result<Leaf> {
        let signer = KeyPair::from_pem(self.key.reveal()).map_err(bad)?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, signer).map_err(bad)?;
        let mut params = CertificateParams::new(names).map_err(bad)?;
        if let Some(name) = names.first() {
            // Longer names do not fit into a common name; nobody reads it since SANs exist.
            if name.len() <= 64 {
                params.distinguished_name.push(DnType::CommonName, name.as_str());
            }
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now, i64::from(days))?;
        let key = KeyPair::generate().map_err(bad)?;
        let certificate = params.signed_by(&key, &issuer).map_err(bad)?;
        Ok(Leaf {
            chain: format!("{}{}", certificate.pem(), self.certificate),
            key: Secret::new(key.serialize_pem()),
        })
    }

    /// SHA-256 of the certificate, upper-case hex pairs joined by colons, as browsers show it.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        Ok(Certificate::parse(&self.certificate)?.fingerprint)
    }
}

fn validity(now: i64, days: i64) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let now = OffsetDateTime::from_unix_timestamp(now).map_err(bad)?;
    let end = now.checked_add(Duration::days(days)).ok_or_else(|| bad("too many days"))?;
    Ok((now - SLACK, end))
}

fn bad(error: impl std::fmt::Display) -> HostError {
    HostError::Other(format!("cannot make a certificate: {error}"))
}

#[cfg(test)]
mod tests;
