//! What memory the deployed services were counted with.

use super::{
    make::SEED,
    select::{self, SYSTEM_MEMORY},
};
use crate::{
    Problems,
    catalogue::Catalogue,
    facts::Facts,
    memory::{Budget, Share},
    seed::Seed,
};

/// The memory of what is deployed.
///
/// # Errors
/// What the catalogue cannot give the seed.
pub fn budget(seed: &Seed, catalogue: &Catalogue, facts: &Facts) -> Result<Budget, Problems> {
    let mut problems = Problems::new(SEED, "");
    let (deployment, _) = select::deployment(seed, catalogue, facts, &mut problems);
    let share = |(stack, service): (&crate::catalogue::Stack, &crate::catalogue::Service)| Share {
        stack: stack.name.clone(),
        service: service.name.clone(),
        tier: service.wish.memory.map_or(0, |memory| memory.0),
        limit: service.memory_limit().map(|memory| memory.0),
        lazy: deployment.is_lazy(service),
    };
    let services = deployment.services().map(share).collect();
    let budget = Budget { system: SYSTEM_MEMORY, total: facts.memory, services };
    problems.into_result(Some(budget))
}

/// Whether what the seed selects is there, and fits into the memory of the machine: the part of
/// [`super::plan`] that needs nothing but that.
///
/// # Errors
/// What the catalogue cannot give the seed, and what the memory is too small for.
pub fn fits(seed: &Seed, catalogue: &Catalogue, facts: &Facts) -> Result<(), Problems> {
    let mut problems = Problems::new(SEED, "");
    let (deployment, _) = select::deployment(seed, catalogue, facts, &mut problems);
    select::check_memory(&deployment, &mut problems);
    problems.into_result(Some(()))
}

/// Services of the selected stacks that are not deployed, because the seed gives no reason to or
/// the memory is too small for them.
pub fn left_out(seed: &Seed, catalogue: &Catalogue, facts: &Facts) -> Vec<String> {
    select::deployment(seed, catalogue, facts, &mut Problems::new(SEED, "")).1
}
