//! What templates can use.

use serde::Serialize;

use super::{Deployment, labels, login};
use crate::{
    secret::SecretRef,
    seed::{Certificate, Smtp},
};

/// The values of a template, by the names of these fields.
#[derive(Debug, Serialize)]
pub(super) struct Context {
    domain: String,
    portal_url: String,
    timezone: String,
    hostname: String,
    admin: Admin,
    certificate: CertificateContext,
    smtp: Option<SmtpContext>,
    /// Services can be lazy on this box.
    lazy: bool,
    lazy_routes: Vec<labels::LazyRoute>,
    rules: Vec<login::AccessRule>,
    oidc_clients: Vec<login::OidcClient>,
}

#[derive(Debug, Serialize)]
struct Admin {
    name: String,
    email: String,
    password_hash: String,
}

#[derive(Debug, Default, Serialize)]
struct CertificateContext {
    acme: bool,
    email: String,
    directory: String,
    provider: String,
    /// File name for account and certificates: another one for each authority, since a
    /// certificate of one must not be served for the other.
    storage: String,
    root_ca: Option<String>,
}

#[derive(Debug, Serialize)]
struct SmtpContext {
    address: String,
    from: String,
    user: Option<String>,
    password: bool,
}

/// Name of the secret file with the root of a private ACME authority, for a service.
pub(super) fn acme_root_file(service: &str) -> String {
    format!("{service}-acme-root-ca")
}

pub(super) fn context(deployment: &Deployment<'_>) -> Context {
    let seed = deployment.seed;
    Context {
        domain: seed.domain.name.clone(),
        portal_url: format!("https://{}", deployment.portal()),
        timezone: seed.system.timezone.clone(),
        hostname: seed.system.hostname.clone(),
        admin: Admin {
            name: seed.admin.name.clone(),
            email: seed.admin.email.clone(),
            password_hash: SecretRef::new("admin-sso-hash").placeholder(),
        },
        certificate: certificate(deployment),
        smtp: seed.notifications.smtp.as_ref().map(smtp),
        lazy: deployment.can_be_lazy(),
        lazy_routes: labels::lazy_routes(deployment),
        rules: login::rules(deployment),
        oidc_clients: login::clients(deployment),
    }
}

fn certificate(deployment: &Deployment<'_>) -> CertificateContext {
    let Certificate::Acme { directory, email, root_ca } = &deployment.seed.domain.certificate
    else {
        return CertificateContext::default();
    };
    let reader = deployment.services().find(|(_, service)| service.wish.dns_credentials);
    let root = root_ca.as_ref().and(reader);
    let dns = deployment.seed.domain.dns.as_ref();
    let authority = directory.trim_start_matches("https://").split('/').next().unwrap_or_default();
    CertificateContext {
        acme: true,
        email: email.clone(),
        directory: directory.clone(),
        provider: dns.map(|dns| dns.provider.clone()).unwrap_or_default(),
        storage: format!("{}.json", authority.replace(':', "-")),
        root_ca: root.map(|(_, s)| format!("/run/secrets/{}", acme_root_file(&s.name))),
    }
}

fn smtp(smtp: &Smtp) -> SmtpContext {
    let scheme = match smtp.server.rsplit_once(':') {
        Some((_, "465")) => "submissions",
        Some((_, "25")) => "smtp",
        _ => "submission",
    };
    SmtpContext {
        address: format!("{scheme}://{}", smtp.server),
        from: smtp.from.clone(),
        user: smtp.user.clone(),
        password: smtp.password.is_some(),
    }
}
