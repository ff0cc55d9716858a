//! Disks of the box: what is mounted, what is formatted for it, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use model::{
    disk::{Consent, FileSystem, Format, Formatting, Victim},
    facts::{Disk, Facts, Volume},
    plan::{Action, Plan, Storage},
};
use support::{catalogue, facts, plan, seed, with};

const MEDIA: &str = "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-1\"\n";
const WIPE: &str = "wipe = \"WD-1\"\n";

fn volume(name: &str, kind: &str, uuid: &str) -> Volume {
    Volume {
        name: name.into(),
        number: Some(1),
        size: 4_000_000_000_000,
        signature: Some(kind.into()),
        uuid: Some(uuid.into()),
        label: None,
        mounted_at: Vec::new(),
    }
}

fn disk(name: &str, serial: &str, contents: Vec<Volume>) -> Disk {
    Disk {
        name: name.into(),
        model: "WDC WD40".into(),
        serial: serial.into(),
        ids: vec![format!("ata-WDC_WD40_{serial}")],
        size: 4_000_000_000_000,
        sector: 512,
        bus: "sata".into(),
        contents,
        ..Disk::default()
    }
}

fn machine(disks: impl IntoIterator<Item = Disk>) -> Facts {
    let mut facts = facts();
    facts.disks.extend(disks);
    facts
}

fn storage(plan: &Plan) -> (&str, &Storage) {
    let step = plan.steps.iter().find(|step| step.id.0 == "storage").unwrap();
    let Action::Storage(storage) = &step.action else { panic!("{step:?}") };
    (&step.title, storage)
}

/// What, and the way out, of the one mistake.
fn refused(words: &[&str], facts: &Facts) -> String {
    model::plan::plan(&seed(&with(words)), &catalogue(), facts).unwrap_err().to_string()
}

fn noted(mut disk: Disk, format: Format, finished: bool) -> Disk {
    disk.formatting = Some(Formatting { format, finished });
    disk
}

