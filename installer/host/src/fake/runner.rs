//! Programs that answer by a script.

use std::sync::Mutex;

use super::lock;
use crate::{Command, Output, Runner, command::CommandError};

/// A program that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// As [`Command`] displays it.
    pub command: String,
    /// Program and arguments.
    pub words: Vec<String>,
    /// What it was fed.
    pub stdin: Option<String>,
}

/// What a program does.
#[derive(Debug, Clone)]
enum Reaction {
    Answer(String),
    Fail(i32, String),
    Missing,
}

type Effect = Box<dyn Fn(&Ran) + Send>;

struct Rule {
    prefix: Vec<String>,
    reaction: Reaction,
    /// How often it still counts; none: always.
    left: Option<usize>,
    effect: Option<Effect>,
}

/// Runs nothing. A command is matched by the beginning of its words; the rule that was added last
/// wins, and one without a rule succeeds in silence.
#[derive(Default)]
pub struct ScriptedRunner {
    rules: Mutex<Vec<Rule>>,
    ran: Mutex<Vec<Ran>>,
}

impl ScriptedRunner {
    /// Commands that begin so print `stdout`.
    pub fn answer<'w>(&self, prefix: impl IntoIterator<Item = &'w str>, stdout: &str) {
        self.add(prefix, Reaction::Answer(stdout.to_owned()), None, None);
    }

    /// The next command that begins so prints `stdout`; afterwards older rules count again.
    pub fn answer_once<'w>(&self, prefix: impl IntoIterator<Item = &'w str>, stdout: &str) {
        self.add(prefix, Reaction::Answer(stdout.to_owned()), Some(1), None);
    }

    /// Commands that begin so exit with `status` and print `stderr`.
    pub fn fail<'w>(&self, prefix: impl IntoIterator<Item = &'w str>, status: i32, stderr: &str) {
        self.add(prefix, Reaction::Fail(status, stderr.to_owned()), None, None);
    }

    /// Like [`Self::fail`], for the next such command only.
    pub fn fail_once<'w>(
        &self,
        prefix: impl IntoIterator<Item = &'w str>,
        status: i32,
        stderr: &str,
    ) {
        self.add(prefix, Reaction::Fail(status, stderr.to_owned()), Some(1), None);
    }

    /// Commands that begin so are not installed.
    pub fn missing<'w>(&self, prefix: impl IntoIterator<Item = &'w str>) {
        self.add(prefix, Reaction::Missing, None, None);
    }

    /// Commands that begin so succeed and change the world: `effect` runs at each of them.
    pub fn act<'w>(
        &self,
        prefix: impl IntoIterator<Item = &'w str>,
        stdout: &str,
        effect: impl Fn(&Ran) + Send + 'static,
    ) {
        self.add(prefix, Reaction::Answer(stdout.to_owned()), None, Some(Box::new(effect)));
    }

    /// What was run so far, as [`Command`] displays it.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.ran).iter().map(|ran| ran.command.clone()).collect()
    }

    /// What was run so far.
    pub fn ran(&self) -> Vec<Ran> {
        lock(&self.ran).clone()
    }

    /// Forgets what was run, not the rules.
    pub fn forget(&self) {
        lock(&self.ran).clear();
    }

    fn add<'w>(
        &self,
        prefix: impl IntoIterator<Item = &'w str>,
        reaction: Reaction,
        left: Option<usize>,
        effect: Option<Effect>,
    ) {
        let prefix = prefix.into_iter().map(str::to_owned).collect();
        lock(&self.rules).push(Rule { prefix, reaction, left, effect });
    }
}

impl Runner for ScriptedRunner {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let words = std::iter::once(&command.program).chain(&command.arguments);
        let ran = Ran {
            command: command.to_string(),
            words: words.map(|word| word.to_string_lossy().into_owned()).collect(),
            stdin: command.stdin.as_ref().map(|text| text.reveal().to_owned()),
        };
        lock(&self.ran).push(ran.clone());
        let failed = |exit: String, status, tail| CommandError {
            command: ran.command.clone(),
            exit,
            status,
            seconds: 0.0,
            tail,
        };
        let mut rules = lock(&self.rules);
        let rule = rules
            .iter_mut()
            .rev()
            .find(|rule| rule.left != Some(0) && ran.words.starts_with(&rule.prefix));
        let Some(rule) = rule else { return Ok(Output::default()) };
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        if let Some(effect) = &rule.effect {
            effect(&ran);
        }
        match &rule.reaction {
            Reaction::Answer(stdout) => {
                Ok(Output { stdout: stdout.clone(), stderr: String::new() })
            }
            Reaction::Fail(status, stderr) => {
                let tail = if stderr.is_empty() {
                    String::new()
                } else {
                    format!("; last output:\n{stderr}")
                };
                Err(failed(format!("exited with {status}"), Some(*status), tail))
            }
            Reaction::Missing => Err(failed("is not installed".to_owned(), None, String::new())),
        }
    }
}
