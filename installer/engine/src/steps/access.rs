//! Every URL answers through the proxy as the model says.
//!
//! The questions go to the box itself, not to what the name resolves to: on the first day no DNS
//! server of the LAN knows it.

use host::web::{Answer, Question};
use model::{
    plan::{AccessExpectation, AccessProbe, Action},
    report::Unit,
};

use crate::{
    failure::{Result, Trouble},
    scene::{Progress, Scene},
    steps::{Doing, Holding, stack},
};

/// Seconds until every URL must answer: the proxy reads its configuration when containers start.
const WAIT: u64 = 180;
/// What Traefik says when no router matches; programs in Go say the same of a page that they do not
/// have. What went through a router has the headers that the proxy adds to everything of a service.
const PROXY_404: &str = "404 page not found";
/// What Authelia says when it knows who asks, and no rule lets them in.
const LOGIN_403: &str = "403 Forbidden";

pub(crate) struct Access<'a>(pub &'a [AccessProbe]);

impl Doing for Access<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        let authority = scene.authority()?;
        let held = held(scene)?;
        for probe in self.0.iter().filter(|probe| !held.contains(&&*probe.service)) {
            if let Err(wrong) = ask(probe, authority.as_deref(), scene) {
                holding.lacks(wrong);
            }
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        let authority = scene.authority()?;
        let held = held(scene)?;
        let probes: Vec<_> = self.0.iter().filter(|p| !held.contains(&&*p.service)).collect();
        let total = probes.len() as u64;
        let mut wrong = Vec::new();
        let all = scene.wait_until(WAIT, || {
            wrong.clear();
            for (done, probe) in probes.iter().enumerate() {
                progress.tell(done as u64, total, Unit::Items, probe.url.clone());
                wrong.extend(ask(probe, authority.as_deref(), scene).err());
            }
            Ok(wrong.is_empty())
        })?;
        if all {
            return Ok(());
        }
        Err(Trouble::new(
            format!("after {WAIT} s not every URL answers as it should: {}", wrong.join("; ")),
            "`docker compose logs` in `/opt/stacks/core` shows what the proxy says",
        ))
    }
}

/// Services that wait for a volume: nobody answers for them.
fn held<'a>(scene: &Scene<'a>) -> Result<Vec<&'a str>> {
    let mut services = Vec::new();
    for step in &scene.plan.steps {
        let Action::Stack(wish) = &step.action else { continue };
        if stack::Doer(wish).seen_held(scene)?.is_some() {
            services.extend(wish.services.iter().map(|service| &*service.name));
        }
    }
    Ok(services)
}

/// Asks; what is wrong with the answer, in one sentence.
fn ask(probe: &AccessProbe, authority: Option<&str>, scene: &Scene<'_>) -> Result<(), String> {
    let question = Question::local(&*probe.url, authority);
    let answer = scene.host().web.ask(&question).map_err(|error| error.to_string())?;
    let portal = scene.plan.steps.iter().find_map(|step| match &step.action {
        Action::Handover(handover) => Some(&*handover.portal),
        _ => None,
    });
    judge(probe, portal.unwrap_or_default(), &answer)
}

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The service.
    Service,
    /// The login, which wants to know who asks.
    Portal,
    /// The login, which knows who asks and does not let them in; or a service that says the same
    /// words.
    Refusal,
    /// The proxy, which knows no such route.
    Nobody,
    /// A service that is ill, or the proxy in its place.
    Broken,
}

impl Source {
    /// Who gave this answer? `portal` is the URL where people log in.
    pub(crate) fn of(answer: &Answer, probe: &AccessProbe, portal: &str) -> Self {
        let portal = match &probe.expect {
            AccessExpectation::Portal { url } => host_of(url),
            // What is sent from one of its own pages to another one is the portal's service.
            _ if host_of(portal) == host_of(&probe.url) => "",
            _ => host_of(portal),
        };
        let to = answer.location.as_deref().map_or("", host_of);
        match answer.status {
            _ if !to.is_empty() && to == portal => Self::Portal,
            404 if answer.body.trim() == PROXY_404 && !answer.strict_transport => Self::Nobody,
            403 if answer.body.trim() == LOGIN_403 => Self::Refusal,
            500.. => Self::Broken,
            _ => Self::Service,
        }
    }
}

/// Is this answer the expected one? `portal` is the URL where people log in.
pub(crate) fn judge(probe: &AccessProbe, portal: &str, answer: &Answer) -> Result<(), String> {
    let from = Source::of(answer, probe, portal);
    let good = match &probe.expect {
        AccessExpectation::Portal { .. } => from == Source::Portal,
        AccessExpectation::Answers => matches!(from, Source::Service | Source::Refusal),
        AccessExpectation::Passes => from == Source::Service,
        AccessExpectation::Refused => from == Source::Refusal,
    };
    if good {
        return Ok(());
    }
    let expected = match &probe.expect {
        AccessExpectation::Portal { url } => format!("a redirect to {url}"),
        AccessExpectation::Answers | AccessExpectation::Passes => {
            format!("an answer of {}", probe.service)
        }
        AccessExpectation::Refused => "the login's refusal".to_owned(),
    };
    let got = match (from, &answer.location) {
        (Source::Nobody, _) => "the proxy's own 404: it knows no such route".to_owned(),
        (Source::Refusal, _) => "the login's refusal (403)".to_owned(),
        (_, Some(location)) => format!("{} to {location}", answer.status),
        (_, None) => answer.status.to_string(),
    };
    Err(format!("{}: expected {expected}, got {got}", probe.url))
}

