//! The questions one after the other.

use super::{Answers, Id, Question, Said, Value, World, seed_text, walk::Walk};
use crate::{
    Problems, Secret,
    seed::{self, Seed, rules::Refused},
};

/// A person's way through the questions.
#[derive(Debug, Clone)]
pub struct Interview<'a> {
    world: &'a World<'a>,
    answers: Answers,
}

/// The question that is to be asked next.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The question.
    pub question: Question<'a>,
    /// Its number, from 1.
    pub number: usize,
    /// How many questions there are, as far as is known now.
    pub of: usize,
}

/// A line of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryLine {
    /// The question.
    pub id: Id,
    /// Its few words.
    pub title: String,
    /// The answer, without secrets.
    pub answer: String,
}

impl<'a> Interview<'a> {
    /// Begins, or goes on with earlier answers.
    pub fn new(world: &'a World<'a>, answers: Answers) -> Self {
        Self { world, answers }
    }

    /// What was answered so far, to be saved.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// What the questions depend on.
    pub fn world(&self) -> &'a World<'a> {
        self.world
    }

    fn walk(&self) -> Walk<'a> {
        Walk::through(self.world, self.answers.clone())
    }

    /// The next question; none when all are answered.
    pub fn next(&self) -> Option<Asked<'a>> {
        let walk = self.walk();
        let of = walk.passed.len();
        walk.open.map(|(before, question)| Asked { question, number: before + 1, of })
    }

    /// Answers the question that is open.
    ///
    /// # Errors
    /// Why the answer cannot be taken; the question stays open.
    pub fn answer(&mut self, value: &Value) -> Result<(), Refused> {
        let Some((_, question)) = self.walk().open else { return Ok(()) };
        let value = question.check(value)?;
        self.answers.settle(question.id, value);
        Ok(())
    }

    /// Opens the question before the one that is open, or the last one when none is. Its answer
    /// stays as the default. False: there is none before.
    pub fn back(&mut self) -> bool {
        let walk = self.walk();
        let before = walk.open.map_or(walk.passed.len(), |(before, _)| before);
        let last = before.checked_sub(1).map(|last| &walk.passed[last].id);
        last.is_some_and(|id| self.answers.unsettle(id))
    }

    /// Opens a question of the summary again; its answer stays as the default.
    pub fn reopen(&mut self, id: &Id) -> bool {
        self.answers.unsettle(id)
    }

    /// Questions and answers, without secrets.
    pub fn summary(&self) -> Vec<SummaryLine> {
        let line = |passed: super::walk::Passed| SummaryLine {
            id: passed.id,
            title: passed.title,
            answer: passed.shown,
        };
        self.walk().passed.into_iter().map(line).collect()
    }

    /// What was said, answers and defaults.
    pub fn said(&self) -> Said {
        self.walk().said
    }

    /// The seed, and what the parser makes of it. The text has the secrets in it.
    ///
    /// # Errors
    /// Not all questions are answered, or the parser does not take the text, which is a bug.
    pub fn seed(&self) -> Result<(Secret, Seed), Problems> {
        let text = seed_text(&self.said(), self.answers.kept());
        let seed = seed::parse("seed.toml", text.reveal())?;
        Ok((text, seed))
    }
}
