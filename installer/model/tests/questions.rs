//! The graph of questions, walked: every way ends, every answer can be gone back over, and no way
//! yields a seed that the parser or the planner refuses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::disallowed_methods, reason = "golden tests read their files")]

#[path = "questions/install.rs"]
mod install;
#[path = "questions/storage.rs"]
mod storage;
mod support;

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use model::{
    Secret,
    catalogue::Catalogue,
    facts::{Disk, Facts, Volume},
    plan,
    questions::{Answers, Interview, Kind, Question, Value, World, prefill},
    seed::{AdminPassword, Certificate, SecretSource},
};
use proptest::prelude::*;

/// No way asks more than this.
const MOST: usize = 60;

/// A file system on a disk that has two.
const PART: &str = "uuid:0a1b2c3d-0000-4000-8000-000200000004";

const PASSWORD: &str = "violet pencil under seven rivers";

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(support::catalogue);

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn texts(list: &[&str]) -> Value {
    Value::Texts(list.iter().map(|text| (*text).to_owned()).collect())
}

fn secret(text: &str) -> Value {
    Value::Secret(Secret::new(text))
}

fn volume(name: &str, kind: &str, number: u32) -> Volume {
    Volume {
        name: format!("{name}{number}"),
        number: Some(number),
        size: 1_000_000_000_000,
        signature: Some(kind.to_owned()),
        uuid: Some(format!("0a1b2c3d-0000-4000-8000-{number:04}{:08}", name.len())),
        label: Some("data".to_owned()),
        mounted_at: Vec::new(),
    }
}

fn disk(name: &str, serial: &str, contents: Vec<Volume>) -> Disk {
    Disk {
        name: name.to_owned(),
        model: "WDC WD40EFRX".to_owned(),
        serial: serial.to_owned(),
        ids: vec![format!("ata-WDC_{name}")],
        size: 4_000_000_000_000,
        sector: 512,
        bus: "sata".to_owned(),
        removable: false,
        boot: false,
        contents,
        ..Disk::default()
    }
}

/// A box with its own disk, one with data, one with two file systems, and an empty one.
fn facts() -> Facts {
    let mut facts = support::facts();
    facts.memory = 8 << 30;
    facts.disks.push(disk("sda", "WD-WX12A345", vec![volume("sda", "ext4", 1)]));
    facts.disks.push(disk(
        "sdb",
        "WD-WX12A346",
        vec![volume("sdbb", "ext4", 1), volume("sdbb", "xfs", 2)],
    ));
    facts.disks.push(disk("sdc", "WD-WX12A347", Vec::new()));
    facts
}

fn box_world(formats: bool) -> World<'static> {
    World { formats, ..World::of_box(&CATALOGUE, facts()) }
}

/// Answers with the defaults, and what has none with something good.
fn by_default(interview: &mut Interview<'_>) -> usize {
    let mut count = 0;
    while let Some(asked) = interview.next() {
        count += 1;
        assert!(count <= MOST, "no end: {:?}", asked.question);
        let value = asked.question.default.clone().unwrap_or_else(|| good(&asked.question));
        let id = asked.question.id.clone();
        interview.answer(&value).unwrap_or_else(|refused| panic!("{id}: {refused:?}"));
    }
    count
}

/// Something good for a question without a default.
fn good(question: &Question<'_>) -> Value {
    let id = question.id.0.as_str();
    match id {
        "admin.password" | "backup.password" => secret(PASSWORD),
        "admin.email" | "notifications.smtp.from" => text("alex@example.org"),
        "domain.name" if question.text.contains("DuckDNS") => text("alex"),
        "domain.name" => text("home.example.org"),
        "domain.provider" => text("cloudflare"),
        "domain.variables" => texts(&["EXAMPLE_USER", "EXAMPLE_KEY"]),
        "domain.certificate.directory" => text("https://ca.lan/acme/acme/directory"),
        "vpn.provider" => text("mullvad"),
        "vpn.private_key" => secret("wOEI9rqqbDwnN8/Bpp22sVz48T71vJ4fYmFWujulwUU="),
        "vpn.addresses" => texts(&["10.64.222.21/32"]),
        "backup.repository" => text("sftp:box@backup.lan:/restic"),
        "notifications.smtp.server" => text("smtp.example.org:587"),
        "notifications.ntfy.url" => text("https://ntfy.sh/alex-7f3a"),
        _ if id.ends_with(".consent") => {
            let name = id.trim_end_matches(".consent").rsplit(':').next().unwrap();
            text(&name[name.len() - 4..])
        }
        _ if matches!(question.kind, Kind::Secret { .. }) => secret("a-token-of-the-provider"),
        _ => panic!("what is good for {question:?}?"),
    }
}

