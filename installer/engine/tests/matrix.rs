//! Every URL as every visitor, against a login service that checks what it is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use engine::matrix::{Asker, measure};
use host::{
    fake::{self, FakeContainers, FakeHost},
    interrupt::Interrupt,
    one_time, password,
    web::{Answer, Question},
};
use model::{
    Secret,
    access::{Matrix, Measured, Row, State, Visitor},
    catalogue::wish::Access,
    secret::Notation,
    users::{self, Users},
};

const PORTAL: &str = "https://auth.home.arpa";
const USERS: &str = "users:
  alex:
    disabled: false
    displayname: alex
    email: alex@example.org
    password: $argon2id$alex
    groups:
    - admins
";
const URI: &str = "otpauth://totp/home.arpa:x?algorithm=SHA1&digits=6&issuer=home.arpa&period=30\
                   &secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// What the scripted clock begins with.
const NOW: i64 = 1_795_379_580;

/// A box with a login service, which lets see what this says by host and visitor's level.
struct Bench {
    folder: tempfile::TempDir,
    fake: FakeHost,
    interrupt: Interrupt,
    /// Users file as it was while somebody was let in.
    seen: Arc<Mutex<String>>,
}

/// How far somebody has logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Nobody,
    User,
    HalfAdmin,
    Admin,
}

impl Bench {
    fn new(page: impl Fn(&str, Level) -> Answer + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let file = folder.path().join(users::FILE.trim_start_matches('/'));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, USERS).unwrap();
        let generate = ["docker", "exec", "authelia", "authelia", "storage", "user", "totp"];
        let said =
            format!("Successfully generated TOTP configuration for user 'x' with URI '{URI}'\n");
        fake.runner.answer([generate.as_slice(), &["generate"]].concat(), &said);
        let seen = Arc::<Mutex<String>>::default();
        let keeps = Arc::clone(&seen);
        fake.web.serve(move |question| Some(answer(question, &file, &page, &keeps)));
        Self { folder, fake, interrupt: Interrupt::default(), seen }
    }

    fn measure(&self, matrix: &Matrix, wake: bool) -> Result<Measured, Vec<String>> {
        let host = self.fake.host();
        let interrupt = &self.interrupt;
        let asker = Asker { host: &host, matrix, authority: None, wake, interrupt };
        measure(&asker).map_err(|trouble| trouble.causes())
    }

    fn users(&self) -> String {
        fs::read_to_string(self.folder.path().join(users::FILE.trim_start_matches('/'))).unwrap()
    }
}

fn of(status: u16, body: &str) -> Answer {
    Answer { status, body: body.into(), ..Answer::default() }
}

fn to_portal() -> Answer {
    Answer { location: Some(format!("{PORTAL}/?rd=x")), ..of(302, "") }
}

fn answer(
    question: &Question,
    file: &Path,
    page: &impl Fn(&str, Level) -> Answer,
    seen: &Mutex<String>,
) -> Answer {
    let cookie = question.headers.iter().find(|(name, _)| name == "Cookie");
    let cookie = cookie.map_or("", |(_, value)| value.reveal());
    let level = match cookie {
        "authelia_session=user" => Level::User,
        "authelia_session=half" => Level::HalfAdmin,
        "authelia_session=admin" => Level::Admin,
        _ => Level::Nobody,
    };
    let said: serde_json::Value = match &question.json {
        Some(text) => serde_json::from_str(text.reveal()).unwrap(),
        None => return page(&question.url, level),
    };
    let with = |name: &str| Answer {
        cookies: vec![("authelia_session".into(), Secret::new(name))],
        ..of(200, "{\"status\":\"OK\"}")
    };
    match question.url.strip_prefix(PORTAL).unwrap() {
        "/api/firstfactor" => {
            let text = fs::read_to_string(file).unwrap();
            *seen.lock().unwrap() = text.clone();
            let list = Users::parse(&Secret::new(&*text)).unwrap().list();
            let name = said["username"].as_str().unwrap();
            let user = list.into_iter().find(|user| user.name == name).unwrap();
            let hash = text.split(&format!("  {name}:\n")).nth(1).unwrap();
            let hash = hash.split("password: ").nth(1).unwrap().lines().next().unwrap();
            let given = Secret::new(said["password"].as_str().unwrap());
            assert!(password::matches(&given, &Secret::new(hash), Notation::Argon2id));
            with(if user.groups.is_empty() { "user" } else { "half" })
        }
        "/api/secondfactor/totp" => {
            assert_eq!(level, Level::HalfAdmin);
            let code = one_time::code(&Secret::new(URI), NOW).unwrap();
            assert_eq!(said["token"].as_str().unwrap(), code.reveal());
            with("admin")
        }
        "/api/logout" => of(200, ""),
        other => panic!("{other}"),
    }
}

