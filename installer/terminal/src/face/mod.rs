//! The questions ([`model::questions`]) put to a person at any console: a screen, a serial line, an
//! SSH session, a pipe.
//!
//! ```text
//! Interview --next--> dialog --Page--> full (arrow keys, redraws what changed)  --Input--> dialog
//!     ^                                plain (lines only, for TERM=dumb)                     |
//!     +------------------------------- answer, back ----------------------------------------+
//! ```
//!
//! Both looks show the same [`page`] and understand the same typing: a number, a name, `?`, `<`,
//! `<<`. The prompts of `dialoguer` know neither help nor a way back nor a typed number, and they
//! read from the terminal of the process; a face reads from the console that it was given.

mod dialog;
mod full;
mod keys;
mod page;
mod plain;
mod reply;
mod shown;
mod summary;

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd as _,
};

use dialoguer::console::Term;
use model::{
    questions::{Answers, Asked, Interview, Offer, Question, Value},
    seed::rules::Refused,
};

use self::{full::Screen, keys::Keys, page::Page};

pub use dialog::{End, interview};
pub use summary::tell;

/// Rows that every console has.
const ROWS: usize = 24;

/// How a console is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// The cursor can be moved, and each key is heard.
    Full,
    /// Lines, one after the other.
    Plain,
}

impl Looks {
    /// For a terminal of this name, as `TERM` has it; none, empty and `dumb` cannot move a cursor.
    pub fn of(term: Option<&str>) -> Self {
        match term {
            None | Some("" | "dumb") => Self::Plain,
            Some(_) => Self::Full,
        }
    }
}

/// What the caller does for the questions. Each method has a default that does nothing.
pub trait Helper {
    /// An answer was taken, or a question opened again: the moment to save the answers.
    ///
    /// # Errors
    /// They cannot be saved. The person is told, and goes on.
    fn changed(&mut self, answers: &Answers) -> Result<(), String> {
        let _ = answers;
        Ok(())
    }

    /// A question is about to be asked.
    fn asks(&mut self, asked: &Asked<'_>) {
        let _ = asked;
    }

    /// Asked several times a second while a person is waited for: the moment to look at the rest of
    /// the world. Whoever once wants to stop wants it every time.
    fn meanwhile(&mut self) -> Meanwhile {
        Meanwhile::Wait
    }

    /// Ways to an answer that can be carried out here.
    fn offers(&self) -> &[Offer] {
        &[]
    }

    /// What is asked when somebody takes an offer.
    fn offer_text(&self, offer: Offer) -> &'static str {
        match offer {
            Offer::KeysFromFile => "Path of the file with public keys, one a line?",
            Offer::KeysOfAccount => {
                "Name of the account? `alex` is one at github.com, `gitlab.com/alex` one elsewhere."
            }
        }
    }

    /// Carries one out with what was typed: a path, the name of an account. What comes back is put
    /// to the question like typed lines.
    ///
    /// # Errors
    /// Why it brought nothing.
    fn fulfil(&mut self, offer: Offer, typed: &str) -> Result<Vec<String>, Refused> {
        let _ = (offer, typed);
        Err(Refused::new("this cannot be done here", "type it"))
    }

    /// Tries an answer that the question takes: a token at its provider, a keyboard at the console.
    /// Says what came of it, in a line; empty if there is nothing to say. It is shown where
    /// something can be typed, so that a keyboard can be tried, and from where a way leads back.
    ///
    /// # Errors
    /// The answer is wrong after all.
    fn tried(&mut self, question: &Question<'_>, value: &Value) -> Result<String, Refused> {
        let _ = (question, value);
        Ok(String::new())
    }

    /// What is shown while [`Helper::tried`] is at work on such an answer, which may take a while;
    /// empty: nothing.
    fn trying(&self, question: &Question<'_>, value: &Value) -> String {
        let _ = (question, value);
        String::new()
    }

    /// What is shown while [`Helper::ending`] is at work, which may take a minute; empty: nothing.
    fn working(&self) -> &'static str {
        ""
    }

    /// All is answered: what will happen, and what is then confirmed, such as `Write the seed?`.
    fn ending(&mut self, interview: &Interview<'_>) -> Ending;
}

/// What came up while a person was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing.
    Wait,
    /// Something that the person should know, one paragraph each. What was typed stays.
    Say(Vec<String>),
    /// The questions end here; what is answered stays in the interview.
    Stop,
}

/// What is told and asked at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What will happen, one paragraph each, on pages of their own before the summary. Empty: none.
    pub text: Vec<String>,
    /// What is confirmed, as a question.
    pub question: String,
    /// Why it cannot be confirmed so, and the way out; none: it can.
    pub refused: Option<Refused>,
}

/// A person at a console.
pub struct Face {
    keys: Keys,
    term: Term,
    looks: Looks,
    screen: Screen,
}

/// What a person did at a page.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Input {
    /// Typed a line.
    Line(String),
    /// Went up or down.
    Up,
    Down,
    /// Marked what the cursor is on, or took the mark away.
    Mark,
    /// Escape.
    Back,
    /// Ctrl-C, Ctrl-D, or the console is gone.
    Leave,
    /// The caller wants to stop.
    Stop,
}

impl Face {
    /// Speaks on this console. Both files may be the same device.
    ///
    /// # Errors
    /// The console cannot be told to pass on each key.
    pub fn new(input: File, output: File, looks: Looks) -> io::Result<Self> {
        let looks = if input.is_terminal() { looks } else { Looks::Plain };
        let term = Term::read_write_pair(input.try_clone()?, output);
        let rows = term.size_checked().map_or(ROWS, |(rows, _)| usize::from(rows));
        // A screen of less could not show a question; one that says 0 does not know.
        let rows = if rows < ROWS / 2 { ROWS } else { rows.min(ROWS) };
        let keys = Keys::new(input, looks == Looks::Full)?;
        Ok(Self { keys, term, looks, screen: Screen::new(rows) })
    }

    /// Speaks on standard input and output.
    ///
    /// # Errors
    /// They are closed, or cannot be told to pass on each key.
    pub fn of_process(looks: Looks) -> io::Result<Self> {
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Self::new(input, output, looks)
    }

    /// Says something after the questions, below what is on the screen.
    ///
    /// # Errors
    /// The console is gone.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.term.write_all(text.as_bytes())?;
        self.term.flush()
    }

    /// Shows a page until something is done there.
    fn prompt(&mut self, page: &Page, helper: &mut dyn Helper) -> io::Result<Input> {
        match self.looks {
            Looks::Full => self.prompt_full(page, helper),
            Looks::Plain => self.prompt_plain(page, helper),
        }
    }

    /// Shows a page at which nobody is waited for.
    fn show(&mut self, page: &Page) -> io::Result<()> {
        match self.looks {
            Looks::Full => self.draw(page, ""),
            Looks::Plain => {
                let (lines, _) = page.lines();
                self.write(&format!("{}\n", lines.join("\n")))
            }
        }
    }
}
