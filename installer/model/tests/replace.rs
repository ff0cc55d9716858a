//! A disk gives its place to another one: which, what of, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use model::{
    disk::{FileSystem, Replacement, Victim, Wanted},
    facts::{Disk, Facts, Volume},
    seed::{DiskSelector, rules::Refused},
};
use support::{catalogue, facts, seed, with};

const MEDIA: &str = "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-1\"\n";
const BACKUPS: &str = "[[storage.mount]]\nat = \"/mnt/backups\"\ndisk = \"by-id:ata-WD-3\"\n";
const POOL: &str =
    "[[storage.mount]]\nat = \"/mnt/media\"\ndisks = [\"serial:WD-1\", \"serial:WD-3\"]\n";

fn disk(name: &str, serial: &str, size: u64, kind: Option<&str>) -> Disk {
    let volume = |kind: &str| Volume {
        name: format!("{name}1"),
        number: Some(1),
        size,
        signature: Some(kind.into()),
        uuid: Some(format!("0000000{}-0000-0000-0000-000000000000", &serial[3..])),
        label: None,
        mounted_at: Vec::new(),
    };
    Disk {
        name: name.into(),
        model: "WDC".into(),
        serial: serial.into(),
        ids: vec![format!("ata-{serial}")],
        size: size * 1_000_000_000,
        sector: 512,
        bus: "sata".into(),
        contents: kind.map(volume).into_iter().collect(),
        ..Disk::default()
    }
}

/// The disk of the media, an empty one, one with XFS, and that of the backups.
fn machine() -> Facts {
    let mut facts = facts();
    facts.disks.extend([
        disk("sdb", "WD-1", 4000, Some("ext4")),
        disk("sdc", "WD-2", 4000, None),
        disk("sde", "WD-4", 2000, Some("xfs")),
        disk("sdd", "WD-3", 4000, Some("ext4")),
    ]);
    facts
}

fn serial(serial: &str) -> DiskSelector {
    DiskSelector::Serial(serial.into())
}

fn wanted(disk: &str, format: bool) -> Wanted {
    Wanted { disk: serial(disk), filesystem: None, format }
}

/// What it means, and the seed's mounts afterwards; a plan can be made of it.
fn replaced(mounts: &str, old: DiskSelector, new: Wanted, facts: &Facts) -> (String, String) {
    let before = with(&[mounts]);
    let wish = seed(&before);
    let found = Replacement::of(&old, new, &wish, facts).unwrap();
    let after = found.edited(&before).unwrap();
    model::plan::plan(&seed(&after), &catalogue(), facts).unwrap_or_else(|all| panic!("{all}"));
    let kept = with(&[]);
    (found.in_words(false), after.strip_prefix(&kept).unwrap().to_owned())
}

fn refused(mounts: &str, old: DiskSelector, new: Wanted) -> (String, String) {
    let wish = seed(&with(&[mounts]));
    let Refused { what, hint } = Replacement::of(&old, new, &wish, &machine()).unwrap_err();
    (what, hint)
}

#[test]
fn an_empty_disk_is_formatted_like_the_old_one() {
    let (words, mounts) = replaced(MEDIA, serial("WD-1"), wanted("WD-2", true), &machine());
    assert_eq!(mounts, MEDIA.replace("WD-1", "WD-2") + "wipe = \"WD-2\"\n");
    assert_eq!(
        words,
        "/mnt/media\n  from  serial:WD-1 (WDC, sata, 4000 GB, ext4 \
         uuid:00000001-0000-0000-0000-000000000000)\n  to    serial:WD-2 (WDC, sata, 4000 GB, \
         empty)\nIt is FORMATTED with ext4: what is on it (empty) is lost.\nNothing is copied: the \
         new disk starts empty. serial:WD-1 is left as it is, with all that it holds.\nWhat uses \
         /mnt/media is stopped for a moment.\n"
    );
}

#[test]
fn a_copy_and_a_disk_that_a_box_made_are_told() {
    let (wish, mut facts) = (seed(&with(&[MEDIA])), machine());
    let words = |new: Wanted, facts: &Facts| {
        Replacement::of(&serial("WD-1"), new, &wish, facts).unwrap().in_words(true)
    };
    let xfs = words(wanted("WD-4", false), &facts);
    assert!(
        xfs.ends_with(
            "\nAll files of serial:WD-1 are copied to it; others on it stay. serial:WD-1 is left as \
             it is, with all that it holds.\nWhat uses /mnt/media is stopped until that is done.\n"
        ),
        "{xfs}"
    );
    let uuid = Victim::named("WD-2", &facts.disks[2]).unwrap().uuid();
    let mut made = disk("sdc", "WD-2", 4000, Some("ext4"));
    made.contents[0].uuid = Some(uuid.clone());
    facts.disks[2] = made;
    let again = words(wanted("WD-2", true), &facts);
    let line = format!(
        "\nA box formatted it before, and no disk is twice: it is used as it is: ext4 uuid:{uuid}.\n\
         All files of serial:WD-1 are copied to it; others on it are LOST. "
    );
    assert!(again.contains(&line), "{again}");
}

