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
