//! Accounts at DNS providers: what to ask the provider to learn whether one is good, and what its
//! answer means. Whoever can reach the network carries the question over and brings the answer.
//!
//! Each question only looks, with one exception: DuckDNS has nothing to look with, so its TXT entry
//! is cleared, as the proxy clears it after each certificate.

use std::collections::BTreeMap;

use crate::{
    Secret,
    questions::{Answers, Id, Value},
    seed::{
        DnsProvider,
        providers::{self, DUCKDNS},
        rules::Refused,
    },
};

/// An account, and the name that it shall serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As `domain.dns.provider` names it.
    pub provider: String,
    /// The provider's variables.
    pub credentials: BTreeMap<String, Secret>,
    /// The domain of the box.
    pub domain: String,
}

/// What to ask. GET, unless there is a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// URL without what follows `?`.
    pub url: &'static str,
    /// What follows `?`, which may hold a token.
    pub query: Option<Secret>,
    /// The header with the token, if it goes into one.
    pub header: Option<(&'static str, Secret)>,
    /// JSON that is posted.
    pub json: Option<Secret>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The account is good, and the domain is in it. In a line.
    Good(String),
    /// That is not known, and why. In a line.
    Unknown(String),
    /// The account is not good.
    Refused(Refused),
}

impl Verdict {
    /// For whoever has typed the account: a note, with which it is taken.
    ///
    /// # Errors
    /// It is not good.
    pub fn told(self) -> Result<String, Refused> {
        match self {
            Self::Good(text) => Ok(format!("{text}.")),
            Self::Unknown(text) => {
                Ok(format!("{text}. Press Enter to go on with the account as you typed it."))
            }
            Self::Refused(refused) => Err(refused),
        }
    }
}