#[test]
fn what_is_on_the_new_disk_is_used_unless_it_may_be_lost() {
    let (words, mounts) = replaced(MEDIA, serial("WD-1"), wanted("WD-4", false), &machine());
    assert_eq!(mounts, MEDIA.replace("WD-1", "WD-4") + "filesystem = \"xfs\"\n");
    assert!(words.contains("\nWhat is on it is used as it is: xfs uuid:00000004-"), "{words}");
    let uuid = DiskSelector::Uuid("00000004-0000-0000-0000-000000000000".into());
    let by_uuid = Wanted { disk: uuid, filesystem: None, format: false };
    let (_, mounts) = replaced(MEDIA, serial("WD-1"), by_uuid, &machine());
    assert!(mounts.ends_with("\nfilesystem = \"xfs\"\n"), "{mounts}");
    assert_eq!(
        refused(MEDIA, serial("WD-1"), wanted("WD-2", false)),
        (
            "`serial:WD-2` has no file system that can be used: empty".to_owned(),
            "if everything on it may be lost, say `--format`".to_owned()
        )
    );
}

#[test]
fn a_disk_that_is_dead_is_known_by_its_name_in_the_seed() {
    let mut without = machine();
    without.disks.retain(|disk| disk.serial != "WD-1");
    without.known.insert("serial:WD-1".into(), "00000001-0000-0000-0000-000000000000".into());
    let (words, _) = replaced(MEDIA, serial("WD-1"), wanted("WD-2", true), &without);
    assert!(words.contains("  from  serial:WD-1 (not there)\n"), "{words}");
    assert!(words.contains("\nNothing is copied: the new disk starts empty.\nWhat"), "{words}");
    // One that is there has many names.
    let (_, mounts) = replaced(BACKUPS, serial("WD-3"), wanted("WD-2", true), &machine());
    assert!(mounts.contains("disk = \"serial:WD-2\""), "{mounts}");
    let other = format!("{MEDIA}{BACKUPS}");
    let hint = "it uses `serial:WD-1` for /mnt/media, `by-id:ata-WD-3` for /mnt/backups";
    let what = "the seed does not use the disk `serial:WD-9`";
    assert_eq!(
        refused(&other, serial("WD-9"), wanted("WD-2", true)),
        (what.to_owned(), hint.to_owned())
    );
    let (_, hint) = refused("", serial("WD-1"), wanted("WD-2", true));
    assert_eq!(hint, "it uses none: `homelab disk add` adds one");
}

#[test]
fn a_disk_of_a_pool_is_like_the_others() {
    let (words, mounts) = replaced(POOL, serial("WD-3"), wanted("WD-2", true), &machine());
    assert_eq!(mounts, POOL.replace("WD-3", "WD-2") + "wipes = [\"WD-2\"]\n");
    assert!(words.starts_with("one disk of /mnt/media\n"), "{words}");
    let xfs = Wanted { filesystem: Some(FileSystem::Xfs), ..wanted("WD-2", true) };
    assert_eq!(
        refused(POOL, serial("WD-3"), xfs),
        (
            "`/mnt/media` has ext4 on all its disks, not xfs".to_owned(),
            "say `--filesystem ext4`, or nothing".to_owned()
        )
    );
}

#[test]
fn a_disk_that_is_used_or_not_there_is_no_new_one() {
    let mounts = format!("{MEDIA}{BACKUPS}");
    for (new, what) in [
        ("WD-3", "`serial:WD-3` serves `/mnt/backups` already"),
        ("WD-1", "`serial:WD-1` serves `/mnt/media` already"),
        ("WD-9", "no disk is `serial:WD-9`"),
        ("BOX1", "`serial:BOX1` is the disk that the box runs from"),
    ] {
        assert_eq!(refused(&mounts, serial("WD-1"), wanted(new, true)).0, what);
    }
    let mut twice = machine();
    twice.disks.push(disk("sdf", "WD-2", 4000, None));
    let wish = seed(&with(&[MEDIA]));
    let both = Replacement::of(&serial("WD-1"), wanted("WD-2", true), &wish, &twice);
    assert_eq!(both.unwrap_err().what, "2 disks are `serial:WD-2`");
}

#[test]
fn what_the_old_disk_holds_must_have_room() {
    let (wish, facts) = (seed(&with(&[MEDIA])), machine());
    let found = Replacement::of(&serial("WD-1"), wanted("WD-4", true), &wish, &facts).unwrap();
    assert_eq!(found.consent(), "WD-4");
    found.fits(1_960_000_000_000).unwrap();
    let Refused { what, hint } = found.fits(1_970_000_000_000).unwrap_err();
    assert_eq!(what, "`serial:WD-4` is too small: it has 2000 GB, and `serial:WD-1` holds 1970 GB");
    assert_eq!(hint, "take a larger one, or make room first");
}
