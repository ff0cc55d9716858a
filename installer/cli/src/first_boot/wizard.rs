//! The setup at a console: the questions of [`model::questions`] put to whoever pressed Enter.
//!
//! ```text
//! Enter on tty1 --> questions there --confirmed--> the seed's text, sealed like any other
//!                    |      |    |
//!                    |      |    +-- left ------------------> all consoles are free again
//!                    |      +-- `take over` on ttyS0 -------> questions there, answers so far
//!                    +-- a seed turns up: before the first answer it wins; after it, it waits
//! ```
//!
//! One person at a time: whoever sits there has put work into it, so nobody gets in between by a
//! key, and a stick that is plugged in does not throw it away. Each answer is on the disk before
//! the next question comes. Nothing else is written until the one confirmation.

use std::{io, path::Path, time::Duration};

use host::{Host, HostError, files, keyboard, public_keys};
use model::{
    Secret,
    account::Account,
    paths,
    preflight::{Finding, Verdict},
    questions::{Answers, Asked, Interview, Offer, Question, Value, World, prefill},
    report::Event,
    seed::rules::Refused,
};
use terminal::{
    card,
    face::{self, End, Ending, Helper, Meanwhile},
    plan::words,
};

use super::{FirstBoot, Machine};
use crate::{
    failure::Failure,
    kernel_line::KernelLine,
    sources::{self, Found, Search, search},
    talk::Talk,
};

/// Looks at the rest of the world between two looks for a seed; there are five a second.
const LOOKS: u32 = 10;
/// What takes the setup over to another console.
const TAKE_OVER: &str = "take over";
/// What asks for plain lines.
pub(super) const PLAIN: &str = "plain";

/// How somebody begins.
pub(super) struct Start<'a> {
    /// Where.
    pub console: String,
    /// In plain lines.
    pub plain: bool,
    /// A seed whose good answers stand ready.
    pub seed: Option<&'a str>,
    /// What is to be told first, one paragraph each.
    pub told: Vec<String>,
    /// A seed that turns up is news; its digest: all but this one. None: nobody looks for one.
    pub news: Option<String>,
}

/// How it ended.
pub(super) enum Rose {
    /// With a seed that its owner wants to have carried out.
    Confirmed(Found),
    /// To be gone on with later.
    Left,
    /// A seed turned up before anything was answered.
    Seed,
}

/// Why the questions are to stop where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stop {
    TakenOver { console: String, plain: bool },
    Seed,
    Gone,
}

impl FirstBoot<'_> {
    /// Asks until somebody has confirmed, has left, or must give way.
    ///
    /// # Errors
    /// What the questions depend on cannot be found out.
    pub(super) fn sit(&mut self, start: Start<'_>) -> Result<Rose, Failure> {
        let (catalogue, facts) = self.machine.world()?;
        let host = self.machine.host();
        let timezones = host::time_zones::all(host);
        let timezone = host::time_zones::of_network(host);
        let world = World { timezones, timezone, ..World::of_box(&catalogue, facts) };
        let mut told = start.told;
        let answers = saved(host).unwrap_or_else(|why| {
            told.push(format!("{why}. The questions begin anew."));
            Answers::none()
        });
        let begun = answers.any_settled();
        let answers = match start.seed {
            Some(text) => answers.filled_from(prefill(text)),
            None => answers,
        };
        let mut interview = Interview::new(&world, answers);
        let mut desk = Desk {
            machine: self.machine,
            talk: self.talk,
            console: start.console,
            plain: start.plain,
            since: self.machine.host().clock.now(),
            begun,
            news: start.news,
            looks: 0,
            stop: None,
            looked: None,
            answers: interview.answers().clone(),
        };
        loop {
            let end = desk.ask(&mut interview, std::mem::take(&mut told));
            let console = desk.console.clone();
            desk.talk.take_back(&console);
            match end {
                Ok(End::Confirmed) => {
                    let (text, _) = interview.seed().map_err(|problems| {
                        Failure::bug("the answers make no seed", problems.summary_lines())
                    })?;
                    return Ok(Rose::Confirmed(Found {
                        text: text.reveal().to_owned(),
                        source: format!("the setup on {console}"),
                        medium: None,
                    }));
                }
                Ok(End::Stopped) => match desk.stop.take() {
                    Some(Stop::TakenOver { console: next, plain }) => {
                        desk.talk.log(&format!("the setup went from {console} to {next}"));
                        (desk.console, desk.plain) = (next, plain);
                        desk.since = desk.machine.host().clock.now();
                    }
                    Some(Stop::Seed) => return Ok(Rose::Seed),
                    Some(Stop::Gone) | None => return Ok(desk.left()),
                },
                // A console that went away is left as well.
                Ok(End::Left) | Err(_) => return Ok(desk.left()),
            }
        }
    }
}

