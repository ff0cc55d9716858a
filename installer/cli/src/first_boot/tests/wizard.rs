//! The setup at consoles that are pseudo-terminals.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicI64, Ordering},
};

use super::*;
use crate::{
    door,
    testing::{Pty, pty},
};

const PASSWORD: &str = "violet pencil under seven rivers";

/// A clock that goes five times as fast as the real one: who waits for a person must not be
/// through with waiting before the person has typed.
#[derive(Default)]
struct Fast(AtomicI64);

impl host::Clock for Fast {
    fn now(&self) -> String {
        "2026-11-24T12:00:00Z".to_owned()
    }
    fn epoch(&self) -> i64 {
        self.0.load(Ordering::SeqCst) / 1000
    }
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration / 5);
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

/// A first boot with a screen and a serial console that goes on by itself.
struct Show {
    screen: Pty,
    serial: Pty,
    host: Host,
    partition: PathBuf,
    running: JoinHandle<(u8, Stage)>,
}

impl Show {
    fn begin(mut stage: Stage) -> Self {
        stage.fake.host.clock = Arc::new(Fast::default());
        let (screen, serial) = (pty(), pty());
        for (name, console, term) in [("tty1", &screen, "linux"), ("ttyS0", &serial, "vt220")] {
            let [input, output] = [0; 2].map(|_| console.slave.try_clone().unwrap());
            stage.talk.add(name, input, output, term).unwrap();
        }
        stage.talk.open_door(&stage.fake.host);
        let (host, partition) = (stage.fake.host.clone(), stage.fake.partition.clone());
        let running = std::thread::spawn(move || (stage.install(), stage));
        Self { screen, serial, host, partition, running }
    }

    fn answers(&self) -> PathBuf {
        self.host.path(paths::ANSWERS)
    }

    fn seed(&self, text: &str) {
        fs::write(self.partition.join("seed.toml"), text).unwrap();
    }

    /// Puts a seed there, which ends every box that waits.
    fn end(self) -> Stage {
        self.seed(GOOD);
        let (exit, stage) = self.running.join().unwrap();
        assert_eq!(exit, 0);
        for console in [&self.screen, &self.serial] {
            assert!(console.is_as_before(), "the console was not left as it was");
        }
        stage
    }
}

/// Titles of the questions with defaults, in their order, and what is typed.
const WAY: &[(&str, &str)] = &[
    ("Keyboard", "de"),
    ("Time zone", ""),
    ("Host name", "cellar"),
    ("Administrator", "alex"),
    ("Password", PASSWORD),
    ("The same once more", PASSWORD),
    ("SSH keys", ""),
    ("Domain", ""),
];

/// Answers at a console in plain lines, from the question that is asked next on.
fn answer(console: &Pty, way: &[(&str, &str)]) {
    for (title, line) in way {
        console.asks(title);
        console.line(line);
    }
}

/// Takes the defaults up to the confirmation.
fn defaults(console: &Pty) {
    while !console.asks("> ").contains("All is answered") {
        console.line("");
    }
}

