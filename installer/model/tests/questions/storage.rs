//! Disks of the box: which are offered, what they hold together, and what consent they need.

use model::{
    disk::{Consent, FileSystem, Format, Formatting, Unlock},
    facts::{Disk, Facts, Volume},
    plan,
    questions::{Answers, Id, Interview, Kind, Question, Value, World, prefill},
    seed::{Mount, MountSource, mount_text},
};
use proptest::prelude::*;

use super::{
    CATALOGUE, answered, box_world, by_default, disk, facts, good, possible, stick_world, text,
    texts, volume,
};

/// A disk with a file system that can stay, and one that is empty.
const DATA: &str = "serial:WD-WX12A345";
const EMPTY: &str = "serial:WD-WX12A347";
/// One with another file system; one that is told by its WWN alone.
const XFS: &str = "serial:WD-WX12A349";
const NAMELESS: &str = "by-id:wwn-0x5000c500a1b2c3d4";

/// A machine with disks of every kind, and a TPM.
pub(super) fn world() -> World<'static> {
    let mut facts = facts();
    facts.tpm2 = true;
    facts.disks.push(disk("sde", "WD-WX12A349", vec![volume("sdeee", "xfs", 1)]));
    let ids = vec!["wwn-0x5000c500a1b2c3d4".to_owned()];
    facts.disks.push(Disk { ids, ..disk("sdf", "", Vec::new()) });
    facts.disks.push(Disk { ids: Vec::new(), ..disk("sdg", "", Vec::new()) });
    World::of_box(&CATALOGUE, facts)
}

/// All that can be chosen.
pub(super) fn all_of(question: &Question<'_>) -> Value {
    let Kind::Several(options) = &question.kind else { panic!("{question:?}") };
    let free = options.iter().filter(|option| option.refused.is_none());
    texts(&free.map(|option| option.value.as_str()).collect::<Vec<_>>())
}

/// What the answers say about disks, as it stands in the seed; the planner must take it.
fn mounts(interview: &Interview<'_>) -> String {
    let (seed_text, seed) = interview.seed().unwrap_or_else(|problems| panic!("{problems}"));
    plan::plan(&seed, &CATALOGUE, &interview.world().facts)
        .unwrap_or_else(|problems| panic!("{}\n{problems}", seed_text.reveal()));
    seed.mounts.iter().map(mount_text).collect()
}

/// Marks these disks, and answers some questions about them by the ends of their names.
fn with_disks<'a>(
    world: &'a World<'a>,
    disks: &[&str],
    answers: &[(&str, Value)],
) -> Interview<'a> {
    let mut all = vec![("storage.disks".to_owned(), texts(disks))];
    all.extend(answers.iter().map(|(id, value)| {
        let id = if id.starts_with("storage.") {
            (*id).to_owned()
        } else {
            format!("storage.disk.{id}")
        };
        (id, value.clone())
    }));
    let all: Vec<(&str, Value)> =
        all.iter().map(|(id, value)| (id.as_str(), value.clone())).collect();
    answered(world, &all)
}

fn reopened<'a>(interview: &'a mut Interview<'_>, id: &str) -> Question<'a> {
    assert!(interview.reopen(&Id::new(id)), "{id} was not answered");
    interview.next().unwrap().question
}

fn labels(question: &Question<'_>) -> Vec<String> {
    let label = |option: &model::questions::Choice| match &option.refused {
        None => option.label.clone(),
        Some(why) => format!("{} | {why}", option.label),
    };
    question.kind.options().iter().map(label).collect()
}

