//! The way through the graph with the answers so far.

use std::collections::BTreeMap;

use super::{Answers, Id, Question, Value, World, ask, mounted::Mounted};

/// What the answers on the way say, by question. Answers off the way are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    values: BTreeMap<Id, Value>,
    /// Mounts, in the order in which they were asked for.
    pub(super) mounts: Vec<Mounted>,
}

impl Said {
    pub(super) fn put(&mut self, id: impl Into<String>, value: Value) {
        self.values.insert(Id::new(id), value);
    }

    fn get(&self, id: &str) -> Option<&Value> {
        self.values.get(&Id::new(id))
    }

    /// The text; empty if there is none.
    pub(super) fn text(&self, id: &str) -> &str {
        match self.get(id) {
            Some(Value::Text(text)) => text,
            Some(Value::Secret(secret)) => secret.reveal(),
            _ => "",
        }
    }

    /// The list; empty if there is none.
    pub(super) fn texts(&self, id: &str) -> &[String] {
        match self.get(id) {
            Some(Value::Texts(list)) => list,
            _ => &[],
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(id, value)| (id.0.as_str(), value))
    }

    /// Whether it was said at all.
    pub(super) fn has(&self, id: &str) -> bool {
        self.get(id).is_some()
    }
}

/// A question of the way, with its answer or the default that stands for one.
pub(super) struct Passed {
    pub(super) id: Id,
    pub(super) title: String,
    pub(super) shown: String,
}

/// Goes the way. A section asks by [`Walk::ask`] and is told an answer in any case: that of the
/// person, or beyond the first open question a default.
pub(super) struct Walk<'a> {
    pub(super) world: &'a World<'a>,
    answers: Answers,
    pub(super) said: Said,
    pub(super) passed: Vec<Passed>,
    /// The first question without an answer, and how many are before it.
    pub(super) open: Option<(usize, Question<'a>)>,
}

impl<'a> Walk<'a> {
    /// Goes it to the end.
    pub(super) fn through(world: &'a World<'a>, answers: Answers) -> Self {
        let (said, passed) = (Said::default(), Vec::new());
        let mut walk = Self { world, answers, said, passed, open: None };
        ask::everything(&mut walk);
        walk
    }

    /// Asks; whether somebody answered cannot be told from what comes back.
    pub(super) fn ask(&mut self, mut question: Question<'a>) -> Value {
        let id = question.id.clone();
        let given = self.answers.get(&id);
        let settled = if self.open.is_some() {
            // Beyond the open question only the length of the way is wanted. What stands there is
            // held to its rule when its turn comes.
            question.default = given.map(|given| given.value.clone()).or(question.default);
            false
        } else {
            let good =
                given.and_then(|given| Some((question.check(&given.value).ok()?, given.settled)));
            let settled = good.as_ref().is_some_and(|(_, settled)| *settled);
            let default = question.default.take();
            // What would be refused is offered to nobody.
            question.default = match good {
                Some((value, _)) => Some(value),
                None => default.and_then(|value| question.check(&value).ok()),
            };
            settled
        };
        let value = question.default.clone().unwrap_or_else(|| question.kind.nothing());
        self.said.put(id.0.clone(), value.clone());
        let shown = question.shown(&value);
        self.passed.push(Passed { id, title: question.title.clone(), shown });
        if !settled && self.open.is_none() {
            self.open = Some((self.passed.len() - 1, question));
        }
        value
    }

    /// Whether a default of this question would be looked at: what is dear to compute need not be
    /// computed otherwise.
    pub(super) fn wants_default(&self, id: &str) -> bool {
        self.open.is_none() && !self.answers.get(&Id::new(id)).is_some_and(|given| given.settled)
    }

    /// Whether there is an answer to this question, be it only as its default.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.answers.get(&Id::new(id)).is_some()
    }

    /// Asks for a text.
    pub(super) fn text(&mut self, question: Question<'a>) -> String {
        match self.ask(question) {
            Value::Text(text) => text,
            _ => String::new(),
        }
    }

    /// Asks for a list.
    pub(super) fn texts(&mut self, question: Question<'a>) -> Vec<String> {
        match self.ask(question) {
            Value::Texts(list) => list,
            _ => Vec::new(),
        }
    }

    /// Asks for what is not shown.
    pub(super) fn secret(&mut self, question: Question<'a>) {
        self.ask(question);
    }

    /// Asks yes or no.
    pub(super) fn yes(&mut self, question: Question<'a>) -> bool {
        self.ask(question) == Value::Yes(true)
    }
}