/// What was answered before; nothing if nobody began.
///
/// # Errors
/// It cannot be read any more.
pub(super) fn saved(host: &Host) -> Result<Answers, String> {
    match files::read_text_optional(host.path(paths::ANSWERS)) {
        Ok(Some(text)) => Answers::unseal(&text).map_err(|error| error.to_string()),
        Ok(None) => Ok(Answers::none()),
        Err(error) => Err(error.to_string()),
    }
}

/// The desk at which somebody sits, with what the questions need of the box.
struct Desk<'a> {
    machine: &'a dyn Machine,
    talk: &'a mut Talk,
    console: String,
    plain: bool,
    /// When somebody sat down at this console.
    since: String,
    /// Something was answered, now or in an earlier sitting.
    begun: bool,
    /// See [`Start::news`].
    news: Option<String>,
    looks: u32,
    stop: Option<Stop>,
    /// What was answered so far.
    answers: Answers,
    /// The text of the last seed, and what it led to.
    looked: Option<(Secret, Ending)>,
}

impl Desk<'_> {
    /// Asks at the present console.
    fn ask(&mut self, interview: &mut Interview<'_>, told: Vec<String>) -> io::Result<End> {
        let mut face = self.talk.lend(&self.console, self.plain)?;
        let in_use = card::in_use(&self.console, &self.since);
        self.talk.show(&in_use);
        self.talk.log(&format!("the setup is in use on {}", self.console));
        if let Some(Value::Text(layout)) = interview.answers().settled("system.keyboard") {
            // Somebody chose it at an earlier start, or at another console.
            let _ = self.set_layout(layout);
        }
        match face::tell(&mut face, "Before the questions", &told, self)? {
            Some(end) => Ok(end),
            None => face::interview(&mut face, interview, self),
        }
    }

    fn left(&mut self) -> Rose {
        self.talk.log(&format!("the setup on {} was left", self.console));
        let console = self.console.clone();
        self.talk.hang_up(&console);
        Rose::Left
    }

    /// Gives the keyboard at this screen its layout; false: this is no screen.
    fn set_layout(&self, layout: &str) -> host::Result<bool> {
        let host = self.machine.host();
        // At a serial line the layout is only looked up: that keyboard is the other computer's.
        let translated = keyboard::translate(host, layout)?;
        let screen = host::consoles::is_screen(&self.console);
        if screen {
            keyboard::load(host, &Path::new("/dev").join(&self.console), &translated)?;
        }
        Ok(screen)
    }

    /// What somebody at another console wants.
    fn others(&mut self) -> Option<Stop> {
        // Whoever calls `homelab setup` has said so already.
        if let Some(console) = self.talk.attend().pop() {
            return Some(Stop::TakenOver { console, plain: false });
        }
        if !self.talk.has(&self.console) {
            return Some(Stop::Gone);
        }
        let line = self.talk.keyboard.line(Duration::from_millis(1))?;
        match line.text.trim().strip_prefix(TAKE_OVER) {
            Some(rest) => {
                Some(Stop::TakenOver { console: line.console, plain: rest.trim() == PLAIN })
            }
            None => {
                let text = card::in_use(&self.console, &self.since);
                self.talk.say_on(&line.console, &text);
                None
            }
        }
    }

    /// Looks for a seed now and then. A seed on the kernel's command line was there before.
    fn seed(&mut self) -> Meanwhile {
        self.looks += 1;
        let Some(known) = self.news.clone().filter(|_| self.looks % LOOKS == 0) else {
            return Meanwhile::Wait;
        };
        let Search::One(found) = search(self.machine, &KernelLine::default()) else {
            return Meanwhile::Wait;
        };
        let digest = found.digest().to_string();
        if digest == known {
            return Meanwhile::Wait;
        }
        self.news = Some(digest);
        let parsed = model::seed::parse(paths::partition::SEED_FILE, &found.text);
        match parsed {
            Ok(_) if !self.begun => {
                self.stop = Some(Stop::Seed);
                Meanwhile::Stop
            }
            Ok(_) => Meanwhile::Say(vec![
                format!("a seed was found: {}", found.source),
                "it is not used while you answer; leave with `<<`, and the box takes it".to_owned(),
            ]),
            Err(problems) => Meanwhile::Say(vec![
                format!("a seed with mistakes was found, and is not used: {}", found.source),
                problems.summary_lines().into_iter().next().unwrap_or_default(),
            ]),
        }
    }

    /// What the seed leads to on this machine, told before anything is changed.
    fn look(&self, interview: &Interview<'_>) -> Ending {
        let refused = |text: Vec<String>, what: &str, hint: &str| Ending {
            text,
            question: "Not yet.".to_owned(),
            refused: Some(Refused::new(what, hint)),
        };
        let seed = match interview.seed() {
            Ok((_, seed)) => seed,
            Err(problems) => {
                let what = "these answers make no seed, which is a bug of the installer";
                return refused(problems.summary_lines(), what, "please report it");
            }
        };
        let plans = self.machine.plan(&seed).and_then(|plan| match plan.install() {
            None => Ok((None, plan)),
            // The copy is not all that is agreed to.
            Some(copy) => Ok((Some(copy.clone()), self.machine.plan_after(copy, &seed)?)),
        });
        let (copy, plan) = match plans {
            Ok(plans) => plans,
            Err(failure) => {
                let text = failure.text().lines().map(str::to_owned).collect();
                let what = "this machine cannot do that";
                return refused(text, what, "change an answer: type its number");
            }
        };
        let findings = self.machine.findings(&seed);
        let bad = |finding: &&Finding| finding.verdict == Verdict::Failed;
        let question = match findings.iter().filter(bad).count() {
            0 => "Shall all this be done?",
            _ => "There is trouble, told before. Shall all this be done all the same?",
        };
        Ending {
            text: words(copy.as_ref(), &plan, &seed, &findings),
            question: question.to_owned(),
            refused: None,
        }
    }

    /// The keys in a file of that name on a stick.
    fn keys_on_stick(&self, typed: &str) -> Result<Vec<String>, Refused> {
        let name = Path::new(typed.trim_start_matches('/'));
        if !sources::stays_below(name) {
            let what = format!("`{typed}` is no name of a file on a stick");
            return Err(Refused::new(what, "write it without `..`"));
        }
        let sticks = self.machine.sticks();
        if sticks.is_empty() {
            let what = "no stick with a FAT file system is plugged in";
            return Err(Refused::new(what, "plug one in, and name the file again"));
        }
        for (stick, medium) in &sticks {
            match sources::read(medium.as_ref(), name) {
                Ok(Some(text)) => return public_keys::of_text(&text, typed),
                Ok(None) => {}
                Err(why) => {
                    let what = format!("the stick {stick} cannot be read: {why}");
                    return Err(Refused::new(what, "try another one"));
                }
            }
        }
        let names: Vec<&str> = sticks.iter().map(|(name, _)| name.as_str()).collect();
        let what = format!("there is no file `{typed}` on {}", names.join(", "));
        Err(Refused::new(what, "type its name as the stick has it, folders with `/`"))
    }
}