#[test]
fn all_disks_are_listed_and_none_is_marked() {
    let world = world();
    let mut interview = answered(&world, &[]);
    assert_eq!(mounts(&interview), "");
    let asked: Vec<String> = interview.summary().into_iter().map(|line| line.id.0).collect();
    assert_eq!(asked.iter().filter(|id| id.starts_with("storage.disk")).count(), 1, "{asked:?}");
    let question = reopened(&mut interview, "storage.disks");
    assert_eq!(
        labels(&question),
        [
            "WDC WD40EFRX (serial WD-WX12A345, 4000 GB, ext4 \"data\")",
            "data on WDC WD40EFRX (serial WD-WX12A346, 4000 GB, ext4 \"data\", xfs \"data\")",
            "data on WDC WD40EFRX (serial WD-WX12A346, 4000 GB, ext4 \"data\", xfs \"data\")",
            "WDC WD40EFRX (serial WD-WX12A347, 4000 GB, empty)",
            "WDC WD40EFRX (serial WD-WX12A349, 4000 GB, xfs \"data\")",
            "WDC WD40EFRX (no serial, by-id wwn-0x5000c500a1b2c3d4, 4000 GB, empty)",
            "WDC WD40EFRX (no serial, 4000 GB, empty) | it has neither a serial nor a name in \
             /dev/disk/by-id, so nothing tells it from others",
        ]
    );
    let refused = question.check(&texts(&["disk:sdg"])).unwrap_err();
    assert!(refused.what.starts_with("`disk:sdg` cannot be chosen: it has neither"), "{refused:?}");
    drop(question);
    // One that is marked and holds nothing is left alone.
    assert_eq!(mounts(&with_disks(&world, &[EMPTY], &[])), "");

    let alone = World::of_box(&CATALOGUE, super::support::facts());
    let asked = answered(&alone, &[]).summary();
    assert!(!asked.iter().any(|line| line.id.0.starts_with("storage.disk")));
}

#[test]
fn a_version_that_formats_nothing_asks_for_no_disk_that_would_need_it() {
    let world = box_world(false);
    let media = texts(&["media"]);
    let mut interview = with_disks(&world, &[DATA], &[(DATA, media)]);
    assert!(!interview.summary().iter().any(|line| line.id.0.ends_with(".format")));
    let question = reopened(&mut interview, "storage.disks");
    let refused = question.kind.options().last().unwrap().refused.clone().unwrap();
    assert_eq!(
        refused,
        "it has no file system of ext4, xfs, btrfs, and this version formats no disks"
    );
}

#[test]
fn formatting_needs_the_last_four_of_the_serial() {
    let world = box_world(true);
    let answers =
        [(DATA, texts(&["media", "downloads"])), (&format!("{DATA}.format"), Value::Yes(true))];
    let mut interview = with_disks(&world, &[DATA], &answers);
    assert_eq!(
        mounts(&interview),
        "[[storage.mount]]\nat = \"/mnt/storage\"\nholds = [\"media\", \"downloads\"]\ndisk = \
         \"serial:WD-WX12A345\"\nwipe = \"WD-WX12A345\"\nfilesystem = \"ext4\"\n"
    );
    let question = reopened(&mut interview, &format!("storage.disk.{DATA}.consent"));
    assert_eq!(
        question.text,
        "WDC WD40EFRX (serial WD-WX12A345, 4000 GB, ext4 \"data\") will be formatted. EVERYTHING ON \
         IT IS LOST. Type the last four characters of its serial."
    );
    let refused = question.check(&text("y")).unwrap_err();
    assert_eq!(refused.what, "`y` is not the end of the serial of this disk");
    drop(question);
    interview.answer(&text("a345")).unwrap();
    assert!(interview.next().is_none());
}

#[test]
fn a_disk_without_a_serial_is_formatted_by_its_lasting_name() {
    let world = world();
    let mut interview = with_disks(&world, &[NAMELESS], &[(NAMELESS, texts(&["backups"]))]);
    assert_eq!(
        mounts(&interview),
        "[[storage.mount]]\nat = \"/mnt/backups\"\ndisk = \"by-id:wwn-0x5000c500a1b2c3d4\"\nwipe = \
         \"wwn-0x5000c500a1b2c3d4\"\nfilesystem = \"ext4\"\n"
    );
    let question = reopened(&mut interview, &format!("storage.disk.{NAMELESS}.consent"));
    assert_eq!(
        question.text,
        "WDC WD40EFRX (no serial, by-id wwn-0x5000c500a1b2c3d4, 4000 GB, empty) will be formatted. \
         It is empty. Type the last four characters of its by-id name."
    );
    assert_eq!(question.check(&text("C3D4")), Ok(text("c3d4")));
    let refused = question.check(&text("3d4")).unwrap_err();
    assert_eq!(refused.what, "`3d4` is not the end of the by-id name of this disk");
}

