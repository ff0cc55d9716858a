use super::*;
use crate::{
    facts::Facts,
    seed::{DiskSelector, rules::Refused},
};

fn volume_of(name: &str, kind: &str, uuid: &str) -> Volume {
    Volume {
        name: name.into(),
        number: Some(1),
        size: 1 << 30,
        signature: Some(kind.into()),
        uuid: Some(uuid.into()),
        label: None,
        mounted_at: Vec::new(),
    }
}

fn disk(name: &str, serial: &str) -> Disk {
    Disk {
        name: name.into(),
        model: "WDC WD40".into(),
        serial: serial.into(),
        ids: vec![format!("ata-WDC_WD40_{name}")],
        size: 4_000_000_000_000,
        sector: 512,
        bus: "sata".into(),
        ..Disk::default()
    }
}

fn machine(disks: Vec<Disk>) -> Facts {
    let own = Disk { boot: true, ..disk("vda", "BOX1") };
    Facts { disks: [vec![own], disks].concat(), ..Facts::of_memory(1) }
}

fn serial(text: &str) -> DiskSelector {
    DiskSelector::Serial(text.into())
}

fn refused<T: std::fmt::Debug>(result: Result<T, Refused>) -> (String, String) {
    let refused = result.unwrap_err();
    (refused.what, refused.hint)
}

#[test]
fn one_disk_or_none() {
    let facts = machine(vec![disk("sda", "A"), disk("sdb", "B")]);
    assert_eq!(select(&serial("B"), &facts).unwrap().name, "sdb");
    assert_eq!(select(&DiskSelector::ById("ata-WDC_WD40_sda".into()), &facts).unwrap().name, "sda");
    let there = "this machine has serial:A (WDC WD40, sata, 4000 GB, empty); serial:B (WDC WD40, \
                 sata, 4000 GB, empty)";
    assert_eq!(
        refused(select(&serial("C"), &facts)),
        ("no disk is `serial:C`".into(), there.into())
    );
    assert_eq!(
        refused(select(&serial("BOX1"), &facts)),
        ("`serial:BOX1` is the disk that the box runs from".into(), there.into())
    );
    assert_eq!(
        refused(select(&serial("C"), &machine(Vec::new()))).1,
        "this machine has no other disk than its own"
    );
}

#[test]
fn two_disks_of_one_serial_are_none() {
    // As bridges of cheap USB cases have it.
    let facts = machine(vec![disk("sda", "0123456789"), disk("sdb", "0123456789")]);
    assert_eq!(
        refused(select(&serial("0123456789"), &facts)),
        (
            "2 disks are `serial:0123456789`".into(),
            "they are serial:0123456789 (WDC WD40, sata, 4000 GB, empty); serial:0123456789 (WDC \
             WD40, sata, 4000 GB, empty)"
                .into()
        )
    );
}

#[test]
fn a_copy_of_a_file_system_is_another_one_and_a_mirror_is_not() {
    let with = |name: &str, volume| Disk { contents: vec![volume], ..disk(name, name) };
    let copied = machine(vec![
        with("sda", volume_of("sda1", "ext4", "u-1")),
        with("sdb", volume_of("sdb1", "ext4", "u-1")),
    ]);
    assert_eq!(
        refused(volume("u-1", &copied)),
        (
            "2 disks are `uuid:u-1`".into(),
            "they are serial:sda (WDC WD40, sata, 4000 GB, ext4 uuid:u-1); serial:sdb (WDC WD40, \
             sata, 4000 GB, ext4 uuid:u-1); unplug the copy, or select by `serial:…`"
                .into()
        )
    );
    let raid = machine(vec![
        with("sda", volume_of("md0", "ext4", "u-1")),
        with("sdb", volume_of("md0", "ext4", "u-1")),
    ]);
    assert_eq!(volume("u-1", &raid).unwrap().1.name, "md0");
    let btrfs = machine(vec![
        with("sda", volume_of("sda1", "btrfs", "u-1")),
        with("sdb", volume_of("sdb1", "btrfs", "u-1")),
    ]);
    assert_eq!(volume("u-1", &btrfs).unwrap().1.name, "sda1");
}