#[test]
fn whoever_presses_enter_first_has_the_setup_and_it_ends_in_a_sealed_seed() {
    let show = Show::begin(Stage::new());
    show.screen.shows("this box waits for its seed");
    show.serial.shows("Press Enter to set it up here");
    show.serial.line("what?");
    show.serial.shows("press Enter alone to begin the setup");
    show.serial.line("plain");
    show.screen.shows("the setup is in use on ttyS0");
    show.screen.line("");
    show.screen.shows("type `take over` and Enter");
    answer(&show.serial, WAY);
    let mode = fs::metadata(show.answers()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    defaults(&show.serial);
    let said = show.serial.said();
    for words in [
        "Looking at the machine and the network",
        "Nothing on this machine has been changed so far.",
        "Trouble (link): no cable. It means: no images. Way out: plug it in.",
        "There is trouble, told before. Shall all this be done all the same?",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(!show.host.path(paths::SEED).exists());
    show.serial.line("yes");
    show.screen.shows("accepted from the setup on ttyS0");
    show.serial.shows("the box is ready");
    let (exit, stage) = show.running.join().unwrap();
    assert_eq!(exit, 0);
    assert_eq!(stage.log(), ["rest", "run with admin-password", "publish 0"]);
    let sealed = sealing::sealed(&stage.fake.host).unwrap().unwrap();
    for line in ["hostname = \"cellar\"", "keyboard = \"de\"", PASSWORD] {
        assert!(sealed.contains(line), "{sealed}");
    }
    assert_eq!(sealing::accepted(&stage.fake.host).unwrap().source, "the setup on ttyS0");
    assert!(!stage.fake.host.path(paths::ANSWERS).exists());
    assert!(!stage.said.text().contains(PASSWORD));
}

#[test]
fn it_is_taken_over_left_and_gone_on_with_elsewhere() {
    let show = Show::begin(Stage::new());
    show.screen.shows("this box waits for its seed");
    show.screen.line("");
    show.screen.shows("Keyboard");
    show.screen.line("de");
    show.screen.shows("The keyboard is `de` now.");
    show.screen.line("");
    show.screen.shows("Time zone");
    show.serial.shows("the setup is in use on tty1");
    show.serial.line("take over plain");
    show.serial.asks("Time zone");
    show.screen.shows("the setup is in use on ttyS0");
    show.serial.line("<<");
    for console in [&show.screen, &show.serial] {
        console.shows("Press Enter to go on with the setup here");
    }
    show.screen.line("");
    show.screen.shows("Time zone");
    show.serial.shows("the setup is in use on tty1");
    show.screen.line("<<");
    show.serial.shows("Press Enter to go on with the setup here");
    let stage = show.end();
    assert!(!stage.fake.host.path(paths::ANSWERS).exists(), "a seed has won");
}

#[test]
fn a_token_is_tried_at_its_provider_before_it_is_taken() {
    let mut stage = Stage::new();
    let web = Arc::new(host::fake::FakeWeb::default());
    let duck = |body: &str| web.answer("https://www.duckdns.org/update", 200, None, body);
    duck("KO");
    stage.fake.host.web = web.clone();
    let show = Show::begin(stage);
    show.serial.shows("this box waits");
    show.serial.line("plain");
    answer(&show.serial, &WAY[..WAY.len() - 1]);
    answer(
        &show.serial,
        &[("Domain", "duckdns"), ("Domain name", "alex"), ("DuckDNS: Account token?", "wr0ng")],
    );
    show.serial.shows("Asking DuckDNS whether the account is good.");
    show.serial.shows("DuckDNS does not take this token for `alex.duckdns.org`");
    duck("OK");
    show.serial.line("t0ken");
    show.serial.shows("DuckDNS takes the token for `alex.duckdns.org`.");
    show.serial.line("");
    let said = show.serial.asks("Certificates");
    assert!(!said.contains("wr0ng") && !said.contains("t0ken"), "{said}");
    show.serial.line("<<");
    show.end();
    let queries: Vec<String> = web
        .asked()
        .into_iter()
        .filter_map(|question| Some(question.query?.reveal().to_owned()))
        .collect();
    assert_eq!(
        queries,
        ["wr0ng", "t0ken"].map(|token| format!("domains=alex&token={token}&txt=&clear=true"))
    );
}

#[test]
fn a_power_cut_costs_no_answer() {
    let show = Show::begin(Stage::new());
    show.serial.shows("this box waits");
    show.serial.line("plain");
    answer(&show.serial, &WAY[..6]);
    show.serial.shows("SSH keys");
    // What a disk has at this moment is what the next start finds.
    let kept = fs::read(show.answers()).unwrap();
    show.serial.line("<<");
    show.end();

    let stage = Stage::new();
    let state = stage.fake.host.path(paths::ANSWERS);
    fs::create_dir_all(state.parent().unwrap()).unwrap();
    fs::write(&state, &kept).unwrap();
    let show = Show::begin(stage);
    show.screen.shows("the answers so far are kept");
    show.serial.line("plain");
    show.serial.shows("SSH keys");
    show.serial.line("<<");
    show.end();

    // Answers that cannot be read cost the answers, not the box.
    let stage = Stage::new();
    let state = stage.fake.host.path(paths::ANSWERS);
    fs::create_dir_all(state.parent().unwrap()).unwrap();
    fs::write(&state, &kept[..kept.len() / 2]).unwrap();
    let show = Show::begin(stage);
    show.serial.shows("this box waits");
    show.serial.line("plain");
    show.serial.shows("the saved answers cannot be read");
    show.serial.line("");
    show.serial.shows("Keyboard");
    show.serial.line("<<");
    show.end();
}

#[test]
fn a_refused_seed_is_told_first_and_fills_in_what_is_good() {
    const HALF: &str = "schema = 1\n[admin]\nname = \"sam\"\nhello = 1\n[stacks]\nenable = []\n";
    let show = Show::begin(Stage::new().seeds(&[(1, HALF)]));
    show.screen.shows("press Enter to answer the questions here");
    show.serial.line("plain");
    show.serial.shows("The seed was refused (the SEED partition of the box's own disk):");
    show.serial.shows("`hello` is no key of `[admin]`");
    show.serial.shows("What is good in it stands ready as answers.");
    show.serial.line("");
    answer(&show.serial, &WAY[..3]);
    show.serial.shows("[sam] > ");
    show.serial.line("<<");
    show.end();
}

#[test]
fn a_seed_that_turns_up_wins_before_the_first_answer_and_waits_after_it() {
    let show = Show::begin(Stage::new());
    show.serial.shows("this box waits");
    show.serial.line("plain");
    show.serial.shows("Keyboard");
    let stage = show.end();
    assert_eq!(stage.log(), ["rest", "run with admin-password", "publish 0"]);

    let show = Show::begin(Stage::new());
    show.serial.shows("this box waits");
    show.serial.line("plain");
    answer(&show.serial, &WAY[..1]);
    show.serial.shows("Time zone");
    show.seed(WRONG);
    show.serial.shows("a seed with mistakes was found, and is not used");
    show.seed(GOOD);
    show.serial.shows("leave with `<<`, and the box takes it");
    assert!(!show.host.path(paths::SEED).exists());
    show.serial.line("<<");
    show.serial.shows("accepted from the SEED partition");
    show.end();
}

#[test]
fn after_a_failure_an_answer_is_changed() {
    let stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.fake.ends.borrow_mut().push_back(4);
    let show = Show::begin(stage);
    show.screen.shows("step 1 of 1 failed");
    show.serial.shows("network: this machine has no network port");
    show.serial.line("change plain");
    show.serial.shows("the seed that is being carried out stand ready");
    show.serial.line("");
    answer(&show.serial, &[("Keyboard", ""), ("Time zone", ""), ("Host name", "attic")]);
    defaults(&show.serial);
    show.serial.line("yes");
    show.screen.shows("the box is ready");
    let (exit, stage) = show.running.join().unwrap();
    assert_eq!(exit, 0);
    let sealed = sealing::sealed(&stage.fake.host).unwrap().unwrap();
    assert!(sealed.contains("attic") && sealed.contains("correct horse battery"), "{sealed}");
    // The plan of the first seed was begun, and gave way.
    let journal = Journal::load(&stage.fake.host).unwrap().unwrap();
    assert_eq!(journal.plan.seed, Digest::of(&sealed));
}

#[test]
fn after_a_failure_a_shell_and_a_change_that_is_left_bring_nothing_about() {
    let stage = Stage::new().seeds(&[(1, GOOD)]);
    stage.fake.ends.borrow_mut().push_back(4);
    let show = Show::begin(stage);
    show.serial.shows("type `change` and Enter to change an answer");
    show.serial.line("shell");
    show.serial.shows("type `change` and Enter to change an answer");
    show.serial.line("change plain");
    show.serial.shows("stand ready");
    show.serial.line("<<");
    show.serial.shows("type `change` and Enter to change an answer");
    show.serial.line("");
    let (exit, stage) = show.running.join().unwrap();
    assert_eq!(exit, 0);
    let run = "run with admin-password";
    assert_eq!(stage.log(), [run, "publish 4", "shell on ttyS0", run, "publish 0"]);
    assert_eq!(sealing::sealed(&stage.fake.host).unwrap().as_deref(), Some(GOOD));
}

#[test]
fn a_terminal_that_is_logged_in_gets_the_setup_and_keeps_it_no_longer_than_it_lives() {
    let show = Show::begin(Stage::new());
    show.screen.shows("this box waits");
    show.screen.line("");
    show.screen.shows("Keyboard");
    let (login, host) = (pty(), show.host.clone());
    let terminal = login.path.clone();
    let client = std::thread::spawn(move || door::call(&host, &terminal, "dumb"));
    login.shows("Keyboard");
    show.screen.shows("the setup is in use on pts/");
    answer(&login, &[("> ", "<<")]);
    client.join().unwrap().unwrap();
    show.screen.shows("this box waits");
    show.end();
}

#[test]
fn a_keyboard_layout_that_there_is_not_is_refused_before_a_password_is_typed_with_it() {
    let mut stage = Stage::new();
    let fake = host::fake::host(&stage.fake.host.root);
    fake.runner.fail(["ckbcomp", "-model", "pc105", "xx"], 2, "Can not find file");
    fake.runner.missing(["loadkeys"]);
    stage.fake.host = fake.host();
    let show = Show::begin(stage);
    show.serial.shows("this box waits");
    show.serial.line("plain");
    answer(&show.serial, &[("Keyboard", "xx"), ("there is no keyboard layout `xx`", "gr")]);
    show.serial.asks("Time zone");
    // A screen is told that it stays as it is, which is no reason to stop.
    show.serial.line("<");
    show.serial.asks("Keyboard");
    show.screen.line("take over plain");
    show.screen.asks("Keyboard");
    show.screen.line("de");
    show.screen.asks("The keyboard could not be set to `de` here");
    show.screen.line("<");
    answer(&show.screen, &[("Keyboard", "us"), ("could not be set", ""), ("Time zone", "<<")]);
    show.end();
}

#[test]
fn keys_come_from_a_stick() {
    let show = Show::begin(Stage::new());
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a";
    fs::write(show.partition.join("id.pub"), KEY).unwrap();
    show.serial.shows("this box waits");
    show.serial.line("plain");
    answer(&show.serial, &WAY[..6]);
    let way = [
        ("SSH keys", "f"),
        ("Name of the file on it", "other.pub"),
        ("there is no file `other.pub` on sdb1", "f"),
        ("Name of the file on it", "../root/etc/shadow"),
        ("is no name of a file on a stick", "f"),
        ("Name of the file on it", "id.pub"),
        ("1  ssh-ed25519", ""),
    ];
    answer(&show.serial, &way);
    show.serial.shows("Domain");
    show.serial.line("<<");
    show.end();
}

/// A page of the console as it was written, from its heading to the line with the keys.
fn page<'s>(said: &'s str, heading: &str) -> &'s str {
    let at = said.find(heading).unwrap_or_else(|| panic!("no `{heading}`:\n{said}"));
    let begin = said[..at].rfind("\n Homelab setup").map_or(0, |begin| begin + 1);
    let rest = &said[begin..];
    let keys = "<< leave)";
    let end = rest.find(keys).unwrap_or_else(|| panic!("no end of `{heading}`:\n{rest}"));
    &rest[..end + keys.len()]
}

