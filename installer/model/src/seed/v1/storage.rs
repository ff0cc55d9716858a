//! `[[storage.mount]]` and `[install]`.

use super::{
    super::{
        DiskConsent, DiskSelector, FileSystem, Member, Mount, MountSource, Unlock,
        reader::{At, Table},
        shape,
    },
    twice,
};

pub(super) fn mounts(storage: &Table<'_>) -> Option<Vec<Mount>> {
    let tables = storage.tables("mount");
    places(storage, &tables);
    let mounts: Vec<Option<Mount>> = tables.iter().map(mount).collect();
    mounts.into_iter().collect()
}

fn mount(table: &Table<'_>) -> Option<Mount> {
    let at = table.text("at");
    let holds = table.list("holds", |text| Ok(text.to_owned()));
    let source = source(table);
    if let Some(holds) = &holds {
        twice(table, holds, |name| format!("`{name}`"));
        match at.as_ref().map(|at| at.value) {
            Some("/mnt/storage") if holds.is_empty() => table.sink().missing(
                table.key_place("holds").or_else(|| at.as_ref().map(|at| at.place.clone())),
                "`/mnt/storage` does not say what it holds",
                "add `holds = [\"media\", \"downloads\"]`",
            ),
            Some("/mnt/storage") | None => {}
            Some(at) if table.has("holds") => table.sink().push(
                table.key_place("holds"),
                format!("`holds` is only for `/mnt/storage`, this is `{at}`"),
                "take it away, or mount at `/mnt/storage`",
            ),
            Some(_) => {}
        }
    }
    Some(Mount {
        at: at?.value.to_owned(),
        holds: holds?.into_iter().map(|at| at.value).collect(),
        source: source?,
    })
}

/// One place, one mount; and what `/mnt/storage` takes in has no mount of its own.
fn places(storage: &Table<'_>, tables: &[Table<'_>]) {
    let mut taken: Vec<(String, String)> = Vec::new();
    for table in tables {
        let Some(at) = table.text("at") else { continue };
        let mut claims = vec![At { value: at.value.to_owned(), place: at.place.clone() }];
        if at.value == "/mnt/storage" {
            let holds = table.list("holds", |text| Ok(text.to_owned())).unwrap_or_default();
            claims.extend(
                holds
                    .into_iter()
                    .map(|held| At { value: format!("/mnt/{}", held.value), place: held.place }),
            );
        }
        let already = taken.clone();
        for claim in claims {
            match already.iter().find(|(place, _)| *place == claim.value) {
                Some((_, by)) if *by == claim.value => storage.sink().push(
                    Some(claim.place),
                    format!("`{}` already has a mount", claim.value),
                    "one place takes one disk or share",
                ),
                Some((_, by)) => storage.sink().push(
                    Some(claim.place),
                    format!("`{}` is already held by `{by}`", claim.value),
                    "take it out of `holds`, or take this mount away",
                ),
                None => {
                    // A mount of its own first, then `holds` that claims it.
                    taken.push((claim.value, at.value.to_owned()));
                }
            }
        }
    }
}

