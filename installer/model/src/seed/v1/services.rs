//! `[vpn]`, `[stacks]`, `[images]`, `[notifications]`, `[backup]`.

use std::collections::BTreeMap;

use super::{
    super::{
        Admin, Backup, ImageSource, Images, Notifications, Ntfy, SecretSource, Smtp,
        StackSelection, Vpn, VpnProtocol, reader::Table, shape,
    },
    twice,
};
use crate::Digest;

pub(super) fn vpn(table: &Table<'_>) -> Option<Option<Vpn>> {
    if !table.is_there() {
        return Some(None);
    }
    let provider = table.required("provider", shape::vpn_provider);
    let private_key = table.secret("private_key", shape::wireguard_key);
    let addresses = table.list("addresses", shape::address);
    let user = table.secret("user", shape::plain_secret);
    let password = table.secret("password", shape::plain_secret);
    if let Some(addresses) = &addresses {
        twice(table, addresses, |net| format!("`{net}`"));
    }
    let protocol = table.text("protocol");
    let spoken = protocol.as_ref().map(|at| at.value);
    let (needs, foreign) = match spoken {
        Some("wireguard") => (["private_key", "addresses"], ["user", "password"]),
        Some("openvpn") => (["user", "password"], ["private_key", "addresses"]),
        _ => return None,
    };
    let name = spoken.unwrap_or_default();
    for key in needs.into_iter().filter(|key| !table.has(key)) {
        let way_out = match key {
            "addresses" => "add `addresses = [\"10.64.0.2/32\"]` as the provider gave them",
            "private_key" => "add `private_key = \"…\"` from the provider's configuration file",
            "user" => "add `user = \"…\"` as the provider gave it",
            _ => "add `password = \"…\"` as the provider gave it",
        };
        let place = protocol.as_ref().map(|at| at.place.clone());
        table.sink().missing(place, format!("`protocol = \"{name}\"` needs `{key}`"), way_out);
    }
    for key in foreign.into_iter().filter(|key| table.has(key)) {
        let other = if name == "wireguard" { "openvpn" } else { "wireguard" };
        table.sink().push(
            table.key_place(key),
            format!("`{key}` is only for `{other}`, this is `{name}`"),
            format!("take it away, or write `protocol = \"{other}\"`"),
        );
    }
    if table.has("addresses") && addresses.as_ref().is_some_and(Vec::is_empty) {
        table.sink().push(
            table.key_place("addresses"),
            "`vpn.addresses` is empty",
            "write the addresses that the provider gave you",
        );
    }
    let protocol = if name == "wireguard" {
        VpnProtocol::Wireguard {
            private_key: private_key??,
            addresses: addresses?.into_iter().map(|at| at.value).collect(),
        }
    } else {
        VpnProtocol::Openvpn { user: user??, password: password?? }
    };
    Some(Some(Vpn { provider: provider?.value, protocol }))
}

pub(super) fn stacks(table: &Table<'_>) -> Option<StackSelection> {
    let enable = table.list("enable", shape::stack_name);
    let disable = table.list("disable", shape::stack_name);
    let without_vpn = table.list("without_vpn", shape::stack_name);
    let prefer = table.list("prefer", shape::stack_name);
    for list in [&enable, &disable, &without_vpn, &prefer].into_iter().flatten() {
        twice(table, list, |name| format!("`{name}`"));
    }
    if let (true, Some(names)) = (table.has("enable"), &enable) {
        if !names.iter().any(|name| name.value == "core") {
            table.sink().push(
                table.key_place("enable"),
                "`core` is not enabled, and nothing works without it",
                "add `\"core\"` to the list, or leave `enable` out to get everything",
            );
        }
    }
    let names = |list: Vec<super::super::reader::At<String>>| -> Vec<String> {
        list.into_iter().map(|at| at.value).collect()
    };
    let enable = enable.map(names);
    Some(StackSelection {
        enable: if table.has("enable") { Some(enable?) } else { None },
        disable: disable.map(names)?,
        without_vpn: without_vpn.map(names)?,
        prefer: prefer.map(names)?,
    })
}

