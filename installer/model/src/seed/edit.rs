//! Changes of a few words in a seed's text: everything else stays as its owner wrote it.

use toml_edit::{Array, DocumentMut, Item, TableLike, Value};

use super::{DiskSelector, FileSystem, Member, rules::Refused};

/// Puts `new` in the place of the disk `old`, in whichever mount names it. The consent to format the
/// old disk, `wipe`, goes with it.
///
/// # Errors
/// The text does not name the disk where a person would write it.
pub fn replace_disk(
    text: &str,
    old: &Member,
    new: &Member,
    filesystem: FileSystem,
) -> Result<String, Refused> {
    change(text, |mount| {
        let is_old = |value: &Value| is(value, &old.selector);
        let word = new.selector.to_string();
        if let Some(disk) = value(mount, "disk").filter(|disk| is_old(disk)) {
            set(disk, word);
            match (value(mount, "wipe"), &new.wipe) {
                (Some(wipe), Some(serial)) => set(wipe, serial.clone()),
                (None, Some(serial)) => insert(mount, "wipe", serial.clone()),
                (_, None) => drop(mount.remove("wipe")),
            }
        } else {
            let disks = value(mount, "disks").and_then(Value::as_array_mut);
            let Some(disk) = disks.and_then(|disks| disks.iter_mut().find(|disk| is_old(disk)))
            else {
                return false;
            };
            set(disk, word);
            wipes(mount, old.wipe.as_deref(), new.wipe.as_deref());
        }
        let word = filesystem.word();
        match value(mount, "filesystem") {
            Some(kind) if kind.as_str() == Some(word) => {}
            Some(kind) => set(kind, word.to_owned()),
            // What a seed does not say is ext4.
            None if filesystem == FileSystem::Ext4 => {}
            None => insert(mount, "filesystem", word.to_owned()),
        }
        true
    })
}

/// Puts one more disk beside those of the mount at a place.
///
/// # Errors
/// The text has no mount of disks there where a person would write it.
pub fn add_disk(text: &str, at: &str, new: &Member) -> Result<String, Refused> {
    change(text, |mount| {
        let here = value(mount, "at").and_then(|value| value.as_str()) == Some(at);
        if !here || !(mount.contains_key("disk") || mount.contains_key("disks")) {
            return false;
        }
        for (one, several) in [("disk", "disks"), ("wipe", "wipes")] {
            if let Some(only) = mount.remove(one).and_then(|item| item.into_value().ok()) {
                insert(mount, several, Array::from_iter([plain(only)]));
            }
        }
        if let Some(disks) = value(mount, "disks").and_then(Value::as_array_mut) {
            push(disks, &new.selector.to_string());
        }
        wipes(mount, None, new.wipe.as_deref());
        true
    })
}

/// Goes through the mounts until `edit` has found the one that it looks for.
fn change(text: &str, mut edit: impl FnMut(&mut dyn TableLike) -> bool) -> Result<String, Refused> {
    let by_hand = |what: String| Refused::new(what, "change `[[storage.mount]]` by hand");
    let mut document: DocumentMut =
        text.parse().map_err(|error| by_hand(format!("the seed cannot be edited: {error}")))?;
    let mounts = document.get_mut("storage").and_then(|storage| storage.get_mut("mount"));
    let found = match mounts {
        Some(Item::ArrayOfTables(mounts)) => mounts.iter_mut().any(|mount| edit(mount)),
        Some(Item::Value(Value::Array(mounts))) => {
            mounts.iter_mut().filter_map(Value::as_inline_table_mut).any(|mount| edit(mount))
        }
        _ => false,
    };
    match found {
        true => Ok(document.to_string()),
        false => Err(by_hand("no `[[storage.mount]]` of the seed names it".to_owned())),
    }
}

/// One consent goes and one comes; without any the list goes.
fn wipes(mount: &mut dyn TableLike, old: Option<&str>, new: Option<&str>) {
    if let (None, Some(_)) = (value(mount, "wipes"), new) {
        insert(mount, "wipes", Array::new());
    }
    let Some(list) = value(mount, "wipes").and_then(Value::as_array_mut) else { return };
    list.retain(|wipe| wipe.as_str() != old);
    if let Some(new) = new {
        push(list, new);
    }
    if list.is_empty() {
        mount.remove("wipes");
    }
}

fn is(value: &Value, disk: &DiskSelector) -> bool {
    value.as_str().and_then(|text| super::rules::selector(text).ok()).as_ref() == Some(disk)
}

fn value<'a>(table: &'a mut dyn TableLike, key: &str) -> Option<&'a mut Value> {
    table.get_mut(key).and_then(Item::as_value_mut)
}

/// Another text, with the blanks and comments around it as they are.
fn set(value: &mut Value, text: String) {
    let around = value.decor().clone();
    *value = Value::from(text);
    *value.decor_mut() = around;
}

fn insert(table: &mut dyn TableLike, key: &str, value: impl Into<Value>) {
    table.insert(key, Item::Value(value.into()));
}

/// A value without the blanks and comments around it.
fn plain(mut value: Value) -> Value {
    value.decor_mut().clear();
    value
}

