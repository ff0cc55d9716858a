//! `preflight`: what machine and network must give, before anything is changed.

use std::{collections::BTreeMap, path::Path};

use engine::{Preflight, preflight::missing_images};
use host::{Host, probe};
use model::{
    Problems,
    preflight::{self, Finding, Wanted},
    seed::Seed,
};
use serde::Serialize;

use crate::{
    command_line::say,
    day_two::{Desk, need_root, pretty, read_seed},
    failure::Failure,
    inputs, sealing, secrets,
};

/// The findings as JSON.
#[derive(Serialize)]
struct Table {
    /// One a check, in order.
    checks: Vec<Finding>,
    /// What the command exits with.
    exit: u8,
}

/// Shows every check; 3 if one failed. Without a seed what needs one is not asked.
///
/// # Errors
/// The seed is wrong, or its plan cannot be made for another reason than the memory, which has a
/// check of its own.
pub fn preflight(host: &Host, seed: Option<&Path>, json: bool) -> Result<u8, Failure> {
    need_root("preflight")?;
    let claimed = seed.is_some() || sealing::sealed(host)?.is_some();
    let read = if claimed { Some(read_seed(host, seed)?.0) } else { None };
    let (findings, problems) = look(host, read.as_ref(), seed)?;
    let exit = preflight::exit(&findings);
    if json {
        say(&pretty(&Table { checks: findings, exit })?);
    } else {
        say(&terminal::preflight::text(&findings));
    }
    match problems {
        None => Ok(exit),
        Some(problems) if exit == 0 => Err(problems.into()),
        Some(problems) => {
            eprint!("{}", Failure::from(problems).text());
            Ok(exit)
        }
    }
}

/// Every check, and what keeps the seed from having a plan.
///
/// # Errors
/// The machine cannot be looked at, or its catalogue is wrong.
pub fn look(
    host: &Host,
    seed: Option<&Seed>,
    path: Option<&Path>,
) -> Result<(Vec<Finding>, Option<Problems>), Failure> {
    let mut facts = probe::facts(host)?;
    let mut wanted = Wanted::default();
    let mut known = BTreeMap::new();
    let mut problems = None;
    if let Some(seed) = seed {
        let (catalogue, with_artefacts) = inputs::gathered(host, seed, facts)?;
        facts = with_artefacts;
        let plan = match model::plan::plan(seed, &catalogue, &facts) {
            Ok(plan) => Some(plan),
            Err(why) => {
                problems = Some(why);
                None
            }
        };
        // Where the system only moves, the images are fetched on another disk.
        let plan = plan.filter(|plan| plan.install().is_none());
        let missing = plan.as_ref().map(|plan| missing_images(host, plan)).unwrap_or_default();
        wanted = Wanted::of(seed, plan.as_ref(), &missing);
        wanted.budget = model::plan::budget(seed, &catalogue, &facts).ok();
        known = secrets::known(seed, &mut Desk { host, seed: path });
    }
    let built = inputs::built(host);
    let preflight = Preflight { host, facts: &facts, wanted: &wanted, built, secrets: &known };
    Ok((preflight.findings(), problems))
}
