//! What the TOML parser says, with a way out.

use std::{collections::BTreeSet, ops::Range};

use toml::de::Error;

use crate::{Problems, problem::Lines};

/// Records the syntax errors, the first of each line.
pub(super) fn record(text: &str, errors: &[Error], problems: &mut Problems) {
    let lines = Lines::of(text);
    let mut seen = BTreeSet::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if !seen.insert(lines.number(span.start)) {
            continue;
        }
        let span = whole_letters(text, span);
        problems.push(Some(span), error.message(), way_out(error.message()));
    }
}

/// The parser counts bytes, and a place inside a letter is no place in a text.
fn whole_letters(text: &str, span: Range<usize>) -> Range<usize> {
    let down = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = down(span.start);
    start..down(span.end).max(start)
}

/// Beginnings of the parser's messages. The first that fits counts.
const WAYS_OUT: [(&str, &str); 15] = [
    ("string values must be quoted", "put it in quotes: `\"…\"`, the straight ones"),
    (
        "invalid basic string",
        "close the text with `\"` on the same line; `\\\"` is a quote inside it",
    ),
    ("invalid literal string", "close the text with `'` on the same line"),
    ("missing escaped value", "write `\\\\` for a backslash, or put the text in single quotes"),
    ("key with no value", "write `key = \"value\"`; what is no setting goes behind `#`"),
    ("duplicate key", "take one of the two away, or put both contents into one"),
    ("missing comma between array", "put a comma between the items; is a `]` missing before?"),
    ("missing comma between key", "put a comma between the pairs; is a `}` missing before?"),
    ("extra comma", "take the comma away"),
    ("unclosed array table", "close it with `]]`"),
    ("unclosed table", "close it with `]`"),
    ("unclosed array", "close the list with `]`"),
    ("unclosed inline table", "close it with `}` on the same line"),
    ("missing value", "write the value behind the `=`"),
    ("invalid comment character", "take the invisible character out of the comment"),
];

/// For everything else.
const GENERAL: &str = "a line is `key = \"value\"`, `[table]`, or a comment behind `#`; the mistake may be just before";

fn way_out(message: &str) -> &'static str {
    let found = WAYS_OUT.iter().find(|(begins, _)| message.starts_with(begins));
    found.map_or(GENERAL, |(_, way_out)| way_out)
}
