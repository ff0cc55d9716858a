//! Asks every URL as every kind of visitor, and judges what comes back as the step `access` does.
//!
//! Nobody's password is needed: two accounts are made for as long as it takes, an admin's and one
//! of no group.

mod accounts;
mod session;

use host::{
    Host,
    containers::Health,
    interrupt::Interrupt,
    web::{Answer, Question},
};
use model::{
    Secret,
    access::{Cell, Matrix, Measured, MeasuredRow, Row, State, Visitor, word},
    catalogue::wish::Access,
    plan::{AccessExpectation, AccessProbe},
};

use crate::{
    failure::{Result, Trouble},
    matrix::{accounts::Accounts, session::Session},
    steps::access::{Source, judge},
};

/// The token of a program: it opens nothing, but whoever checks tokens answers for itself.
const TOKEN: &str = "Bearer homelab-access";
/// Seconds that a service may take to wake.
const WAKING: u64 = 300;

/// What to ask, and how.
pub struct Asker<'a> {
    /// The machine.
    pub host: &'a Host,
    /// What to ask for.
    pub matrix: &'a Matrix,
    /// PEM of the box's own authority; none: certificates are a public one's.
    pub authority: Option<String>,
    /// Services that sleep are woken to be asked.
    pub wake: bool,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
}

/// Measures. The accounts are taken out again in every case; what a killed run left of its own is
/// taken out by the next.
///
/// # Errors
/// The users file cannot be written, or somebody asked to stop.
pub fn measure(asker: &Asker<'_>) -> Result<Measured> {
    let accounts = Accounts::make(asker.host)?;
    let measured = asker.measure(&accounts);
    let removed = accounts.remove();
    let measured = measured?;
    removed.map(|()| measured)
}

/// The sessions, or why there are none.
struct Sessions {
    user: Result<Session, String>,
    admin: Result<Session, String>,
    /// Whether the admin's has its second factor.
    second_factor: Result<(), String>,
}

impl Asker<'_> {
    fn measure(&self, accounts: &Accounts<'_>) -> Result<Measured> {
        let user = session::log_in(self, &accounts.user);
        let mut admin = session::log_in(self, &accounts.admin);
        let second_factor = match &mut admin {
            Ok(session) => session::second_factor(self, &accounts.admin, session),
            Err(why) => Err(why.clone()),
        };
        let sessions = Sessions { user, admin, second_factor };
        let mut rows = Vec::new();
        for row in &self.matrix.rows {
            let mut cells = Vec::new();
            for visitor in Visitor::ALL {
                if self.interrupt.came() {
                    return Err(Trouble::new("it was stopped before everything was measured", ""));
                }
                cells.push(self.cell(row, visitor, &sessions)?);
            }
            rows.push(MeasuredRow { row: row.clone(), cells });
        }
        let notes = sessions.notes();
        for session in [sessions.user, sessions.admin].into_iter().flatten() {
            session.log_out(self);
        }
        Ok(Measured::new(self.matrix.portal.clone(), rows, notes))
    }

    fn cell(&self, row: &Row, visitor: Visitor, sessions: &Sessions) -> Result<Cell> {
        let probe = row.probe(visitor, &self.matrix.portal);
        let cell = |measured: &str, state, detail| Cell {
            visitor,
            expected: word(&probe.expect),
            measured: measured.to_owned(),
            state,
            detail,
        };
        let headers = match sessions.headers(row, visitor) {
            Ok(headers) => headers,
            Err(why) => return Ok(cell("not measured", State::NotMeasured, Some(why))),
        };
        let mut question = Question::local(&*row.url, self.authority.as_deref());
        question.headers = headers;
        let passes =
            !matches!(probe.expect, AccessExpectation::Portal { .. } | AccessExpectation::Refused);
        if row.lazy && passes && !self.is_awake(row)? {
            if !self.wake {
                return Ok(cell("asleep", State::Asleep, None));
            }
            if let Err(why) = self.wake(row, &question)? {
                return Ok(cell("asleep", State::Differs, Some(why)));
            }
        }
        Ok(match self.host.web.ask(&question) {
            Err(error) => cell("nothing", State::Differs, Some(error.to_string())),
            Ok(answer) => {
                let told = self.told(&probe, &answer);
                match judge(&probe, &self.matrix.portal, &answer) {
                    Ok(()) => cell(&told, State::Holds, None),
                    Err(wrong) => cell(&told, State::Differs, Some(wrong)),
                }
            }
        })
    }

    /// An answer in a word.
    fn told(&self, probe: &AccessProbe, answer: &Answer) -> String {
        match Source::of(answer, probe, &self.matrix.portal) {
            Source::Portal => "portal".to_owned(),
            Source::Refusal if probe.expect != AccessExpectation::Answers => "refused".to_owned(),
            Source::Service | Source::Refusal => "app".to_owned(),
            Source::Nobody | Source::Broken => answer.status.to_string(),
        }
    }

    fn is_awake(&self, row: &Row) -> Result<bool> {
        let containers = self.host.containers.project(&row.stack)?;
        Ok(containers.iter().any(|container| {
            container.service == row.service
                && container.running
                && matches!(container.health, None | Some(Health::Healthy))
        }))
    }

    /// The first question wakes it, the second one is the one that counts: before, the visitor
    /// gets a page that waits. `Err`: it did not wake.
    fn wake(&self, row: &Row, question: &Question) -> Result<Result<(), String>> {
        // Whatever comes back: it counts whether the service wakes.
        let _ = self.host.web.ask(question);
        let clock = &self.host.clock;
        let end = clock.epoch().saturating_add_unsigned(WAKING);
        while !self.is_awake(row)? {
            if self.interrupt.came() || clock.epoch() >= end {
                let why = format!("{}: {} did not wake in {WAKING} s", row.url, row.service);
                return Ok(Err(why));
            }
            clock.sleep(std::time::Duration::from_secs(1));
        }
        Ok(Ok(()))
    }
}

impl Sessions {
    /// What a visitor sends besides the question; or why there is no such visitor.
    fn headers(&self, row: &Row, visitor: Visitor) -> Result<Vec<(String, Secret)>, String> {
        let header = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
        let page = header("Accept", "text/html");
        let session = match visitor {
            Visitor::Anonymous => return Ok(vec![page]),
            Visitor::Client => {
                let json = header("Accept", "application/json");
                return Ok(vec![json, header("Authorization", TOKEN)]);
            }
            Visitor::User => &self.user,
            Visitor::Admin => &self.admin,
        };
        let session = session.as_ref().map_err(Clone::clone)?;
        if visitor == Visitor::Admin && row.access == Access::TwoFactor {
            self.second_factor.clone()?;
        }
        Ok(vec![page, ("Cookie".to_owned(), session.cookie())])
    }

    fn notes(&self) -> Vec<String> {
        let user = self.user.as_ref().err().map(|why| format!("no user's session: {why}"));
        let admin = match (&self.admin, &self.second_factor) {
            (Err(why), _) => Some(format!("no admin's session: {why}")),
            (Ok(_), Err(why)) => Some(format!("no second factor for the admin: {why}")),
            (Ok(_), Ok(())) => None,
        };
        user.into_iter().chain(admin).collect()
    }
}
