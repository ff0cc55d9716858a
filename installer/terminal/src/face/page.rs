//! What is shown at once. Pure: the same page for a screen and for lines on paper.

use crate::{COLUMNS, wrap};

/// Shown at the top.
pub(super) const NAME: &str = "Homelab setup";
/// The least number of options that are shown at once.
const LEAST: usize = 3;

/// A page that waits for somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Where we are, such as `4 of 13`.
    pub(super) place: String,
    pub(super) title: String,
    /// Paragraphs.
    pub(super) text: Vec<String>,
    /// What can be chosen, or what the list has so far.
    pub(super) rows: Vec<Row>,
    /// The row that Enter takes; only where a row can be chosen.
    pub(super) cursor: Option<usize>,
    /// Rows can be gone over by keys.
    pub(super) moves: bool,
    /// Rows are marked, not chosen.
    pub(super) marks: bool,
    /// Lines below the rows.
    pub(super) below: Vec<String>,
    /// What was wrong with the last answer.
    pub(super) message: Vec<String>,
    /// What Enter alone means, in words.
    pub(super) default: String,
    /// What is typed is not shown.
    pub(super) hidden: bool,
    /// What can be typed besides an answer.
    pub(super) footer: String,
}

/// A line that has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) marked: Option<bool>,
    pub(super) text: String,
}

impl Page {
    /// What stands before the input.
    fn prompt(&self) -> String {
        match self.default.as_str() {
            "" => " > ".to_owned(),
            default => format!(" [{default}] > "),
        }
    }

    fn row(&self, index: usize) -> String {
        let Some(row) = self.rows.get(index) else { return String::new() };
        let cursor = if self.cursor == Some(index) { '>' } else { ' ' };
        let mark = match row.marked {
            Some(true) => "[x] ",
            Some(false) => "[ ] ",
            None => "",
        };
        let width = self.rows.len().to_string().len();
        cut(&format!(" {cursor} {mark}{:>width$}  {}", index + 1, row.text))
    }

    fn head(&self) -> Vec<String> {
        let left = format!(" {NAME}");
        let space = (COLUMNS - 2).saturating_sub(left.len() + self.place.len());
        let mut lines = vec![format!("{left}{:space$}{}", "", self.place), rule()];
        lines.push(format!(" {}", self.title));
        lines.push(String::new());
        for (index, paragraph) in self.text.iter().enumerate() {
            if index > 0 {
                lines.push(String::new());
            }
            let indented = |line: String| format!(" {line}").trim_end().to_owned();
            lines.extend(wrap(paragraph, COLUMNS - 3).into_iter().map(indented));
        }
        lines
    }

    /// The lines below the rows, and what is wrong.
    pub(super) fn told(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (mark, texts) in [("  ", &self.below), ("! ", &self.message)] {
            for (index, text) in texts.iter().enumerate() {
                let mark = if mark == "! " && index > 0 { "= " } else { mark };
                for (index, line) in wrap(text, COLUMNS - 5).into_iter().enumerate() {
                    lines.push(format!(" {}{line}", if index == 0 { mark } else { "  " }));
                }
            }
        }
        lines
    }

