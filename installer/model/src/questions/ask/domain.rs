//! The name that the services stand under, and who vouches for it.

use super::{email, key};
use crate::{
    questions::{Choice, Kind, Question, Value, walk::Walk},
    seed::{
        providers::{self, DUCKDNS, PROVIDERS},
        rules::{self, Refused},
    },
};

/// Asks for the name, the account at its provider, and the authority.
pub(super) fn domain(walk: &mut Walk<'_>) {
    let host = walk.said.text("system.hostname").to_owned();
    let options = vec![
        Choice::new("lan", format!("LAN only: {host}.home.arpa, no account anywhere")),
        Choice::new("duckdns", "DuckDNS: a free name below duckdns.org"),
        Choice::new("own", "a domain of your own"),
    ];
    let kind = walk.text(
        Question::new("domain.kind", "Domain", Kind::Choice { options, other: false })
            .asks("Which name shall the services stand under?")
            .help(
                "LAN only: the box is its own certificate authority, which your devices are told to \
                 trust once; it works without the Internet. With DuckDNS or a domain of your own, \
                 certificates come from a public authority, by an entry in DNS: nothing on the box \
                 need be reachable from outside for that.",
            )
            .or("lan"),
    );
    match kind.as_str() {
        "duckdns" => {
            name(walk, "Your name at DuckDNS?", "example.duckdns.org", duckdns_name);
            credential(walk, DUCKDNS.name, "DUCKDNS_TOKEN", "Account token");
            issuer(walk);
        }
        "own" => {
            name(walk, "Your domain?", "home.example.org", |text| Ok(text.to_owned()));
            if own_provider(walk) {
                issuer(walk);
            }
        }
        _ => {}
    }
}

fn name<'a>(
    walk: &mut Walk<'a>,
    asks: &str,
    example: &str,
    rule: impl Fn(&str) -> Result<String, Refused> + 'a,
) {
    walk.text(
        Question::new("domain.name", "Domain name", Kind::Text)
            .asks(format!("{asks} Such as `{example}`."))
            .help(
                "Each service gets a name below it, such as grafana.NAME. You must own it: with \
                 DuckDNS, add it on duckdns.org first.",
            )
            .each(move |text| {
                let text = rule(&text.to_lowercase())?;
                rules::value("domain.name", &text).map(|()| text)
            }),
    );
}

/// DuckDNS serves names directly below its own.
fn duckdns_name(text: &str) -> Result<String, Refused> {
    let label = text.strip_suffix(".duckdns.org").unwrap_or(text);
    if label.is_empty() || label.contains('.') {
        let what = format!("`{text}` is not served by DuckDNS");
        return Err(Refused::new(what, "type the name that you have there: `NAME.duckdns.org`"));
    }
    Ok(format!("{label}.duckdns.org"))
}

/// True: the box can prove the name by the provider.
fn own_provider(walk: &mut Walk<'_>) -> bool {
    let none = Choice::new("none", "none: the box's own certificates, DNS is my business");
    let known = PROVIDERS.iter().map(|provider| Choice::new(provider.code, provider.name));
    let options = std::iter::once(none).chain(known).collect();
    let code = walk.text(
        Question::new("domain.provider", "DNS provider", Kind::Choice { options, other: true })
            .asks("Which provider serves the domain? Another one can be typed by its lego code.")
            .help(
                "The box proves that the name is yours by an entry in DNS, which it makes with an \
                 account of yours. Some 180 providers work; https://go-acme.github.io/lego/dns/ lists \
                 them with their codes and what they ask for. The addresses of the name stay your \
                 business: point it, and *.NAME, at the box.",
            )
            .each(|text| match text {
                "none" => Ok(text.to_owned()),
                "duckdns" => Err(Refused::new(
                    "`duckdns` serves names below duckdns.org only",
                    "go back and choose DuckDNS",
                )),
                text => rules::value("domain.dns.provider", text).map(|()| text.to_owned()),
            }),
    );
    if code == "none" || code.is_empty() {
        return false;
    }
    if let Some(provider) = providers::find(&code) {
        for (variable, about) in provider.variables {
            credential(walk, provider.name, variable, about);
        }
        return true;
    }
    let variables = walk.texts(
        Question::new("domain.variables", "Credentials", Kind::List("variable"))
            .asks(format!("Which variables does `{code}` ask for? Names only, values come next."))
            .help(
                "The page of the provider at https://go-acme.github.io/lego/dns/ lists them under \
                 Credentials, such as `EXAMPLE_API_KEY`.",
            )
            .each(key("domain.dns.credentials"))
            .whole(|value| match &value {
                Value::Texts(list) if list.is_empty() => Err(Refused::new(
                    "without an account there is no certificate for the name",
                    "type one variable or more, or go back and choose `none`",
                )),
                _ => Ok(value),
            }),
    );
    for variable in &variables {
        credential(walk, &code, variable, variable);
    }
    true
}

fn credential(walk: &mut Walk<'_>, provider: &str, variable: &str, about: &str) {
    let id = format!("domain.dns.credentials.{variable}");
    walk.secret(
        Question::new(id, about, Kind::Secret { twice: false })
            .asks(format!("{provider}: {about}? It is not shown while you type."))
            .help(format!(
                "The seed calls it `{variable}`. It is kept on the box in files that only the proxy \
                 can read. Give it no more rights than to change entries of this domain, where the \
                 provider has such tokens."
            ))
            .each(key("domain.dns.credentials.value")),
    );
}

fn issuer(walk: &mut Walk<'_>) {
    let name = walk.said.text("domain.name").to_owned();
    let private = rules::is_private(&name)
        .then(|| format!("no public authority certifies `{name}`, which is a private name"));
    let default = if private.is_some() { "local" } else { "letsencrypt" };
    let options = vec![
        Choice::new("letsencrypt", "Let's Encrypt").unless(private.clone()),
        Choice::new("local", "the box's own authority"),
        Choice::new("letsencrypt-staging", "Let's Encrypt, staging: for trying out")
            .unless(private),
        Choice::new("custom", "another authority that speaks ACME"),
    ];
    let question =
        Question::new("domain.issuer", "Certificates", Kind::Choice { options, other: false });
    let issuer = walk.text(
        question
            .asks("Who shall vouch for the box's names?")
            .help(
                "Let's Encrypt is trusted by every device. The box's own authority works without the \
                 Internet, but each device must be told to trust it. Staging certificates are \
                 trusted by nobody and have no limits on how often they are asked for.",
            )
            .or(default),
    );
    if issuer == "custom" {
        walk.text(
            Question::new("domain.certificate.directory", "ACME directory", Kind::Text)
                .asks("Directory URL of the authority? Such as https://ca.lan/acme/acme/directory.")
                .help("Its documentation calls it the ACME directory or the server URL.")
                .each(key("domain.certificate.directory")),
        );
        walk.text(
            Question::new("domain.certificate.root_ca", "Root certificate", Kind::Text)
                .asks(
                    "File with its root certificate in PEM? Empty if everybody trusts it already.",
                )
                .help(
                    "A path beside the seed, such as `root.pem`, or an absolute one on the box. It \
                     is read when the box is installed.",
                )
                .or("")
                .each(super::key_or_empty("domain.certificate.root_ca.file")),
        );
    }
    if issuer != "local" {
        email(walk, "The authority writes to it before a certificate runs out.");
    }
}
