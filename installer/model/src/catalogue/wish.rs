//! The `x-homelab` blocks: what Compose cannot say, as types. Unknown keys are errors.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    plan::Protocol,
    secret::{Notation, SecretRef},
};

/// `x-homelab` at the top of a Compose file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StackWish {
    /// Name for people; default: the stack's own.
    pub title: Option<String>,
    /// One sentence for people.
    pub about: Option<String>,
    /// Stacks that must be up before; `core` always is.
    pub needs: Vec<String>,
    /// Starts after all others: it works on what they have made.
    pub last: bool,
    /// How the files below `./secrets` come to be, by their name.
    #[serde(with = "serde_yaml_ng::with::singleton_map_recursive")]
    pub secrets: BTreeMap<String, SecretSourceWish>,
}

/// How a secret file of a stack comes to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum SecretSourceWish {
    /// Letters and digits from the kernel's randomness.
    Random(usize),
    /// Hexadecimal digits from the kernel's randomness.
    Hex(usize),
    /// RSA private key of so many bits.
    Rsa(usize),
    /// Another secret file of the stack under this name, for a reader that is another user.
    Same(String),
    /// A digest of another secret file.
    Digest {
        /// The other one.
        of: String,
        /// In whose notation.
        notation: Notation,
    },
    /// A secret of the seed, by its name; the file is left out if the seed has none.
    Seed(SecretRef),
}

/// `x-homelab` of a service.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceWish {
    /// Name for people; default: the service's own.
    pub title: Option<String>,
    /// One sentence for people.
    pub about: Option<String>,
    /// Label below the domain: `grafana` is served at `https://grafana.<domain>`; `@` is the domain
    /// itself.
    pub url: Option<String>,
    /// The port that the proxy talks to, inside the container.
    pub port: Option<u16>,
    /// A service of the proxy itself in place of a port, such as `api@internal`.
    pub serves: Option<String>,
    /// Who may see it.
    pub access: Option<Access>,
    /// Paths with another access than the rest.
    pub access_exceptions: Vec<AccessException>,
    /// It logs people in by OpenID Connect.
    pub oidc: Option<Oidc>,
    /// It is the OpenID Connect provider.
    pub oidc_provider: Option<OidcProvider>,
    /// It sleeps until somebody asks for it.
    pub lazy: Lazy,
    /// RAM that it needs; counted against the box's.
    pub memory: Option<Memory>,
    /// Seconds from its start until it must be healthy; 300 if not said.
    pub deadline: Option<u64>,
    /// What a backup of it holds.
    pub backup: Option<Backup>,
    /// How it is watched from outside.
    pub monitor: Option<Monitor>,
    /// Where it tells its metrics.
    pub scrape: Option<Scrape>,
    /// It is deployed only then.
    pub when: Option<Condition>,
    /// Unless its stack is named in the seed, it is deployed only on a box with so much RAM.
    pub from_memory: Option<Memory>,
    /// Service of its stack that it can stand in for: one of the two is deployed, and it is this
    /// one only if the seed prefers it.
    pub instead_of: Option<String>,
    /// Since when its makers care for it no more, and what that means: completes "end of life".
    pub end_of_life: Option<String>,
    /// It gets the box's graphics device, where there is one.
    pub transcodes: bool,
    /// What is done inside its container, once it is healthy if not said otherwise.
    pub setup: Vec<Setup>,
    /// How its owner logs in for the first time, for its page in the docs.
    pub first_login: Option<String>,
    /// What does not work as one may expect, for its page in the docs.
    pub limits: Vec<String>,
    /// Its configuration files, made from templates.
    pub files: Vec<ConfigurationFile>,
    /// Where it wants the box's own certificate.
    pub certificate: Option<CertificateFiles>,
    /// It gets the credentials of `[domain.dns]` for DNS-01.
    pub dns_credentials: bool,
    /// Artefacts of the lock that are mounted into it when they are there.
    pub artefacts: Vec<ArtefactMount>,
    /// Ports of the box that it answers on; each stands under `ports` too.
    pub publishes: Vec<Publish>,
    /// Linter rules that it may break, each with the reason.
    pub exceptions: BTreeMap<String, String>,
}

/// Who may see a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everybody; the service checks for itself.
    Bypass,
    /// Who has logged in.
    OneFactor,
    /// Admins who have logged in with a second factor.
    TwoFactor,
}

impl Access {
    /// As the login service names it.
    pub fn policy(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::OneFactor => "one_factor",
            Self::TwoFactor => "two_factor",
        }
    }
}

/// Paths with another access than the rest of the service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessException {
    /// Regular expressions on path and query, such as `^/api/`.
    pub paths: Vec<String>,
    /// Who may see them.
    pub access: Access,
    /// Why.
    pub reason: String,
}

/// A client of the OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Path that the provider sends people back to, on the service's own URL.
    pub redirect: String,
    /// Proof key for code exchange.
    #[serde(default = "yes")]
    pub pkce: bool,
    /// How the service shows its secret to the provider.
    #[serde(default)]
    pub token_auth: TokenAuth,
}

/// How a client authenticates at the token endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenAuth {
    /// In the Authorization header.
    #[default]
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
}

