//! After a failure: what stopped is shown, and a person can try again, change an answer, or have a
//! shell. The network is told as it is and as it changes: it is what fails most.

use std::time::Duration;

use model::{paths, report::Event};
use terminal::card::{self, Next, Stop};

use super::{
    FirstBoot, Wish,
    wizard::{PLAIN, Rose, Start},
};
use crate::{failure::Failure, keyboard::Line, lock, sealing};

/// Seconds between two looks at the network.
const LOOK: u32 = 5;

impl FirstBoot<'_> {
    /// Shows what stopped, and waits for a person, for the pause to end, or for somebody who
    /// finishes the install by other means.
    pub(super) fn after(&mut self, stop: &Stop, next: Next) -> Wish {
        let text = card::stopped(stop, next);
        self.talk.say(&text);
        self.talk.keyboard.forget();
        let end = match next {
            Next::Apply => return Wish::GiveUp,
            Next::Retry { seconds, .. } => {
                Some(self.host().clock.epoch().saturating_add_unsigned(seconds))
            }
            Next::Rescue => None,
        };
        let mut network = String::new();
        for second in 0_u32.. {
            for name in self.talk.attend() {
                self.talk.say_on(&name, &text);
            }
            if second % LOOK == 0 {
                self.tell_network(&mut network);
            }
            if let Some(line) = self.talk.keyboard.line(Duration::from_millis(1)) {
                if let Some(wish) = self.asked(&line) {
                    return wish;
                }
                self.talk.say(&text);
                self.talk.keyboard.forget();
            }
            if end.is_some_and(|end| self.host().clock.epoch() >= end) {
                return Wish::Again;
            }
            if self.finished().is_some() {
                return Wish::Finished;
            }
            self.host().clock.sleep(Duration::from_secs(1));
        }
        Wish::Again
    }

    fn tell_network(&mut self, last: &mut String) {
        let now = card::network(&self.machine.ports());
        if *last != now {
            self.talk.say(&format!("network: {now}"));
            *last = now;
        }
    }

    /// What a line means; none: it is to be shown again what can be done.
    fn asked(&mut self, line: &Line) -> Option<Wish> {
        let word = line.text.trim();
        let change = word.strip_prefix("change");
        let done = match (word, change) {
            ("shell", _) => {
                self.machine.shell(&line.console).map_err(|why| format!("no shell: {why}"))
            }
            (_, Some(how)) => match self.change(&line.console, how.trim() == PLAIN) {
                Ok(true) => return Some(Wish::Again),
                Ok(false) => Ok(()),
                Err(failure) => Err(failure.text()),
            },
            _ => return Some(Wish::Again),
        };
        if let Err(why) = done {
            self.talk.say(&why);
        }
        None
    }

    /// Asks the questions again, with the answers of the sealed seed; true: there is another one.
    fn change(&mut self, console: &str, plain: bool) -> Result<bool, Failure> {
        let Some(sealed) = sealing::sealed(self.host())? else {
            return Err(Failure::machine(
                "there is no seed yet whose answers could be changed",
                "press Enter: the questions come then",
            ));
        };
        let rose = self.sit(Start {
            console: console.to_owned(),
            plain,
            seed: Some(&sealed),
            told: vec![format!(
                "The answers of the seed that is being carried out stand ready. Nothing is given up \
                 before you confirm; leave with `<<` and `{}` counts as it is.",
                paths::SEED
            )],
            news: None,
        })?;
        let Rose::Confirmed(found) = rose else { return Ok(false) };
        // Somebody may be at `homelab apply` meanwhile.
        let _lock = lock::take(self.host(), "install").map_err(|busy| {
            Failure::machine(busy.to_string(), "wait until it is done, then look again")
        })?;
        if self.finished().is_some() {
            return Ok(false);
        }
        let accepted = sealing::reseal(self.host(), &found.text, &found.source)?;
        let (digest, source) = (accepted.digest, accepted.source);
        self.talk.signal(&Event::SeedAccepted { digest, source });
        Ok(true)
    }
}
