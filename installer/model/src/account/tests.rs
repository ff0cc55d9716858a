use super::*;

fn account(provider: &str, credentials: &[(&str, &str)], domain: &str) -> Account {
    let secret = |(name, text): &(&str, &str)| ((*name).to_owned(), Secret::new(*text));
    Account {
        provider: provider.to_owned(),
        credentials: credentials.iter().map(secret).collect(),
        domain: domain.to_owned(),
    }
}

fn cloudflare() -> Account {
    account("cloudflare", &[("CF_DNS_API_TOKEN", "t0ken")], "home.example.org")
}

#[test]
fn every_way_asks_by_https_with_the_variables_that_the_setup_asks_for() {
    for way in WAYS {
        let known = match way.provider {
            "duckdns" => &DUCKDNS,
            code => providers::find(code).unwrap(),
        };
        let values: Vec<(&str, String)> =
            known.variables.iter().map(|(name, _)| (*name, format!("<{name}>"))).collect();
        let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let trial = account(way.provider, &values, "box.example.org").trial().unwrap();
        assert!(trial.url.starts_with("https://") && !trial.url.contains('?'), "{}", trial.url);
        let said = [&trial.query, &trial.header.map(|(_, value)| value), &trial.json];
        let said: String = said.into_iter().flatten().map(Secret::reveal).collect();
        for (_, value) in values {
            assert!(said.contains(value), "{}: {value} is not told", way.provider);
        }
        assert_eq!(url(way.provider), Some(way.url));
    }
    assert!(url("ovh").is_some() && url("route53").is_none());
}

#[test]
fn what_is_asked() {
    let trial = cloudflare().trial().unwrap();
    assert_eq!(trial.url, "https://api.cloudflare.com/client/v4/zones");
    assert_eq!(trial.query.unwrap().reveal(), "per_page=50");
    let (name, value) = trial.header.unwrap();
    assert_eq!((name, value.reveal()), ("Authorization", "Bearer t0ken"));
    let desec = account("desec", &[("DESEC_TOKEN", "x")], "home.example.org").trial().unwrap();
    assert_eq!(desec.query.unwrap().reveal(), "owns_qname=home.example.org");
    let duck = account("duckdns", &[("DUCKDNS_TOKEN", "x")], "alex.duckdns.org").trial().unwrap();
    assert_eq!(duck.query.unwrap().reveal(), "domains=alex&token=x&txt=&clear=true");
    let pig = [("PORKBUN_API_KEY", "a\"b"), ("PORKBUN_SECRET_API_KEY", "c")];
    let pig = account("porkbun", &pig, "example.org").trial().unwrap();
    assert_eq!(pig.json.unwrap().reveal(), r#"{"apikey":"a\"b","secretapikey":"c"}"#);
    // Others than those that are known, such as the global key of Cloudflare.
    assert_eq!(account("cloudflare", &[("CF_API_KEY", "x")], "example.org").trial(), None);
    assert_eq!(account("route53", &[("AWS_REGION", "x")], "example.org").trial(), None);
}

#[test]
fn what_the_answers_mean() {
    let good = |text: &str| Verdict::Good(text.to_owned());
    let unknown = |text: &str| Verdict::Unknown(text.to_owned());
    let refused = |verdict| match verdict {
        Verdict::Refused(refused) => refused.what,
        other => panic!("{other:?}"),
    };
    let account = cloudflare();
    let list = r#"{"result":[{"name":"example.com"},{"name":"example.org"}]}"#;
    let takes = "Cloudflare takes the account, which has `example.org`";
    assert_eq!(account.judge(200, list), good(takes));
    assert_eq!(account.judge(200, r#"[{"name":"example.org."}]"#), good(takes));
    let other = r#"{"result":[{"name":"notexample.org"},{"name":"org"}]}"#;
    assert_eq!(
        account.judge(200, other),
        unknown(
            "Cloudflare takes the account, but shows neither `home.example.org` nor a domain above \
             it; without one there is no certificate"
        )
    );
    for status in [400, 401, 403] {
        let what = format!("Cloudflare refuses the account ({status})");
        assert_eq!(refused(account.judge(status, "{}")), what);
    }
    for status in [302, 404, 429, 500] {
        let what = format!(
            "Cloudflare gave no answer to judge by ({status}); the account is taken as it is"
        );
        assert_eq!(account.judge(status, list), unknown(&what));
    }
    let duck = super::tests::account("duckdns", &[("DUCKDNS_TOKEN", "x")], "alex.duckdns.org");
    assert_eq!(duck.judge(200, "OK\n"), good("DuckDNS takes the token for `alex.duckdns.org`"));
    assert_eq!(
        refused(duck.judge(200, "KO")),
        "DuckDNS does not take this token for `alex.duckdns.org`"
    );
    // A page of somebody in between, such as the login of a hotel.
    assert!(matches!(duck.judge(200, "<html>"), Verdict::Unknown(_)));
    assert_eq!(
        account.unasked("no route"),
        unknown("Cloudflare could not be asked whether the account is good: no route")
    );
}

#[test]
fn the_last_variable_completes_the_account() {
    let text = |text: &str| Value::Text(text.to_owned());
    let secret = |text: &str| Value::Secret(Secret::new(text));
    let mut answers = Answers::none();
    let id = |name: &str| Id::new(format!("domain.dns.credentials.{name}"));
    let of =
        |answers: &Answers, name: &str| Account::of_answers(answers, &id(name), &secret("last"));
    assert_eq!(of(&answers, "CF_DNS_API_TOKEN"), None);
    for (name, value) in [
        ("domain.kind", "own"),
        ("domain.name", "home.example.org"),
        ("domain.provider", "porkbun"),
    ] {
        answers.settle(Id::new(name), text(value));
    }
    assert_eq!(of(&answers, "PORKBUN_API_KEY"), None, "one more is asked for");
    assert_eq!(of(&answers, "PORKBUN_SECRET_API_KEY"), None, "the first is not settled");
    answers.settle(id("PORKBUN_API_KEY"), secret("first"));
    let variables = [("PORKBUN_API_KEY", "first"), ("PORKBUN_SECRET_API_KEY", "last")];
    let whole = account("porkbun", &variables, "home.example.org");
    assert_eq!(of(&answers, "PORKBUN_SECRET_API_KEY"), Some(whole));

    answers.settle(Id::new("domain.provider"), text("exotic"));
    answers.settle(Id::new("domain.variables"), Value::Texts(vec!["EXOTIC_KEY".to_owned()]));
    assert_eq!(
        of(&answers, "EXOTIC_KEY"),
        Some(account("exotic", &[("EXOTIC_KEY", "last")], "home.example.org"))
    );
    answers.settle(Id::new("domain.kind"), text("duckdns"));
    assert_eq!(
        of(&answers, "DUCKDNS_TOKEN"),
        Some(account("duckdns", &[("DUCKDNS_TOKEN", "last")], "home.example.org"))
    );
    let other = Account::of_answers(&answers, &Id::new("admin.password"), &secret("x"));
    assert_eq!(other, None);
}