#[test]
fn defaults_alone_give_a_box_on_the_lan() {
    let world = World::of_box(&CATALOGUE, support::facts());
    let mut interview = Interview::new(&world, Answers::none());
    let first = interview.next().unwrap();
    assert_eq!((first.number, first.question.id.0.as_str()), (1, "system.keyboard"));
    assert_eq!(by_default(&mut interview), 13);
    let (text, seed) = interview.seed().unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(seed.domain.certificate, Certificate::Local);
    assert_eq!(seed.domain.name, "homelab.home.arpa");
    plan::plan(&seed, &CATALOGUE, &support::facts()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let summary: Vec<String> = interview
        .summary()
        .iter()
        .map(|line| format!("{:24}{}", line.title, line.answer))
        .collect();
    assert!(!summary.join("\n").contains(PASSWORD));
    golden("default.toml", text.reveal());
    golden("default-summary.txt", &format!("{}\n", summary.join("\n")));
}

fn golden(name: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/questions").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, said).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(said, expected, "{}", path.display());
}

/// What somebody could answer who is of good will: the default, something good, each of what can be
/// chosen.
fn possible(question: &Question<'_>) -> Vec<Value> {
    let mut all: Vec<Value> = question.default.clone().into_iter().collect();
    match &question.kind {
        Kind::Choice { options, other } => {
            all.extend(options.iter().map(|option| text(&option.value)));
            if *other && question.id.0 == "domain.provider" {
                all.push(text("bunny"));
            }
        }
        Kind::Several(options) => {
            let names: Vec<&str> = options.iter().map(|option| option.value.as_str()).collect();
            let without = |name: &&str| names.iter().copied().filter(|n| n != name).collect();
            let sets: Vec<Vec<&str>> = names.iter().map(without).collect();
            all.extend(sets.iter().map(|set| texts(set)));
            let free = options.iter().filter(|option| option.refused.is_none());
            all.push(texts(&free.map(|option| option.value.as_str()).collect::<Vec<_>>()));
            all.extend(names.iter().map(|name| texts(&[name])));
            all.push(texts(&[]));
        }
        Kind::YesNo => all.extend([Value::Yes(true), Value::Yes(false)]),
        Kind::List(_) => {
            all.extend([
                texts(&["media+downloads //nas.lan/data", "backups nas.lan:/export/backups"]),
                texts(&["media serial:WD-X1 xfs"]),
                texts(&["backups //nas.lan/b"]),
                texts(&["media serial:WD-X1 xfs key", "media by-id:wwn-0x5000 xfs key"]),
            ]);
        }
        Kind::Text if question.default == Some(text("")) => all.push(text("alex")),
        Kind::Text | Kind::Secret { .. } => {}
    }
    if question.default.is_none() {
        all.push(good(question));
    }
    all.retain(|value| question.check(value).is_ok());
    assert!(!all.is_empty(), "no way on from {question:?}");
    all
}

/// What somebody could type who is not.
const NONSENSE: &[&str] = &[
    "",
    " ",
    "?",
    "..",
    "x",
    "ABC",
    "-",
    "a b",
    "\u{e4}\u{f6}",
    "************",
    "@@secret:x@@",
    "1;2",
    "/dev/sda",
    "sda",
    "me@",
    "http://x",
    "$(reboot)",
    "a\nb",
    "\"",
    "'''",
    "\\",
    "0",
    "{ ask = true }",
];

fn as_kind(kind: &Kind, typed: &str) -> Value {
    match kind {
        Kind::Choice { .. } | Kind::Text => text(typed),
        Kind::Several(_) | Kind::List(_) => texts(&[typed]),
        Kind::Secret { .. } => secret(typed),
        Kind::YesNo => text(typed),
    }
}

/// Goes a way that the numbers choose: nonsense, good answers, and steps back.
fn wander(world: &World<'_>, choices: &[u32]) -> BTreeSet<String> {
    let (mut interview, mut seen) = (Interview::new(world, Answers::none()), BTreeSet::new());
    let mut choices = choices.iter().copied();
    let mut left = 400;
    loop {
        left -= 1;
        assert!(left > 0, "no end");
        let Some(asked) = interview.next() else { break };
        assert!(asked.number <= asked.of && asked.of <= MOST, "{} of {}", asked.number, asked.of);
        seen.insert(asked.question.id.0.clone());
        // When the numbers are used up, everything goes straight on.
        let number = choices.next().unwrap_or(7);
        match number % 8 {
            0 => {
                let typed = NONSENSE[(number / 8) as usize % NONSENSE.len()];
                let value = as_kind(&asked.question.kind, typed);
                // It may be taken; then it must be good.
                let _ = interview.answer(&value);
            }
            1 => {
                let first = asked.number == 1;
                assert_eq!(interview.back(), !first);
            }
            _ => {
                let possible = possible(&asked.question);
                let value = possible[(number / 8) as usize % possible.len()].clone();
                interview.answer(&value).unwrap();
            }
        }
        // A power cut at any moment loses nothing.
        let answers = Answers::unseal(interview.answers().sealed().reveal()).unwrap();
        assert_eq!(&answers, interview.answers());
    }
    let (seed_text, seed) = interview.seed().unwrap_or_else(|problems| panic!("{problems}"));
    let world = interview.world();
    if world.memory_known {
        plan::fits(&seed, &CATALOGUE, &world.facts)
            .unwrap_or_else(|problems| panic!("{}\n{problems}", seed_text.reveal()));
    }
    everything_can_be_gone_back_over(&mut interview, &seed_text);
    the_seed_fills_in_its_own_answers(&interview, seed_text.reveal());
    seen
}

fn everything_can_be_gone_back_over(interview: &mut Interview<'_>, seed_text: &Secret) {
    let ids: Vec<_> = interview.summary().into_iter().map(|line| line.id).collect();
    for id in ids.iter().rev() {
        assert!(interview.back());
        assert_eq!(interview.next().unwrap().question.id, *id);
    }
    assert!(!interview.back(), "there is nothing before the first question");
    // With enter alone the same comes out again.
    by_default(interview);
    assert_eq!(interview.seed().unwrap().0, *seed_text);
}

/// A seed that came out of the questions leads to itself.
fn the_seed_fills_in_its_own_answers(interview: &Interview<'_>, seed_text: &str) {
    if ["wipe = ", "wipes = "].iter().any(|key| seed_text.contains(key))
        || seed_text.contains("\ndisable = ")
    {
        // Consent must be given anew; what was left out is then the owner's wish.
        return;
    }
    let mut again = Interview::new(interview.world(), prefill(seed_text));
    by_default(&mut again);
    assert_eq!(again.seed().unwrap().0.reveal(), seed_text);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_ends_in_a_good_seed(choices in prop::collection::vec(any::<u32>(), 0..90), kind in 0..6) {
        let world = match kind {
            0 => box_world(false),
            1 => box_world(true),
            2 => World::of_pc(&CATALOGUE, None),
            3 => stick_world(),
            4 => storage::world(),
            _ => World::of_pc(&CATALOGUE, Some(4 << 30)),
        };
        wander(&world, &choices);
    }
}

#[test]
fn every_question_is_reached() {
    let mut seen = BTreeSet::new();
    let yes = Value::Yes(true);
    let ways: [&[(&str, Value)]; 3] = [
        &[
            ("domain.kind", text("duckdns")),
            ("storage.disks", texts(&["serial:WD-WX12A345", "serial:WD-WX12A347"])),
            ("storage.disk.serial:WD-WX12A345", texts(&["media"])),
            ("storage.disk.serial:WD-WX12A345.format", yes.clone()),
            ("storage.disk.serial:WD-WX12A347", texts(&["downloads"])),
            ("vpn.wanted", yes.clone()),
            ("backup.place", text("other")),
            ("backup.password_from", text("own")),
            ("notifications", texts(&["mail", "ntfy"])),
            ("notifications.smtp.user", text("alex")),
        ],
        &[
            ("domain.kind", text("own")),
            ("domain.issuer", text("custom")),
            ("storage.shares", texts(&["media //nas.lan/m"])),
            ("storage.share.1.user", text("alex")),
            ("vpn.wanted", yes),
            ("vpn.protocol", text("openvpn")),
        ],
        &[("domain.kind", text("own")), ("domain.provider", text("bunny"))],
    ];
    let stick: &[(&str, Value)] = &[];
    let ways = ways.into_iter().map(|way| (box_world(true), way));
    for (world, answers) in ways.chain([(stick_world(), stick)]) {
        let interview = answered(&world, answers);
        interview.seed().unwrap_or_else(|problems| panic!("{problems}"));
        seen.extend(interview.summary().into_iter().map(|line| line.id.0));
    }
    golden("asked.txt", &format!("{}\n", Vec::from_iter(seen).join("\n")));
}

/// Answers some questions by name, the others by default.
fn answered<'a>(world: &'a World<'a>, answers: &[(&str, Value)]) -> Interview<'a> {
    let mut interview = Interview::new(world, Answers::none());
    while let Some(asked) = interview.next() {
        let id = asked.question.id.0.clone();
        let chosen = answers.iter().find(|(name, _)| *name == id).map(|(_, value)| value.clone());
        let value = chosen
            .or_else(|| asked.question.default.clone())
            .unwrap_or_else(|| good(&asked.question));
        interview.answer(&value).unwrap_or_else(|refused| panic!("{id}: {refused:?}"));
    }
    interview
}

/// The same box, started from a stick: with an empty disk, and with one that is too small.
fn stick_world() -> World<'static> {
    let mut facts = facts();
    let boot = &mut facts.disks[0];
    (boot.bus, boot.model) = ("usb".to_owned(), "SanDisk Ultra".to_owned());
    boot.contents = vec![Volume { size: 1_500_000_000, ..volume("vda", "ext4", 3) }];
    facts.disks.push(Disk { size: 1_000_000_000, ..disk("sdd", "WD-WX12A348", Vec::new()) });
    World::of_box(&CATALOGUE, facts)
}