#[test]
fn a_disk_that_may_be_lost_is_formatted() {
    let ntfs = disk("sdb", "WD-1", vec![volume("sdb1", "ntfs", "5E0A")]);
    let plan = plan(&with(&[MEDIA, WIPE]), &catalogue(), &machine([ntfs]));
    let step = plan.steps.iter().find(|step| step.id.0 == "storage").unwrap();
    insta::assert_snapshot!("format", serde_json::to_string_pretty(step).unwrap());
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn without_consent_nothing_is_formatted() {
    let ext4 = disk("sdb", "WD-1", vec![volume("sdb1", "ext4", "u-1")]);
    let plan = plan(&with(&[MEDIA]), &catalogue(), &machine([ext4]));
    let (title, storage) = storage(&plan);
    assert_eq!(title, "Storage: root grows to its disk, 1 mount");
    assert_eq!(storage.mounts[0].what, "UUID=u-1");
    assert_eq!(storage.formats().count(), 0);
    assert_eq!(
        refused(&[MEDIA], &machine([disk("sdb", "WD-1", Vec::new())])),
        "seed.toml: `/mnt/media`: `serial:WD-1` has no ext4 file system but nothing\n   = name the \
         file system that is there; or, if everything on the disk may be lost, consent by \
         repeating `WD-1` in `wipe`\n"
    );
    let two = vec![volume("sdb1", "ext4", "u-1"), volume("sdb2", "ext4", "u-2")];
    assert_eq!(
        refused(&[MEDIA], &machine([disk("sdb", "WD-1", two)])),
        "seed.toml: `/mnt/media`: `serial:WD-1` has 2 ext4 file systems\n   = select one by \
         `uuid:…`: ext4 uuid:u-1, ext4 uuid:u-2\n"
    );
}

#[test]
fn consent_is_good_for_one_time() {
    let empty = disk("sdb", "WD-1", Vec::new());
    let uuid = Victim::named("WD-1", &empty).unwrap().uuid();
    let format = Format::new(Consent::given("WD-1", &empty).unwrap(), FileSystem::Ext4, "media");
    let words = with(&[MEDIA, WIPE]);
    let mut made = volume("sdb1", "ext4", &uuid);
    made.mounted_at = vec!["/mnt/media".into()];
    let made = disk("sdb", "WD-1", vec![made]);
    // By this box, which has a note; by one that was here before it, which left its UUID.
    for disk in [noted(made.clone(), format.clone(), true), made.clone()] {
        let plan = plan(&words, &catalogue(), &machine([disk]));
        let (title, storage) = storage(&plan);
        assert_eq!(title, "Storage: root grows to its disk, 1 mount");
        assert_eq!(storage.mounts[0].what, format!("UUID={uuid}"));
        assert_eq!(storage.mounts[0].format, None);
    }
    let xfs = MEDIA.to_owned() + "filesystem = \"xfs\"\n";
    assert_eq!(
        refused(&[&xfs, WIPE], &machine([made])),
        format!(
            "seed.toml: `/mnt/media`: `serial:WD-1` was formatted by a box as ext4, and no disk is \
             twice\n   = write `filesystem = \"ext4\"`; or clear the disk by `wipefs --all` and \
             remove `/var/lib/homelab/disks/{uuid}.json`\n"
        )
    );
    // Its owner made another file system by hand since.
    let by_hand = disk("sdb", "WD-1", vec![volume("sdb1", "ext4", "u-9")]);
    let plan = plan(&words, &catalogue(), &machine([noted(by_hand, format.clone(), true)]));
    assert_eq!(storage(&plan).1.mounts[0].what, "UUID=u-9");
    assert_eq!(storage(&plan).1.mounts[0].format, None);
    assert_eq!(
        refused(&[MEDIA, WIPE], &machine([noted(empty, format, true)])),
        format!(
            "seed.toml: `/mnt/media`: what the box formatted serial:WD-1 (WDC WD40, sata, 4000 GB, \
             empty) with is gone from it\n   = consent is good for one time: take `wipe` away to \
             use what is there, or remove `/var/lib/homelab/disks/{uuid}.json` to have it formatted \
             once more\n"
        )
    );
}

#[test]
fn a_format_that_was_begun_is_done_again() {
    let ntfs = disk("sdb", "WD-1", vec![volume("sdb1", "ntfs", "5E0A")]);
    let format = Format::new(Consent::given("WD-1", &ntfs).unwrap(), FileSystem::Xfs, "media");
    let half = disk("sdb", "WD-1", vec![volume("sdb1", "xfs", &format.uuid)]);
    let facts = machine([noted(half, format.clone(), false)]);
    let plan = plan(&with(&[MEDIA, WIPE]), &catalogue(), &facts);
    let again = storage(&plan).1.mounts[0].format.as_ref().unwrap();
    assert_eq!(again.consent, format.consent, "what was agreed to, not what is left of it");
    assert_eq!(again.filesystem, FileSystem::Ext4, "as the seed says now");
    assert_eq!(
        refused(&[MEDIA], &facts),
        "seed.toml: `/mnt/media`: formatting `serial:WD-1` was begun and is not finished\n   = put \
         its `wipe` back into the seed: what is on it now cannot be used\n"
    );
}

#[test]
fn consent_for_another_disk_or_for_one_in_use_is_none() {
    let mut used = volume("sdb1", "ext4", "u-1");
    used.mounted_at = vec!["/srv".into()];
    assert_eq!(
        refused(&[MEDIA, WIPE], &machine([disk("sdb", "WD-1", vec![used])])),
        "seed.toml: `/mnt/media`: serial:WD-1 (WDC WD40, sata, 4000 GB, ext4 uuid:u-1) is in use: \
         /srv\n   = unmount it, if it really may be formatted\n"
    );
    // By its WWN, which does not tell the serial.
    let mut other = disk("sdb", "WD-2", Vec::new());
    other.ids = vec!["wwn-0x5000".into()];
    let by_id = MEDIA.replace("serial:WD-1", "by-id:wwn-0x5000");
    assert_eq!(
        refused(&[&by_id, WIPE], &machine([other])),
        "seed.toml: `/mnt/media`: consent is for `WD-1`, but the disk found is serial:WD-2 (WDC \
         WD40, sata, 4000 GB, empty)\n   = if it may be formatted, write `wipe = \"WD-2\"`\n"
    );
    // One disk under two names.
    let backups = MEDIA.replace("media", "backups").replace("serial:", "by-id:ata-WDC_WD40_");
    assert_eq!(
        refused(&[MEDIA, WIPE, &backups], &machine([disk("sdb", "WD-1", Vec::new())])),
        "seed.toml: `/mnt/backups`: `by-id:ata-WDC_WD40_WD-1` is the disk that is formatted for \
         `/mnt/media`\n   = one disk serves one purpose\n"
    );
    assert_eq!(
        refused(&[MEDIA, WIPE], &machine([])),
        "seed.toml: `/mnt/media`: no disk is `serial:WD-1`\n   = this machine has no other disk \
         than its own\n"
    );
}

const POOL: &str = r#"
[[storage.mount]]
at = "/mnt/media"
disks = ["serial:WD-1", "serial:WD-2"]
wipes = ["WD-2"]
filesystem = "xfs"
"#;

#[test]
fn several_disks_are_one_folder() {
    let there = disk("sdb", "WD-1", vec![volume("sdb1", "xfs", "u-1")]);
    let new = disk("sdc", "WD-2", Vec::new());
    let plan = plan(&with(&[POOL]), &catalogue(), &machine([there.clone(), new]));
    let (title, storage) = storage(&plan);
    assert_eq!(
        title,
        "Storage: root grows to its disk, 3 mounts, FORMATS serial:WD-2 (WDC WD40, 4000 GB, empty)"
    );
    let branches = storage.folders.iter().filter(|folder| folder.path.starts_with("/mnt/.disks/"));
    assert!(branches.map(|folder| (folder.mode, folder.owner.1)).eq([(0o2775, 4100); 2]));
    insta::assert_snapshot!("pool", serde_json::to_string_pretty(&storage.mounts).unwrap());
    assert_eq!(
        refused(&[POOL], &machine([there])),
        "seed.toml: `/mnt/media`: no disk is `serial:WD-2`\n   = this machine has serial:WD-1 (WDC \
         WD40, sata, 4000 GB, xfs uuid:u-1)\n"
    );
}

#[test]
fn an_encrypted_disk_is_mounted_by_its_container() {
    let words = [MEDIA, WIPE, "encrypt = \"tpm2\"\n"];
    let empty = disk("sdb", "WD-1", Vec::new());
    let plan = plan(&with(&words), &catalogue(), &machine([empty.clone()]));
    let (_, first) = storage(&plan);
    insta::assert_snapshot!("encrypted", serde_json::to_string_pretty(&first.mounts).unwrap());
    let uuid = &first.mounts[0].format.as_ref().unwrap().uuid;
    // Without `wipe`, as in a seed that a box has exported, and on a box that remembers nothing.
    let made = disk("sdb", "WD-1", vec![volume("sdb1", "crypto_LUKS", uuid)]);
    for words in [&words[..], &[MEDIA, words[2]]] {
        let plan = support::plan(&with(words), &catalogue(), &machine([made.clone()]));
        let mount = &storage(&plan).1.mounts[0];
        assert_eq!((&mount.what, &mount.crypt), (&first.mounts[0].what, &first.mounts[0].crypt));
        assert_eq!(mount.format, None);
    }
    let note =
        format!("or clear the disk by `wipefs --all` and remove `/var/lib/homelab/disks/{uuid}");
    assert_eq!(
        refused(&[MEDIA, WIPE], &machine([made])),
        format!(
            "seed.toml: `/mnt/media`: `serial:WD-1` was formatted by a box as crypto_LUKS, and no \
             disk is twice\n   = write `encrypt = \"key\"`; {note}.json`\n"
        )
    );
    let plain = disk("sdb", "WD-1", vec![volume("sdb1", "ext4", uuid)]);
    assert_eq!(
        refused(&words, &machine([plain])),
        format!(
            "seed.toml: `/mnt/media`: `serial:WD-1` was formatted by a box as ext4, and no disk is \
             twice\n   = write `filesystem = \"ext4\"` without `encrypt`; {note}.json`\n"
        )
    );
    assert_eq!(
        refused(&[MEDIA, words[2]], &machine([empty])),
        "seed.toml: `/mnt/media`: `serial:WD-1` has no LUKS container but nothing\n   = name the \
         file system that is there; or, if everything on the disk may be lost, consent by \
         repeating `WD-1` in `wipe`\n"
    );
}

/// What each stack of the plan needs; those that need nothing are left out.
fn needs(plan: &Plan) -> Vec<(&str, Vec<&str>)> {
    let stacks = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Stack(stack) => Some(stack),
        _ => None,
    });
    stacks
        .filter(|stack| !stack.needs.is_empty())
        .map(|stack| (stack.name.as_str(), stack.needs.iter().map(String::as_str).collect()))
        .collect()
}

