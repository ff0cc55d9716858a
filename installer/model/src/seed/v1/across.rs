//! Checks that no section can make alone.

use super::super::{
    DiskSelector,
    reader::{At, Table},
    shape,
};

pub(super) fn check(root: &Table<'_>) {
    public_certificate(root);
    duckdns_domain(root);
    disks_once(root);
}

/// Authorities prove a name by DNS-01, so they need the DNS account, and public ones need a name
/// of the public DNS.
fn public_certificate(root: &Table<'_>) {
    let domain = root.table("domain");
    let Some(issuer) = domain.table("certificate").text("issuer") else { return };
    if !matches!(issuer.value, "letsencrypt" | "letsencrypt-staging" | "custom") {
        return;
    }
    if !domain.has("dns") {
        root.sink().missing(
            Some(issuer.place.clone()),
            format!("`issuer = \"{}\"` needs `[domain.dns]`", issuer.value),
            "add the provider and its credentials, or write `issuer = \"local\"`",
        );
    }
    if issuer.value == "custom" {
        return;
    }
    match domain.text("name") {
        None if !domain.has("name") => root.sink().missing(
            Some(issuer.place),
            format!("`issuer = \"{}\"` needs `name` in `[domain]`", issuer.value),
            "add the name that you own, or write `issuer = \"local\"`",
        ),
        Some(name) if is_private(name.value) => root.sink().push(
            Some(name.place),
            format!(
                "`{}` cannot be certified by `{}`: it is a private name",
                name.value, issuer.value
            ),
            "use a name that you own, or write `issuer = \"local\"`",
        ),
        _ => {}
    }
}

/// Names that no public authority certifies: not in the public DNS.
pub(in super::super) fn is_private(name: &str) -> bool {
    const PRIVATE: &[&str] =
        &["home.arpa", "internal", "lan", "home", "corp", "mail", "test", "example", "intranet"];
    PRIVATE.iter().any(|private| name == *private || name.ends_with(&format!(".{private}")))
}

/// `duckdns` serves names directly below `duckdns.org` and nothing else.
fn duckdns_domain(root: &Table<'_>) {
    let domain = root.table("domain");
    let Some(provider) = domain.table("dns").text("provider") else { return };
    if provider.value != "duckdns" {
        return;
    }
    match domain.text("name") {
        None if !domain.has("name") => root.sink().missing(
            Some(provider.place),
            "`duckdns` needs `name` in `[domain]`",
            "add `name = \"….duckdns.org\"` to `[domain]`",
        ),
        Some(name) if shape::domain(name.value).is_ok() => {
            let below = name.value.strip_suffix(".duckdns.org");
            let way_out = match below.and_then(|rest| rest.rsplit_once('.')) {
                Some((_, own)) => {
                    format!("write `{own}.duckdns.org`: names below it come by themselves")
                }
                None => "write `name = \"….duckdns.org\"`, or name the provider of this domain"
                    .to_owned(),
            };
            if below.is_none_or(|rest| rest.contains('.')) {
                let what = format!("`{}` is not served by `duckdns`", name.value);
                root.sink().push(Some(name.place), what, way_out);
            }
        }
        _ => {}
    }
}

/// A disk is mounted once, and one that the system is copied to is not mounted at all.
fn disks_once(root: &Table<'_>) {
    let mut seen: Vec<At<DiskSelector>> = Vec::new();
    let mounts = root.table("storage").tables("mount");
    for table in mounts.iter().chain([&root.table("install")]) {
        let one = table.text("disk").map(|at| At { value: at.value.to_owned(), place: at.place });
        // What is wrong with one of them was told where they were read.
        for text in one.into_iter().chain(table.texts("disks")) {
            let Ok(disk) = shape::selector(&text.value) else { continue };
            if seen.iter().any(|other| other.value == disk) {
                root.sink().push(
                    Some(text.place),
                    format!("`{}` is used twice", text.value),
                    "one disk serves one purpose",
                );
            } else {
                seen.push(At { value: disk, place: text.place });
            }
        }
    }
}
