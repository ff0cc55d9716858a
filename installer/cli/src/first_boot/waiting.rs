//! A box that nobody has claimed waits for its seed or for a person, and tells what is wrong with a
//! seed.

use std::{path::Path, time::Duration};

use engine::{Context, Sink as _};
use model::{
    Problems, Secret,
    plan::Plan,
    report::{Event, Report, Verdict},
    secret::SecretRef,
};
use terminal::card::{self, Unclaimed};

use super::{
    FirstBoot, Secrets,
    wizard::{PLAIN, Rose, Start, saved},
};
use crate::{
    failure::Failure,
    keyboard::Line,
    sealing,
    secrets::{self, Outside},
    sources::{Found, Search, search},
    talk::Talk,
};

/// Between two looks at all places.
const EVERY: Duration = Duration::from_secs(2);
/// Between two looks at the keyboards.
const TICK: Duration = Duration::from_millis(200);
/// A seed that was refused is looked into again after this many looks, even if it did not change:
/// perhaps the machine did, by a disk or a cable.
const AGAIN: u32 = 15;

/// What was said last, so that nothing is said twice.
#[derive(Default)]
struct Said {
    card: String,
    refused: Option<Refusal>,
    waiting: bool,
    /// The box runs from a stick; none: nobody has looked yet.
    stick: Option<bool>,
}

/// A seed that was refused.
#[derive(Clone, PartialEq)]
struct Refusal {
    /// The refused text's digest, or both.
    digest: String,
    /// Its problems.
    lines: Vec<String>,
    /// The text, whose good answers the setup begins with; empty if there are two.
    text: String,
    source: String,
}

