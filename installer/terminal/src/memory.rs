//! Memory of the services, as a table.

use std::fmt::Write as _;

use model::memory::{ASLEEP, Line, Table};

/// The table for a person, in MiB.
pub fn text(table: &Table) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{:<36}{:<10}{:>8}{:>8}{:>8}", "MiB", "", "counted", "limit", "in use");
    for line in &table.services {
        let Line { stack, service, state, tier, limit, used } = line;
        let name = format!("{stack}/{service}");
        let (limit, used) = (amount(*limit), amount(*used));
        let _ = writeln!(out, "{name:<36}{state:<10}{:>8}{limit:>8}{used:>8}", tier >> 20);
    }
    let (tiers, limits, used) = (table.tiers >> 20, table.limits >> 20, table.used >> 20);
    let _ = writeln!(out, "{:<46}{tiers:>8}{limits:>8}{used:>8}\n", "all");
    let _ = writeln!(
        out,
        "the box has {} MiB; {} are counted: {tiers} for services, {} for the system",
        table.total >> 20,
        (table.tiers + table.system) >> 20,
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

fn amount(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| (bytes >> 20).to_string())
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
                share("own", 0, None, false),
            ],
        };
        let table = Table::new(&budget, |share| match share.service.as_str() {
            "books" => Found { state: ASLEEP, used: None },
            _ => Found { state: "healthy", used: Some(91 << 20) },
        });
        assert_eq!(
            text(&table),
            "MiB                                            counted   limit  in use
core/traefik                        healthy        128     256      91
core/books                          asleep         200     512       -
core/own                            healthy          0       -      91
all                                                328     768     182

the box has 4096 MiB; 712 are counted: 328 for services, 384 for the system
1 service sleeps now, which saves 200 MiB of it
"
        );
    }
}
