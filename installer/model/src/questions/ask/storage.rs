//! Disks and network shares for media, downloads and backups.

use super::{candidates::KNOWN, disks::disks, key, key_or_empty};
use crate::{
    disk::Unlock,
    questions::{
        Kind, Place, Question, Value,
        mounted::{Fate, Kept, Member, Mounted, PLACES, Source, add},
        walk::Walk,
    },
    seed::{
        MountSource,
        rules::{self, Refused},
    },
};

/// Asks for disks, then for shares.
pub(super) fn storage(walk: &mut Walk<'_>) {
    if walk.world.place == Place::Box {
        disks(walk);
    }
    mounts(walk);
}

/// Whether a disk or share of its own holds the backups.
pub(super) fn holds_backups(walk: &Walk<'_>) -> bool {
    walk.said.mounts.iter().any(|mount| mount.holds.iter().any(|place| place == "backups"))
}

/// Shares, and on a PC disks too, by their names.
fn mounts(walk: &mut Walk<'_>) {
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
    let disks = if pc {
        " A disk is written as `serial:...`, with its file system behind it if that is not ext4; on \
         the box itself they are listed. It must have a file system already. Disks that hold the \
         same become one folder. Behind a disk that a box has encrypted stands `key` or `tpm2`."
    } else {
        ""
    };
    let before = walk.said.mounts.clone();
    let lines = walk.texts(
        Question::new(id, title, Kind::List("mount"))
            .asks(format!("{asks} Such as `media nas.lan:/export/media`."))
            .help(format!(
                "What it holds (media, downloads, backups; several joined by `+`), a blank, and where \
                 it is: `host:/folder` for NFS, `//host/share` for SMB.{disks} What has no disk or \
                 share lies on the system's disk."
            ))
            .or_value(Value::Texts(Vec::new()))
            .each(move |text| line(text, pc).map(|_| text.to_owned()))
            .whole(move |value| {
                if let Value::Texts(lines) = &value {
                    let mut all = before.clone();
                    for text in lines {
                        add(&mut all, line(text, pc)?)?;
                    }
                }
                Ok(value)
            }),
    );
    for (index, text) in lines.iter().enumerate() {
        let Ok(mut mounted) = line(text, pc) else { continue };
        if let Source::Share { remote, login: found } = &mut mounted.source {
            if let Ok(MountSource::Smb { share, .. }) = rules::remote(remote) {
                *found = Some(login(walk, index, &share));
            }
        }
        // Beyond the open question a line may not fit yet; it is held to its rule in its turn.
        let _ = add(&mut walk.said.mounts, mounted);
    }
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
    let held = |place: &&str| holds.split('+').any(|held| held == *place);
    let holds = PLACES.into_iter().filter(held).map(str::to_owned).collect();
    let source = source.trim();
    let words = ["serial:", "by-id:", "uuid:", "/dev/"];
    if !words.iter().any(|word| source.starts_with(word)) {
        rules::remote(source)?;
        let source = Source::Share { remote: source.to_owned(), login: None };
        return Ok(Mounted { holds, source });
    }
    if !pc {
        let what = format!("`{source}` is a disk of this box");
        return Err(Refused::new(what, "the disks that can be used are asked for one by one"));
    }
    let unlocks = [Unlock::Key, Unlock::Tpm2];
    let (source, unlock) = ending(source, |word| unlocks.into_iter().find(|u| u.word() == word));
    let (selector, kind) = ending(source, |word| KNOWN.into_iter().find(|kind| *kind == word));
    rules::selector(selector)?;
    let filesystem = kind.unwrap_or(KNOWN[0]).to_owned();
    let fate = Fate::Kept(Kept { filesystem, unlock });
    let member = Member { selector: selector.to_owned(), fate };
    Ok(Mounted { holds, source: Source::Disks(vec![member]) })
}

/// A text without its last word, if that is a known one.
fn ending<T>(text: &str, known: impl Fn(&str) -> Option<T>) -> (&str, Option<T>) {
    let last = text.rsplit_once(' ').and_then(|(rest, word)| Some((rest.trim_end(), known(word)?)));
    last.map_or((text, None), |(rest, found)| (rest, Some(found)))
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
        for (text, holds, source) in [
            ("media nas.lan:/export/media", "media", "nas.lan:/export/media"),
            ("downloads+media  //nas.lan/data", "media downloads", "//nas.lan/data"),
            ("backups serial:WD 12 xfs", "backups", "serial:WD 12 (xfs)"),
            ("backups serial:WD12", "backups", "serial:WD12 (ext4)"),
            ("backups serial:WD12 btrfs  key", "backups", "serial:WD12 (btrfs, encrypted)"),
        ] {
            let mounted = line(text, true).unwrap();
            let shown = match &mounted.source {
                Source::Share { remote, .. } => remote.clone(),
                Source::Disks(members) => {
                    format!("{} ({})", members[0].selector, mounted.kept().unwrap().in_words())
                }
            };
            assert_eq!((mounted.holds.join(" ").as_str(), shown.as_str()), (holds, source));
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