/// The host of a URL, without port; empty for a relative one.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#', ':']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTAL: &str = "https://auth.home.arpa";

    fn probe(expect: AccessExpectation) -> AccessProbe {
        let url = "https://grafana.home.arpa".into();
        AccessProbe { service: "grafana".into(), url, expect }
    }

    fn answer(status: u16, location: Option<&str>, body: &str) -> Answer {
        let location = location.map(str::to_owned);
        Answer { status, location, body: body.into(), ..Answer::default() }
    }

    #[test]
    fn the_portal_is_told_by_the_host_of_the_redirect() {
        let probe = probe(AccessExpectation::Portal { url: PORTAL.into() });
        let to = "https://auth.home.arpa/?rd=https%3A%2F%2Fgrafana.home.arpa%2F&rm=GET";
        assert_eq!(judge(&probe, PORTAL, &answer(302, Some(to), "")), Ok(()));
        let elsewhere = "https://auth.home.arpa.evil.example/";
        assert_eq!(
            judge(&probe, PORTAL, &answer(302, Some(elsewhere), "")),
            Err("https://grafana.home.arpa: expected a redirect to https://auth.home.arpa, \
                 got 302 to https://auth.home.arpa.evil.example/"
                .into())
        );
        assert_eq!(
            judge(&probe, PORTAL, &answer(200, None, "hello")),
            Err(
                "https://grafana.home.arpa: expected a redirect to https://auth.home.arpa, got 200"
                    .into()
            )
        );
    }

    #[test]
    fn an_answer_is_the_services_own() {
        let probe = probe(AccessExpectation::Answers);
        assert_eq!(judge(&probe, PORTAL, &answer(200, None, "")), Ok(()));
        assert_eq!(judge(&probe, PORTAL, &answer(404, None, "nothing here")), Ok(()));
        assert_eq!(
            judge(&probe, PORTAL, &answer(404, None, "404 page not found\n")),
            Err("https://grafana.home.arpa: expected an answer of grafana, \
                 got the proxy's own 404: it knows no such route"
                .into())
        );
        // The same words of a program in Go, which came through the proxy.
        let own = Answer { strict_transport: true, ..answer(404, None, "404 page not found\n") };
        assert_eq!(judge(&probe, PORTAL, &own), Ok(()));
        assert_eq!(
            judge(&probe, PORTAL, &answer(502, None, "")),
            Err("https://grafana.home.arpa: expected an answer of grafana, got 502".into())
        );
        assert_eq!(
            judge(&probe, PORTAL, &answer(302, Some("https://auth.home.arpa/?rd=x"), "")),
            Err("https://grafana.home.arpa: expected an answer of grafana, \
                 got 302 to https://auth.home.arpa/?rd=x"
                .into())
        );
        assert_eq!(judge(&probe, PORTAL, &answer(302, Some("/login"), "")), Ok(()));
    }
    #[test]
    fn who_has_logged_in_passes_or_is_refused() {
        let refusal = answer(403, None, "403 Forbidden");
        let passes = probe(AccessExpectation::Passes);
        assert_eq!(judge(&passes, PORTAL, &answer(200, None, "")), Ok(()));
        assert_eq!(judge(&passes, PORTAL, &answer(403, None, "<h1>no</h1>")), Ok(()));
        assert_eq!(
            judge(&passes, PORTAL, &refusal),
            Err("https://grafana.home.arpa: expected an answer of grafana, \
                 got the login's refusal (403)"
                .into())
        );
        assert!(judge(&passes, PORTAL, &answer(302, Some("https://auth.home.arpa/"), "")).is_err());
        let refused = probe(AccessExpectation::Refused);
        assert_eq!(judge(&refused, PORTAL, &refusal), Ok(()));
        assert_eq!(
            judge(&refused, PORTAL, &answer(200, None, "")),
            Err("https://grafana.home.arpa: expected the login's refusal, got 200".into())
        );
        // An open service may say the same words.
        assert_eq!(judge(&probe(AccessExpectation::Answers), PORTAL, &refusal), Ok(()));
    }

    /// A program that wants no page gets 401 with the way to the portal.
    #[test]
    fn the_portal_of_a_program_is_a_401() {
        let probe = probe(AccessExpectation::Portal { url: PORTAL.into() });
        let to = "https://auth.home.arpa/?rd=https%3A%2F%2Fgrafana.home.arpa%2F&rm=GET";
        assert_eq!(judge(&probe, PORTAL, &answer(401, Some(to), "")), Ok(()));
        assert!(judge(&probe, PORTAL, &answer(401, None, "")).is_err());
    }

    #[test]
    fn the_portal_may_send_to_itself() {
        let own = AccessProbe {
            service: "authelia".into(),
            url: format!("{PORTAL}/"),
            expect: AccessExpectation::Answers,
        };
        let to = format!("{PORTAL}/2fa");
        assert_eq!(judge(&own, PORTAL, &answer(302, Some(&to), "")), Ok(()));
    }
}
