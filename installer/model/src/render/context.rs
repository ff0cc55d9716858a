//! What templates can use.

use serde::Serialize;

use super::{Deployment, backup, labels, login, schedule::cron};
use crate::{
    catalogue::{Service, Stack, wish::Access},
    secret::SecretRef,
    seed::{Backup, Certificate, Ntfy, Smtp},
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
    ntfy: Option<NtfyContext>,
    backup: BackupContext,
    /// What a backup holds, as absolute paths on the box, sorted.
    backup_paths: Vec<String>,
    /// There is a VPN, and downloads go through it.
    vpn: bool,
    /// First IPv4 address on the LAN; empty if there is none yet.
    lan_address: String,
    /// Everything deployed, in the order of its start.
    services: Vec<ServiceContext>,
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

/// A deployed service, for start page, monitors and metrics.
#[derive(Debug, Serialize)]
struct ServiceContext {
    name: String,
    title: String,
    about: String,
    stack: String,
    stack_title: String,
    /// `https://grafana.<domain>`; none: it has no page.
    url: Option<String>,
    /// Where other containers find its page: `http://grafana:3000`.
    inner: Option<String>,
    /// What says from outside whether it works, without a login.
    monitor: Option<String>,
    /// `port` and `path` of its metrics.
    scrape: Option<ScrapeContext>,
    lazy: bool,
    open: bool,
}

#[derive(Debug, Serialize)]
struct ScrapeContext {
    port: u16,
    path: String,
}

#[derive(Debug, Serialize)]
struct NtfyContext {
    url: String,
    token: bool,
}

#[derive(Debug, Serialize)]
struct BackupContext {
    repository: String,
    /// Five fields of crontab(5).
    cron: String,
}

#[derive(Debug, Serialize)]
struct SmtpContext {
    address: String,
    /// `host:port`
    server: String,
    to: String,
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
        ntfy: seed.notifications.ntfy.as_ref().map(ntfy),
        backup: backup(&seed.backup),
        backup_paths: backup::paths(deployment),
        vpn: seed.vpn.is_some(),
        lan_address: deployment.lan_address().map(|ip| ip.to_string()).unwrap_or_default(),
        services: deployment
            .services()
            .map(|(stack, service)| service_context(deployment, stack, service))
            .collect(),
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

fn service_context(
    deployment: &Deployment<'_>,
    stack: &Stack,
    service: &Service,
) -> ServiceContext {
    let wish = &service.wish;
    let url = deployment.host(service).map(|host| format!("https://{host}"));
    let at = deployment.found_at(service);
    let inner = wish.port.map(|port| format!("http://{at}:{port}"));
    let monitor = wish.monitor.as_ref();
    ServiceContext {
        name: service.name.clone(),
        title: service.title().to_owned(),
        about: wish.about.clone().unwrap_or_default(),
        stack: stack.name.clone(),
        stack_title: stack.wish.title.clone().unwrap_or_else(|| stack.name.clone()),
        monitor: inner.clone().zip(monitor).map(|(inner, m)| format!("{inner}{}", m.path)),
        url,
        inner,
        scrape: wish
            .scrape
            .as_ref()
            .map(|scrape| ScrapeContext { port: scrape.port, path: scrape.path.clone() }),
        lazy: deployment.is_lazy(service),
        open: wish.access == Some(Access::Bypass),
    }
}

fn ntfy(ntfy: &Ntfy) -> NtfyContext {
    NtfyContext { url: ntfy.url.clone(), token: ntfy.token.is_some() }
}

fn backup(backup: &Backup) -> BackupContext {
    BackupContext {
        repository: backup.repository.clone(),
        // The plan refuses a schedule that cron cannot say.
        cron: cron(&backup.schedule).unwrap_or_default(),
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
        server: smtp.server.clone(),
        to: smtp.to.clone(),
        from: smtp.from.clone(),
        user: smtp.user.clone(),
        password: smtp.password.is_some(),
    }
}