#[test]
fn the_planner_takes_what_was_asked() {
    let world = box_world(false);
    let answers = [
        ("domain.kind", text("duckdns")),
        ("storage.disks", texts(&["serial:WD-WX12A345", PART])),
        ("storage.disk.serial:WD-WX12A345", texts(&["media", "downloads"])),
        (&format!("storage.disk.{PART}"), texts(&["backups"])),
        ("vpn.wanted", Value::Yes(true)),
        ("stacks", texts(&["backup", "media", "productivity"])),
        ("notifications", texts(&["mail", "ntfy"])),
    ];
    let (text, seed) = answered(&world, &answers).seed().unwrap();
    plan::plan(&seed, &CATALOGUE, &world.facts)
        .unwrap_or_else(|problems| panic!("{}\n{problems}", text.reveal()));
    golden("much.toml", text.reveal());
}

#[test]
fn a_selection_that_does_not_fit_is_refused_with_the_planners_words() {
    let mut facts = support::facts();
    facts.memory = 1 << 30;
    let world = World::of_box(&CATALOGUE, facts);
    let mut interview = Interview::new(&world, Answers::none());
    loop {
        let asked = interview.next().unwrap();
        if asked.question.id.0 == "stacks" {
            let default = asked.question.default.clone().unwrap();
            assert_eq!(default, texts(&["backup"]), "the default is what fits");
            let none = asked.question.remark(&texts(&[]));
            assert!(none.contains("the box has 1024 MiB"), "{none}");
            let Kind::Several(options) = &asked.question.kind else { panic!() };
            let all: Vec<&str> = options.iter().map(|option| option.value.as_str()).collect();
            let refused = asked.question.check(&texts(&all)).unwrap_err();
            assert!(refused.what.starts_with("the services need "), "{refused:?}");
            assert!(refused.hint.starts_with("the largest are "), "{refused:?}");
            break;
        }
        let value = asked.question.default.clone().unwrap_or_else(|| good(&asked.question));
        interview.answer(&value).unwrap();
    }
}