/// The card with these words, from rule to rule.
fn card<'s>(said: &'s str, words: &str) -> &'s str {
    let at = said.find(words).unwrap_or_else(|| panic!("no `{words}`:\n{said}"));
    let rule = "=".repeat(79);
    let begin = said[..at].rfind(&rule).unwrap();
    let end = at + said[at..].find(&rule).unwrap();
    &said[begin..end + rule.len()]
}

/// A machine that makes real plans from the repository's own catalogue.
fn real() -> Stage {
    let mut stage = Stage::new();
    stage.fake.real = true;
    let catalogue = stage.fake.host.path(paths::CATALOGUE);
    fs::create_dir_all(catalogue.parent().unwrap()).unwrap();
    let stacks = fs::canonicalize(repository().join("stacks")).unwrap();
    std::os::unix::fs::symlink(stacks, catalogue).unwrap();
    stage
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a page of the book with what was shown.
fn golden(name: &str, begin: &str, parts: &[(&str, &str)]) {
    let mut text = begin.to_owned();
    for (words, shown) in parts {
        text.push_str(&format!("\n{words}\n\n```text\n{shown}\n```\n"));
    }
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 110).collect();
    assert!(long.is_empty() && !text.contains(PASSWORD), "{long:#?}");
    let path = repository().join("docs/src/reference").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn the_pages_of_a_setup_with_defaults() {
    let stage = real();
    stage.fake.ends.borrow_mut().push_back(4);
    let lease = stage.fake.host.path("/run/systemd/netif/leases/2");
    fs::create_dir_all(lease.parent().unwrap()).unwrap();
    fs::write(lease, "ADDRESS=192.168.1.10\nTIMEZONE=Europe/Berlin\n").unwrap();
    let show = Show::begin(stage);
    show.serial.shows("Addresses");
    show.serial.line("plain");
    show.screen.shows("`take over`");
    let way = [("Keyboard", ""), ("The network says that this is", ""), ("Host name", "")];
    answer(&show.serial, &way);
    answer(&show.serial, &WAY[3..6]);
    defaults(&show.serial);
    show.serial.line("yes");
    show.serial.shows("step 1 of 1 failed");
    show.serial.shows("Next");
    show.serial.line("");
    show.serial.shows("the box is ready");
    let (screen, serial) = (show.screen.said(), show.serial.said());
    let (exit, stage) = show.running.join().unwrap();
    assert_eq!(exit, 0);
    drop(stage);
    let parts = [
        ("While nobody has claimed the box:", card(&serial, "this box waits")),
        ("On all consoles but the one where Enter was pressed:", card(&screen, "is in use")),
        (
            "There [the questions](questions.md) are asked. When all are answered:",
            page(&serial, "Nothing on this machine has been changed"),
        ),
        ("The one confirmation:", page(&serial, "All is answered")),
        ("When a step fails:", card(&serial, "step 1 of 1 failed")),
    ];
    let begin = "# The setup at the console\n\nWhat the box itself says around [the \
                 questions](questions.md), on a machine with 8 GiB where every default\nis taken, in \
                 plain lines as a test sees them. On a screen the same pages are drawn in place. \
                 [With\ndisks](setup-disks.md) there are more.\n";
    golden("setup.md", begin, &parts);
}

/// Disks of a machine that was started from a stick.
fn disks() -> Vec<Disk> {
    let disk = |name: &str, model: &str, serial: &str, size: u64| Disk {
        name: name.into(),
        model: model.into(),
        serial: serial.into(),
        ids: vec![format!("wwn-0x5000c500a1b2{name}")],
        size: size * 1_000_000_000,
        sector: 512,
        bus: "sata".into(),
        ..Disk::default()
    };
    let volume = |name: &str, kind: &str, label: &str| Volume {
        name: name.into(),
        number: Some(1),
        size: 1_000_000_000,
        signature: Some(kind.into()),
        uuid: Some("0a1b2c3d-0000-4000-8000-000100000004".into()),
        label: Some(label.into()),
        mounted_at: Vec::new(),
    };
    let stick = Disk { bus: "usb".into(), boot: true, ..disk("sda", "SanDisk Ultra", "4C53", 32) };
    let root = Volume { uuid: None, ..volume("sda3", "ext4", "root") };
    let films = vec![volume("sdb1", "ext4", "films")];
    vec![
        Disk { contents: vec![root], ..stick },
        Disk {
            bus: "nvme".into(),
            ..disk("nvme0n1", "Samsung SSD 970 EVO", "S4EVNX0R123456", 500)
        },
        Disk { contents: films, ..disk("sdb", "WDC WD40EFRX", "WD-WX12A345", 4000) },
        disk("sdc", "WDC WD40EFRX", "WD-WX12A346", 4000),
        disk("sdd", "ST4000VN008", "", 4000),
        Disk { ids: Vec::new(), ..disk("sde", "USB Bridge", "", 1000) },
    ]
}

#[test]
fn the_pages_of_a_setup_with_disks_from_a_stick() {
    let mut stage = real();
    stage.fake.disks = disks();
    let show = Show::begin(stage);
    show.serial.shows("Addresses");
    show.serial.line("plain");
    answer(&show.serial, &WAY[..8]);
    let way = [
        ("Install onto", ""),
        ("Consent", "3456"),
        ("Disks", "1 2 3"),
        ("[x] 3", ""),
        ("Disk WD-WX12A345", "media"),
        ("[x] 1", ""),
        ("Format it", "y"),
        ("Consent", "A346"),
        ("`A346` is not the end of the serial", "A345"),
        ("Disk WD-WX12A346", "media"),
        ("[x] 1", ""),
        ("Consent", "A346"),
        ("Disk wwn-", "backups"),
        ("[x] 3", ""),
        ("Consent", "2sdd"),
        ("Encryption", "key"),
    ];
    answer(&show.serial, &way);
    defaults(&show.serial);
    let said = show.serial.said();
    assert!(!show.host.path(paths::SEED).exists());
    show.serial.line("<<");
    show.end();
    let parts = [
        ("Where the system shall lie:", page(&said, "Install onto")),
        ("To erase a disk, the end of its serial is typed:", page(&said, "\n Consent")),
        ("Which other disks shall be used:", page(&said, "\n Disks\n")),
        (
            "What each of them holds, here the second of two for films:",
            page(&said, "\n Disk WD-WX12A346\n"),
        ),
        ("A disk without a serial goes by another name:", page(&said, "\n Disk wwn-")),
        ("What is formatted can be encrypted:", page(&said, "\n Encryption\n")),
        ("What will happen:", page(&said, "Nothing on this machine has been changed")),
    ];
    let begin = "# The setup with disks\n\n[The setup](setup.md) of a machine that was started from a \
                 stick, in plain lines as a test sees them.\nIt has an empty SSD, a disk with films, \
                 an empty one, one that tells no serial, and one that nothing tells\nfrom others.\n";
    golden("setup-disks.md", begin, &parts);
}