/// Where a token goes.
enum Token {
    /// A header: its name, what stands before the token, the variable.
    Header(&'static str, &'static str, &'static str),
    /// JSON: members and variables.
    Json(&'static [(&'static str, &'static str)]),
    /// DuckDNS has it in the query.
    DuckDns,
}

/// How an account is asked after.
struct Way {
    provider: &'static str,
    url: &'static str,
    query: &'static str,
    token: Token,
}

/// Lists of domains, as the providers document them and the clients of lego
/// (<https://github.com/go-acme/lego/tree/master/providers/dns>) ask for them.
#[rustfmt::skip]
const WAYS: &[Way] = &[
    way("cloudflare", "https://api.cloudflare.com/client/v4/zones", "per_page=50", bearer("CF_DNS_API_TOKEN")),
    way("desec", "https://desec.io/api/v1/domains/", "owns_qname={name}", Token::Header("Authorization", "Token ", "DESEC_TOKEN")),
    way("digitalocean", "https://api.digitalocean.com/v2/domains", "per_page=200", bearer("DO_AUTH_TOKEN")),
    way("duckdns", "https://www.duckdns.org/update", "", Token::DuckDns),
    way("dynu", "https://api.dynu.com/v2/dns", "", Token::Header("API-Key", "", "DYNU_API_KEY")),
    way("gandiv5", "https://api.gandi.net/v5/livedns/domains", "per_page=100", bearer("GANDIV5_PERSONAL_ACCESS_TOKEN")),
    way("hetzner", "https://api.hetzner.cloud/v1/zones", "per_page=50", bearer("HETZNER_API_TOKEN")),
    way("ionos", "https://api.hosting.ionos.com/dns/v1/zones", "", Token::Header("X-API-Key", "", "IONOS_API_KEY")),
    way("linode", "https://api.linode.com/v4/domains", "page_size=500", bearer("LINODE_TOKEN")),
    way("porkbun", "https://api.porkbun.com/api/json/v3/domain/listAll", "", Token::Json(&[("apikey", "PORKBUN_API_KEY"), ("secretapikey", "PORKBUN_SECRET_API_KEY")])),
    way("vultr", "https://api.vultr.com/v2/domains", "per_page=500", bearer("VULTR_API_KEY")),
];

const fn way(provider: &'static str, url: &'static str, query: &'static str, token: Token) -> Way {
    Way { provider, url, query, token }
}

const fn bearer(variable: &'static str) -> Token {
    Token::Header("Authorization", "Bearer ", variable)
}

impl Account {
    /// Of a seed; `reveal` brings the text of each variable. None: one of them is not known here.
    pub fn of_seed(
        dns: &DnsProvider,
        domain: &str,
        reveal: impl Fn(&crate::seed::SecretSource) -> Option<Secret>,
    ) -> Option<Self> {
        let known =
            dns.credentials.iter().map(|(name, source)| Some((name.clone(), reveal(source)?)));
        Some(Self {
            provider: dns.provider.clone(),
            credentials: known.collect::<Option<_>>()?,
            domain: domain.to_owned(),
        })
    }

    /// Of the answers before the question `id`, which is being answered with `value`. None: this is
    /// not the last variable of an account.
    pub fn of_answers(answers: &Answers, id: &Id, value: &Value) -> Option<Self> {
        const VARIABLE: &str = "domain.dns.credentials.";
        let (Some(last), Value::Secret(secret)) = (id.0.strip_prefix(VARIABLE), value) else {
            return None;
        };
        let text = |id: &str| match answers.settled(id) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let provider = match text("domain.kind")?.as_str() {
            "duckdns" => DUCKDNS.code.to_owned(),
            _ => text("domain.provider")?,
        };
        let variables: Vec<String> = match providers::find(&provider) {
            Some(known) => known.variables.iter().map(|(name, _)| (*name).to_owned()).collect(),
            None if provider == DUCKDNS.code => vec![last.to_owned()],
            None => match answers.settled("domain.variables") {
                Some(Value::Texts(names)) => names.clone(),
                _ => return None,
            },
        };
        if variables.last().map(String::as_str) != Some(last) {
            return None;
        }
        let known = variables.into_iter().map(|name| {
            let given = match answers.settled(&format!("{VARIABLE}{name}")) {
                _ if name == last => secret,
                Some(Value::Secret(secret)) => secret,
                _ => return None,
            };
            Some((name, given.clone()))
        });
        let credentials = known.collect::<Option<_>>()?;
        Some(Self { provider, credentials, domain: text("domain.name")? })
    }

    /// The provider's name for people.
    pub fn name(&self) -> &str {
        match self.provider.as_str() {
            code if code == DUCKDNS.code => DUCKDNS.name,
            code => providers::find(code).map_or(code, |provider| provider.name),
        }
    }

    /// What to ask; none: how this provider is asked is not known here, or its variables are others
    /// than those that are known.
    pub fn trial(&self) -> Option<Trial> {
        let way = WAYS.iter().find(|way| way.provider == self.provider)?;
        let variable = |name: &str| self.credentials.get(name).map(Secret::reveal);
        let query = Some(way.query.replace("{name}", &self.domain)).filter(|text| !text.is_empty());
        let plain = Trial { url: way.url, query: query.map(Secret::new), header: None, json: None };
        Some(match way.token {
            Token::Header(name, before, of) => {
                let value = Secret::new(format!("{before}{}", variable(of)?));
                Trial { header: Some((name, value)), ..plain }
            }
            Token::Json(members) => {
                let mut object = serde_json::Map::new();
                for (member, of) in members {
                    object.insert((*member).to_owned(), variable(of)?.into());
                }
                let text = serde_json::Value::Object(object).to_string();
                Trial { json: Some(Secret::new(text)), ..plain }
            }
            // https://www.duckdns.org/spec.jsp: with `txt` nothing but the TXT entry is touched.
            Token::DuckDns => {
                let label = self.domain.strip_suffix(".duckdns.org").unwrap_or(&self.domain);
                let label = label.rsplit('.').next().unwrap_or(label);
                let token = variable("DUCKDNS_TOKEN")?;
                let query = format!("domains={label}&token={token}&txt=&clear=true");
                Trial { query: Some(Secret::new(query)), ..plain }
            }
        })
    }

    /// What the answer to [`Self::trial`] means: its HTTP status and its body.
    pub fn judge(&self, status: u16, body: &str) -> Verdict {
        let (name, domain) = (self.name(), &self.domain);
        let duck = self.provider == DUCKDNS.code;
        match (status, body.trim()) {
            (200, "OK") if duck => Verdict::Good(format!("{name} takes the token for `{domain}`")),
            (200, "KO") if duck => Verdict::Refused(Refused::new(
                format!("{name} does not take this token for `{domain}`"),
                "copy the token from the top of duckdns.org, and see that the name is in the list \
                 there",
            )),
            (200, body) if !duck => match zone(domain, body) {
                Some(zone) => {
                    Verdict::Good(format!("{name} takes the account, which has `{zone}`"))
                }
                None => Verdict::Unknown(format!(
                    "{name} takes the account, but shows neither `{domain}` nor a domain above it; \
                     without one there is no certificate"
                )),
            },
            (400 | 401 | 403, _) => Verdict::Refused(Refused::new(
                format!("{name} refuses the account ({status})"),
                "copy it anew from the provider's page, whole and without blanks; a token may also \
                 have run out, or lack the permission to see and change the domain",
            )),
            (status, _) => Verdict::Unknown(format!(
                "{name} gave no answer to judge by ({status}); the account is taken as it is"
            )),
        }
    }

    /// What is said while the provider is asked.
    pub fn asking(&self) -> String {
        format!("Asking {} whether the account is good.", self.name())
    }

    /// When nobody could be asked, and why.
    pub fn unasked(&self, why: &str) -> Verdict {
        Verdict::Unknown(format!(
            "{} could not be asked whether the account is good: {why}",
            self.name()
        ))
    }
}

/// Where the provider answers; none: that is not known here.
pub fn url(provider: &str) -> Option<&'static str> {
    // OVH signs each question with three keys, so an account is not tried.
    const OVH: (&str, &str) = ("ovh", "https://eu.api.ovh.com/1.0/");
    let way = WAYS.iter().find(|way| way.provider == provider).map(|way| way.url);
    way.or((provider == OVH.0).then_some(OVH.1))
}

/// The domain, or the nearest one above it, that a list in JSON has as a text of its own.
fn zone<'a>(domain: &'a str, list: &str) -> Option<&'a str> {
    let above = std::iter::successors(Some(domain), |name| name.split_once('.').map(|cut| cut.1));
    above.filter(|name| name.contains('.')).find(|name| {
        list.contains(&format!("\"{name}\"")) || list.contains(&format!("\"{name}.\""))
    })
}

#[cfg(test)]
mod tests;
