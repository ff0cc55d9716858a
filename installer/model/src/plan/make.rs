//! Seed, catalogue and facts to a plan.
use crate::{Problems, catalogue::Catalogue, facts::Facts, plan::Plan, seed::Seed};

/// Computes the plan.
///
/// # Errors
/// What the catalogue or the machine cannot give the seed.
pub fn plan(_seed: &Seed, _catalogue: &Catalogue, _facts: &Facts) -> Result<Plan, Problems> {
    Err(Problems::new("seed", ""))
}
