//! Sessions of the login service, by the way that its own page takes.

use std::time::Duration;

use host::{
    one_time,
    web::{Answer, Question},
};
use model::Secret;
use serde_json::{Value, json};

use super::{
    Asker,
    accounts::{self, Account},
};

/// Seconds until the login service has noticed a new account.
const NOTICE: u64 = 60;

/// A session.
pub(super) struct Session(Vec<(String, Secret)>);

/// Logs in with a password; or why that is not possible.
pub(super) fn log_in(asker: &Asker<'_>, account: &Account) -> Result<Session, String> {
    let clock = &asker.host.clock;
    let end = clock.epoch().saturating_add_unsigned(NOTICE);
    let body = json!({
        "username": account.name,
        "password": account.password.reveal(),
        "keepMeLoggedIn": false,
    });
    loop {
        let answer = post(asker, "/api/firstfactor", &body, None)?;
        match answer.status {
            200 if !answer.cookies.is_empty() => return Ok(Session(answer.cookies)),
            // It reads its users again a moment after the file was written.
            401 if clock.epoch() < end && !asker.interrupt.came() => {
                clock.sleep(Duration::from_secs(1));
            }
            401 => return Err(format!("the login does not know the account after {NOTICE} s")),
            status => return Err(format!("the login answers {status} to a good password")),
        }
    }
}

/// Adds the second factor; or why that is not possible.
pub(super) fn second_factor(
    asker: &Asker<'_>,
    account: &Account,
    session: &mut Session,
) -> Result<(), String> {
    let uri = accounts::second_factor(asker.host, &account.name)?;
    let code = one_time::code(&uri, asker.host.clock.epoch()).map_err(|e| e.to_string())?;
    let body = json!({ "token": code.reveal() });
    let answer = post(asker, "/api/secondfactor/totp", &body, Some(session))?;
    if answer.status != 200 {
        return Err(format!("the login answers {} to a good code", answer.status));
    }
    // A session that can do more gets another name.
    if !answer.cookies.is_empty() {
        session.0 = answer.cookies;
    }
    Ok(())
}

impl Session {
    /// As the header `Cookie`.
    pub(super) fn cookie(&self) -> Secret {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={}", value.reveal()));
        Secret::new(pairs.collect::<Vec<_>>().join("; "))
    }

    /// Ends it; one that stays opens nothing without its account.
    pub(super) fn log_out(self, asker: &Asker<'_>) {
        let _ = post(asker, "/api/logout", &json!({}), Some(&self));
    }
}

fn post(
    asker: &Asker<'_>,
    path: &str,
    body: &Value,
    session: Option<&Session>,
) -> Result<Answer, String> {
    let url = format!("{}{path}", asker.matrix.portal);
    let mut question = Question::local(url, asker.authority.as_deref())
        .header("Accept", Secret::new("application/json"))
        .json(Secret::new(body.to_string()));
    if let Some(session) = session {
        question = question.header("Cookie", session.cookie());
    }
    asker.host.web.ask(&question).map_err(|error| error.to_string())
}
