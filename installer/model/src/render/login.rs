//! Rules and clients of the login service.

use serde::Serialize;

use regex::Regex;

use super::{Deployment, oidc_secret_hash};
use crate::catalogue::{
    Service,
    wish::{Access, AccessException, TokenAuth},
};

/// One rule; the first that fits a request decides.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AccessRule {
    host: String,
    /// Regular expressions on path and query; empty: all of the host.
    resources: Vec<String>,
    /// For the group `admins` only.
    admins: bool,
    policy: &'static str,
}

/// All rules. Paths before whole hosts, since they are exceptions from these; in both, the most
/// open level first. What no rule fits is denied by the default policy.
pub(super) fn rules(deployment: &Deployment<'_>) -> Vec<AccessRule> {
    let mut rules: Vec<(bool, usize, AccessRule)> = Vec::new();
    for (_, service) in deployment.services() {
        let Some(host) = deployment.host(service) else { continue };
        let rule = |access: Access, resources: Vec<String>| AccessRule {
            host: host.clone(),
            resources,
            admins: access == Access::TwoFactor,
            policy: access.policy(),
        };
        for exception in &service.wish.access_exceptions {
            let access = exception.access;
            let made = rule(access, exception.paths.clone());
            // A rule for admins fits nobody else who has logged in: without one that refuses
            // them they would fall through to the rule of the whole host, which may be open.
            let others =
                made.admins.then(|| AccessRule { admins: false, policy: "deny", ..made.clone() });
            rules.push((false, order(access), made));
            rules.extend(others.map(|rule| (false, order(access), rule)));
        }
        if let Some(access) = service.wish.access {
            rules.push((true, order(access), rule(access, Vec::new())));
        }
    }
    rules.sort_by(|a, b| (a.0, a.1, &a.2.host).cmp(&(b.0, b.1, &b.2.host)));
    rules.into_iter().map(|(_, _, rule)| rule).collect()
}

/// Who may see a path of a service, as its stack says it.
pub(crate) fn access_at(service: &Service, path: &str) -> Option<Access> {
    let mut exceptions: Vec<&AccessException> = service.wish.access_exceptions.iter().collect();
    exceptions.sort_by_key(|exception| order(exception.access));
    let fits = |pattern: &String| Regex::new(pattern).is_ok_and(|regex| regex.is_match(path));
    let found = exceptions.into_iter().find(|exception| exception.paths.iter().any(fits));
    found.map(|exception| exception.access).or(service.wish.access)
}

fn order(access: Access) -> usize {
    match access {
        Access::Bypass => 0,
        Access::TwoFactor => 1,
        Access::OneFactor => 2,
    }
}

/// A client of the OpenID Connect provider.
#[derive(Debug, Serialize)]
pub(super) struct OidcClient {
    id: String,
    name: String,
    secret_hash: String,
    policy: &'static str,
    pkce: bool,
    redirects: Vec<String>,
    token_auth: TokenAuth,
}

/// All clients, by name.
pub(super) fn clients(deployment: &Deployment<'_>) -> Vec<OidcClient> {
    let mut clients: Vec<OidcClient> = deployment
        .oidc_clients()
        .filter_map(|service| {
            let (oidc, host) = (service.wish.oidc.as_ref()?, deployment.host(service)?);
            let policy = match service.wish.access {
                Some(Access::TwoFactor) => "two_factor",
                _ => "one_factor",
            };
            Some(OidcClient {
                id: service.name.clone(),
                name: service.title().to_owned(),
                secret_hash: oidc_secret_hash(&service.name).placeholder(),
                policy,
                pkce: oidc.pkce,
                redirects: vec![format!("https://{host}{}", oidc.redirect)],
                token_auth: oidc.token_auth,
            })
        })
        .collect();
    clients.sort_by(|a, b| a.id.cmp(&b.id));
    clients
}
