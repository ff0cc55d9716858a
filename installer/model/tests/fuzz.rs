//! The reader of seeds against anything: it never panics, every place that it names lies in the
//! text, and what it refuses it refuses with a way out.
//!
//! `PROPTEST_CASES=100000 cargo test -p homelab-model --test fuzz` looks longer.

#![allow(clippy::disallowed_methods, reason = "tests read their fixtures; the model may not")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::{fs, path::Path, sync::LazyLock};

use model::{
    Problems,
    seed::{self, redact},
};
use proptest::prelude::*;

/// The good seeds: text.
static GOOD: LazyLock<Vec<String>> = LazyLock::new(|| seeds("good"));
/// The bad ones: each is a mistake that somebody has made.
static BAD: LazyLock<Vec<String>> = LazyLock::new(|| seeds("bad"));

fn seeds(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Reads a text and looks at what was said about it.
fn judge(text: &str) -> Result<(), TestCaseError> {
    let masked = redact(text);
    prop_assert_eq!(masked.len(), text.len());
    let Err(problems) = seed::parse("seed.toml", text) else {
        // By this the box knows that a seed which it took shows no secret any more.
        prop_assert_eq!(redact(&masked), &*masked, "a masked seed is masked");
        return Ok(());
    };
    prop_assert!(!problems.list.is_empty(), "refused without a problem");
    prop_assert_eq!(&problems.text, &masked, "no secret is shown");
    for secret in hidden(text, &masked) {
        for problem in &problems.list {
            // A hint may have the same by its own example.
            prop_assert!(!problem.message.contains(secret), "`{secret}`: {}", problem.message);
        }
    }
    judge_problems(&problems, text)
}

/// What was masked: whole runs that are no word of a message by accident, and stand nowhere else.
fn hidden<'a>(text: &'a str, masked: &'a str) -> impl Iterator<Item = &'a str> {
    let star = |at: usize| masked.as_bytes()[at] == b'*' && text.as_bytes()[at] != b'*';
    let begins = (0..text.len()).filter(move |&at| star(at) && (at == 0 || !star(at - 1)));
    let runs = begins.map(move |from| {
        let to = (from..text.len()).find(|&at| !star(at)).unwrap_or(text.len());
        text[from..to].trim()
    });
    let odd = |run: &&str| run.len() > 5 && run.contains(|c: char| c.is_ascii_digit());
    runs.filter(odd).filter(move |run| !masked.contains(run))
}

fn judge_problems(problems: &Problems, text: &str) -> Result<(), TestCaseError> {
    let lines = text.matches('\n').count() + 1;
    for problem in &problems.list {
        prop_assert!(!problem.hint.is_empty(), "no way out: {}", problem.message);
        for told in [&problem.message, &problem.hint] {
            prop_assert!(!told.chars().any(char::is_control), "more than a line: {told:?}");
        }
        match &problem.span {
            Some(span) => {
                prop_assert!(span.start <= span.end && span.end <= text.len(), "{:?}", problem);
                let letters = text.is_char_boundary(span.start) && text.is_char_boundary(span.end);
                prop_assert!(letters, "inside a letter: {:?}", problem);
                let (line, column) = problems.position(span.start);
                prop_assert!((1..=lines).contains(&line) && column >= 1, "{:?}", problem);
            }
            // Only what is not there at all has no place.
            None => {
                prop_assert!(problem.message.ends_with(" is missing"), "no place: {:?}", problem);
            }
        }
    }
    prop_assert_eq!(problems.summary_lines().len(), problems.list.len());
    // To show them must not panic either, whatever stands around the places.
    prop_assert!(!problems.to_string().is_empty());
    Ok(())
}

/// Pieces that mean something to TOML or to a seed.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[admin]\n".to_owned()),
        Just("[[storage.mount]]\n".to_owned()),
        Just("[domain.dns]\n".to_owned()),
        Just("schema = 1\n".to_owned()),
        Just("password = { generate = true }\n".to_owned()),
        Just("password = \"".to_owned()),
        Just("ssh_keys = [".to_owned()),
        Just("credentials = { A = ".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("'''\n".to_owned()),
        Just("{ file = \"".to_owned()),
        Just("= ".to_owned()),
        Just("]".to_owned()),
        Just("}\n".to_owned()),
        Just("\\u00e".to_owned()),
        Just("\r".to_owned()),
        Just("\0".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("@@secret:x@@".to_owned()),
        Just("1979-05-27T07:32:00Z\n".to_owned()),
        Just("# password = \"hunter2hunter2\"\n".to_owned()),
        prop::sample::select(seed::keys::KEYS).prop_map(|key| format!("{} = ", key.path)),
        prop::sample::select(seed::keys::KEYS).prop_map(|key| format!("\n[{}]\n", key.path)),
        "[ -~äß“€🔒\n\t]{0,12}",
        any::<char>().prop_map(String::from),
    ]
}

/// A change to a text at a place between 0 and 1 of it.
#[derive(Debug, Clone)]
enum Change {
    Insert(f64, String),
    Remove(f64, usize),
    Repeat(f64, usize),
    CutOff(f64),
    Swap(f64, f64),
}

fn change() -> impl Strategy<Value = Change> {
    let place = || 0.0..1.0f64;
    prop_oneof![
        (place(), piece()).prop_map(|(at, text)| Change::Insert(at, text)),
        (place(), 1..20usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (place(), 1..40usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        place().prop_map(Change::CutOff),
        (place(), place()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for change in changes {
        let at = |place: f64, letters: &[char]| (letters.len() as f64 * place) as usize;
        match change {
            Change::Insert(place, piece) => {
                let at = at(*place, &letters);
                letters.splice(at..at, piece.chars());
            }
            Change::Remove(place, count) => {
                let at = at(*place, &letters);
                let end = (at + count).min(letters.len());
                letters.drain(at..end);
            }
            Change::Repeat(place, count) => {
                let at = at(*place, &letters);
                let end = (at + count).min(letters.len());
                let again = letters[at..end].to_vec();
                letters.splice(end..end, again);
            }
            Change::CutOff(place) => {
                let at = at(*place, &letters);
                letters.truncate(at);
            }
            Change::Swap(one, other) => {
                let (one, other) = (at(*one, &letters), at(*other, &letters));
                if one < letters.len() && other < letters.len() {
                    letters.swap(one, other);
                }
            }
        }
    }
    letters.into_iter().collect()
}

/// Cases a property: a few seconds in all, unless `PROPTEST_CASES` says more.
fn config() -> ProptestConfig {
    let standard = ProptestConfig::default();
    let asked = standard.cases != 256;
    let cases = if asked { standard.cases } else { 1000 };
    // A failure is told with the text that made it, which then becomes a test with a name.
    ProptestConfig { cases, failure_persistence: None, ..standard }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        judge(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn pieces_of_seeds_in_any_order_are_read_or_refused(
        pieces in prop::collection::vec(piece(), 0..30),
    ) {
        judge(&pieces.concat())?;
    }

    #[test]
    fn a_good_seed_with_mistakes_is_read_or_refused_with_a_way_out(
        which in 0..1000usize,
        changes in prop::collection::vec(change(), 1..4),
    ) {
        judge(&changed(&GOOD[which % GOOD.len()], &changes))?;
    }

    #[test]
    fn a_bad_seed_with_more_mistakes_is_refused_with_a_way_out(
        which in 0..1000usize,
        changes in prop::collection::vec(change(), 0..3),
    ) {
        judge(&changed(&BAD[which % BAD.len()], &changes))?;
    }
}

/// Files without any change, cut at every letter: whoever copies half a file sees what it lacks.
#[test]
fn every_beginning_of_a_good_seed_is_read_or_refused_with_a_way_out() {
    for text in GOOD.iter() {
        for (at, _) in text.char_indices().step_by(3) {
            judge(&text[..at]).unwrap_or_else(|error| panic!("{error}\n{}", &text[..at]));
        }
    }
}

/// Nesting is no way to bring the box down.
#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{a=", "}"), ("[[", "]]"), ("a.", "")] {
        for depth in [50, 2_000, 20_000] {
            let text = format!("x = {}1{}\n", open.repeat(depth), close.repeat(depth));
            judge(&text).unwrap();
            judge(&format!("{}x = 1\n", open.repeat(depth))).unwrap();
        }
    }
}

/// A text in three quotes that was meant to end on its line swallows the lines below it.
#[test]
fn what_a_quotation_has_swallowed_is_not_told() {
    let text = "schema = 1\n[vpn]\nprotocol = \"openvpn\"\nprovider = \"\"\"mullvad\n\
                password = 'hunter2hunter2'\n\"\"\"\n";
    let problems = seed::parse("seed.toml", text).unwrap_err();
    let lines = problems.summary_lines();
    assert!(lines.contains(&"seed.toml:4:12: `…` is no VPN provider".to_owned()), "{lines:?}");
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
}

/// Nobody who shows a message lets its text take hold of their terminal.
#[test]
fn what_moves_a_cursor_is_not_told_as_it_is() {
    let text = "schema = 1\n[system]\nhostname = \"a\\u001b[2Jb\"\n";
    let problems = seed::parse("seed.toml", text).unwrap_err();
    assert!(!problems.to_string().contains('\u{1b}'), "{problems}");
}
