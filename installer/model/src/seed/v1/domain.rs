//! `[domain]`

use std::collections::BTreeMap;

use super::super::{Certificate, DnsProvider, Domain, System, reader::Table, shape};

/// Directories of Let's Encrypt: <https://letsencrypt.org/docs/acme-protocol-updates/> and
/// <https://letsencrypt.org/docs/staging-environment/>.
const PUBLIC: [(&str, &str); 2] = [
    ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
    ("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
];

/// What a seed calls the authority with this directory; none: it is one of the owner's choice.
pub(in crate::seed) fn issuer(directory: &str) -> Option<&'static str> {
    PUBLIC.iter().find(|(_, known)| *known == directory).map(|(name, _)| *name)
}

pub(super) fn domain(root: &Table<'_>, system: Option<&System>) -> Option<Domain> {
    let table = root.table("domain");
    let name = table.optional("name", shape::domain);
    let dns = dns(&table.table("dns"));
    let certificate = certificate(&table.table("certificate"), root);
    let name = match name? {
        Some(name) => name.value,
        None => format!("{}.home.arpa", system?.hostname),
    };
    Some(Domain { name, dns: dns?, certificate: certificate? })
}

fn dns(table: &Table<'_>) -> Option<Option<DnsProvider>> {
    if !table.is_there() {
        return Some(None);
    }
    let provider = table.required("provider", shape::provider);
    let credentials = table.table("credentials");
    let mut known = Some(BTreeMap::new());
    for name in credentials.names() {
        let source = credentials.secret(name.value, shape::plain_secret);
        match (shape::environment_variable(name.value), source) {
            (Ok(variable), Some(Some(source))) => {
                if let Some(known) = &mut known {
                    known.insert(variable, source);
                }
            }
            (Err(wrong), _) => {
                table.sink().push(Some(name.place), wrong.what, wrong.way_out);
                known = None;
            }
            (Ok(_), _) => known = None,
        }
    }
    if credentials.is_there() && credentials.names().is_empty() {
        table.sink().push(
            credentials.place(),
            "`domain.dns.credentials` is empty",
            "add what the provider asks for, such as `DUCKDNS_TOKEN = \"…\"`",
        );
    }
    let provider = provider?.value;
    if provider == "duckdns" && credentials.is_there() && !credentials.has("DUCKDNS_TOKEN") {
        table.sink().push(
            credentials.place(),
            "`duckdns` needs `DUCKDNS_TOKEN`",
            "add it; the token stands at the top of the page when you are logged in there",
        );
    }
    credentials.is_there().then_some(())?;
    Some(Some(DnsProvider { provider, credentials: known? }))
}

fn certificate(table: &Table<'_>, root: &Table<'_>) -> Option<Certificate> {
    let email = table.optional("email", shape::email);
    let directory = table.optional("directory", shape::directory);
    let root_ca = table.secret("root_ca", shape::pem_certificate);
    let issuer = table.text("issuer").map_or("local", |issuer| issuer.value);
    if table.has("issuer") && table.text("issuer").is_none() {
        return None;
    }
    if issuer != "custom" {
        for key in ["directory", "root_ca"] {
            if table.has(key) {
                table.sink().push(
                    table.key_place(key),
                    format!("`{key}` is only for `issuer = \"custom\"`, this is `{issuer}`"),
                    "take it away, or write `issuer = \"custom\"`",
                );
            }
        }
    }
    let directory = match issuer {
        "local" => return Some(Certificate::Local),
        "custom" => {
            if !table.has("directory") {
                table.sink().missing(
                    table.text("issuer").map(|at| at.place),
                    "`issuer = \"custom\"` needs `directory`",
                    "add `directory = \"https://…\"`, the ACME directory of your authority",
                );
            }
            directory??.value
        }
        public => PUBLIC.iter().find(|(name, _)| *name == public)?.1.to_owned(),
    };
    // An address that the owner gave for other notices will do; one made up by us will not.
    let admin = root.table("admin");
    let email = match email? {
        Some(email) => email.value,
        None if admin.has("email") => shape::email(admin.text("email")?.value).ok()?,
        None => {
            table.sink().missing(
                table.text("issuer").map(|at| at.place),
                format!("`issuer = \"{issuer}\"` needs `email`"),
                "add `email = \"…\"` here or in `[admin]`: the authority warns there",
            );
            return None;
        }
    };
    Some(Certificate::Acme { directory, email, root_ca: root_ca? })
}
