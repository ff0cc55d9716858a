//! A browser that trusts the box's own authority and nothing else.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result};
use reqwest::{blocking::Client, header};
use serde_json::Value;

/// A browser: cookies are kept, redirects shown and not followed.
pub struct Browser {
    client: Client,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, if any.
    pub location: Option<String>,
    /// The body as text.
    pub body: String,
}

impl Browser {
    /// Opens one. Every name below `domain` leads to `address`; `authority` is a PEM, without it
    /// nothing is trusted.
    ///
    /// # Errors
    /// The authority is no certificate.
    pub fn open(address: IpAddr, names: &[String], authority: Option<&str>) -> Result<Self> {
        let mut builder = Client::builder()
            .use_rustls_tls()
            .tls_built_in_root_certs(false)
            .cookie_store(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(120));
        if let Some(pem) = authority {
            let certificate = reqwest::Certificate::from_pem(pem.as_bytes())
                .context("the box's authority is no certificate")?;
            builder = builder.add_root_certificate(certificate);
        }
        for name in names {
            // Port 0 keeps the URL's own port.
            builder = builder.resolve(name, SocketAddr::new(address, 0));
        }
        Ok(Self { client: builder.build().context("cannot make an HTTP client")? })
    }

    /// Asks for a page as a browser does.
    ///
    /// # Errors
    /// No connection, or TLS does not verify.
    pub fn get(&self, url: &str) -> Result<Answer> {
        let request = self.client.get(url).header(header::ACCEPT, "text/html");
        answer(request.send(), url)
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// No connection, or TLS does not verify.
    pub fn post(&self, url: &str, value: &Value) -> Result<Answer> {
        answer(self.client.post(url).json(value).send(), url)
    }
}

fn answer(got: reqwest::Result<reqwest::blocking::Response>, url: &str) -> Result<Answer> {
    let response = got.with_context(|| format!("{url} does not answer"))?;
    let location = response.headers().get(header::LOCATION);
    Ok(Answer {
        status: response.status().as_u16(),
        location: location.and_then(|value| value.to_str().ok()).map(str::to_owned),
        body: response.text().unwrap_or_default(),
    })
}

/// SHA-256 fingerprint of a PEM certificate, upper-case hex pairs joined by colons.
///
/// # Errors
/// It is no PEM.
pub fn fingerprint(pem: &str) -> Result<String> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use sha2::Digest as _;
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| anyhow::anyhow!("no certificate in PEM form: {error:?}"))?;
    let pairs: Vec<String> =
        sha2::Sha256::digest(&der).iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_over_the_der() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["box".into()]).unwrap().self_signed(&key).unwrap();
        let shown = fingerprint(&certificate.pem()).unwrap();
        use sha2::Digest as _;
        let wanted = hex::encode_upper(sha2::Sha256::digest(certificate.der()));
        assert_eq!(shown.replace(':', ""), wanted);
        assert_eq!(shown.len(), 32 * 3 - 1);
        assert!(fingerprint("nothing").is_err());
    }
}