#[test]
fn an_answer_that_no_longer_fits_is_asked_again() {
    let world = box_world(false);
    let mut interview = answered(&world, &[("domain.kind", text("duckdns"))]);
    let name = interview.seed().unwrap().1.domain.name;
    assert_eq!(name, "alex.duckdns.org");
    interview.reopen(&model::questions::Id::new("admin.name"));
    interview.answer(&text("violet")).unwrap();
    let asked = interview.next().unwrap();
    assert_eq!(asked.question.id.0, "admin.password");
    assert_eq!(asked.question.default, None, "the old one holds the new name");
}

#[test]
fn a_broken_seed_gives_its_good_answers() {
    let broken = r#"
schema = 1
[system]
hostname = "Not A Name"
timezone = "Europe/Berlin"
locale = "de_DE.UTF-8"
[admin]
name = "alex"
password = "short"
colour = "blue"
[[network.interface]]
match = "name:enp1s0"
address = ["192.168.1.10/24"]
[firewall]
ssh_from = ["nonsense"]
[stacks]
enable = ["core", "media"]
disable = ["plex"]
prefer = ["promtail"]
"#;
    let world = World::of_pc(&CATALOGUE, None);
    let mut interview = Interview::new(&world, prefill(broken));
    let mut defaults = Vec::new();
    while let Some(asked) = interview.next() {
        let default = asked.question.default.clone();
        defaults.push((asked.question.id.0.clone(), default.clone()));
        let value = default.unwrap_or_else(|| good(&asked.question));
        interview.answer(&value).unwrap();
    }
    let default = |id: &str| defaults.iter().find(|(name, _)| name == id).unwrap().1.clone();
    assert_eq!(default("system.hostname"), Some(text("homelab")));
    assert_eq!(default("system.timezone"), Some(text("Europe/Berlin")));
    assert_eq!(default("admin.name"), Some(text("alex")));
    assert_eq!(default("admin.password"), None);
    let (_, seed) = interview.seed().unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(seed.system.locale, "de_DE.UTF-8");
    assert_eq!((seed.interfaces.len(), seed.ssh_from), (1, None));
    assert_eq!(seed.stacks.enable, Some(vec!["core".to_owned(), "media".to_owned()]));
    assert_eq!(seed.stacks.disable, ["plex"]);
    assert_eq!(seed.stacks.prefer, ["promtail"]);
    let password = AdminPassword::Plain(SecretSource::Text(Secret::new(PASSWORD)));
    assert_eq!(seed.admin.password, password);
}