/// The secrets that the OpenID Connect provider needs as soon as there is a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcProvider {
    /// Secret file with the HMAC secret.
    pub hmac: String,
    /// Secret file with the RSA key.
    pub key: String,
}

/// `lazy`: `true`, or how it sleeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lazy(pub Option<LazyWish>);

/// How a lazy service sleeps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LazyWish {
    /// It goes to sleep so long after the last request, such as `15m`.
    pub after: String,
    /// The visitor gets a page that waits, or the request itself waits.
    pub wait: LazyWait,
}

impl Default for LazyWish {
    fn default() -> Self {
        Self { after: "15m".to_owned(), wait: LazyWait::Page }
    }
}

/// What a visitor of a sleeping service gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LazyWait {
    /// A page that reloads itself until the service is there.
    Page,
    /// The answer, late: for programs.
    Request,
}

impl<'de> Deserialize<'de> for Lazy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum: its message would not name the wrong key.
        let value = serde_yaml_ng::Value::deserialize(deserializer)?;
        match value.as_bool() {
            Some(true) => Ok(Self(Some(LazyWish::default()))),
            Some(false) => Ok(Self(None)),
            None => serde_yaml_ng::from_value(value).map(|wish| Self(Some(wish))),
        }
        .map_err(D::Error::custom)
    }
}

/// An amount of RAM in bytes, written `64M` or `2G` (powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no amount of memory; write `64M` or `2G`");
        let lower = text.to_ascii_lowercase();
        let lower = lower.strip_suffix('b').unwrap_or(&lower);
        let (number, unit) = match lower.char_indices().next_back() {
            Some((at, 'k')) => (&lower[..at], 1 << 10),
            Some((at, 'm')) => (&lower[..at], 1 << 20),
            Some((at, 'g')) => (&lower[..at], 1 << 30),
            _ => return Err(bad()),
        };
        number.parse().map(|n: u64| Self(n.saturating_mul(unit))).map_err(|_| bad())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0 >> 20)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What a backup of a service holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Named volumes.
    pub volumes: Vec<String>,
    /// Paths below the stack's folder.
    pub paths: Vec<String>,
}

/// How a service is watched from outside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// Path that answers without a login.
    pub path: String,
}

/// Where a service tells its metrics, on the networks that it shares with Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scrape {
    /// Port inside the container.
    pub port: u16,
    /// Default `/metrics`.
    #[serde(default = "metrics")]
    pub path: String,
}

/// Something done once inside a container that runs: an account, a connection to another service.
/// It looks before it acts and may be done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// What it brings about; completes "cannot".
    #[serde(rename = "for")]
    pub purpose: String,
    /// Exits with 0 when it is so already.
    pub check: Vec<String>,
    /// Brings it about.
    pub run: Vec<String>,
    /// The service becomes healthy only by this. The proxy leads nobody to a service that is not
    /// healthy, so nobody can claim one whose health check waits for its account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before_healthy: bool,
    /// User inside the container, if not the container's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A service is deployed only when the seed has this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `vpn`: there is a `[vpn]`.
    Vpn,
    /// `dns.<provider>`: `[domain.dns]` names this provider.
    Dns(String),
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once('.') {
            None if text == "vpn" => Ok(Self::Vpn),
            Some(("dns", provider)) if !provider.is_empty() => Ok(Self::Dns(provider.to_owned())),
            _ => Err(D::Error::custom(format!(
                "`{text}` is no condition; write `vpn` or `dns.<provider>`"
            ))),
        }
    }
}

/// A configuration file of a service. It is made from the file of the same path in the stack's
/// folder of the catalogue, or from `<path>.j2` there, which is a template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationFile {
    /// Below the stack's folder.
    pub path: String,
    /// When the service reads it.
    #[serde(default)]
    pub read: Reading,
}

/// When a service reads a configuration file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// At its start: a change makes a new container.
    #[default]
    Start,
    /// Whenever it changes.
    Live,
    /// It rewrites the file itself: written only when there is none.
    Initial,
}

/// Where a service wants the box's own certificate, below the stack's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// Chain, PEM.
    pub chain: String,
    /// Key, PEM; readable by the service's user.
    pub key: String,
}

/// An artefact of the lock, mounted into a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactMount {
    /// Its name in the lock.
    pub name: String,
    /// Where it lies inside the container.
    pub at: String,
}

/// A port of the box that a service answers on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// 1 to 65535.
    pub port: u16,
    /// TCP if not said.
    #[serde(default = "tcp")]
    pub protocol: Protocol,
    /// Which of the permitted kinds it is.
    #[serde(rename = "as")]
    pub kind: PublishKind,
    /// What for; the firewall shows it.
    #[serde(rename = "for")]
    pub purpose: String,
}

/// The only kinds of published ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishKind {
    /// The reverse proxy.
    Proxy,
    /// The resolver of the network.
    Dns,
    /// Media clients that cannot go through the proxy.
    Media,
}

fn metrics() -> String {
    "/metrics".to_owned()
}

fn yes() -> bool {
    true
}

fn tcp() -> Protocol {
    Protocol::Tcp
}
