//! What a registry says of a tag, by the HTTP API of OCI's distribution specification.

use std::{io::Read as _, net::IpAddr, time::Duration};

use host::web;
use model::Digest;
use reqwest::{
    Certificate, StatusCode, Url,
    blocking::{Client, Response},
    header::{ACCEPT, AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE},
};
use serde::Deserialize;

/// Architectures that every image must be there for.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
/// Indexes first; single images too, so that they can be told from what is missing.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json";
/// Bytes of the biggest manifest; registries set the same limit.
const MOST: u64 = 4 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The registries, or the one that stands in for all of them.
pub(super) struct Registry {
    client: Client,
    mirror: Option<Mirror>,
}

struct Mirror {
    scheme: &'static str,
    /// `host[:port]`
    host: String,
}

/// An index, as far as it is looked at.
#[derive(Deserialize)]
struct Index {
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// `mirror` is `host[:port]`. Like Docker, plain HTTP is spoken on loopback only, and there
    /// only if no `authority` (PEM) says that the mirror has a certificate.
    ///
    /// # Errors
    /// The authority is no certificate.
    pub(super) fn new(mirror: Option<&str>, authority: Option<&[u8]>) -> Result<Self, String> {
        web::prepare_tls();
        let loopback = mirror.is_some_and(is_loopback);
        let plain = loopback && authority.is_none();
        let mut builder = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(PATIENCE)
            .https_only(!plain)
            .user_agent(concat!("homelab-image/", env!("CARGO_PKG_VERSION")));
        if loopback {
            builder = builder.no_proxy();
        }
        if let Some(pem) = authority {
            let certificates = Certificate::from_pem_bundle(pem)
                .map_err(|error| format!("`--mirror-ca`: {}", web::cause(&error)))?;
            if certificates.is_empty() {
                return Err("`--mirror-ca` holds no certificate (PEM)".to_owned());
            }
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| web::cause(&error))?;
        let scheme = if plain { "http" } else { "https" };
        let mirror = mirror.map(|host| Mirror { scheme, host: host.to_owned() });
        Ok(Self { client, mirror })
    }

    /// The digest of the index behind a tag. `repository` begins with its registry.
    ///
    /// # Errors
    /// Why there is none that can be relied on, for a person.
    pub(super) fn digest(&self, repository: &str, tag: &str) -> Result<Digest, String> {
        let (url, path) = self.place(repository, tag)?;
        let mut answer = self.ask(&url, None)?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            let token = self.token(answer.headers(), &path)?;
            // Where the first answer came from: a token is not sent on to another host.
            let url = answer.url().clone();
            answer = self.ask(&url, Some(&token))?;
        }
        let host = answer.url().host_str().unwrap_or_default().to_owned();
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(format!("{host} has no tag `{tag}` of `{path}`")),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(format!("{host} does not give `{path}` to strangers"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(format!("{host} was asked too often; try again later"));
            }
            status => return Err(format!("{host} answers {status}")),
        }
        let promised = promised(answer.headers())?;
        let bytes = body(answer)?;
        let digest = Digest::of(&bytes);
        if promised.is_some_and(|promised| promised != digest) {
            return Err(format!("{host} sent other bytes than its digest promises"));
        }
        for_every_architecture(&bytes)?;
        Ok(digest)
    }

    /// Where the manifest is, and the repository's name there.
    fn place(&self, repository: &str, tag: &str) -> Result<(Url, String), String> {
        let (registry, path) = repository
            .split_once('/')
            .ok_or_else(|| format!("`{repository}` does not begin with its registry"))?;
        let (scheme, host, path) = match (&self.mirror, registry) {
            (Some(mirror), _) => (mirror.scheme, mirror.host.as_str(), repository),
            // Docker Hub's registry is not where its name leads to.
            (None, "docker.io") => ("https", "registry-1.docker.io", path),
            (None, registry) => ("https", registry, path),
        };
        let url = format!("{scheme}://{host}/v2/{path}/manifests/{tag}");
        let url = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
        Ok((url, path.to_owned()))
    }

    fn ask(&self, url: &Url, token: Option<&str>) -> Result<Response, String> {
        let mut request = self.client.get(url.clone()).header(ACCEPT, MANIFESTS);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let host = url.host_str().unwrap_or_default();
        request.send().map_err(|error| format!("{host} cannot be asked: {}", web::cause(&error)))
    }

    /// A token for everybody, from where the registry says.
    fn token(&self, headers: &HeaderMap, path: &str) -> Result<String, String> {
        let text = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let challenge = text.unwrap_or_default();
        let fields = challenge
            .strip_prefix("Bearer ")
            .ok_or_else(|| "the registry wants a login, and this program has none".to_owned())?;
        let realm = field(fields, "realm").unwrap_or_default();
        let mut url: Url =
            realm.parse().map_err(|_| format!("the registry's realm `{realm}` is no URL"))?;
        let scope =
            field(fields, "scope").map_or_else(|| format!("repository:{path}:pull"), str::to_owned);
        let mut query = url.query_pairs_mut();
        if let Some(service) = field(fields, "service") {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &scope);
        drop(query);
        let host = url.host_str().unwrap_or_default().to_owned();
        let failed =
            |error: reqwest::Error| format!("no token from {host}: {}", web::cause(&error));
        let answer = self.client.get(url).send().and_then(Response::error_for_status);
        let token: Token = answer.map_err(failed)?.json().map_err(failed)?;
        token.token.or(token.access_token).ok_or_else(|| format!("{host} answers without a token"))
    }
}