/// As the rules of the catalogue are carried out.
fn good(url: &str, level: Level) -> Answer {
    let needs = match url.split(['/', '.']).nth(2).unwrap() {
        _ if url.ends_with("/api") => Level::Nobody,
        "traefik" => Level::Admin,
        "books" => Level::User,
        _ => Level::Nobody,
    };
    match (needs, level) {
        (Level::Nobody, _) if url.ends_with("/api") => of(401, "who are you?"),
        (Level::Nobody, _) => of(200, "hello"),
        (_, Level::Nobody) | (Level::Admin, Level::HalfAdmin) => to_portal(),
        (Level::Admin, Level::User) => of(403, "403 Forbidden"),
        _ => of(200, "hello"),
    }
}

fn matrix() -> Matrix {
    let row = |service: &str, path: &str, access| Row {
        stack: "own".into(),
        service: service.into(),
        url: format!("https://{service}.home.arpa{path}"),
        exception: (path != "/").then(|| "^/api$".to_owned()),
        access,
        lazy: service == "books",
    };
    Matrix {
        portal: PORTAL.into(),
        rows: vec![
            row("auth", "/", Access::Bypass),
            row("traefik", "/", Access::TwoFactor),
            row("books", "/", Access::OneFactor),
            row("books", "/api", Access::Bypass),
        ],
    }
}

/// What was measured, one line a row.
fn told(measured: &Measured) -> Vec<String> {
    let cells = |row: &model::access::MeasuredRow| {
        row.cells.iter().map(|cell| cell.measured.clone()).collect::<Vec<_>>().join(" ")
    };
    measured.rows.iter().map(cells).collect()
}

fn awake(bench: &Bench) {
    bench.fake.containers.set_project("own", vec![FakeContainers::running("books")]);
}

#[test]
fn every_visitor_gets_what_the_catalogue_says_and_the_accounts_are_gone_afterwards() {
    let bench = Bench::new(good);
    awake(&bench);
    let measured = bench.measure(&matrix(), false).unwrap();
    assert_eq!(
        told(&measured),
        [
            "app app app app",
            "portal refused app portal",
            "portal app app portal",
            "app app app app",
        ]
    );
    assert!(measured.holds, "{measured:?}");
    assert!(measured.notes.is_empty());
    let seen = bench.seen.lock().unwrap();
    assert!(seen.starts_with(USERS) && seen.len() > USERS.len(), "{seen}");
    assert_eq!(bench.users(), USERS);
    let ran = bench.fake.runner.commands();
    assert!(ran.iter().any(|command| command.contains("totp delete homelab-access-admin-")));
    // Sessions are ended, and no secret was an argument.
    let asked = bench.fake.web.asked();
    assert_eq!(asked.iter().filter(|q| q.url.ends_with("/api/logout")).count(), 2);
    assert!(!ran.iter().any(|command| command.contains("GEZD")));
}

#[test]
fn what_differs_is_told() {
    let bench = Bench::new(|url, level| match (url, level) {
        ("https://traefik.home.arpa/", Level::User) => of(200, "an admin page"),
        _ => good(url, level),
    });
    awake(&bench);
    let measured = bench.measure(&matrix(), false).unwrap();
    assert!(!measured.holds);
    let cell = &measured.rows[1].cells[1];
    assert_eq!(
        (cell.visitor, cell.state, cell.expected),
        (Visitor::User, State::Differs, "refused")
    );
    assert_eq!(cell.measured, "app");
    assert_eq!(
        cell.detail.as_deref(),
        Some("https://traefik.home.arpa/: expected the login's refusal, got 200")
    );
}