fn source(table: &Table<'_>) -> Option<MountSource> {
    let remote = table.optional("remote", shape::remote);
    let members = members(table);
    let user = table.optional("user", shape::share_user);
    let password = table.secret("password", shape::plain_secret);
    let given: Vec<&str> =
        ["disk", "disks", "remote"].into_iter().filter(|key| table.has(key)).collect();
    match given[..] {
        [first, .., second] => {
            table.sink().push(
                table.key_place(second),
                format!("`{first}` and `{second}` are both given"),
                "a mount shows one of them: take the other away",
            );
            return None;
        }
        [] => {
            table.sink().missing(
                table.place(),
                "`[[storage.mount]]` needs `disk`, `disks` or `remote`",
                "add `disk = \"serial:…\"` or `remote = \"host:/export\"`",
            );
            return None;
        }
        [_] => {}
    }
    if table.has("remote") {
        let keys = ["filesystem", "wipe", "wipes", "encrypt"];
        only_for(table, &keys, "for a disk, this is a share");
        let source = remote??.value;
        let MountSource::Smb { share, .. } = source else {
            only_for(table, &["user", "password"], "for an SMB share, this is NFS");
            return Some(source);
        };
        if table.has("user") != table.has("password") {
            let (there, lacks) =
                if table.has("user") { ("user", "password") } else { ("password", "user") };
            table.sink().missing(
                table.key_place(there),
                format!("`{there}` needs `{lacks}` beside it"),
                "give both, or neither for a share that is open to guests",
            );
        }
        return Some(MountSource::Smb {
            share,
            user: user?.map(|at| at.value),
            password: password?,
        });
    }
    only_for(table, &["user", "password"], "for an SMB share, this is a disk");
    let filesystem = match table.text("filesystem").map(|at| at.value) {
        None if table.has("filesystem") => None,
        None | Some("ext4") => Some(FileSystem::Ext4),
        Some("xfs") => Some(FileSystem::Xfs),
        Some("btrfs") => Some(FileSystem::Btrfs),
        Some(_) => None,
    };
    let encrypt = match table.text("encrypt").map(|at| at.value) {
        None if table.has("encrypt") => None,
        None => Some(None),
        Some("key") => Some(Some(Unlock::Key)),
        Some("tpm2") => Some(Some(Unlock::Tpm2)),
        Some(_) => None,
    };
    Some(MountSource::Disks { members: members?, filesystem: filesystem?, encrypt: encrypt? })
}

/// The disks of a mount, each with the consent that names it.
fn members(table: &Table<'_>) -> Option<Vec<Member>> {
    let disk = table.optional("disk", shape::selector);
    let disks = table.list("disks", shape::selector);
    let wipe = table.optional("wipe", shape::serial);
    let wipes = table.list("wipes", shape::serial);
    if !table.has("disks") {
        only_for(table, &["wipes"], "for `disks`");
        let (selector, wipe) = (disk??.value, wipe?);
        if let Some(wipe) = &wipe {
            consent(table, &selector, wipe);
        }
        return Some(vec![Member { selector, wipe: wipe.map(|wipe| wipe.value) }]);
    }
    only_for(table, &["wipe"], "for one disk: `wipes` is for several");
    let (disks, mut wipes) = (disks?, wipes?);
    if disks.len() < 2 {
        let what = "`disks` joins several disks, and here are fewer than two";
        table.sink().missing(table.key_place("disks"), what, "write `disk` for a single one");
    }
    let mut members = Vec::new();
    for At { value: selector, .. } in disks {
        let own = wipes.iter().position(|wipe| names(&selector, &wipe.value));
        members.push(Member { selector, wipe: own.map(|at| wipes.remove(at).value) });
    }
    for wipe in wipes {
        let what = format!("consent is for `{}`, which none of `disks` is", wipe.value);
        let way_out = "repeat the serial of a disk that may be formatted, once";
        table.sink().push(Some(wipe.place), what, way_out);
    }
    Some(members)
}

fn names(disk: &DiskSelector, wipe: &str) -> bool {
    shape::wipe_matches(disk, wipe).is_ok()
}

fn consent(table: &Table<'_>, disk: &DiskSelector, wipe: &At<String>) {
    if let Err(wrong) = shape::wipe_matches(disk, &wipe.value) {
        table.sink().push(Some(wipe.place.clone()), wrong.what, wrong.way_out);
    }
}

fn only_for(table: &Table<'_>, keys: &[&str], what: &str) {
    for key in keys {
        if table.has(key) {
            let place = table.key_place(key);
            table.sink().push(place, format!("`{key}` is only {what}"), "take it away");
        }
    }
}

pub(super) fn install(table: &Table<'_>) -> Option<Option<DiskConsent>> {
    if !table.is_there() {
        return Some(None);
    }
    let disk = table.required("disk", shape::selector);
    let wipe = table.required("wipe", shape::serial);
    let (disk, wipe) = (disk?.value, wipe?);
    consent(table, &disk, &wipe);
    Some(Some(DiskConsent { disk, wipe: wipe.value }))
}
