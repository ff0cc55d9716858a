//! What a typed line means. Pure.

use model::{
    Secret,
    questions::{Kind, Offer, Question, Value},
    seed::rules::Refused,
};

/// What somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// An answer, not yet held to the rules of the question.
    Answer(Value),
    /// Nothing was typed: what is marked, listed, or the default.
    Enter,
    /// Marks to be put or taken away, by index.
    Switch(Vec<usize>),
    /// Marks for all, or for none.
    Mark(bool),
    /// One more for the list.
    Add(String),
    /// One less, by index.
    Remove(usize),
    /// A way to an answer.
    Take(Offer),
    Help,
    Back,
    Leave,
}

/// The letter that takes an offer.
pub(super) fn letter(offer: Offer) -> &'static str {
    match offer {
        Offer::KeysFromFile => "f",
        Offer::KeysOfAccount => "a",
    }
}

/// Reads a line for a question; `offers` can be carried out, `listed` are in the list so far.
pub(super) fn read(
    question: &Question<'_>,
    typed: &str,
    offers: &[Offer],
    listed: usize,
) -> Result<Reply, Refused> {
    let word = typed.trim();
    match word {
        "?" => return Ok(Reply::Help),
        "<" => return Ok(Reply::Back),
        "<<" => return Ok(Reply::Leave),
        "" => return Ok(Reply::Enter),
        _ => {}
    }
    match &question.kind {
        Kind::Choice { .. } => Ok(Reply::Answer(Value::Text(choice(question, word)))),
        Kind::Several(_) => several(question, word),
        Kind::Text => Ok(Reply::Answer(Value::Text(word.to_owned()))),
        Kind::Secret { .. } => Ok(Reply::Answer(Value::Secret(Secret::new(typed)))),
        Kind::YesNo => match word.to_lowercase().as_str() {
            "y" | "yes" | "1" => Ok(Reply::Answer(Value::Yes(true))),
            "n" | "no" | "2" => Ok(Reply::Answer(Value::Yes(false))),
            _ => Err(Refused::new(format!("`{word}` is neither yes nor no"), "type `y` or `n`")),
        },
        Kind::List(what) => {
            if let Some(offer) = offers.iter().find(|offer| letter(**offer) == word) {
                return Ok(Reply::Take(*offer));
            }
            let number = word.strip_prefix('-').and_then(|number| number.trim().parse().ok());
            match number {
                Some(number) if (1..=listed).contains(&number) => Ok(Reply::Remove(number - 1)),
                Some(number) => {
                    let what = format!("there is no {what} {number} to be taken away");
                    Err(Refused::new(what, "type `-` and one of the numbers that are shown"))
                }
                None => Ok(Reply::Add(word.to_owned())),
            }
        }
    }
}

/// A number, a name, or enough of a label that it can only be one.
fn choice(question: &Question<'_>, word: &str) -> String {
    let options = question.kind.options();
    let exact = options.iter().find(|option| option.value == word);
    let number = || word.parse::<usize>().ok()?.checked_sub(1).and_then(|at| options.get(at));
    let lower = word.to_lowercase();
    let part = || {
        let mut found = options
            .iter()
            .filter(|option| lower.len() >= 3 && option.label.to_lowercase().contains(&lower));
        found.next().filter(|_| found.next().is_none())
    };
    let found = exact.or_else(number).or_else(part);
    found.map_or_else(|| word.to_owned(), |option| option.value.clone())
}

/// Numbers or names, with blanks or commas between them; `all`, `none`.
fn several(question: &Question<'_>, word: &str) -> Result<Reply, Refused> {
    let options = question.kind.options();
    match word {
        "all" => return Ok(Reply::Mark(true)),
        "none" => return Ok(Reply::Mark(false)),
        _ => {}
    }
    let mut found = Vec::new();
    for part in word.split([' ', ',']).filter(|part| !part.is_empty()) {
        let number = part.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let index = number.filter(|at| *at < options.len());
        let index = index.or_else(|| options.iter().position(|option| option.value == part));
        let Some(index) = index else {
            let what = format!("`{part}` is none of those to choose from");
            let hint = format!("type numbers from 1 to {}, `all` or `none`", options.len());
            return Err(Refused::new(what, hint));
        };
        found.push(index);
    }
    Ok(Reply::Switch(found))
}
