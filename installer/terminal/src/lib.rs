//! How we talk to a person: progress, problems, cards.
//!
//! Everything that a person reads is computed by pure functions from values of `model`
//! ([`progress`], [`card`], [`sheet`], [`problems`]), so that its exact text can be tested.
//! [`console`] brings text to terminals that may be slow, dead or stopped without ever holding up
//! the work; [`bars`] draws on an interactive terminal, [`prompt`] asks at one, [`face`] puts the
//! questions of the setup to a person. Nothing is decided here.
//!
//! The text is plain ASCII in 80 columns without colour: it must come through a serial line, a
//! text-mode screen and a log alike.

pub mod bars;
pub mod card;
pub mod console;
pub mod disks;
pub mod face;
pub mod matrix;
pub mod memory;
pub mod number;
pub mod people;
pub mod plan;
pub mod preflight;
pub mod problems;
pub mod progress;
pub mod prompt;
pub mod qr;
pub mod recovery;
pub mod sheet;

/// Columns that every console has.
pub const COLUMNS: usize = 80;

/// Breaks a text into lines of at most `width` characters at spaces; a longer word stays whole.
/// Line breaks of the text itself are kept.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_at_spaces_and_keeps_long_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a https://example.org/x b", 5), ["a", "https://example.org/x", "b"]);
        assert_eq!(wrap("a\n\nb", 5), ["a", "", "b"]);
    }
}