#[test]
fn disks_that_hold_the_same_are_a_pool_and_each_needs_its_own_consent() {
    let world = world();
    let both = texts(&["media", "downloads"]);
    let answers = [(EMPTY, both.clone()), (NAMELESS, both.clone())];
    let mut interview = with_disks(&world, &[EMPTY, NAMELESS], &answers);
    assert_eq!(
        mounts(&interview),
        "[[storage.mount]]\nat = \"/mnt/storage\"\nholds = [\"media\", \"downloads\"]\ndisks = \
         [\"serial:WD-WX12A347\", \"by-id:wwn-0x5000c500a1b2c3d4\"]\nwipes = [\"WD-WX12A347\", \
         \"wwn-0x5000c500a1b2c3d4\"]\nfilesystem = \"ext4\"\n"
    );
    let consents = interview.summary().into_iter().filter(|line| line.id.0.ends_with(".consent"));
    assert_eq!(consents.count(), 2);
    let question = reopened(&mut interview, &format!("storage.disk.{NAMELESS}"));
    let joined = " as one folder with WD-WX12A347";
    assert_eq!(
        labels(&question),
        [format!("media,{joined}"), format!("downloads,{joined}"), "backups".to_owned()]
    );
    assert_eq!(
        question.remark(&both),
        "One folder on 2 disks. A disk that dies takes its own files with it."
    );
    let refused = question.check(&texts(&["media"])).unwrap_err();
    assert_eq!(
        (refused.what.as_str(), refused.hint.as_str()),
        (
            "this disk would hold media, and what it would join (WD-WX12A347) holds media and \
             downloads",
            "to join it, choose the same: media and downloads; otherwise what no other disk holds",
        )
    );
    assert_eq!(question.remark(&texts(&["media"])), refused.hint);
    assert_eq!(question.remark(&texts(&["backups"])), "");
}

#[test]
fn a_disk_becomes_as_the_one_that_it_joins_and_stays() {
    let world = world();
    let media = texts(&["media"]);
    // Made anew, it gets the file system of the one that is kept, also if that comes later.
    let answers = [(EMPTY, media.clone()), (XFS, media.clone())];
    let pool = |first: &str, second: &str, wipe: &str| {
        format!(
            "[[storage.mount]]\nat = \"/mnt/media\"\ndisks = [\"{first}\", \"{second}\"]\nwipes = \
             [\"{wipe}\"]\nfilesystem = \"xfs\"\n"
        )
    };
    let interview = with_disks(&world, &[EMPTY, XFS], &answers);
    assert_eq!(mounts(&interview), pool(EMPTY, XFS, "WD-WX12A347"));
    // No new place: nothing that could be encrypted.
    assert!(!interview.summary().iter().any(|line| line.id.0 == "storage.encrypt"));
    // One that is unlike the first can only join if it is formatted.
    let answers = [(DATA, media.clone()), (XFS, media.clone())];
    let mut interview = with_disks(&world, &[DATA, XFS], &answers);
    assert_eq!(mounts(&interview).matches("WD-WX12A349").count(), 2, "{}", mounts(&interview));
    let question = reopened(&mut interview, &format!("storage.disk.{XFS}.consent"));
    assert_eq!(
        question.text,
        "WDC WD40EFRX (serial WD-WX12A349, 4000 GB, xfs \"data\") will be formatted: it is xfs, and \
         the disk that it joins ext4. EVERYTHING ON IT IS LOST. Type the last four characters of \
         its serial."
    );
    drop(question);
    // A part of a disk cannot be formatted, so it cannot be chosen.
    let part = "uuid:0a1b2c3d-0000-4000-8000-000200000004";
    let answers = [(DATA, media.clone()), (part, texts(&["backups"]))];
    let mut interview = with_disks(&world, &[DATA, part], &answers);
    let question = reopened(&mut interview, &format!("storage.disk.{part}"));
    let refused = question.check(&media).unwrap_err();
    assert_eq!(refused.what, "`media` cannot be chosen: this disk is xfs, and WD-WX12A345 ext4");
}

