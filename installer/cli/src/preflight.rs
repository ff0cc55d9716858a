//! `preflight`: what machine and network must give, before anything is changed.

use std::{collections::BTreeMap, path::Path};

use engine::{Preflight, preflight::missing_images};
use host::{Host, probe};
use model::{
    Problems, Secret,
    preflight::{self, Finding, Wanted},
    secret::SecretRef,
    seed::{SecretSource, Seed},
};
use serde::Serialize;

use crate::{
    command_line::say,
    day_two::{Desk, need_root, pretty, read_seed},
    failure::Failure,
    inputs, sealing,
    secrets::Outside,
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
fn look(
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
        let missing = plan.as_ref().map(|plan| missing_images(host, plan)).unwrap_or_default();
        wanted = Wanted::of(seed, plan.as_ref(), &missing);
        wanted.budget = model::plan::budget(seed, &catalogue, &facts).ok();
        known = known_secrets(seed, &mut Desk { host, seed: path });
    }
    let built = inputs::built(host);
    let preflight = Preflight { host, facts: &facts, wanted: &wanted, built, secrets: &known };
    Ok((preflight.findings(), problems))
}

/// The secrets that can be had without asking anybody: root certificates are among them.
fn known_secrets(seed: &Seed, outside: &mut dyn Outside) -> BTreeMap<SecretRef, Secret> {
    let secrets = seed.secrets().into_iter().filter_map(|(name, source)| {
        let secret = match source {
            SecretSource::Text(secret) => Some(secret.clone()),
            SecretSource::File(path) => {
                outside.file(path).ok().map(Secret::new).or_else(|| outside.kept(&name))
            }
            SecretSource::Generate | SecretSource::Ask => None,
        };
        Some((name, secret?))
    });
    secrets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host_in;

    #[test]
    fn roots_come_from_the_seed_from_beside_it_or_from_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        let text = "schema = 1\n[admin]\nname = \"alex\"\npassword = { ask = true }\n\
                    [images]\nmirror = \"registry.lan\"\nmirror_ca = { file = \"ca.pem\" }\n";
        let seed = model::seed::parse("seed.toml", text).unwrap();
        let place = folder.path().join("seed.toml");
        let known = || known_secrets(&seed, &mut Desk { host: &host, seed: Some(&place) });
        assert!(known().is_empty(), "nobody is asked, and nothing is there");
        let kept = BTreeMap::from([(SecretRef::new("mirror-ca"), Secret::new("KEPT"))]);
        sealing::seal(&host, text, "a stick", &kept).unwrap();
        assert_eq!(known()[&SecretRef::new("mirror-ca")].reveal(), "KEPT");
        std::fs::write(folder.path().join("ca.pem"), "PEM").unwrap();
        assert_eq!(known()[&SecretRef::new("mirror-ca")].reveal(), "PEM");
        assert_eq!(known().len(), 1);
    }
}
