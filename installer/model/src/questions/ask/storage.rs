//! Disks and network shares for media, downloads and backups.

use super::{
    disks::{candidates, disk},
    key, key_or_empty,
};
use crate::{
    questions::{
        Kind, Place, Question, Value,
        walk::{Mounted, Walk},
    },
    seed::{
        DiskSelector, MountSource,
        rules::{self, Refused},
    },
};

/// What a disk or a share may hold.
pub(super) const PLACES: [&str; 3] = ["media", "downloads", "backups"];
/// File systems that a disk may have, or gets.
pub(super) const KNOWN: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Asks for each disk that could hold something, then for shares.
pub(super) fn storage(walk: &mut Walk<'_>) {
    let mut taken = Vec::new();
    let mut not_offered = Vec::new();
    if walk.world.place == Place::Box {
        let world = walk.world;
        // The disk that the system goes onto holds nothing else.
        let system = walk.said.text("install.disk").to_owned();
        for candidate in candidates(&world.facts, &system, world.formats, &mut not_offered) {
            disk(walk, &candidate, &mut taken);
        }
    }
    mounts(walk, taken, &not_offered);
}

/// Whether a disk or share of its own holds the backups.
pub(super) fn holds_backups(walk: &Walk<'_>) -> bool {
    walk.said.texts("storage.taken").iter().any(|place| place == "backups")
}

/// Shares, and on a PC disks too, by their names.
fn mounts(walk: &mut Walk<'_>, taken: Vec<String>, not_offered: &[String]) {
    let pc = walk.world.place == Place::Pc;
    let (id, title, asks) = if pc {
        (
            "storage.lines",
            "Disks and shares",
            "Other disks or network shares that shall hold something?",
        )
    } else {
        ("storage.shares", "Network shares", "Network shares that shall hold something?")
    };
    let mut asks = format!("{asks} Such as `media nas.lan:/export/media`.");
    if !not_offered.is_empty() {
        asks += &format!(" Not offered: {}.", not_offered.join("; "));
    }
    let disks = if pc {
        " A disk is written as `serial:...`, with its file system behind it if that is not ext4; on \
         the box itself they are listed. It must have a file system already."
    } else {
        ""
    };
    let before = taken.clone();
    let shared = walk.said.has("storage.shared");
    let lines = walk.texts(
        Question::new(id, title, Kind::List("mount"))
            .asks(asks)
            .help(format!(
                "What it holds (media, downloads, backups; several joined by `+`), a blank, and where \
                 it is: `host:/folder` for NFS, `//host/share` for SMB.{disks} What has no disk or \
                 share lies on the system's disk."
            ))
            .or_value(Value::Texts(Vec::new()))
            .each(move |text| line(text, pc).map(|_| text.to_owned()))
            .whole(move |value| {
                if let Value::Texts(lines) = &value {
                    once(lines, before.clone(), shared)?;
                }
                Ok(value)
            }),
    );
    let mut all = taken;
    for (index, text) in lines.iter().enumerate() {
        let Ok(mut mounted) = line(text, pc) else { continue };
        all.extend(mounted.holds.iter().cloned());
        if let Ok(MountSource::Smb { share, .. }) = rules::remote(&mounted.source) {
            mounted.login = Some(login(walk, index, &share));
        }
        walk.said.mounts.push(mounted);
    }
    walk.said.put("storage.taken", Value::Texts(all));
}