impl Helper for Desk<'_> {
    fn changed(&mut self, answers: &Answers) -> Result<(), String> {
        self.begun = true;
        self.answers = answers.clone();
        save(self.machine.host(), answers).map_err(|error| error.to_string())
    }

    fn asks(&mut self, asked: &Asked<'_>) {
        let Asked { question, number, of } = asked;
        let reason =
            format!("the setup on {} asks: {} ({number} of {of})", self.console, question.title);
        self.talk.signal(&Event::Waiting { reason });
    }

    fn meanwhile(&mut self) -> Meanwhile {
        if self.stop.is_none() {
            self.stop = self.others();
        }
        match self.stop {
            Some(_) => Meanwhile::Stop,
            None => self.seed(),
        }
    }

    fn offers(&self) -> &[Offer] {
        &[Offer::KeysFromFile, Offer::KeysOfAccount]
    }

    fn offer_text(&self, offer: Offer) -> &'static str {
        match offer {
            Offer::KeysFromFile => {
                "Plug in a stick. Name of the file on it that has the public keys, such as \
                 `id_ed25519.pub`?"
            }
            Offer::KeysOfAccount => {
                "Name of the account? `alex` is one at github.com, `gitlab.com/alex` one elsewhere. \
                 The box asks there for the keys that the account shows to everybody."
            }
        }
    }

    fn fulfil(&mut self, offer: Offer, typed: &str) -> Result<Vec<String>, Refused> {
        match offer {
            Offer::KeysFromFile => self.keys_on_stick(typed),
            Offer::KeysOfAccount => public_keys::of_account(typed, |url| self.machine.fetch(url)),
        }
    }

    fn trying(&self, question: &Question<'_>, value: &Value) -> String {
        Account::of_answers(&self.answers, &question.id, value)
            .map_or_else(String::new, |a| a.asking())
    }

    /// Answers that can be tried on the spot.
    fn tried(&mut self, question: &Question<'_>, value: &Value) -> Result<String, Refused> {
        if let Some(account) = Account::of_answers(&self.answers, &question.id, value) {
            return host::account::tried(self.machine.host().web.as_ref(), &account).told();
        }
        let layout = match (question.id.0.as_str(), value) {
            ("system.keyboard", Value::Text(layout)) => layout,
            _ => return Ok(String::new()),
        };
        match self.set_layout(layout) {
            Ok(false) => Ok(String::new()),
            Ok(true) => {
                let reason = format!("the setup on {} has `{layout}` tried", self.console);
                self.talk.signal(&Event::Waiting { reason });
                Ok(format!(
                    "The keyboard is `{layout}` now. Type something here to see whether it comes as \
                     it should."
                ))
            }
            Err(HostError::Command(failed))
                if failed.status.is_some() && failed.command.starts_with("ckbcomp") =>
            {
                let what = format!("there is no keyboard layout `{layout}`");
                Err(Refused::new(what, "type the short name that XKB has for it, such as `gr`"))
            }
            Err(error) => Ok(format!("The keyboard could not be set to `{layout}` here: {error}")),
        }
    }

    fn working(&self) -> &'static str {
        "Looking at the machine and the network. That may take a minute."
    }

    fn ending(&mut self, interview: &Interview<'_>) -> Ending {
        let reason = format!("the setup on {} is before its confirmation", self.console);
        self.talk.signal(&Event::Waiting { reason });
        let text = interview.seed().map(|(text, _)| text).unwrap_or_else(|_| Secret::new(""));
        match &self.looked {
            Some((before, ending)) if before.reveal() == text.reveal() => ending.clone(),
            _ => {
                let ending = self.look(interview);
                self.looked = Some((text, ending.clone()));
                ending
            }
        }
    }
}

/// Keeps the answers for the next start, whatever happens to the power.
fn save(host: &Host, answers: &Answers) -> host::Result<()> {
    files::ensure_folder(host.path(paths::STATE), 0o755, (0, 0))?;
    files::write_atomic(host.path(paths::ANSWERS), answers.sealed().reveal(), 0o600, (0, 0))
}
