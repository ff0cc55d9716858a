//! Memory of the services: what they were counted with, what they may take, what they have.

use serde::Serialize;

/// What was counted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Bytes for the system itself.
    pub system: u64,
    /// Bytes of RAM that the box has.
    pub total: u64,
    /// In the order of their start.
    pub services: Vec<Share>,
}

/// What was counted on for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its stack.
    pub stack: String,
    /// Its name.
    pub service: String,
    /// Bytes that it was counted with (`x-homelab: {memory}`); 0 if it says nothing.
    pub tier: u64,
    /// Bytes above which the kernel kills it; none: all of the box.
    pub limit: Option<u64>,
    /// It sleeps when nobody asks for it.
    pub lazy: bool,
}

/// How a service is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its state in a word; `asleep` is a lazy one that does not run.
    pub state: &'static str,
    /// Bytes in use; none: it does not run.
    pub used: Option<u64>,
}

/// The table of `homelab status --memory`. All numbers are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// One a service.
    pub services: Vec<Line>,
    /// Sum of what was counted with.
    pub tiers: u64,
    /// Sum of the limits.
    pub limits: u64,
    /// Sum of what is in use.
    pub used: u64,
    /// What sleeping saves: the sum of what those were counted with that sleep now.
    pub saved: u64,
    /// Counted for the system itself.
    pub system: u64,
    /// RAM of the box.
    pub total: u64,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its stack.
    pub stack: String,
    /// Its name.
    pub service: String,
    /// See [`Found::state`].
    pub state: &'static str,
    /// See [`Share::tier`].
    pub tier: u64,
    /// See [`Share::limit`].
    pub limit: Option<u64>,
    /// See [`Found::used`].
    pub used: Option<u64>,
}

impl Table {
    /// Puts together what was counted on and what is found.
    pub fn new(budget: &Budget, mut found: impl FnMut(&Share) -> Found) -> Self {
        let line = |share: &Share| {
            let Found { state, used } = found(share);
            Line {
                stack: share.stack.clone(),
                service: share.service.clone(),
                state,
                tier: share.tier,
                limit: share.limit,
                used,
            }
        };
        let services: Vec<Line> = budget.services.iter().map(line).collect();
        let asleep = services.iter().filter(|line| line.state == ASLEEP);
        Self {
            tiers: services.iter().map(|line| line.tier).sum(),
            limits: services.iter().filter_map(|line| line.limit).sum(),
            used: services.iter().filter_map(|line| line.used).sum(),
            saved: asleep.map(|line| line.tier).sum(),
            system: budget.system,
            total: budget.total,
            services,
        }
    }
}

/// The state of a lazy service that does not run.
pub const ASLEEP: &str = "asleep";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_count_what_they_say() {
        let share = |service: &str, tier, limit, lazy| Share {
            stack: "core".into(),
            service: service.into(),
            tier,
            limit,
            lazy,
        };
        let budget = Budget {
            system: 384,
            total: 4096,
            services: vec![
                share("traefik", 128, Some(256), false),
                share("books", 200, Some(512), true),
                share("glances", 64, None, true),
            ],
        };
        let table = Table::new(&budget, |share| match share.service.as_str() {
            "books" => Found { state: ASLEEP, used: None },
            "glances" => Found { state: "healthy", used: Some(40) },
            _ => Found { state: "healthy", used: Some(90) },
        });
        assert_eq!((table.tiers, table.limits, table.used, table.saved), (392, 768, 130, 200));
        assert_eq!((table.system, table.total), (384, 4096));
        assert_eq!(table.services[1].used, None);
    }
}