/// A mount as it is typed.
fn line(text: &str, pc: bool) -> Result<Mounted, Refused> {
    let example = "write it as `media nas.lan:/export/media`";
    let Some((holds, source)) = text.split_once(char::is_whitespace) else {
        return Err(Refused::new(format!("`{text}` does not say where it is"), example));
    };
    for place in holds.split('+') {
        if !PLACES.contains(&place) {
            let what = format!("`{place}` is nothing that a disk or share can hold");
            return Err(Refused::new(what, format!("choose from {}", PLACES.join(", "))));
        }
    }
    let holds = holds.split('+').map(str::to_owned).collect();
    let source = source.trim().to_owned();
    let words = ["serial:", "by-id:", "uuid:", "/dev/"];
    if !words.iter().any(|word| source.starts_with(word)) {
        rules::remote(&source)?;
        return Ok(Mounted { holds, source, filesystem: None, wipe: None, login: None });
    }
    if !pc {
        let what = format!("`{source}` is a disk of this box");
        return Err(Refused::new(what, "the disks that can be used are asked for one by one"));
    }
    let last = source.rsplit_once(' ');
    let (disk, kind) = match last.filter(|(_, kind)| KNOWN.contains(kind)) {
        Some((disk, kind)) => (disk.trim_end().to_owned(), kind.to_owned()),
        None => (source, KNOWN[0].to_owned()),
    };
    rules::selector(&disk)?;
    Ok(Mounted { holds, source: disk, filesystem: Some(kind), wipe: None, login: None })
}

/// One place, one mount; and one mount for several places at the most.
fn once(lines: &[String], mut taken: Vec<String>, mut shared: bool) -> Result<(), Refused> {
    let mut sources: Vec<DiskSelector> = Vec::new();
    for text in lines {
        let mounted = line(text, true)?;
        if mounted.holds.len() > 1 && std::mem::replace(&mut shared, true) {
            let what = "only one disk or share can hold several things";
            return Err(Refused::new(what, "give each of the others one thing"));
        }
        for place in mounted.holds {
            if taken.contains(&place) {
                let what = format!("`{place}` has a disk or share already");
                return Err(Refused::new(what, "one place takes one disk or share"));
            }
            taken.push(place);
        }
        if let Ok(disk) = rules::selector(&mounted.source) {
            if sources.contains(&disk) {
                let what = format!("`{}` is there twice", mounted.source);
                return Err(Refused::new(what, "join what it holds by `+`"));
            }
            sources.push(disk);
        }
    }
    Ok(())
}

/// What the names of the questions begin with.
fn login(walk: &mut Walk<'_>, index: usize, share: &str) -> String {
    let id = format!("storage.share.{}", index + 1);
    let user = walk.text(
        Question::new(format!("{id}.user"), "Share's user", Kind::Text)
            .asks(format!("User name for {share}? Empty if it is open to guests."))
            .help("As the file server knows it.")
            .or("")
            .each(key_or_empty("storage.mount.user")),
    );
    if !user.is_empty() {
        walk.secret(
            Question::new(
                format!("{id}.password"),
                "Share's password",
                Kind::Secret { twice: false },
            )
            .asks(format!("Password of {user} at {share}? It is not shown while you type."))
            .help("It is kept on the box in a file that only root can read.")
            .each(key("storage.mount.password")),
        );
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_as_they_are_typed() {
        for (text, holds, source, filesystem) in [
            ("media nas.lan:/export/media", "media", "nas.lan:/export/media", None),
            ("media+downloads  //nas.lan/data", "media downloads", "//nas.lan/data", None),
            ("backups serial:WD 12 xfs", "backups", "serial:WD 12", Some("xfs")),
            ("backups serial:WD12", "backups", "serial:WD12", Some("ext4")),
        ] {
            let mounted = line(text, true).unwrap();
            assert_eq!(
                (mounted.holds.join(" ").as_str(), mounted.source.as_str()),
                (holds, source)
            );
            assert_eq!(mounted.filesystem.as_deref(), filesystem);
        }
        for (text, what) in [
            ("media", "`media` does not say where it is"),
            ("films nas.lan:/x", "`films` is nothing that a disk or share can hold"),
            ("media nas.lan", "`nas.lan` is no network share"),
            (
                "media /dev/sdb",
                "`/dev/sdb` is a kernel name, which may mean another disk after the next start",
            ),
        ] {
            assert_eq!(line(text, true).unwrap_err().what, what);
        }
        assert_eq!(
            line("media serial:X", false).unwrap_err().what,
            "`serial:X` is a disk of this box"
        );
    }
}