#[test]
fn what_is_formatted_is_encrypted_if_somebody_wants_that() {
    let world = world();
    let disks = [EMPTY, NAMELESS, DATA];
    let answers = |how: &str| {
        [
            (EMPTY, texts(&["media"])),
            (NAMELESS, texts(&["media"])),
            (DATA, texts(&["backups"])),
            ("storage.encrypt", text(how)),
        ]
    };
    let mut interview = with_disks(&world, &disks, &answers("tpm2"));
    let seed = mounts(&interview);
    let (media, backups) = seed.split_once("[[storage.mount]]\nat = \"/mnt/media\"").unwrap();
    assert!(backups.contains("encrypt = \"tpm2\""), "{seed}");
    assert!(!media.contains("encrypt"), "what is kept is not encrypted: {seed}");
    let question = reopened(&mut interview, "storage.encrypt");
    assert_eq!(
        question.text,
        "Shall what is formatted be encrypted? That is media on WD-WX12A347 and \
         wwn-0x5000c500a1b2c3d4. Encrypted disks unlock by themselves at each start. It cannot be \
         changed later without formatting again."
    );
    drop(question);
    assert!(!mounts(&with_disks(&world, &disks, &answers("no"))).contains("encrypt"));

    // Without a TPM it is shown and cannot be chosen; whoever formats nothing is not asked.
    let world = box_world(true);
    let media = texts(&["media"]);
    let mut interview = with_disks(&world, &[EMPTY], &[(EMPTY, media.clone())]);
    assert!(!mounts(&interview).contains("encrypt"), "the default is no");
    let question = reopened(&mut interview, "storage.encrypt");
    let refused = question.check(&text("tpm2")).unwrap_err();
    assert_eq!(
        refused.what,
        "`tpm2` cannot be chosen: this machine has no TPM 2.0, or it is turned off"
    );
    drop(question);
    let interview = with_disks(&world, &[DATA], &[(DATA, media)]);
    assert!(!interview.summary().iter().any(|line| line.id.0 == "storage.encrypt"));
}

/// Formatted by an install that failed later: what was made of the disk is used, and whoever changes
/// another answer is not asked for the disk anew.
#[test]
fn an_encrypted_pool_that_is_made_already_is_gone_on_with() {
    let world = world();
    let disks = [EMPTY, NAMELESS];
    let answers = [
        (EMPTY, texts(&["media"])),
        (NAMELESS, texts(&["media"])),
        ("storage.encrypt", text("key")),
    ];
    let (seed_text, seed) = with_disks(&world, &disks, &answers).seed().unwrap();
    let made = |disk: &Disk, wipe: &str| {
        let consent = Consent::given(wipe, disk).unwrap();
        let mut format = Format::new(consent, FileSystem::Ext4, "media-1");
        format.unlock = Some(Unlock::Key);
        let container =
            Volume { uuid: Some(format.uuid.clone()), ..volume(&disk.name, "crypto_LUKS", 1) };
        let inside = Volume {
            name: format!("luks-{}", format.uuid),
            number: None,
            mounted_at: vec!["/mnt/.disks/media-1".to_owned()],
            ..volume(&disk.name, "ext4", 2)
        };
        let formatting = Some(Formatting { format, finished: true });
        Disk { contents: vec![container, inside], formatting, ..disk.clone() }
    };
    let mut facts: Facts = world.facts.clone();
    for disk in &mut facts.disks {
        match disk.name.as_str() {
            "sdc" => *disk = made(disk, "WD-WX12A347"),
            "sdf" => *disk = made(disk, "wwn-0x5000c500a1b2c3d4"),
            _ => {}
        }
    }
    let world = World { facts, ..world };
    let mut interview = Interview::new(&world, prefill(seed_text.reveal()));
    by_default(&mut interview);
    let without_consent: Vec<Mount> = seed
        .mounts
        .into_iter()
        .map(|mut mount| {
            let MountSource::Disks { members, .. } = &mut mount.source else { panic!("{mount:?}") };
            members.iter_mut().for_each(|member| member.wipe = None);
            mount
        })
        .collect();
    assert_eq!(mounts(&interview), without_consent.iter().map(mount_text).collect::<String>());
    assert!(mounts(&interview).contains("encrypt = \"key\""));
    // A new disk can join it, and is encrypted as it is.
    let answers = [(EMPTY, texts(&["media"])), (XFS, texts(&["media"]))];
    let interview = with_disks(&world, &[EMPTY, XFS], &answers);
    assert!(mounts(&interview).ends_with(
        "disks = [\"serial:WD-WX12A347\", \"serial:WD-WX12A349\"]\nwipes = [\"WD-WX12A349\"]\n\
         filesystem = \"ext4\"\nencrypt = \"key\"\n"
    ));
    assert!(!interview.summary().iter().any(|line| line.id.0 == "storage.encrypt"));
}