/// At the end of a list, on a line of its own if the others stand so.
fn push(list: &mut Array, text: &str) {
    let last = list.iter().last().and_then(|last| last.decor().prefix()?.as_str());
    let line = last.filter(|before| before.contains('\n')).map(str::to_owned);
    match line {
        Some(line) => {
            let indent = line.rsplit('\n').next().unwrap_or_default();
            let decorated = Value::from(text).decorated(format!("\n{indent}"), "");
            list.push_formatted(decorated);
        }
        None => list.push(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINGLE: &str = "# mine\nschema = 1\n\n[[storage.mount]] # films\nat = '/mnt/media'\n\
        disk = \"serial:WD-1\"   # the old one\nwipe = \"WD-1\"\nfilesystem = \"ext4\"\n\n\
        [[storage.mount]]\nat = \"/mnt/backups\"\ndisk = \"uuid:AB\" # left alone\n\n\
        [stacks]\nenable = [\"core\"]\n";

    fn member(serial: &str, wipe: bool) -> Member {
        let selector = DiskSelector::Serial(serial.to_owned());
        Member { selector, wipe: wipe.then(|| serial.to_owned()) }
    }

    fn replaced(text: &str, new: &Member, filesystem: FileSystem) -> String {
        replace_disk(text, &member("WD-1", true), new, filesystem)
            .unwrap_or_else(|refused| refused.what)
    }

    #[test]
    fn the_rest_stays_as_it_was_written() {
        assert_eq!(
            replaced(SINGLE, &member("WD-2", true), FileSystem::Ext4),
            SINGLE.replace("WD-1", "WD-2")
        );
        assert_eq!(
            replaced(SINGLE, &member("WD-2", false), FileSystem::Xfs),
            SINGLE.replace("wipe = \"WD-1\"\n", "").replace("WD-1", "WD-2").replace("ext4", "xfs")
        );
        // What stood nowhere is put at the table's end.
        let bare = SINGLE.replace("wipe = \"WD-1\"\nfilesystem = \"ext4\"\n", "");
        assert_eq!(
            replaced(&bare, &member("WD-2", true), FileSystem::Xfs),
            bare.replace("WD-1", "WD-2").replace(
                "# the old one\n",
                "# the old one\nwipe = \"WD-2\"\nfilesystem = \"xfs\"\n"
            )
        );
        assert_eq!(
            replaced(&bare, &member("WD-2", false), FileSystem::Ext4),
            bare.replace("WD-1", "WD-2")
        );
    }

    const POOL: &str = "[[storage.mount]]\nat = \"/mnt/media\"\ndisks = [\n  \"serial:WD-1\", # top\n  \
        \"serial:WD-3\",\n]\nwipes = [\"WD-3\", \"WD-1\"]\n";

    #[test]
    fn a_disk_of_a_pool_keeps_its_place() {
        assert_eq!(
            replaced(POOL, &member("WD-2", true), FileSystem::Ext4),
            POOL.replace("serial:WD-1", "serial:WD-2").replace("\"WD-1\"", "\"WD-2\"")
        );
        assert_eq!(
            replaced(POOL, &member("WD-2", false), FileSystem::Ext4),
            POOL.replace("serial:WD-1", "serial:WD-2").replace(", \"WD-1\"", "")
        );
        let one = POOL.replace("\"WD-3\", \"WD-1\"", "\"WD-1\"");
        assert_eq!(
            replaced(&one, &member("WD-2", false), FileSystem::Ext4),
            one.replace("serial:WD-1", "serial:WD-2").replace("wipes = [\"WD-1\"]\n", "")
        );
        let none = POOL.replace("wipes = [\"WD-3\", \"WD-1\"]\n", "");
        assert_eq!(
            replaced(&none, &member("WD-2", true), FileSystem::Ext4),
            none.replace("serial:WD-1", "serial:WD-2") + "wipes = [\"WD-2\"]\n"
        );
    }

    #[test]
    fn one_more_disk_makes_a_pool() {
        let added = |text: &str, at: &str, new: &Member| {
            add_disk(text, at, new).unwrap_or_else(|refused| refused.what)
        };
        assert_eq!(
            added(POOL, "/mnt/media", &member("WD-2", true)),
            POOL.replace("\"serial:WD-3\",", "\"serial:WD-3\",\n  \"serial:WD-2\",")
                .replace("\"WD-1\"]", "\"WD-1\", \"WD-2\"]")
        );
        assert_eq!(
            added(SINGLE, "/mnt/media", &member("WD-2", false)),
            SINGLE
                .replace("disk = \"serial:WD-1\"   # the old one\nwipe = \"WD-1\"\n", "")
                .replace(
                    "filesystem = \"ext4\"\n",
                    "filesystem = \"ext4\"\ndisks = [\"serial:WD-1\", \"serial:WD-2\"]\n\
                 wipes = [\"WD-1\"]\n"
                )
        );
        let inline = "storage.mount = [{ at = \"/mnt/media\", disk = \"serial:WD-1\" }]\n";
        assert_eq!(
            added(inline, "/mnt/media", &member("WD-2", false)),
            "storage.mount = [{ at = \"/mnt/media\", disks = [\"serial:WD-1\", \"serial:WD-2\"] }]\n"
        );
    }

    #[test]
    fn what_is_not_found_is_left_to_its_owner() {
        let refused =
            replace_disk(SINGLE, &member("X", false), &member("Y", false), FileSystem::Ext4);
        let refused = refused.err().map(|refused| (refused.what, refused.hint));
        let what = "no `[[storage.mount]]` of the seed names it".to_owned();
        assert_eq!(refused, Some((what, "change `[[storage.mount]]` by hand".to_owned())));
        assert!(add_disk(SINGLE, "/mnt/downloads", &member("Y", false)).is_err());
        assert!(add_disk("schema = ", "/mnt/media", &member("Y", false)).is_err());
    }
}