#[test]
fn consent_is_for_the_disk_that_it_names() {
    let found = Disk { contents: vec![volume_of("sda1", "ntfs", "u-1")], ..disk("sda", "WD-1") };
    let consent = Consent::given("WD-1", &found).unwrap();
    assert_eq!(
        consent.victim(),
        &Victim {
            serial: "WD-1".into(),
            id: None,
            model: "WDC WD40".into(),
            size: 4_000_000_000_000,
            contents: vec!["ntfs uuid:u-1".into()],
        }
    );
    for wrong in ["WD-2", "wd-1", "ata-WDC_WD40_sda", "", "true"] {
        assert_eq!(
            refused(Consent::given(wrong, &found)),
            (
                format!(
                    "consent is for `{wrong}`, but the disk found is serial:WD-1 (WDC WD40, sata, \
                     4000 GB, ntfs uuid:u-1)"
                ),
                "if it may be formatted, write `wipe = \"WD-1\"`".into()
            )
        );
    }
    let own = Disk { boot: true, ..disk("vda", "BOX1") };
    assert_eq!(
        refused(Consent::given("BOX1", &own)).0,
        "serial:BOX1 (WDC WD40, sata, 4000 GB, empty) is the disk that the box runs from"
    );
    let mounted = Volume { mounted_at: vec!["/srv".into()], ..volume_of("sda1", "ext4", "u") };
    let used = Disk { contents: vec![mounted], ..disk("sda", "WD-1") };
    assert_eq!(
        refused(Consent::given("WD-1", &used)),
        (
            "serial:WD-1 (WDC WD40, sata, 4000 GB, ext4 uuid:u) is in use: /srv".into(),
            "unmount it, if it really may be formatted".into()
        )
    );
}

#[test]
fn a_disk_without_serial_is_named_by_its_link() {
    let nameless = disk("sda", "");
    let consent = Consent::given("ata-WDC_WD40_sda", &nameless).unwrap();
    assert_eq!(consent.victim().to_string(), "`by-id:ata-WDC_WD40_sda`");
    assert_eq!(
        refused(Consent::given("", &nameless)).1,
        "if it may be formatted, write `wipe = \"ata-WDC_WD40_sda\"`"
    );
    // The name of what lies on it is gone once it is formatted.
    let contents = "lvm-pv-uuid-2oIaTe".to_owned();
    let both = Disk { ids: vec!["wwn-0x5".into(), contents.clone()], ..nameless.clone() };
    assert_eq!(
        refused(Consent::given(&contents, &both)),
        (
            "consent is for `lvm-pv-uuid-2oIaTe`, but the disk found is by-id:wwn-0x5 (WDC WD40, \
             sata, 4000 GB, empty)"
                .into(),
            "if it may be formatted, write `wipe = \"wwn-0x5\"`".into()
        )
    );
    let nothing = Disk { ids: Vec::new(), ..nameless };
    assert_eq!(
        refused(Consent::given("", &nothing)),
        (
            "consent is for ``, but the disk found is no serial (WDC WD40, sata, 4000 GB, empty)"
                .into(),
            "a disk without a serial and a name below `/dev/disk/by-id` is never formatted".into()
        )
    );
}

#[test]
fn the_disk_is_compared_again_before_the_deed() {
    let found = disk("sda", "WD-1");
    let consent = Consent::given("WD-1", &found).unwrap();
    // Kernel names may change, the disk is the same.
    let moved = Disk { name: "sdc".into(), ..found.clone() };
    let there = [disk("sda", "WD-2"), moved];
    assert_eq!(consent.find(&there).unwrap().name, "sdc");
    let again = "nothing was written; look at the disks and run `homelab apply` again";
    assert_eq!(
        refused(consent.find(&[disk("sda", "WD-2")])),
        ("`serial:WD-1` is not there any more".into(), again.into())
    );
    let swapped = Disk { size: 500_000_000_000, model: "Other".into(), ..found.clone() };
    assert_eq!(
        refused(consent.find(&[swapped])),
        (
            "`serial:WD-1` is another disk now: 500 GB Other, and it was 4000 GB WDC WD40".into(),
            again.into()
        )
    );
    assert_eq!(
        refused(consent.find(&[found.clone(), found.clone()])).0,
        "2 disks call themselves `serial:WD-1`"
    );
    let own = Disk { boot: true, ..found.clone() };
    assert!(refused(consent.find(&[own])).0.ends_with("is the disk that the box runs from"));
    let filled = Disk { contents: vec![volume_of("sda1", "ext4", "u")], ..found.clone() };
    assert_eq!(
        refused(consent.unchanged(&filled)),
        (
            "`serial:WD-1` holds ext4 uuid:u, and when it was agreed to format it, empty".into(),
            "nothing was written; look at what is on it and run `homelab apply --replace-plan`"
                .into()
        )
    );
    consent.unchanged(&found).unwrap();
    let table = Disk { table: Some("gpt".into()), ..found };
    assert_eq!(there_of(&table), "gpt partition table");
}