#[test]
fn a_stack_needs_the_mounts_that_it_binds_or_writes_to() {
    let mount = |at: &str, serial: &str| {
        format!("[[storage.mount]]\nat = \"{at}\"\ndisk = \"serial:{serial}\"\n")
    };
    let disks = ["WD-1", "WD-2", "WD-3"].map(|serial| {
        let name = format!("sd-{serial}");
        disk(&name, serial, vec![volume(&format!("{name}1"), "ext4", &format!("u-{serial}"))])
    });
    let facts = Facts { memory: 16 << 30, ..machine(disks) };
    let catalogue = catalogue();
    // Who watches how full the disks are can do without them.
    assert!(needs(&plan(&with(&[]), &catalogue, &facts)).is_empty());
    let media = mount("/mnt/media", "WD-1");
    assert_eq!(needs(&plan(&with(&[&media]), &catalogue, &facts)), [("media", vec!["/mnt/media"])]);
    // Downloads are written below /data; backups lie there too, but are covered.
    let three = [media, mount("/mnt/downloads", "WD-2"), mount("/mnt/backups", "WD-3")].concat();
    let made = plan(&with(&[&three]), &catalogue, &facts);
    assert_eq!(
        needs(&made),
        [("media", vec!["/mnt/downloads", "/mnt/media"]), ("backup", vec!["/mnt/backups"])]
    );
    // Every container binds the mark of its stack, those without data too: they start in their turn.
    let compose = support::rendered(&made, "/opt/stacks/media/compose.yaml");
    let services = compose.matches("container_name:").count();
    let mark = "    - type: bind\n      source: /run/homelab/stacks/media\n      target: \
                /.homelab-stack\n      read_only: true\n      bind:\n        \
                create_host_path: false\n";
    assert_eq!(compose.matches(mark).count(), services, "{compose}");
    let other = support::rendered(&made, "/opt/stacks/monitoring/compose.yaml");
    let services = other.matches("container_name:").count();
    assert_eq!(other.matches(&mark.replace("stacks/media", "stacks/monitoring")).count(), services);
    // One disk for several.
    let holds = "[[storage.mount]]\nat = \"/mnt/storage\"\ndisk = \"serial:WD-1\"\n\
                 holds = [\"media\", \"downloads\"]\n";
    let made = plan(&with(&[holds]), &catalogue, &facts);
    assert_eq!(needs(&made), [("media", vec!["/mnt/media", "/mnt/storage"])]);
    let (_, storage) = storage(&made);
    assert_eq!(storage.mount("/mnt/media").unwrap().requires, ["/mnt/storage"]);
}

