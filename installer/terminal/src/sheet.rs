//! A report as a sheet of text: `REPORT.TXT` on the SEED partition and `homelab report`.

use std::fmt::Write as _;

use model::report::{Outcome, Report};

use crate::{number::seconds, progress::verdict_text, wrap};

/// The whole of a report for a person who has only this file.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "homelab {}", report.installer)?;
    writeln!(out, "began    {}", report.started)?;
    writeln!(out, "ended    {}", report.finished)?;
    if let Some(seed) = &report.seed {
        writeln!(out, "seed     {seed}")?;
    }
    if let Some(plan) = &report.plan {
        writeln!(out, "plan     {plan}")?;
    }
    writeln!(out, "result   {}", verdict_text(&report.verdict))?;
    if !report.problems.is_empty() {
        writeln!(out, "\nProblems of the seed\n")?;
        for problem in &report.problems {
            writeln!(out, "  {problem}")?;
        }
    }
    if !report.steps.is_empty() {
        writeln!(out, "\nSteps\n")?;
        for step in &report.steps {
            let (word, more) = outcome(&step.outcome);
            let took = seconds(step.seconds);
            writeln!(out, "  {word:<12}{took:>12}  {}", step.title)?;
            for line in more.iter().flat_map(|line| wrap(line, 50)) {
                writeln!(out, "{:28}{line}", "")?;
            }
        }
    }
    if !report.addresses.is_empty() {
        writeln!(out, "\nAddresses\n")?;
        for address in &report.addresses {
            writeln!(out, "  {address}")?;
        }
    }
    if !report.links.is_empty() {
        writeln!(out, "\nLinks\n")?;
        for (title, url) in &report.links {
            writeln!(out, "  {title:<24}  {url}")?;
        }
    }
    if let Some(print) = &report.authority_fingerprint {
        writeln!(out, "\nSHA-256 fingerprint of the box's own certificate authority\n")?;
        writeln!(out, "  {print}")?;
    }
    if !report.pinned.is_empty() {
        writeln!(out, "\nImages pulled by tag, and the digest that came\n")?;
        for (reference, digest) in &report.pinned {
            writeln!(out, "  {reference}  {digest}")?;
        }
    }
    Ok(())
}

/// One word, and what else there is to say.
fn outcome(outcome: &Outcome) -> (&'static str, Vec<String>) {
    match outcome {
        Outcome::Changed => ("changed", Vec::new()),
        Outcome::AlreadySo => ("already so", Vec::new()),
        Outcome::Warned { message } => ("warning", vec![message.clone()]),
        Outcome::Skipped { reason } => ("skipped", vec![reason.clone()]),
        Outcome::Held { reason } => ("held", vec![reason.clone()]),
        Outcome::Failed { causes, hint } => {
            let mut lines = causes.clone();
            if !hint.is_empty() {
                lines.push(format!("way out: {hint}"));
            }
            ("FAILED", lines)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{
        Digest,
        plan::StepId,
        report::{StepReport, Verdict},
    };

    use super::*;

    fn empty(verdict: Verdict) -> Report {
        let mut report = Report::new("0.1.0", verdict, 0, "2026-11-22T20:00:00Z");
        report.finished = "2026-11-22T20:05:00Z".into();
        report
    }

    #[test]
    fn a_refused_seed() {
        let mut report = empty(Verdict::Refused);
        report.problems = vec!["seed.toml:1:1: `schem` is no key".into()];
        assert_eq!(
            text(&report),
            "homelab 0.1.0
began    2026-11-22T20:00:00Z
ended    2026-11-22T20:05:00Z
result   the seed was refused; nothing was changed

Problems of the seed

  seed.toml:1:1: `schem` is no key
"
        );
    }

    #[test]
    fn a_failed_run() {
        let mut report = empty(Verdict::Failed { step: StepId::new("images") });
        report.seed = Some(Digest::of("abc"));
        let step = |id: &str, title: &str, outcome, seconds| StepReport {
            id: StepId::new(id),
            title: title.into(),
            outcome,
            seconds,
        };
        report.steps = vec![
            step("clock", "Clock", Outcome::AlreadySo, 0.1),
            step(
                "images",
                "Images: 12",
                Outcome::Failed { causes: vec!["no route".into()], hint: "plug it in".into() },
                130.0,
            ),
        ];
        report.addresses = vec!["192.168.1.10".into()];
        report.links = BTreeMap::from([("Login".into(), "https://auth.x".into())]);
        report.authority_fingerprint = Some("AB:CD".into());
        report.pinned = BTreeMap::from([("a:1".into(), Digest::of("abc"))]);
        assert_eq!(
            text(&report),
            "homelab 0.1.0
began    2026-11-22T20:00:00Z
ended    2026-11-22T20:05:00Z
seed     sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
result   step `images` failed

Steps

  already so         0.1 s  Clock
  FAILED        2 min 10 s  Images: 12
                            no route
                            way out: plug it in

Addresses

  192.168.1.10

Links

  Login                     https://auth.x

SHA-256 fingerprint of the box's own certificate authority

  AB:CD

Images pulled by tag, and the digest that came

  a:1  sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
"
        );
    }
}