#[test]
fn the_system_goes_onto_a_disk_without_a_serial_by_its_lasting_name() {
    let mut world = stick_world();
    world.facts.disks.retain(|disk| disk.boot);
    let ids = vec!["wwn-0x5000c500a1b2c3d4".to_owned()];
    world.facts.disks.push(Disk { ids, ..disk("sdf", "", Vec::new()) });
    world.facts.disks.push(Disk { ids: Vec::new(), ..disk("sdg", "", Vec::new()) });
    let mut interview = answered(&world, &[]);
    let (_, seed) = interview.seed().unwrap();
    let plan = plan::plan(&seed, &CATALOGUE, &world.facts).unwrap_or_else(|p| panic!("{p}"));
    let victim = plan.install().unwrap().consent.victim().to_string();
    assert_eq!(victim, "`by-id:wwn-0x5000c500a1b2c3d4`");
    let question = reopened(&mut interview, "install.disk");
    assert_eq!(
        labels(&question)[2],
        "WDC WD40EFRX (no serial, 4000 GB, empty) | it has neither a serial nor a name in \
         /dev/disk/by-id, so nothing tells it from others"
    );
}

#[test]
fn a_pc_keeps_the_pool_of_a_seed() {
    let pool = "[[storage.mount]]\nat = \"/mnt/media\"\ndisks = [\"serial:A\", \"serial:B\"]\n\
                filesystem = \"xfs\"\nencrypt = \"key\"\n";
    let world = World::of_pc(&CATALOGUE, None);
    let seed = format!("schema = 1\n[admin]\npassword = {{ ask = true }}\n{pool}");
    let mut interview = Interview::new(&world, prefill(&seed));
    by_default(&mut interview);
    let (_, seed) = interview.seed().unwrap();
    assert_eq!(seed.mounts.iter().map(mount_text).collect::<String>(), pool);
    let question = reopened(&mut interview, "storage.lines");
    let refused = question.check(&texts(&["media serial:A xfs", "media serial:B"])).unwrap_err();
    assert_eq!(refused.what, "this disk is ext4, and the one that it would join xfs");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is chosen of disks, the planner takes it on that machine.
    #[test]
    fn every_choice_of_disks_can_be_planned(choices in prop::collection::vec(any::<u32>(), 30)) {
        let world = world();
        let mut interview = Interview::new(&world, Answers::none());
        let mut choices = choices.into_iter();
        while let Some(asked) = interview.next() {
            let question = &asked.question;
            let value = match question.id.0.as_str() {
                "storage.disks" => all_of(question),
                id if id.starts_with("storage.") => {
                    let possible = possible(question);
                    possible[choices.next().unwrap_or(0) as usize % possible.len()].clone()
                }
                _ => question.default.clone().unwrap_or_else(|| good(question)),
            };
            interview.answer(&value).unwrap();
        }
        mounts(&interview);
    }
}
