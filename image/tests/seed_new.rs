//! `homelab-image seed new`, driven at a pseudo-terminal of 80x24 and on a dumb terminal. What the
//! screens show is compared with golden files; those of a run with defaults are a page of the book.
//!
//! `UPDATE_GOLDEN=1 cargo test -p homelab-image --test seed_new` writes what is shown now; read the
//! difference before you keep it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

#[path = "support/terminal.rs"]
mod terminal;

use std::{
    env,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use terminal::Terminal;

const PASSWORD: &str = "violet pencil under seven rivers";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder in which the catalogue of this repository lies.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stacks = fs::canonicalize(root().join("stacks")).unwrap();
    std::os::unix::fs::symlink(stacks, folder.path().join("stacks")).unwrap();
    folder
}

fn golden(path: &Path, said: &str) {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, said).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(said, expected, "{}", path.display());
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(name)
}

/// Titles of the questions on the way of defaults; what is wrong there, with a part of what is said
/// about it; and what is right.
const WAY: &[(&str, &str, &str, &str)] = &[
    ("Keyboard", "!!", "`!!` is no keyboard layout", ""),
    ("Time zone", "not a zone!", "`not a zone!` is no time zone", ""),
    ("Host name", "my box", "`my box` is no host name", ""),
    ("Administrator", "root", "`root` is a name that the system uses itself", "alex"),
    ("Password", "Passw0rd2024", "in every list of breached", PASSWORD),
    ("SSH keys", "ssh-ed25519 nonsense", "the `ssh-ed25519` key is cut off or damaged", ""),
    ("Domain", "nine", "`nine` is none of those to choose from", ""),
    ("Disks and shares", "media", "`media` does not say where it is", ""),
    ("VPN", "maybe", "`maybe` is neither yes nor no", ""),
    ("Services", "99", "`99` is none of those to choose from", ""),
    ("Backups", "7", "`7` is none of those to choose from", ""),
    ("Backup password", "x", "`x` is none of those to choose from", ""),
    ("Notifications", "5", "`5` is none of those to choose from", ""),
];

fn place(index: usize) -> String {
    format!("{} of {}", index + 1, WAY.len())
}