#[test]
fn a_disk_that_was_here_before_may_be_missing() {
    let here = machine([disk("sdb", "WD-1", vec![volume("sdb1", "ext4", "u-1")])]);
    let with_it = plan(&with(&[MEDIA]), &catalogue(), &here);
    let mut gone = facts();
    assert!(refused(&[MEDIA], &gone).contains("no disk is `serial:WD-1`"));
    gone.known.insert("serial:WD-1".into(), "u-1".into());
    let without = plan(&with(&[MEDIA]), &catalogue(), &gone);
    // The same plan: nothing is to be done over, and its journal stays whole.
    assert_eq!(without, with_it);
    assert_eq!(storage(&without).1.mounts[0].disk.as_deref(), Some("serial:WD-1"));
    // What was formatted once is never formatted in its absence.
    let wiped = plan(&with(&[MEDIA, WIPE]), &catalogue(), &gone);
    assert_eq!(storage(&wiped).1.formats().count(), 0);
    // Another one with its serial, as a dock gives to all, is not taken for it.
    let mut stranger = machine([disk("sdb", "WD-1", vec![volume("sdb1", "ext4", "u-2")])]);
    assert_eq!(
        storage(&plan(&with(&[MEDIA]), &catalogue(), &stranger)).1.mounts[0].uuid(),
        Some("u-2")
    );
    stranger.known.insert("serial:WD-1".into(), "u-1".into());
    assert_eq!(plan(&with(&[MEDIA]), &catalogue(), &stranger), with_it);
    // Nor with consent, which was given for the one that was here: neither used nor formatted. What
    // was begun is ended, and an empty disk loses nothing.
    let full = || disk("sdb", "WD-1", vec![volume("sdb1", "ext4", "u-2")]);
    let format = Format::new(Consent::given("WD-1", &full()).unwrap(), FileSystem::Ext4, "");
    for (there, formats) in [
        (full(), 0),
        (noted(full(), format.clone(), true), 0),
        (noted(full(), format, false), 1),
        (disk("sdb", "WD-1", Vec::new()), 1),
    ] {
        let mut stranger = machine([there]);
        stranger.known.insert("serial:WD-1".into(), "u-1".into());
        let plan = plan(&with(&[MEDIA, WIPE]), &catalogue(), &stranger);
        let storage = storage(&plan).1;
        assert_eq!(storage.formats().count(), formats);
        assert_eq!(storage.mounts[0].uuid() == Some("u-1"), formats == 0);
    }
    // A disk that is there is looked at, whatever was known of it.
    let mut other = machine([disk("sdb", "WD-1", Vec::new())]);
    other.known.insert("serial:WD-1".into(), "u-1".into());
    assert!(refused(&[MEDIA], &other).contains("has no ext4 file system but nothing"));
}