impl FirstBoot<'_> {
    /// Waits for a good seed or for somebody who answers the questions, seals what comes of it, and
    /// returns what it leads to.
    pub(super) fn wait_for_seed(&mut self) -> Result<(Plan, Secrets), Failure> {
        let line = self.machine.kernel_line();
        let mut said = Said::default();
        let mut look = 0;
        loop {
            match search(self.machine, &line) {
                Search::Nothing(trouble) => self.wait(&mut said, &trouble),
                Search::Two(one, other) => self.refuse_two(&mut said, &one, &other),
                Search::One(found) => {
                    let digest = found.digest().to_string();
                    let known = said.refused.as_ref().is_some_and(|seen| seen.digest == digest);
                    if !known || look % AGAIN == 0 {
                        match self.accept(&found) {
                            Ok(accepted) => return Ok(accepted),
                            Err(Failure::Wrong(wrong)) => self.refuse(&mut said, &wrong, &found),
                            Err(failure) => return Err(failure),
                        }
                    }
                }
            }
            look += 1;
            if let Some(line) = self.somebody(EVERY) {
                match self.begin(&said, line)? {
                    Rose::Confirmed(found) => match self.accept(&found) {
                        Ok(accepted) => return Ok(accepted),
                        Err(Failure::Wrong(wrong)) => self.refuse(&mut said, &wrong, &found),
                        Err(failure) => return Err(failure),
                    },
                    // Whatever is there is news again.
                    Rose::Left | Rose::Seed => said = Said::default(),
                }
            }
        }
    }

    /// Who wants to begin the setup within this time.
    fn somebody(&mut self, at_most: Duration) -> Option<Line> {
        let mut left = at_most;
        loop {
            if let Some(console) = self.talk.attend().pop() {
                return Some(Line { console, text: String::new() });
            }
            if let Some(line) = self.talk.keyboard.line(Duration::from_millis(1)) {
                match line.text.trim() {
                    "" | PLAIN => return Some(line),
                    // A device that sends lines by itself begins no setup.
                    _ => self.talk.say_on(&line.console, "press Enter alone to begin the setup"),
                }
            }
            left = left.checked_sub(TICK)?;
            self.host().clock.sleep(TICK);
        }
    }

    /// Begins the setup where somebody asked for it.
    fn begin(&mut self, said: &Said, line: Line) -> Result<Rose, Failure> {
        let refused = said.refused.clone();
        let mut told = Vec::new();
        if let Some(Refusal { lines, source, .. }) = &refused {
            told.push(format!("The seed was refused ({source}):"));
            told.extend(lines.iter().cloned());
            told.push("What is good in it stands ready as answers.".to_owned());
        }
        self.sit(Start {
            console: line.console,
            plain: line.text.trim() == PLAIN,
            seed: refused.as_ref().map(|refused| refused.text.as_str()),
            told,
            news: Some(refused.as_ref().map(|r| r.digest.clone()).unwrap_or_default()),
        })
    }

    /// Says, when it is news, that the box waits and what can be done.
    fn wait(&mut self, said: &mut Said, trouble: &[String]) {
        let begun = saved(self.host()).is_ok_and(|answers| answers.any_settled());
        let card = card::waiting(&Unclaimed {
            version: self.version,
            ports: &self.machine.ports(),
            addresses: &self.machine.addresses(),
            begun,
            stick: *said.stick.get_or_insert_with(|| self.machine.on_a_stick()),
            trouble,
        });
        if !said.waiting {
            said.waiting = true;
            said.refused = None;
            self.rest_attempts();
            self.talk.signal(&Event::Waiting { reason: "no seed was found yet".to_owned() });
        }
        if said.card != card {
            self.talk.say(&card);
            said.card = card;
        }
    }

    fn refuse_two(&mut self, said: &mut Said, one: &Found, other: &Found) {
        let mut problems = Problems::new(model::paths::partition::SEED_FILE, "");
        problems.push(
            None,
            format!("there are two different seeds: {}, and {}", one.source, other.source),
            "remove one of them",
        );
        let refusal = Refusal {
            digest: format!("{} {}", one.digest(), other.digest()),
            lines: problems.summary_lines(),
            text: String::new(),
            source: "two places".to_owned(),
        };
        self.tell_refused(said, refusal, &[problems]);
    }

    /// Says, when it is news, what is wrong with a seed; leaves it in the report.
    fn refuse(&mut self, said: &mut Said, wrong: &[Problems], found: &Found) {
        let refusal = Refusal {
            digest: found.digest().to_string(),
            lines: wrong.iter().flat_map(Problems::summary_lines).collect(),
            text: found.text.clone(),
            source: found.source.clone(),
        };
        self.tell_refused(said, refusal, wrong);
    }

    fn tell_refused(&mut self, said: &mut Said, refusal: Refusal, wrong: &[Problems]) {
        if said.refused.as_ref() == Some(&refusal) {
            return;
        }
        let (lines, source) = (refusal.lines.clone(), refusal.source.clone());
        said.refused = Some(refusal);
        said.waiting = false;
        said.card.clear();
        self.rest_attempts();
        for problems in wrong {
            let card = card::refused(problems, &source);
            self.talk.show(&card);
        }
        // The journal gets the summary only: it is kept, and copied into bug reports.
        self.talk.log("the seed was refused; nothing was changed");
        lines.iter().for_each(|line| self.talk.log(line));
        self.talk.signal(&Event::SeedRefused { problems: lines.clone() });
        let now = self.host().clock.now();
        let mut report = Report::new(self.version, Verdict::Refused, 2, &now);
        report.problems = lines;
        report.addresses = self.machine.addresses().iter().map(ToString::to_string).collect();
        let mut context = Context::new(self.host().clone(), self.version);
        context.medium = self.machine.medium();
        self.publish(&report, &context);
    }

    /// Looks into a seed, and seals it if it is good.
    fn accept(&mut self, found: &Found) -> Result<(Plan, Secrets), Failure> {
        let file = model::paths::partition::SEED_FILE;
        let seed = model::seed::parse(file, &found.text)?;
        let plan = self.machine.plan(&seed)?;
        // A person is asked last, for a seed that is good otherwise.
        let mut desk = Beside { found, talk: self.talk };
        let resolved = secrets::resolve(&seed, file, &mut desk)?;
        let accepted = sealing::seal(self.host(), &found.text, &found.source, &resolved.foreign)?;
        self.talk.restart_clock();
        self.talk.event(&Event::SeedAccepted { digest: accepted.digest, source: accepted.source });
        Ok((plan, resolved.all))
    }

    fn rest_attempts(&mut self) {
        if let Err(why) = self.machine.rest_attempts() {
            self.talk.log(&format!("warning: the boot loader was not told to wait: {why}"));
        }
    }
}

/// Asks for a secret on every console, without showing what is typed.
pub(super) fn ask(talk: &mut Talk, name: &SecretRef) -> Result<String, String> {
    if !talk.keyboard.exists() {
        return Err("this machine has no console to ask at".to_owned());
    }
    talk.keyboard.forget();
    talk.say(&format!("The seed wants to be told the secret `{name}`. Type it, then Enter:"));
    let line = talk.keyboard.hidden().ok_or("the console went away")?;
    talk.say("Thank you.");
    Ok(line.text)
}

/// The outside of a seed that is not sealed yet: files beside it and a person. What an earlier
/// owner's seed may have left is not looked at.
struct Beside<'a, 'b> {
    found: &'a Found,
    talk: &'b mut Talk,
}

impl Outside for Beside<'_, '_> {
    fn file(&mut self, path: &Path) -> Result<String, String> {
        if path.is_absolute() {
            return Err(format!(
                "`{}` is a path of the box, which has no such file before it is installed",
                path.display()
            ));
        }
        self.found.beside(path)
    }

    fn ask(&mut self, name: &SecretRef) -> Result<String, String> {
        ask(self.talk, name)
    }

    fn kept(&mut self, _: &SecretRef) -> Option<Secret> {
        None
    }
}
