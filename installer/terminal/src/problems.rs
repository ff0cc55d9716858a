//! The problems of a text, safe to be shown: a seed's secrets are covered.

use model::{Problems, seed::redact};

/// Every problem with its place underlined and its way out, as `Problems` displays it, but with
/// the secrets of a seed replaced by stars of the same width. Consoles can be recorded, and a line
/// with a mistake in it may well hold a password. A stack names its secrets only.
pub fn shown(problems: &Problems) -> String {
    let is_seed = problems.file.ends_with(".toml");
    let text = if is_seed { cover(&problems.text) } else { problems.text.clone() };
    Problems { text, ..problems.clone() }.to_string()
}

/// The text with its secrets covered. Its length stays, in bytes and in characters, so that
/// places and columns stay true.
fn cover(text: &str) -> String {
    let masked = redact(text);
    let masked = masked.as_bytes();
    text.char_indices()
        .map(|(at, character)| {
            let bytes = at..at + character.len_utf8();
            let kept = masked.get(bytes.clone()) == Some(&text.as_bytes()[bytes]);
            if kept { character } else { star(character) }
        })
        .collect()
}

/// A character that shows nothing and takes the same number of bytes.
fn star(character: char) -> char {
    match character.len_utf8() {
        1 => '*',
        2 => '\u{b7}',
        3 => '\u{2022}',
        _ => '\u{1f512}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_and_columns_stay() {
        let text = "[admin]\nname = \"alex\"\npassword = \"h\u{fc}nter2\" # mine\npasswort = \"x\"\n\
                    [domain.dns]\ncredentials = { DUCKDNS_TOKEN = \"abc\" }\n";
        assert_eq!(
            cover(text),
            "[admin]\nname = \"alex\"\npassword = \"*\u{b7}*****\" # mine\npasswort = \"*\"\n\
             [domain.dns]\ncredentials = { DUCKDNS_TOKEN = \"***\" }\n"
        );
    }

    #[test]
    fn the_place_stays_underlined() {
        let text = "[admin]\npassword = \"short\"\n";
        let mut problems = Problems::new("seed.toml", text);
        problems.push(Some(19..26), "the password is too short", "take 12 characters");
        assert_eq!(
            shown(&problems),
            "seed.toml:2:12: the password is too short\n 2 | password = \"*****\"\n   \
             |            ^^^^^^^\n   = take 12 characters\n"
        );
    }

    #[test]
    fn a_stack_is_shown_as_it_is() {
        let mut problems = Problems::new("photos/compose.yaml", "services:\n  a: {imag: x}\n");
        problems.push(Some(16..20), "`imag` is no key", "");
        assert!(shown(&problems).contains("   a: {imag: x}\n"), "{}", shown(&problems));
    }
}
