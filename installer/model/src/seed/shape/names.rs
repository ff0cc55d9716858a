//! Names: of hosts, users, zones, providers, stacks.

use super::super::reader::Wrong;

/// Users and groups that Debian, or a package that the image carries, makes: an account of that
/// name cannot be made or would be somebody else. From base-passwd, systemd and openssh-server.
const TAKEN: &[&str] = &[
    "_apt",
    "_chrony",
    "_rpc",
    "_ssh",
    "adm",
    "audio",
    "authelia",
    "backup",
    "bin",
    "cdrom",
    "clock",
    "crontab",
    "daemon",
    "dialout",
    "dip",
    "disk",
    "docker",
    "fax",
    "floppy",
    "games",
    "homelab",
    "input",
    "irc",
    "kmem",
    "kvm",
    "list",
    "lp",
    "mail",
    "man",
    "messagebus",
    "netdev",
    "news",
    "nobody",
    "nogroup",
    "operator",
    "plugdev",
    "polkitd",
    "proxy",
    "render",
    "root",
    "sasl",
    "sgx",
    "shadow",
    "src",
    "sshd",
    "staff",
    "statd",
    "sudo",
    "sync",
    "sys",
    "systemd-coredump",
    "systemd-journal",
    "systemd-network",
    "systemd-resolve",
    "systemd-timesync",
    "tape",
    "tcpdump",
    "tss",
    "tty",
    "users",
    "utmp",
    "uucp",
    "uuidd",
    "video",
    "voice",
    "www-data",
];

/// Lower-case letters, digits and hyphens, no hyphen at either end, 1 to 63 of them (RFC 1123).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Labels joined by dots, at most 253 characters; the last one not a number.
pub(super) fn is_dns_name(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

pub(in super::super) fn host_label(text: &str) -> Result<String, Wrong> {
    if text == "localhost" {
        let what = "`localhost` is every machine's name for itself";
        return Err(Wrong::new(what, "choose another name, such as `homelab`"));
    }
    if text.contains('.') {
        let first = text.split('.').next().unwrap_or_default();
        let way_out = format!("write `{first}` here and the rest in `[domain] name`");
        return Err(Wrong::new(format!("`{text}` is more than a host name"), way_out));
    }
    is_label(text).then(|| text.to_owned()).ok_or_else(|| {
        let way_out = "use 1 to 63 of `a`-`z`, `0`-`9` and `-`, with no hyphen at either end";
        Wrong::new(format!("`{text}` is no host name"), way_out)
    })
}

pub(in super::super) fn domain(text: &str) -> Result<String, Wrong> {
    let lower = text.to_lowercase();
    if lower != text && is_dns_name(&lower) {
        let what = format!("`{text}` has capital letters");
        return Err(Wrong::new(what, format!("write `{lower}`")));
    }
    if !text.is_ascii() {
        let what = format!("`{text}` has letters that DNS cannot carry");
        return Err(Wrong::new(what, "write it in its `xn--` form"));
    }
    if !is_dns_name(text) {
        let way_out = "write a name such as `example.duckdns.org` or `homelab.home.arpa`";
        return Err(Wrong::new(format!("`{text}` is no DNS name"), way_out));
    }
    let top = text.rsplit('.').next().unwrap_or_default();
    if matches!(top, "local" | "localhost" | "invalid" | "onion") {
        let what = format!("names under `.{top}` are not resolved by DNS");
        return Err(Wrong::new(what, "use a name under `home.arpa`, or one that you own"));
    }
    if psl::domain_str(text).is_none() {
        let what = format!("`{text}` is a public suffix, which nobody owns");
        return Err(Wrong::new(what, format!("put your own name before it: `example.{text}`")));
    }
    Ok(text.to_owned())
}

pub(in super::super) fn user_name(text: &str) -> Result<String, Wrong> {
    let mut bytes = text.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let goes_on = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if !begins || !bytes.all(goes_on) || text.len() > 32 {
        let way_out = "begin with `a`-`z`, go on with `a`-`z`, `0`-`9`, `_`, `-`, at most 32";
        return Err(Wrong::new(format!("`{text}` is no Linux user name"), way_out));
    }
    if TAKEN.contains(&text) {
        let what = format!("`{text}` is a name that the system uses itself");
        return Err(Wrong::new(what, "choose another, such as your first name"));
    }
    Ok(text.to_owned())
}

pub(in super::super) fn email(text: &str) -> Result<String, Wrong> {
    let local = |b: u8| b.is_ascii_alphanumeric() || b"._%+-".contains(&b);
    let good = text.rsplit_once('@').is_some_and(|(name, host)| {
        (1..=64).contains(&name.len())
            && name.bytes().all(local)
            && host.contains('.')
            && is_dns_name(&host.to_lowercase())
    });
    good.then(|| text.to_owned()).ok_or_else(|| {
        Wrong::new(format!("`{text}` is no mail address"), "write it as `name@example.org`")
    })
}

pub(in super::super) fn timezone(text: &str) -> Result<String, Wrong> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_".contains(&b))
    };
    let good = text.len() <= 64 && text.split('/').count() <= 3 && text.split('/').all(part);
    good.then(|| text.to_owned()).ok_or_else(|| {
        Wrong::new(
            format!("`{text}` is no time zone"),
            "write it as IANA does, such as `Europe/Berlin`; `timedatectl list-timezones` has all",
        )
    })
}

