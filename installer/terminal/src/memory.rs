//! Memory of the services, as a table.

use std::fmt::Write as _;

use model::memory::{ASLEEP, Line, Table};

/// The table for a person, in MiB.
pub fn text(table: &Table) -> String {
    let mut out = String::new();
    let name = |line: &Line| format!("{}/{}", line.stack, line.service);
    let width = table.services.iter().map(|line| name(line).len()).max().unwrap_or(0) + 2;
    // Writing to a string cannot fail.
    let mut row = |name: &str, state: &str, tier: &str, limit: &str, used: &str| {
        let _ = writeln!(out, "{name:<width$}{state:<10}{tier:>8}{limit:>8}{used:>8}");
    };
    let amount = |bytes: u64| (bytes >> 20).to_string();
    let known = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), amount);
    row("MiB", "", "counted", "limit", "in use");
    for line in &table.services {
        let (tier, limit, used) = (amount(line.tier), known(line.limit), known(line.used));
        row(&name(line), line.state, &tier, &limit, &used);
    }
    row("all", "", &amount(table.tiers), &amount(table.limits), &amount(table.used));
    let _ = writeln!(
        out,
        "\nthe box has {} MiB; {} are counted: {} for services, {} for the system",
        table.total >> 20,
        (table.tiers + table.system) >> 20,
        table.tiers >> 20,
        table.system >> 20
    );
    let asleep = table.services.iter().filter(|line| line.state == ASLEEP).count();
    if asleep > 0 {
        let services = if asleep == 1 { "service sleeps" } else { "services sleep" };
        let _ =
            writeln!(out, "{asleep} {services} now, which saves {} MiB of it", table.saved >> 20);
    }
    out
}

#[cfg(test)]
mod tests {
    use model::memory::{Budget, Found, Share};

    use super::*;

    #[test]
    fn a_table_has_sums_and_what_sleeping_saves() {
        let share = |service: &str, tier: u64, limit: Option<u64>, lazy| Share {
            stack: "core".into(),
            service: service.into(),
            tier: tier << 20,
            limit: limit.map(|limit| limit << 20),
            lazy,
        };
        let budget = Budget {
            system: 384 << 20,
            total: 4096 << 20,
            services: vec![
                share("traefik", 128, Some(256), false),
                share("books", 200, Some(512), true),
                share("with-a-name-that-is-rather-long", 0, None, false),
            ],
        };
        let table = Table::new(&budget, |share| match share.service.as_str() {
            "books" => Found { state: ASLEEP, used: None },
            _ => Found { state: "healthy", used: Some(91 << 20) },
        });
        assert_eq!(
            text(&table),
            "MiB                                              counted   limit  in use
core/traefik                          healthy        128     256      91
core/books                            asleep         200     512       -
core/with-a-name-that-is-rather-long  healthy          0       -      91
all                                                  328     768     182

the box has 4096 MiB; 712 are counted: 328 for services, 384 for the system
1 service sleeps now, which saves 200 MiB of it
"
        );
    }
}