pub(super) fn images(table: &Table<'_>) -> Option<Images> {
    let source = match table.text("source").map(|at| at.value) {
        None if table.has("source") => None,
        None | Some("auto") => Some(ImageSource::Auto),
        Some("bundle") => Some(ImageSource::Bundle),
        Some("registry") => Some(ImageSource::Registry),
        Some(_) => None,
    };
    let mirror = table.optional("mirror", shape::mirror);
    let mirror_ca = table.secret("mirror_ca", shape::pem_certificate);
    if table.has("mirror_ca") && !table.has("mirror") {
        table.sink().missing(
            table.key_place("mirror_ca"),
            "`mirror_ca` is given without `mirror`",
            "add `mirror = \"registry.lan\"`, or take `mirror_ca` away",
        );
    }
    let pins = pins(&table.table("pins"));
    Some(Images {
        source: source?,
        mirror: mirror?.map(|at| at.value),
        mirror_ca: mirror_ca?,
        pins: pins?,
    })
}

fn pins(table: &Table<'_>) -> Option<BTreeMap<String, Digest>> {
    let mut pins = Some(BTreeMap::new());
    for name in table.names() {
        let key = shape::image_or_artefact(name.value);
        if let Err(wrong) = &key {
            table.sink().push(Some(name.place), wrong.what.clone(), wrong.way_out.clone());
        }
        let digest = table.required(name.value, |text| {
            text.parse::<Digest>().map_err(|_| {
                super::super::reader::Wrong::new(
                    format!("`{text}` is no digest"),
                    "write `sha256:` and 64 lower-case hex digits",
                )
            })
        });
        match (&mut pins, key, digest) {
            (Some(pins), Ok(key), Some(digest)) => {
                pins.insert(key, digest.value);
            }
            _ => pins = None,
        }
    }
    pins
}

pub(super) fn notifications(table: &Table<'_>, admin: Option<&Admin>) -> Option<Notifications> {
    let smtp = smtp(&table.table("smtp"), admin);
    let ntfy = ntfy(&table.table("ntfy"));
    Some(Notifications { smtp: smtp?, ntfy: ntfy? })
}

fn smtp(table: &Table<'_>, admin: Option<&Admin>) -> Option<Option<Smtp>> {
    if !table.is_there() {
        return Some(None);
    }
    let server = table.required("server", shape::server_and_port);
    let user = table.optional("user", |text| shape::plain_secret(text).map(|()| text.to_owned()));
    let password = table.secret("password", shape::plain_secret);
    let from = table.required("from", shape::email);
    let to = table.optional("to", shape::email);
    if table.has("user") != table.has("password") {
        let (there, lacks) =
            if table.has("user") { ("user", "password") } else { ("password", "user") };
        table.sink().missing(
            table.key_place(there),
            format!("`{there}` needs `{lacks}` beside it"),
            "give both, or neither for a server that takes mail without login",
        );
    }
    let to = match to? {
        Some(to) => to.value,
        None => admin?.email.clone(),
    };
    Some(Some(Smtp {
        server: server?.value,
        user: user?.map(|at| at.value),
        password: password?,
        from: from?.value,
        to,
    }))
}

fn ntfy(table: &Table<'_>) -> Option<Option<Ntfy>> {
    if !table.is_there() {
        return Some(None);
    }
    let url = table.required("url", shape::ntfy_url);
    let token = table.secret("token", shape::plain_secret);
    Some(Some(Ntfy { url: url?.value, token: token? }))
}

/// Without the table the defaults hold: a box makes backups unless it is told otherwise.
pub(super) fn backup(table: &Table<'_>) -> Option<Backup> {
    let repository = table.or("repository", "/mnt/backups/restic", shape::repository);
    let password = table.secret("password", shape::plain_secret);
    let schedule = table.or("schedule", "*-*-* 03:00:00", shape::schedule);
    Some(Backup {
        repository: repository?,
        password: password?.unwrap_or(SecretSource::Generate),
        schedule: schedule?,
    })
}