/// The value of a field of a challenge: `name="value",…`. A comma may stand inside the quotes.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = fields;
    loop {
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

fn is_loopback(mirror: &str) -> bool {
    let host = mirror.rsplit_once(':').map_or(mirror, |(host, _)| host);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The digest that the registry itself names, if any.
fn promised(headers: &HeaderMap) -> Result<Option<Digest>, String> {
    let Some(value) = headers.get("docker-content-digest") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    text.parse().map(Some).map_err(|_| format!("the registry's digest `{text}` is no SHA-256"))
}

fn body(answer: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = answer.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("the answer broke off: {}", web::cause(&error)))?;
    match bytes.len() as u64 > MOST {
        true => Err(format!("the manifest has more than {MOST} bytes")),
        false => Ok(bytes),
    }
}

fn for_every_architecture(manifest: &[u8]) -> Result<(), String> {
    let index: Index = serde_json::from_slice(manifest)
        .map_err(|error| format!("the manifest is none: {error}"))?;
    let Some(manifests) = index.manifests else {
        return Err("the tag is one image and no index, so it is for one architecture".to_owned());
    };
    let mut there: Vec<String> = manifests
        .into_iter()
        .filter_map(|entry| entry.platform)
        .filter(|platform| platform.os == "linux")
        .map(|platform| platform.architecture)
        .collect();
    there.sort();
    there.dedup();
    let missing: Vec<&str> = ARCHITECTURES
        .into_iter()
        .filter(|wanted| !there.iter().any(|architecture| architecture == wanted))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "its index lacks {}; it has {}",
            missing.join(" and "),
            if there.is_empty() { "nothing for Linux".to_owned() } else { there.join(", ") }
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_taken_apart() {
        let fields = r#"realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        assert_eq!(field(fields, "realm"), Some("https://auth.docker.io/token"));
        assert_eq!(field(fields, "Service"), Some("registry.docker.io"));
        assert_eq!(field(fields, "scope"), Some("repository:a/b:pull,push"));
        assert_eq!(field(fields, "error"), None);
    }

    #[test]
    fn where_a_manifest_is() {
        let own = Registry::new(None, None).unwrap();
        let at = |registry: &Registry, repository| registry.place(repository, "1").unwrap().0;
        assert_eq!(
            at(&own, "docker.io/library/traefik").as_str(),
            "https://registry-1.docker.io/v2/library/traefik/manifests/1"
        );
        assert_eq!(at(&own, "ghcr.io/a/b").as_str(), "https://ghcr.io/v2/a/b/manifests/1");
        let mirror = Registry::new(Some("registry.lan:5000"), None).unwrap();
        assert_eq!(
            at(&mirror, "ghcr.io/a/b").as_str(),
            "https://registry.lan:5000/v2/ghcr.io/a/b/manifests/1"
        );
        let loopback = Registry::new(Some("127.0.0.1:5000"), None).unwrap();
        assert_eq!(at(&loopback, "ghcr.io/a/b").scheme(), "http");
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for (mirror, expected) in [
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("localhost:5000", true),
            ("registry.lan:5000", false),
            ("192.168.1.2:5000", false),
            ("localhost.lan", false),
        ] {
            assert_eq!(is_loopback(mirror), expected, "{mirror}");
        }
    }

    #[test]
    fn what_an_index_lacks_is_told() {
        let index = |platforms: &str| {
            let entries: Vec<_> = platforms
                .split_whitespace()
                .filter_map(|word| word.split_once('/'))
                .map(|(os, architecture)| {
                    serde_json::json!({"platform": {"os": os, "architecture": architecture}})
                })
                .collect();
            let text = serde_json::json!({"manifests": entries}).to_string();
            for_every_architecture(text.as_bytes())
        };
        assert_eq!(index("linux/amd64 linux/arm64 unknown/unknown"), Ok(()));
        assert_eq!(
            index("linux/amd64 linux/arm windows/arm64").unwrap_err(),
            "its index lacks arm64; it has amd64, arm"
        );
        assert_eq!(
            index("").unwrap_err(),
            "its index lacks amd64 and arm64; it has nothing for Linux"
        );
        assert_eq!(
            for_every_architecture(br#"{"config":{},"layers":[]}"#).unwrap_err(),
            "the tag is one image and no index, so it is for one architecture"
        );
    }
}