/// The question for the time zone where this one was guessed: its text and its default.
fn zone_asked(world: World<'_>, guess: &str) -> (String, Option<Value>) {
    let timezones = ["Europe/Berlin", "Europe/Oslo"].map(str::to_owned).to_vec();
    let world = World { timezones, timezone: Some(guess.to_owned()), ..world };
    let mut interview = Interview::new(&world, Answers::none());
    interview.answer(&text("us")).unwrap();
    let question = interview.next().unwrap().question;
    assert_eq!(question.id.0, "system.timezone");
    (question.text.clone(), question.default.clone())
}

#[test]
fn a_guessed_time_zone_says_whose_word_it_is_and_one_that_there_is_not_is_not_told() {
    let asks = "In which time zone does the box stand?";
    let (said, default) = zone_asked(box_world(false), "Europe/Berlin");
    assert_eq!(said, format!("{asks} The network says that this is Europe/Berlin."));
    assert_eq!(default, Some(text("Europe/Berlin")));
    let (said, default) = zone_asked(World::of_pc(&CATALOGUE, None), "Europe/Oslo");
    assert_eq!(said, format!("{asks} This PC is set to Europe/Oslo."));
    assert_eq!(default, Some(text("Europe/Oslo")));
    for strange in [
        "Mars/Base",
        "posix/Europe/Berlin",
        "../../etc/shadow",
        "CET-1CEST",
        "Europe/Berlin; x",
        "",
    ] {
        for world in [box_world(false), World::of_pc(&CATALOGUE, None)] {
            let nothing = (asks.to_owned(), Some(text("Etc/UTC")));
            assert_eq!(zone_asked(world, strange), nothing, "{strange}");
        }
    }
}

#[test]
fn texts_are_short_and_plain() {
    let media = texts(&["media"]);
    let told = World { timezone: Some("Europe/Berlin".to_owned()), ..storage::world() };
    for world in [told, World::of_pc(&CATALOGUE, None)] {
        let mut interview = Interview::new(&world, Answers::none());
        while let Some(asked) = interview.next() {
            let question = &asked.question;
            for said in [&question.title, &question.text, &question.help] {
                assert!(said.is_ascii() && !said.contains('\n'), "{said}");
                assert!(!said.is_empty(), "{}", question.id);
            }
            assert!(question.title.len() <= 30, "{}", question.title);
            assert!(question.help.len() <= 600, "{}: {}", question.id, question.help.len());
            let value = match question.id.0.as_str() {
                "storage.disks" => storage::all_of(question),
                "storage.shares" => texts(&["backups //nas.lan/b"]),
                id if id.starts_with("storage.disk.") && question.check(&media).is_ok() => {
                    media.clone()
                }
                id if id.ends_with(".format") => Value::Yes(true),
                _ => question.default.clone().unwrap_or_else(|| good(question)),
            };
            interview.answer(&value).unwrap();
        }
    }
}