#[test]
fn a_service_that_sleeps_is_asked_only_what_stops_at_the_portal() {
    let bench = Bench::new(good);
    let measured = bench.measure(&matrix(), false).unwrap();
    assert_eq!(
        told(&measured)[2..],
        ["portal asleep asleep portal", "asleep asleep asleep asleep"]
    );
    assert!(measured.holds);
    let asked = bench.fake.web.asked();
    let with_session = |q: &&Question| q.headers.iter().any(|(name, _)| name == "Cookie");
    assert!(!asked.iter().filter(with_session).any(|q| q.url.contains("books")), "{asked:?}");
    assert!(!asked.iter().any(|q| q.url.ends_with("/api")));
}

#[test]
fn a_service_that_sleeps_is_woken_on_demand() {
    let bench = Bench::new(good);
    let containers = Arc::clone(&bench.fake.containers);
    let looks = Arc::new(Mutex::new(0));
    let count = Arc::clone(&looks);
    let own = Arc::clone(&containers);
    containers.gate(move |operation, _| {
        let mut looks = count.lock().unwrap();
        *looks += 1;
        if operation == "project" && *looks == 3 {
            own.set_project("own", vec![FakeContainers::running("books")]);
        }
        None
    });
    let measured = bench.measure(&matrix(), true).unwrap();
    assert_eq!(told(&measured)[2..], ["portal app app portal", "app app app app"]);
    assert!(measured.holds);
}

#[test]
fn without_a_second_factor_the_rest_is_measured_and_the_lack_is_told() {
    let bench = Bench::new(good);
    awake(&bench);
    bench.fake.runner.fail(
        ["docker", "exec", "authelia", "authelia", "storage", "user", "totp", "generate"],
        1,
        "the database is locked\n",
    );
    let measured = bench.measure(&matrix(), false).unwrap();
    assert_eq!(
        told(&measured)[1..3],
        ["portal refused not measured portal", "portal app app portal"]
    );
    assert!(!measured.holds, "what was not measured is not well");
    assert_eq!(measured.notes.len(), 1);
    let note = &measured.notes[0];
    assert!(note.starts_with("no second factor for the admin: "), "{note}");
    assert!(note.contains("the database is locked"), "{note}");
    assert_eq!(bench.users(), USERS);
}

#[test]
fn a_login_that_is_broken_leaves_no_account_behind() {
    let bench = Bench::new(good);
    awake(&bench);
    bench.fake.web.serve(|question| question.json.is_some().then(|| of(502, "")));
    let measured = bench.measure(&matrix(), false).unwrap();
    assert!(!measured.holds);
    assert_eq!(
        measured.notes,
        [
            "no user's session: the login answers 502 to a good password",
            "no admin's session: the login answers 502 to a good password"
        ]
    );
    assert_eq!(measured.rows[0].cells[0].measured, "nothing");
    assert_eq!(bench.users(), USERS);
}

#[test]
fn whoever_stops_it_finds_no_account_and_neither_does_the_run_after_a_kill() {
    let bench = Bench::new(good);
    awake(&bench);
    bench.interrupt.raise();
    let causes = bench.measure(&matrix(), false).unwrap_err();
    assert_eq!(causes, ["it was stopped before everything was measured"]);
    assert_eq!(bench.users(), USERS);
    // As a kill leaves it.
    let file = bench.folder.path().join(users::FILE.trim_start_matches('/'));
    let left = USERS.to_owned() + &USERS[7..].replace("alex", "homelab-access-admin-0");
    fs::write(&file, left).unwrap();
    let bench = Bench { interrupt: Interrupt::default(), ..bench };
    bench.measure(&matrix(), false).unwrap();
    assert_eq!(bench.users(), USERS);
}

#[test]
fn a_panic_takes_the_accounts_out_too() {
    let bench = Bench::new(|_, _| panic!("the test's own"));
    awake(&bench);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = bench.measure(&matrix(), false);
    }));
    assert!(caught.is_err());
    assert_eq!(bench.users(), USERS);
}

#[test]
fn a_box_without_a_users_file_is_told_so() {
    let bench = Bench::new(good);
    let file = bench.folder.path().join(users::FILE.trim_start_matches('/'));
    fs::remove_file(file).unwrap();
    assert_eq!(
        bench.measure(&matrix(), false).unwrap_err(),
        [format!("there is no users file `{}`", users::FILE)]
    );
}
