//! What was answered so far.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::Secret;

/// Version of the sealed text.
const FORMAT: u32 = 1;

/// Names a question, mostly by the key of the seed that it fills: `admin.name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub String);

impl Id {
    /// Names a question.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, or the value of a choice.
    Text(String),
    /// Several of the offered, or a list that was typed.
    Texts(Vec<String>),
    /// Yes or no.
    Yes(bool),
    /// A text that is not shown.
    Secret(Secret),
}

/// An answer, and whether it counts or only stands ready as the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) settled: bool,
}

/// All answers, also those to questions that are no longer asked because an earlier answer was
/// changed: whoever changes it back need not type them again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    given: BTreeMap<Id, Given>,
    /// What an earlier seed said that nobody is asked about, as TOML.
    kept: Option<Secret>,
}

/// The text is none of [`Answers::sealed`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the saved answers cannot be read: {0}")]
pub struct BadAnswers(String);

/// How the answers lie in a file. The one place where a secret of theirs becomes text.
#[derive(Serialize, Deserialize)]
struct Sealed {
    format: u32,
    answers: BTreeMap<Id, SealedAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SealedAnswer {
    settled: bool,
    #[serde(flatten)]
    value: SealedValue,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SealedValue {
    Text(String),
    Texts(Vec<String>),
    Yes(bool),
    Secret(String),
}

impl Answers {
    /// Nothing was answered.
    pub fn none() -> Self {
        Self::default()
    }

    /// Nothing was answered or filled in.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty() && self.kept.is_none()
    }

    pub(super) fn get(&self, id: &Id) -> Option<&Given> {
        self.given.get(id)
    }

    /// Puts an answer in as the default of its question, unless there is one already.
    pub fn prefill(&mut self, id: impl Into<String>, value: Value) {
        self.given.entry(Id::new(id)).or_insert(Given { value, settled: false });
    }

    /// Takes over as defaults what `others` has, but where somebody has answered already.
    #[must_use]
    pub fn filled_from(mut self, others: Self) -> Self {
        for (id, other) in others.given {
            if !self.given.get(&id).is_some_and(|given| given.settled) {
                self.given.insert(id, Given { settled: false, ..other });
            }
        }
        self.kept = others.kept.or(self.kept);
        self
    }

    /// Somebody has answered something.
    pub fn any_settled(&self) -> bool {
        self.given.values().any(|given| given.settled)
    }

    /// The answer to a question such as `system.keyboard`, if somebody has given one.
    pub fn settled(&self, id: &str) -> Option<&Value> {
        let given = self.given.get(&Id::new(id)).filter(|given| given.settled);
        given.map(|given| &given.value)
    }

    pub(crate) fn settle(&mut self, id: Id, value: Value) {
        self.given.insert(id, Given { value, settled: true });
    }

    pub(super) fn unsettle(&mut self, id: &Id) -> bool {
        let found = self.given.get_mut(id);
        found.is_some_and(|given| std::mem::replace(&mut given.settled, false))
    }

    pub(super) fn keep(&mut self, toml: String) {
        self.kept = Some(Secret::new(toml));
    }

    pub(super) fn kept(&self) -> Option<&Secret> {
        self.kept.as_ref()
    }

    /// Everything as a text, with the secrets: for a file of mode 0600, and for nothing else.
    pub fn sealed(&self) -> Secret {
        let value = |value: &Value| match value {
            Value::Text(text) => SealedValue::Text(text.clone()),
            Value::Texts(list) => SealedValue::Texts(list.clone()),
            Value::Yes(yes) => SealedValue::Yes(*yes),
            Value::Secret(secret) => SealedValue::Secret(secret.reveal().to_owned()),
        };
        let one = |(id, given): (&Id, &Given)| {
            let answer = SealedAnswer { settled: given.settled, value: value(&given.value) };
            (id.clone(), answer)
        };
        let sealed = Sealed {
            format: FORMAT,
            answers: self.given.iter().map(one).collect(),
            kept: self.kept.as_ref().map(|kept| kept.reveal().to_owned()),
        };
        // Maps with text keys and values can always be written.
        Secret::new(serde_json::to_string_pretty(&sealed).unwrap_or_default())
    }

    /// Reads what [`Self::sealed`] wrote.
    ///
    /// # Errors
    /// It is something else, or of another version.
    pub fn unseal(text: &str) -> Result<Self, BadAnswers> {
        // The message of the parser names places only, never what stands there.
        let sealed: Sealed = serde_json::from_str(text)
            .map_err(|error| BadAnswers(format!("line {}", error.line())))?;
        if sealed.format != FORMAT {
            return Err(BadAnswers(format!("they are of version {}", sealed.format)));
        }
        let value = |value| match value {
            SealedValue::Text(text) => Value::Text(text),
            SealedValue::Texts(list) => Value::Texts(list),
            SealedValue::Yes(yes) => Value::Yes(yes),
            SealedValue::Secret(text) => Value::Secret(Secret::new(text)),
        };
        let one = |(id, answer): (Id, SealedAnswer)| {
            (id, Given { settled: answer.settled, value: value(answer.value) })
        };
        Ok(Self {
            given: sealed.answers.into_iter().map(one).collect(),
            kept: sealed.kept.map(Secret::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_answers_come_back_as_they_were_and_debug_shows_no_secret() {
        let mut answers = Answers::none();
        answers.settle(Id::new("admin.name"), Value::Text("alex".into()));
        answers.settle(Id::new("admin.password"), Value::Secret(Secret::new("hunter2")));
        answers.prefill("stacks", Value::Texts(vec!["media".into()]));
        answers.prefill("vpn.wanted", Value::Yes(true));
        answers.keep("[network]".to_owned());
        assert_eq!(Answers::unseal(answers.sealed().reveal()), Ok(answers.clone()));
        assert!(!format!("{answers:?}").contains("hunter2"));
        let wrong = Answers::unseal("{\"format\": 1,\n \"hunter2\": 3}").unwrap_err();
        assert_eq!(wrong.to_string(), "the saved answers cannot be read: line 2");
        let other = answers.sealed().reveal().replace("\"format\": 1", "\"format\": 9");
        let wrong = Answers::unseal(&other).unwrap_err();
        assert_eq!(wrong.to_string(), "the saved answers cannot be read: they are of version 9");
    }

    #[test]
    fn what_somebody_answered_is_not_filled_in_again() {
        let text = |text: &str| Value::Text(text.into());
        let mut answers = Answers::none();
        answers.settle(Id::new("admin.name"), text("alex"));
        answers.prefill("system.hostname", text("old"));
        let mut others = Answers::none();
        others.prefill("admin.name", text("sam"));
        others.prefill("system.hostname", text("new"));
        others.settle(Id::new("system.keyboard"), text("de"));
        others.keep("[images]".to_owned());
        let filled = answers.filled_from(others);
        assert_eq!(filled.settled("admin.name"), Some(&text("alex")));
        assert_eq!(filled.settled("system.keyboard"), None, "a default, whatever it was there");
        assert_eq!(filled.get(&Id::new("system.hostname")).unwrap().value, text("new"));
        assert_eq!(filled.kept().unwrap().reveal(), "[images]");
        assert!(
            filled.any_settled() && !Answers::none().filled_from(Answers::none()).any_settled()
        );
    }
}
