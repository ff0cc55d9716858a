//! What the TOML parser says, in words for people.

use toml::de::Error;

use crate::Problems;

/// Records the syntax errors, the first of each line.
pub(super) fn record(text: &str, errors: &[Error], problems: &mut Problems) {
    let mut lines = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let (line, _) = problems.position(span.start);
        if lines.contains(&line) {
            continue;
        }
        lines.push(line);
        let (what, way_out) = in_words(error.message(), text, span.start);
        problems.push(Some(span), what, way_out);
    }
}

fn in_words(message: &str, _text: &str, _at: usize) -> (String, &'static str) {
    (message.to_owned(), "")
}