fn there_of(disk: &Disk) -> String {
    super::there(disk)
}

#[test]
fn consent_goes_with_its_plan() {
    let consent = Consent::given("WD-1", &disk("sda", "WD-1")).unwrap();
    let text = serde_json::to_string(&consent).unwrap();
    assert_eq!(text, r#"{"serial":"WD-1","model":"WDC WD40","size":4000000000000,"contents":[]}"#);
    assert_eq!(serde_json::from_str::<Consent>(&text).unwrap(), consent);
}

#[test]
fn what_is_due_is_asked_of_the_disk_and_of_the_note() {
    let due = |format: &Format, disk: &Disk| {
        format.due(std::slice::from_ref(disk)).map(|due| due == Due::Done)
    };
    let found = disk("sda", "WD-1");
    let format = Format::new(Consent::given("WD-1", &found).unwrap(), FileSystem::Btrfs, "media");
    // Of version 8, and a function of the disk alone.
    assert_eq!(format.uuid, "5539d92d-bb28-8e5a-89fe-824bd319ead9");
    assert_eq!(due(&format, &found), Ok(false));
    let made = Disk { contents: vec![volume_of("sda1", "btrfs", &format.uuid)], ..found.clone() };
    assert_eq!(due(&format, &made), Ok(true), "by a box that was here before");
    let note = |finished| Some(Formatting { format: format.clone(), finished });
    let noted = |disk: &Disk, finished| Disk { formatting: note(finished), ..disk.clone() };
    assert_eq!(due(&format, &noted(&made, true)), Ok(true));
    assert_eq!(due(&format, &noted(&made, false)), Ok(false), "it may be half made");
    // Neither a disk of another size under the same serial, nor another serial.
    let formatting = note(true).unwrap();
    assert!(formatting.is_of(&made));
    assert!(!formatting.is_of(&Disk { size: 1, ..made.clone() }));
    assert!(!formatting.is_of(&disk("sda", "WD-2")));
    let mut mounted = noted(&made, true);
    mounted.contents[0].mounted_at = vec!["/mnt/media".into()];
    assert_eq!(due(&format, &mounted), Ok(true));
    mounted.formatting = note(false);
    assert!(refused(due(&format, &mounted)).0.ends_with("is in use: /mnt/media"));
    // What a cut leaves: the old, the new, a table, a partition without signature; nothing else.
    let mut blank = volume_of("sda1", "", "");
    (blank.signature, blank.uuid) = (None, None);
    let left = Disk { contents: vec![blank], ..found.clone() };
    let table = Disk { table: Some("gpt".into()), ..found.clone() };
    for left in [&found, &left, &table] {
        assert_eq!(due(&format, &noted(left, false)), Ok(false));
    }
    let foreign = Disk { contents: vec![volume_of("sda1", "ext4", "u")], ..found.clone() };
    let (what, hint) = refused(due(&format, &noted(&foreign, false)));
    assert_eq!(
        what,
        "`serial:WD-1` holds ext4 uuid:u, and formatting it was begun when it held other things"
    );
    let (_, note) = hint.rsplit_once("remove ").unwrap();
    assert_eq!(note, format!("`/var/lib/homelab/disks/{}.json`", format.uuid));
    assert_eq!(
        refused(due(&format, &noted(&foreign, true))).0,
        "what the box formatted serial:WD-1 (WDC WD40, sata, 4000 GB, ext4 uuid:u) with is gone \
         from it"
    );
}