#[test]
fn the_screens_of_a_run_with_defaults() {
    let folder = folder();
    let mut terminal = Terminal::start("xterm", folder.path(), &["seed", "new", "--ram", "8G"]);
    let mut screens = Vec::new();
    for (index, (title, ..)) in WAY.iter().enumerate() {
        screens.push(terminal.shows(&[title, &place(index), " >"]));
        if *title == "Password" {
            terminal.line(PASSWORD);
            screens.push(terminal.shows(&["The same once more"]));
            terminal.line(PASSWORD);
        } else {
            terminal.line("");
        }
    }
    screens.push(terminal.shows(&["All is answered"]));
    terminal.keys("yes");
    terminal.shows(&["> yes"]);
    terminal.keys("\r");
    let pressed = terminal.pressed;
    let (said, code) = terminal.end();
    assert_eq!(code, 0, "{said}");
    let said = said.rsplit("\x1b[1;1H").next().unwrap().to_owned();

    let seed = fs::read_to_string(folder.path().join("seed.toml")).unwrap();
    assert_eq!(
        fs::metadata(folder.path().join("seed.toml")).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(seed.contains("timezone = \"Europe/Berlin\""), "{seed}");
    model::seed::parse("seed.toml", &seed).unwrap();
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(!screens.concat().contains(PASSWORD));
    golden(&root().join("docs/src/reference/questions.md"), &page(pressed, &screens, &said, &seed));
}

/// Keys that somebody presses in a second who does not hurry.
const RATE: usize = 5;

/// The page of the book. `pressed`: keys from the first question to the end.
fn page(pressed: usize, screens: &[String], said: &str, seed: &str) -> String {
    let mut page = format!(
        "# The questions\n\n`homelab-image seed new` asks what the box shall be and writes the \
         [seed](seed.md). Where every\ndefault is right there are {} questions, of which one must be \
         answered: the password. Other answers\nlead to further questions.\n\nThe run below is \
         one of defaults alone. It takes {pressed} key presses, `yes` at the end included;\n{} of \
         them are a password of {} characters, which is typed twice. At {RATE} keys a second \
         that\nis {} seconds of typing.\n\nAt each question `?` is \
         help, `<` or Escape goes back, and `<<` or Ctrl-C leaves; the same command goes\non there \
         later. Arrow keys and typed numbers or names both work. With `TERM=dumb` the same \
         questions\ncome as plain lines.\n\nThe box asks the same at [its console](setup.md), and \
         besides about [its own disks](setup-disks.md).\n\nThe screens of a run on a terminal of 80 columns and 24 \
         rows, as a test sees them:\n",
        WAY.len(),
        2 * PASSWORD.len(),
        PASSWORD.len(),
        pressed.div_ceil(RATE),
    );
    for screen in screens {
        write!(page, "\n```text\n{screen}\n```\n").unwrap();
    }
    write!(
        page,
        "\nThen the screen is cleared, and this is said:\n\n```text\n{}\n```\n",
        said.trim()
    )
    .unwrap();
    let seed = seed.replace(PASSWORD, "...");
    write!(page, "\nThe seed that came out of it:\n\n```toml\n{}\n```\n", seed.trim()).unwrap();
    page
}

#[test]
fn wrong_things_help_back_and_going_on_later() {
    let folder = folder();
    let arguments = ["seed", "new", "--output", "box.toml", "--ram", "8G"];
    let mut terminal = Terminal::start("xterm", folder.path(), &arguments);
    let mut screens = Vec::new();
    for (index, (title, wrong, what, right)) in WAY.iter().enumerate() {
        terminal.shows(&[title, &place(index)]);
        terminal.line(wrong);
        screens.push(terminal.shows(&[what, &place(index)]));
        if index == 3 {
            terminal.line("?");
            screens.push(terminal.shows(&["Administrator: help"]));
            terminal.line("");
            terminal.shows(&["Name of your account?"]);
            // Back by a word and by a key; the answers are still there.
            terminal.line("<");
            terminal.shows(&["Host name", &place(2)]);
            terminal.keys("\x1b");
            terminal.shows(&["Time zone", "[Europe/Berlin]"]);
            terminal.line("");
            terminal.shows(&["Host name"]);
            terminal.line("<<");
            let (said, code) = terminal.end();
            assert!(said.contains("the same command goes on where you were"), "{said}");
            assert_eq!(code, 4);
            assert!(!folder.path().join("box.toml").exists());
            let draft = fs::metadata(folder.path().join("box.toml.answers")).unwrap();
            assert_eq!(draft.permissions().mode() & 0o777, 0o600);
            terminal = Terminal::start("xterm", folder.path(), &arguments);
            terminal.shows(&["Host name", &place(2)]);
            terminal.line("");
            terminal.shows(&["Administrator", &place(3)]);
        }
        if *title == "Password" {
            terminal.line(PASSWORD);
            terminal.shows(&["The same once more"]);
            terminal.line("something else");
            screens.push(terminal.shows(&["the two were not the same"]));
            terminal.line(PASSWORD);
            terminal.shows(&["The same once more"]);
        }
        if *title == "Services" {
            // Arrow keys and the space bar: the sum follows.
            let before = terminal.screen();
            terminal.keys("\x1b[B");
            terminal.keys(" ");
            screens.push(terminal.shows(&["> [ ] 2"]));
            assert_ne!(before, terminal.screen());
            terminal.keys(" ");
            terminal.shows(&["> [x] 2"]);
        }
        terminal.line(right);
    }
    terminal.shows(&["All is answered"]);
    terminal.line("y");
    screens.push(terminal.shows(&["`y` is neither `yes` nor the number of an answer"]));
    // An answer is changed from the summary.
    terminal.line("3");
    terminal.shows(&["Host name"]);
    terminal.line("cellar");
    screens.push(terminal.shows(&["All is answered", "cellar.home.arpa"]));
    terminal.line("yes");
    let (said, code) = terminal.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("homelab-image seed check box.toml"), "{said}");
    let seed = fs::read_to_string(folder.path().join("box.toml")).unwrap();
    assert!(seed.contains("hostname = \"cellar\""), "{seed}");
    let said = screens.join(&format!("\n{}\n", "=".repeat(79)));
    golden(&beside("wrong-things.txt"), &format!("{said}\n"));
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let folder = folder();
    fs::write(folder.path().join("seed.toml"), "schema = 1\n[admin]\nname = \"alex\"\nhello = 1\n")
        .unwrap();
    let mut terminal = Terminal::start("dumb", folder.path(), &["seed", "new"]);
    let mut transcript = String::new();
    for (index, (title, wrong, what, right)) in WAY.iter().enumerate() {
        transcript += &terminal.asks(&place(index));
        terminal.line(wrong);
        transcript += &terminal.asks(what);
        if index == 0 {
            terminal.line("?");
            transcript += &terminal.asks("Keyboard: help");
            terminal.line("");
            transcript += &terminal.asks(title);
        }
        terminal.line(right);
        if *title == "Password" {
            transcript += &terminal.asks("The same once more");
            terminal.line(right);
        }
    }
    transcript += &terminal.asks("OVER seed.toml");
    terminal.line("yes");
    let (said, code) = terminal.end();
    assert_eq!(code, 0, "{said}");
    transcript += &said;
    assert!(!transcript.contains('\x1b') && !transcript.contains(PASSWORD), "{transcript}");
    let long: Vec<&str> = transcript.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    let seed = fs::read_to_string(folder.path().join("seed.toml")).unwrap();
    assert!(seed.contains("name = \"alex\"") && !seed.contains("hello"), "{seed}");
    golden(&beside("dumb.txt"), &transcript);
}
