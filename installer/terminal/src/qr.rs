//! A URL as a QR code, for the telephone of whoever stands before a console.

use qrcode::{Color, EcLevel, QrCode};

use crate::COLUMNS;

/// Lines that the code may take on a screen of 24: its URL and the prompt need one each.
const LINES: usize = 22;
/// Light modules around a code; the standard asks for four, readers are content with two.
const QUIET: std::ops::RangeInclusive<usize> = 2..=4;

/// What a code is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Half blocks of Unicode: two rows a line, and so on a screen of 80x24.
    Blocks,
    /// `#` and spaces, for terminals without Unicode: a row a line, which is higher than 24 lines.
    Ascii,
}

impl Form {
    /// What a terminal with this locale (the value of `LC_ALL`, `LC_CTYPE` or `LANG`) can show.
    pub fn of_locale(locale: &str) -> Self {
        let locale = locale.to_ascii_lowercase();
        if locale.ends_with("utf-8") || locale.ends_with("utf8") {
            Self::Blocks
        } else {
            Self::Ascii
        }
    }
}

/// The code, light on dark as consoles are; none if it does not fit: 80 columns, and for
/// [`Form::Blocks`] 24 lines.
pub fn text(url: &str, form: Form) -> Option<String> {
    let code = QrCode::with_error_correction_level(url, EcLevel::L).ok()?;
    let (width, modules) = (code.width(), code.to_colors());
    let quiet = QUIET.rev().find(|quiet| {
        let side = width + 2 * quiet;
        match form {
            Form::Blocks => side < COLUMNS && side.div_ceil(2) <= LINES,
            Form::Ascii => 2 * side < COLUMNS,
        }
    })?;
    let side = width + 2 * quiet;
    // Below the last line there is nothing, which is as dark as the screen.
    let light = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(quiet).filter(|at| *at < width);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => modules[y * width + x] == Color::Light,
            _ => y < side,
        }
    };
    let mut text = String::new();
    for y in (0..side).step_by(if form == Form::Blocks { 2 } else { 1 }) {
        let mut line = String::new();
        for x in 0..side {
            line.push_str(match (form, light(x, y), light(x, y + 1)) {
                (Form::Blocks, true, true) => "\u{2588}",
                (Form::Blocks, true, false) => "\u{2580}",
                (Form::Blocks, false, true) => "\u{2584}",
                (Form::Blocks, false, false) => " ",
                (Form::Ascii, true, _) => "##",
                (Form::Ascii, false, _) => "  ",
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://auth.homelab.home.arpa";

    /// Reads a drawn code back into modules: true is dark.
    fn modules(text: &str, form: Form) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in text.lines() {
            let letters: Vec<char> = line.chars().collect();
            match form {
                Form::Ascii => rows.push(letters.chunks(2).map(|pair| pair[0] == ' ').collect()),
                Form::Blocks => {
                    rows.push(letters.iter().map(|c| *c == ' ' || *c == '\u{2584}').collect());
                    rows.push(letters.iter().map(|c| *c == ' ' || *c == '\u{2580}').collect());
                }
            }
        }
        rows
    }

    #[test]
    fn both_forms_draw_the_code_itself() {
        let code = QrCode::with_error_correction_level(URL, EcLevel::L).unwrap();
        for form in [Form::Blocks, Form::Ascii] {
            let drawn = modules(&text(URL, form).unwrap(), form);
            for y in 0..code.width() {
                for x in 0..code.width() {
                    let dark = code[(x, y)] == Color::Dark;
                    assert_eq!(drawn[y + 4][x + 4], dark, "{form:?} {x} {y}");
                }
            }
        }
    }

    #[test]
    fn blocks_fit_a_screen_and_ascii_its_columns() {
        let blocks = text(URL, Form::Blocks).unwrap();
        assert_eq!(blocks.lines().count(), 17);
        assert!(blocks.lines().all(|line| line.chars().count() < COLUMNS));
        let ascii = text(URL, Form::Ascii).unwrap();
        assert!(ascii.is_ascii() && ascii.lines().all(|line| line.len() < COLUMNS));
        let longest = format!("https://auth.{}.org", "a".repeat(80));
        let blocks = text(&longest, Form::Blocks).unwrap();
        assert_eq!(blocks.lines().count(), LINES);
        assert_eq!(text(&longest, Form::Ascii), None);
        assert_eq!(text(&"a".repeat(200), Form::Blocks), None);
    }

    #[test]
    fn a_locale_says_what_can_be_shown() {
        assert_eq!(Form::of_locale("en_US.UTF-8"), Form::Blocks);
        assert_eq!(Form::of_locale("C.utf8"), Form::Blocks);
        for locale in ["", "C", "de_DE.ISO-8859-15"] {
            assert_eq!(Form::of_locale(locale), Form::Ascii);
        }
    }
}
