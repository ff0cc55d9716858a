//! Every URL answers through the proxy as the model says.
//!
//! The questions go to the box itself, not to what the name resolves to: on the first day no DNS
//! server of the LAN knows it.

use std::net::{IpAddr, Ipv4Addr};

use host::web::{Answer, Question};
use model::{
    plan::{AccessExpectation, AccessProbe, Action},
    report::Unit,
};

use crate::{
    failure::{Result, Trouble},
    scene::{Progress, Scene},
    steps::{Doing, Holding},
};

/// Seconds until every URL must answer: the proxy reads its configuration when containers start.
const WAIT: u64 = 180;
/// What Traefik says when no router matches.
const PROXY_404: &str = "404 page not found";

pub(crate) struct Access<'a>(pub &'a [AccessProbe]);

impl Doing for Access<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        let authority = scene.authority()?;
        for probe in self.0 {
            if let Err(wrong) = ask(probe, authority.as_deref(), scene) {
                holding.lacks(wrong);
            }
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        let authority = scene.authority()?;
        let total = self.0.len() as u64;
        let mut wrong = Vec::new();
        let all = scene.wait_until(WAIT, || {
            wrong.clear();
            for (done, probe) in self.0.iter().enumerate() {
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

/// Asks; what is wrong with the answer, in one sentence.
fn ask(probe: &AccessProbe, authority: Option<&str>, scene: &Scene<'_>) -> Result<(), String> {
    let question = Question {
        url: probe.url.clone(),
        connect: IpAddr::V4(Ipv4Addr::LOCALHOST),
        authority: authority.map(str::to_owned),
    };
    let answer = scene.host().web.get(&question).map_err(|error| error.to_string())?;
    let portal = scene.plan.steps.iter().find_map(|step| match &step.action {
        Action::Handover(handover) => Some(&*handover.portal),
        _ => None,
    });
    judge(probe, portal.unwrap_or_default(), &answer)
}

/// Is this answer the expected one? `portal` is the URL where people log in.
fn judge(probe: &AccessProbe, portal: &str, answer: &Answer) -> Result<(), String> {
    let got = match &answer.location {
        Some(location) => format!("{} to {location}", answer.status),
        None => answer.status.to_string(),
    };
    let good = match &probe.expect {
        AccessExpectation::Portal { url } => {
            answer.location.as_deref().is_some_and(|location| host_of(location) == host_of(url))
        }
        AccessExpectation::Answers => {
            let lost = answer.status == 404 && answer.body.trim() == PROXY_404;
            let to = answer.location.as_deref().map_or("", host_of);
            let sent_away = to == host_of(portal) && to != host_of(&probe.url) && !to.is_empty();
            answer.status < 500 && !lost && !sent_away
        }
    };
    if good {
        return Ok(());
    }
    let expected = match &probe.expect {
        AccessExpectation::Portal { url } => format!("a redirect to {url}"),
        AccessExpectation::Answers => format!("an answer of {}", probe.service),
    };
    let got = if answer.status == 404 && answer.body.trim() == PROXY_404 {
        "the proxy's own 404: it knows no such route".to_owned()
    } else {
        got
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
        Answer { status, location: location.map(str::to_owned), body: body.into() }
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
}