    /// The whole screen of so many rows with what is typed so far, and where the cursor stands (row,
    /// column). Of many rows those around the cursor are shown.
    pub(super) fn screen(&self, typed: &str, height: usize) -> (Vec<String>, (usize, usize)) {
        let mut lines = self.head();
        let foot = self.told();
        let around = lines.len() + foot.len() + 5;
        let room = height.saturating_sub(around).max(LEAST);
        if !self.rows.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.window(room));
        lines.push(String::new());
        lines.extend(foot);
        let prompt = self.prompt();
        let shown = match self.hidden {
            true => "*".repeat(typed.chars().count()),
            false => typed.to_owned(),
        };
        // Of a long line the end is shown, where the typing is.
        let space = COLUMNS - 2 - prompt.chars().count().min(COLUMNS / 2);
        let skipped = shown.chars().count().saturating_sub(space);
        let line: String = prompt.chars().chain(shown.chars().skip(skipped)).collect();
        let column = line.chars().count();
        let row = lines.len().min(height - 2);
        lines.truncate(row);
        lines.push(line);
        lines.resize(height - 1, String::new());
        lines.push(cut(&format!(" {}", self.footer)));
        (lines, (row, column))
    }

    /// So many rows around the cursor, with a word about those that are not shown.
    fn window(&self, room: usize) -> Vec<String> {
        let count = self.rows.len();
        if count <= room {
            return (0..count).map(|index| self.row(index)).collect();
        }
        let room = room.saturating_sub(1).max(1);
        let first = self.cursor.unwrap_or(0).saturating_sub(room / 2).min(count - room);
        let mut lines: Vec<String> = (first..first + room).map(|index| self.row(index)).collect();
        lines.push(format!("   ({} to {} of {count})", first + 1, first + room));
        lines
    }

    /// All of it as lines, and what stands before the input.
    pub(super) fn lines(&self) -> (Vec<String>, String) {
        let mut lines = vec![String::new()];
        lines.extend(self.head());
        if !self.rows.is_empty() {
            lines.push(String::new());
        }
        lines.extend((0..self.rows.len()).map(|index| self.row(index)));
        let foot = self.told();
        if !foot.is_empty() {
            lines.push(String::new());
        }
        lines.extend(foot);
        lines.push(cut(&format!(" ({})", self.footer)));
        (lines, self.prompt())
    }
}

fn rule() -> String {
    "-".repeat(COLUMNS - 1)
}

/// A line that fits.
fn cut(line: &str) -> String {
    let most = COLUMNS - 1;
    if line.chars().count() <= most {
        return line.trim_end().to_owned();
    }
    let kept: String = line.chars().take(most - 2).collect();
    format!("{}..", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: usize) -> Page {
        let row = |n: usize| Row { marked: None, text: format!("option {n}") };
        Page {
            place: "4 of 13".into(),
            title: "Colour".into(),
            text: vec!["Which one?".into()],
            rows: (1..=rows).map(row).collect(),
            cursor: Some(0),
            moves: true,
            message: vec!["`x` is none".into(), "take another".into()],
            default: "1".into(),
            footer: "? help".into(),
            ..Page::default()
        }
    }

    #[test]
    fn a_screen_has_its_size_whatever_is_on_it() {
        for rows in [0, 3, 40] {
            let (lines, (row, column)) = page(rows).screen(&"x".repeat(200), 24);
            assert_eq!(lines.len(), 24);
            assert!(lines.iter().all(|line| line.chars().count() < 80), "{lines:#?}");
            assert!(row < 23 && column < 80, "{row} {column}");
        }
    }

    #[test]
    fn the_cursor_is_always_among_what_is_shown() {
        for cursor in 0..40 {
            let mut page = page(40);
            page.cursor = Some(cursor);
            let (lines, _) = page.screen("", 24);
            let text = format!("option {}", cursor + 1);
            let seen = lines.iter().any(|line| line.starts_with(" >") && line.ends_with(&text));
            assert!(seen, "{cursor}: {lines:#?}");
        }
    }

    #[test]
    fn a_screen_and_lines() {
        let (lines, place) = page(2).screen("2", 24);
        let shown: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(
            shown[2..12],
            [
                " Colour",
                "",
                " Which one?",
                "",
                " > 1  option 1",
                "   2  option 2",
                "",
                " ! `x` is none",
                " = take another",
                " [1] > 2",
            ]
        );
        assert_eq!((shown[23], place), (" ? help", (11, 8)));
        let (lines, prompt) = page(2).lines();
        assert!(lines.ends_with(&[
            " ! `x` is none".into(),
            " = take another".into(),
            " (? help)".into()
        ]));
        assert_eq!(prompt, " [1] > ");
    }
}