pub(in super::super) fn locale(text: &str) -> Result<String, Wrong> {
    let (name, charset) = text.split_once('.').unwrap_or((text, ""));
    let (name, modifier) = match charset.split_once('@') {
        Some((_, modifier)) => (name, Some(modifier)),
        None => name.split_once('@').map_or((name, None), |(name, rest)| (name, Some(rest))),
    };
    let charset = charset.split('@').next().unwrap_or_default();
    let lower = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase());
    let good_name = name == "C"
        || name.split_once('_').is_some_and(|(language, country)| {
            (2..=3).contains(&language.len())
                && lower(language)
                && country.len() == 2
                && country.bytes().all(|b| b.is_ascii_uppercase())
        });
    let good_modifier = modifier.is_none_or(|name| !name.is_empty() && lower(name));
    if good_name && good_modifier && charset == "UTF-8" {
        return Ok(text.to_owned());
    }
    let what = format!("`{text}` is no UTF-8 locale");
    Err(match (good_name && good_modifier, modifier) {
        (true, None) => Wrong::new(what, format!("write `{name}.UTF-8`")),
        (true, Some(modifier)) => Wrong::new(what, format!("write `{name}.UTF-8@{modifier}`")),
        (false, _) => Wrong::new(what, "write it as `en_US.UTF-8` or `C.UTF-8`"),
    })
}

pub(in super::super) fn keyboard(text: &str) -> Result<String, Wrong> {
    let good = (2..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    good.then(|| text.to_owned()).ok_or_else(|| {
        Wrong::new(format!("`{text}` is no keyboard layout"), "write it as `us`, `de` or `ch`")
    })
}

/// Names of stacks and services are those of folders and containers.
pub(in super::super) fn stack_name(text: &str) -> Result<String, Wrong> {
    is_label(text).then(|| text.to_owned()).ok_or_else(|| {
        let way_out = "names are lower-case letters, digits and hyphens, such as `media`";
        Wrong::new(format!("`{text}` names nothing that can be deployed"), way_out)
    })
}

/// Provider codes of lego: <https://go-acme.github.io/lego/dns/>.
pub(in super::super) fn provider(text: &str) -> Result<String, Wrong> {
    let good = (2..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if matches!(text, "manual" | "exec" | "httpreq") {
        let what = format!("`{text}` is no provider that the box can use by itself");
        return Err(Wrong::new(what, "name the DNS service, such as `duckdns` or `cloudflare`"));
    }
    good.then(|| text.to_owned()).ok_or_else(|| {
        let way_out = "write its lego code in lower case, such as `duckdns` or `cloudflare`";
        Wrong::new(format!("`{text}` is no DNS provider"), way_out)
    })
}

pub(in super::super) fn environment_variable(text: &str) -> Result<String, Wrong> {
    let good = text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    good.then(|| text.to_owned()).ok_or_else(|| {
        let way_out = "write it as the provider's page does, such as `DUCKDNS_TOKEN`";
        Wrong::new(format!("`{text}` is no environment variable"), way_out)
    })
}

/// Gluetun's provider names are lower-case words, some with blanks.
pub(in super::super) fn vpn_provider(text: &str) -> Result<String, Wrong> {
    let good = (2..=40).contains(&text.len())
        && text.split(' ').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
    if text == "custom" {
        let what = "`custom` needs an endpoint, which schema 1 cannot give";
        return Err(Wrong::new(what, "name the provider, such as `mullvad` or `protonvpn`"));
    }
    good.then(|| text.to_owned()).ok_or_else(|| {
        let way_out = "write it as Gluetun does, such as `mullvad` or `private internet access`";
        Wrong::new(format!("`{text}` is no VPN provider"), way_out)
    })
}

/// `traefik:v3.7.11`, `ghcr.io/owner/name:tag`, or an artefact's name.
pub(in super::super) fn image_or_artefact(text: &str) -> Result<String, Wrong> {
    let good = (1..=255).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:".contains(&b));
    let what = || format!("`{text}` is no image and no artefact");
    if text.contains('@') {
        let name = text.split('@').next().unwrap_or_default();
        let way_out = format!("write `\"{name}\" = \"sha256:…\"`");
        return Err(Wrong::new(what(), way_out));
    }
    good.then(|| text.to_owned()).ok_or_else(|| {
        Wrong::new(what(), "write the catalogue's reference with its tag: `\"traefik:v3.7.11\"`")
    })
}

/// A user name on a file server: it goes into a credentials file, one line each.
pub(in super::super) fn share_user(text: &str) -> Result<String, Wrong> {
    let good = (1..=104).contains(&text.len())
        && text.trim() == text
        && !text.chars().any(|c| c.is_control() || "\"/[]:;|=,+*?<>".contains(c));
    good.then(|| text.to_owned()).ok_or_else(|| {
        Wrong::new(format!("`{text}` is no user name"), "write it as the server knows it")
    })
}
