//! A screen whose cursor can be moved: only what changed is written, a serial line is slow.

use std::io;

use super::{
    Face, Helper, Input, Meanwhile,
    keys::{Key, LOOK},
    page::Page,
};

/// What stands on the screen.
pub(super) struct Screen {
    rows: usize,
    shown: Vec<String>,
}

impl Screen {
    pub(super) fn new(rows: usize) -> Self {
        Self { rows, shown: Vec::new() }
    }

    /// What must be written to show these lines with the cursor there (row, column).
    fn change(&mut self, lines: Vec<String>, (row, column): (usize, usize)) -> String {
        let mut text = String::new();
        if self.shown.is_empty() {
            text.push_str("\x1b[2J");
            self.shown = vec![String::new(); self.rows];
        }
        for (index, (line, before)) in lines.iter().zip(&self.shown).enumerate() {
            if line != before {
                text.push_str(&format!("\x1b[{};1H{line}\x1b[K", index + 1));
            }
        }
        self.shown = lines;
        text.push_str(&format!("\x1b[{};{}H", row + 1, column + 1));
        text
    }
}

impl Face {
    pub(super) fn prompt_full(
        &mut self,
        page: &Page,
        helper: &mut dyn Helper,
    ) -> io::Result<Input> {
        let mut page = page.clone();
        let mut typed = String::new();
        loop {
            self.draw(&page, &typed)?;
            while !self.keys.more(LOOK)? {
                match helper.meanwhile() {
                    Meanwhile::Wait => {}
                    Meanwhile::Say(texts) => {
                        page.message = texts;
                        self.draw(&page, &typed)?;
                    }
                    Meanwhile::Stop => return Ok(Input::Stop),
                }
            }
            let empty = typed.is_empty();
            match self.keys.key()? {
                Key::Enter => return Ok(Input::Line(typed)),
                Key::Gone => return Ok(Input::Leave),
                Key::Escape => return Ok(Input::Back),
                Key::Up if page.moves => return Ok(Input::Up),
                Key::Down if page.moves => return Ok(Input::Down),
                Key::Letter(' ') if page.marks && empty => return Ok(Input::Mark),
                Key::Letter('?') if page.moves && empty => return Ok(Input::Line("?".to_owned())),
                Key::Letter(letter) => typed.push(letter),
                Key::Backspace => drop(typed.pop()),
                Key::Clear => typed.clear(),
                Key::Up | Key::Down | Key::Other => {}
            }
        }
    }

    /// Shows a page with what is typed so far.
    pub(super) fn draw(&mut self, page: &Page, typed: &str) -> io::Result<()> {
        let (lines, cursor) = page.screen(typed, self.screen.rows);
        let text = self.screen.change(lines, cursor);
        self.write(&text)
    }

    /// Takes the questions off the screen.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if self.keys.is_raw() && !self.screen.shown.is_empty() {
            self.screen.shown.clear();
            self.write("\x1b[2J\x1b[1;1H")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_written() {
        let mut screen = Screen::new(3);
        let lines = |first: &str| vec![first.to_owned(), String::new(), "end".to_owned()];
        assert_eq!(
            screen.change(lines("a"), (1, 0)),
            "\x1b[2J\x1b[1;1Ha\x1b[K\x1b[3;1Hend\x1b[K\x1b[2;1H"
        );
        assert_eq!(screen.change(lines("b"), (1, 3)), "\x1b[1;1Hb\x1b[K\x1b[2;4H");
        assert_eq!(screen.change(lines("b"), (1, 3)), "\x1b[2;4H");
    }
}
