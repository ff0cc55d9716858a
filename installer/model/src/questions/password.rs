//! How good a password is, in words.
//!
//! A short list and a few rules find what is guessed first. They cannot find all that is weak: who
//! takes words at random is safe, whoever takes names and dates is not.

use std::{collections::BTreeSet, sync::LazyLock};

use crate::{
    Secret,
    seed::rules::{self, Refused},
};

/// Words that passwords are made of which were found in breaches, one a line.
static COMMON: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    include_str!("passwords.txt").lines().map(str::trim).filter(|word| !word.is_empty()).collect()
});

/// Rows of keys and of the alphabet, along which fingers run.
const RUNS: [&str; 9] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// What every weak password's way out says.
const WAY_OUT: &str = "four or five random words are strong and easy to type";

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Holds at a login that locks out whoever guesses.
    Fair,
    /// Holds for a long time even where somebody has its digest.
    Good,
    /// Nobody guesses it.
    Strong,
}

impl Strength {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fair => "fair: it holds at the login, a longer one would be better",
            Self::Good => "good",
            Self::Strong => "strong",
        }
    }
}

/// Judges a password of somebody who is known by `names`: of the user, of the box.
///
/// # Errors
/// It is too short, holds one of the names, or is of the kind that is guessed first.
pub fn judge(password: &Secret, names: &[&str]) -> Result<Strength, Refused> {
    rules::password(password)?;
    rules::value("admin.password", password.reveal())?;
    let lower = password.reveal().to_lowercase();
    let held = names.iter().find(|name| name.chars().count() >= 3 && lower.contains(**name));
    if let Some(name) = held {
        let what = format!("the password holds `{name}`, which everybody can see");
        return Err(Refused::new(what, WAY_OUT));
    }
    if !lower.chars().any(|c| !c.is_ascii_digit() && !".-/ ".contains(c)) {
        let what = "the password is nothing but digits; dates and numbers are guessed first";
        return Err(Refused::new(what, WAY_OUT));
    }
    if is_run(&lower) {
        let what = "the password runs along the keys or the alphabet, or repeats itself";
        return Err(Refused::new(what, WAY_OUT));
    }
    if is_common(&lower) {
        let what = "the password is made of words that are in every list of breached passwords";
        return Err(Refused::new(what, WAY_OUT));
    }
    Ok(strength(password.reveal()))
}

/// Four of five steps from one character to the next go along a row, or the text is one piece over
/// and over.
fn is_run(lower: &str) -> bool {
    let letters: Vec<char> = lower.chars().collect();
    let near = |a: char, b: char| {
        a == b
            || RUNS.iter().any(|run| {
                let at = |c| run.chars().position(|other| other == c);
                matches!((at(a), at(b)), (Some(a), Some(b)) if a.abs_diff(b) <= 1)
            })
    };
    let steps = letters.windows(2).filter(|pair| near(pair[0], pair[1])).count();
    let repeats = (1..=letters.len() / 2).any(|length| {
        letters.len() % length == 0
            && letters.chunks(length).all(|piece| piece == &letters[..length])
    });
    repeats || steps * 5 >= (letters.len() - 1) * 4
}

/// Without digits and signs, and with the usual letters in place of digits, nothing is left but one
/// or two words of the list.
fn is_common(lower: &str) -> bool {
    let only_letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
    // In front a sign may stand for a letter, as in `@dmin`; behind it is there for the rules.
    let core = lower.trim_end_matches(|c: char| !c.is_alphabetic());
    let core = core.trim_start_matches(|c: char| !c.is_alphabetic() && !"@$!".contains(c));
    let replaced = |one: char| -> String {
        let letter = |c| match c {
            '0' => 'o',
            '1' | '!' => one,
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            '8' => 'b',
            other => other,
        };
        only_letters(&core.chars().map(letter).collect::<String>())
    };
    [only_letters(lower), replaced('i'), replaced('l')].iter().any(|text| is_of_words(text, 2))
}

/// Whether the text is made of at most so many words of the list.
fn is_of_words(text: &str, most: usize) -> bool {
    COMMON.contains(text)
        || most > 1
            && text
                .char_indices()
                .skip(1)
                .any(|(at, _)| COMMON.contains(&text[..at]) && is_of_words(&text[at..], most - 1))
}

/// A rough count of bits: the kinds of characters for each one, less for one that follows from the
/// one before.
fn strength(password: &str) -> Strength {
    let has = |kind: fn(char) -> bool| password.chars().any(kind);
    let mut kinds = 0_f64;
    kinds += if has(|c| c.is_lowercase()) { 26.0 } else { 0.0 };
    kinds += if has(|c| c.is_uppercase()) { 26.0 } else { 0.0 };
    kinds += if has(|c| c.is_ascii_digit()) { 10.0 } else { 0.0 };
    kinds += if has(|c| !c.is_alphanumeric()) { 20.0 } else { 0.0 };
    let different = password.chars().collect::<BTreeSet<char>>().len();
    let counted = password.chars().count().min(different * 3);
    // Words of a language have less than half of what their letters could have.
    let wordy = !has(|c| c.is_ascii_digit()) && !has(|c| c.is_uppercase());
    let bits = counted as f64 * kinds.log2() * if wordy { 0.4 } else { 0.8 };
    match bits {
        bits if bits < 42.0 => Strength::Fair,
        bits if bits < 60.0 => Strength::Good,
        _ => Strength::Strong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(password: &str) -> String {
        match judge(&Secret::new(password), &["alex", "homelab", "my"]) {
            Ok(strength) => format!("{strength:?}"),
            Err(refused) => refused.what,
        }
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        let common = "the password is made of words that are in every list of breached passwords";
        let run = "the password runs along the keys or the alphabet, or repeats itself";
        let digits = "the password is nothing but digits; dates and numbers are guessed first";
        for (password, what) in [
            ("short", "the password has 5 characters, at least 10 are needed"),
            ("IAmAlex-really", "the password holds `alex`, which everybody can see"),
            ("my homelab is mine", "the password holds `homelab`, which everybody can see"),
            ("Password123", common),
            ("P@ssw0rd2024!", common),
            ("passwordpassword", run),
            ("letmein-dragon-99", common),
            ("correct horse battery staple", common),
            ("1qaz2wsx3edc", common),
            ("iloveyou!!!!", common),
            ("2023-10-17 2", digits),
            ("0171234567", digits),
            ("qwertzuiop", run),
            ("1234567890a", run),
            ("abcdefghijkl", run),
            ("abc1abc1abc1", run),
        ] {
            assert_eq!(said(password), what, "{password}");
        }
    }

    #[test]
    fn what_is_left_has_a_strength_in_words() {
        for (password, strength) in [
            ("tulip rocks", "Fair"),
            ("grumpy walrus tea", "Fair"),
            ("violet pencil under seven rivers", "Strong"),
            ("tulip-gravel-moon-sock", "Good"),
            ("xK9#mQ2$vL7p", "Strong"),
            ("Blauer7Elefant", "Strong"),
        ] {
            assert_eq!(said(password), strength, "{password}");
        }
        assert!(Strength::Fair < Strength::Strong);
    }
}
