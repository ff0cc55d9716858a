//! The problems of a seed, safe to be shown: the values of secret keys are covered.

use model::Problems;

/// Keys whose values are secret, wherever they stand in a seed.
const SECRET_KEYS: [&str; 7] =
    ["password", "password_hash", "private_key", "token", "credentials", "user", "linux"];

/// Every problem with its place underlined and its way out, as `Problems` displays it, but with
/// the values of secret keys replaced by stars of the same width. Consoles can be recorded, and
/// a line with a mistake in it may well hold a password.
pub fn shown(problems: &Problems) -> String {
    let covered = Problems {
        file: problems.file.clone(),
        text: cover(&problems.text),
        list: problems.list.clone(),
    };
    covered.to_string()
}

/// Covers every quoted text that belongs to a secret key. Length in bytes and in characters stays,
/// so that places and columns stay true.
fn cover(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The quote that a value over several lines waits for.
    let mut open: Option<&str> = None;
    let mut in_credentials = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if let Some(quote) = open {
            match line.split_once(quote) {
                Some((secret, rest)) => {
                    secret.chars().for_each(|c| out.push(star(c)));
                    out.push_str(quote);
                    out.push_str(rest);
                    open = None;
                }
                None => line.chars().for_each(|c| out.push(star(c))),
            }
            continue;
        }
        if trimmed.starts_with('[') {
            in_credentials = trimmed.contains("credentials");
        }
        let key = trimmed.split(['=', ' ', '\t']).next().unwrap_or_default();
        let last = key.rsplit('.').next().unwrap_or_default().trim_matches(['"', '\'']);
        let dotted = key.split('.').any(|part| part == "credentials" || part == "password_hash");
        let secret = in_credentials || dotted || SECRET_KEYS.contains(&last);
        let Some((key, value)) = line.split_once('=').filter(|_| secret || inline_secret(line))
        else {
            out.push_str(line);
            continue;
        };
        out.push_str(key);
        out.push('=');
        open = cover_value(value, &mut out);
    }
    out
}

/// A secret key inside an inline table, such as `smtp = { user = "a", password = "b" }`.
fn inline_secret(line: &str) -> bool {
    line.contains('{')
        && line
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .any(|word| SECRET_KEYS.contains(&word))
}

/// Covers what stands between quotes, or a bare value; says which quote was left open.
fn cover_value(value: &str, out: &mut String) -> Option<&'static str> {
    let start = value.trim_start();
    if !start.starts_with(['"', '\'', '{', '[']) {
        // A password without quotes: everything up to the end of the line.
        value.chars().for_each(|c| out.push(star(c)));
        return None;
    }
    let mut rest = value;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| rest[at..].starts_with(quote))
            .unwrap_or("\"");
        let (before, after) = rest.split_at(at + quote.len());
        out.push_str(before);
        let end = closing(after, quote);
        after[..end].chars().for_each(|c| out.push(star(c)));
        if end == after.len() || !after[end..].starts_with(quote) {
            return (quote.len() == 3).then_some(quote);
        }
        out.push_str(quote);
        rest = &after[end + quote.len()..];
    }
    out.push_str(rest);
    None
}

/// Where the closing quote begins; the end of the text if there is none.
fn closing(text: &str, quote: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find(quote).map(|at| at + from) {
        let escapes = text[..at].bytes().rev().take_while(|b| *b == b'\\').count();
        if quote.starts_with('\'') || escapes % 2 == 0 {
            return at;
        }
        from = at + 1;
    }
    text.len()
}

/// A character that shows nothing and takes the same number of bytes.
fn star(character: char) -> char {
    match (character, character.len_utf8()) {
        ('\n' | '\r', _) => character,
        (_, 1) => '*',
        (_, 2) => '\u{b7}',
        (_, 3) => '\u{2022}',
        _ => '\u{1f512}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_and_the_rest_is_not() {
        let text = "name = \"alex\"\npassword = \"hünter2\" # \"note\"\npassword = hunter2\n\
                    [domain.dns]\ncredentials = { DUCKDNS_TOKEN = \"abc\" }\n\
                    smtp = { server = \"a\", password = \"b\\\"c\" }\n";
        assert_eq!(
            cover(text),
            "name = \"alex\"\npassword = \"*\u{b7}*****\" # \"****\"\npassword =********\n\
             [domain.dns]\ncredentials = { DUCKDNS_TOKEN = \"***\" }\n\
             smtp = { server = \"*\", password = \"****\" }\n"
        );
    }

    #[test]
    fn a_secret_over_several_lines_and_a_table_of_credentials() {
        let text = "private_key = \"\"\"\nab\ncd\"\"\"\nname = \"x\"\n\
                    [domain.dns.credentials]\nA = \"b\"\n[vpn]\nprovider = \"p\"\n";
        assert_eq!(
            cover(text),
            "private_key = \"\"\"\n**\n**\"\"\"\nname = \"x\"\n\
             [domain.dns.credentials]\nA = \"*\"\n[vpn]\nprovider = \"p\"\n"
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
}
