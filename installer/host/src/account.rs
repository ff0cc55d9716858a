//! Tries accounts at DNS providers.

use model::account::{Account, Verdict};

use crate::{
    HostError,
    web::{Question, Web},
};

/// Asks the provider whether an account is good. Takes as long as a connection and an answer may.
pub fn tried(web: &dyn Web, account: &Account) -> Verdict {
    let Some(trial) = account.trial() else {
        return account.unasked("how this provider is asked is not known here");
    };
    let question = Question {
        url: trial.url.to_owned(),
        query: trial.query,
        connect: None,
        authority: None,
        headers: trial.header.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        json: trial.json,
    };
    match web.ask(&question) {
        Ok(answer) => account.judge(answer.status, &answer.body),
        Err(HostError::Web { message, .. }) => account.unasked(&message),
        Err(error) => account.unasked(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use model::Secret;

    use super::*;
    use crate::fake::FakeWeb;

    fn account(provider: &str, variable: &str) -> Account {
        Account {
            provider: provider.to_owned(),
            credentials: [(variable.to_owned(), Secret::new("t0ken"))].into(),
            domain: "alex.duckdns.org".to_owned(),
        }
    }

    #[test]
    fn the_question_goes_out_and_the_answer_is_judged() {
        let web = FakeWeb::default();
        let duck = account("duckdns", "DUCKDNS_TOKEN");
        let url = "https://www.duckdns.org/update";
        let unasked = "DuckDNS could not be asked whether the account is good: connection refused";
        assert_eq!(tried(&web, &duck), Verdict::Unknown(unasked.to_owned()));
        web.answer(url, 200, None, "OK");
        assert!(matches!(tried(&web, &duck), Verdict::Good(_)));
        web.answer(url, 200, None, "KO");
        assert!(matches!(tried(&web, &duck), Verdict::Refused(_)));
        let desec = account("desec", "DESEC_TOKEN");
        web.answer("https://desec.io/api/v1/domains/", 401, None, "");
        assert!(matches!(tried(&web, &desec), Verdict::Refused(_)));
        let asked = web.asked();
        assert!(asked.iter().all(|question| question.connect.is_none()), "names are looked up");
        let (name, value) = &asked[3].headers[0];
        assert_eq!((name.as_str(), value.reveal()), ("Authorization", "Token t0ken"));
        assert!(!format!("{asked:?}").contains("t0ken"), "no token can be seen");
        let other = tried(&web, &account("route53", "AWS_REGION"));
        assert_eq!(
            other,
            Verdict::Unknown(
                "Amazon Route 53 could not be asked whether the account is good: how this provider \
                 is asked is not known here"
                    .to_owned()
            )
        );
    }
}
