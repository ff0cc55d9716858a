//! Questions to the person at this terminal.

use std::io::{Error, IsTerminal as _, stderr, stdin};

use dialoguer::{Input, Password};
use model::Secret;

/// Somebody can be asked.
pub fn possible() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Asks for a new password twice, and again while `check` says what is wrong with it. Nothing of
/// it is shown.
///
/// # Errors
/// There is no terminal any more, or the person wants to stop.
pub fn new_password(
    question: &str,
    check: impl Fn(&Secret) -> Result<(), String>,
) -> Result<Secret, Error> {
    let check = |text: &String| check(&Secret::new(text.as_str()));
    let typed = Password::new()
        .with_prompt(question)
        .with_confirmation("the same again", "these are not the same; once more")
        .validate_with(check)
        .interact();
    typed.map(Secret::new).map_err(|dialoguer::Error::IO(error)| error)
}

/// Asks for a line, which may be empty.
///
/// # Errors
/// There is no terminal any more, or the person wants to stop.
pub fn line(question: &str) -> Result<String, Error> {
    let typed = Input::<String>::new().with_prompt(question).allow_empty(true).interact_text();
    typed.map_err(|dialoguer::Error::IO(error)| error)
}
