//! Preflights as a table: how each check came out, and below it what that means and the way out.

use std::fmt::Write as _;

use model::preflight::{Finding, Verdict};

use crate::{COLUMNS, wrap};

/// Widths of the first two columns.
const VERDICT: usize = 11;
const NAME: usize = 23;

/// The table for a person.
pub fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let mut left = format!("{:VERDICT$}{:NAME$}", word(finding.verdict), finding.check.name());
        let parts =
            [("", &finding.found), ("means: ", &finding.means), ("way out: ", &finding.way_out)];
        for (label, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            for line in wrap(&format!("{label}{part}"), COLUMNS - 1 - VERDICT - NAME) {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "{left}{line}");
                left = " ".repeat(VERDICT + NAME);
            }
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let counts = [
        (count(Verdict::Ok), "ok"),
        (count(Verdict::Warning), "with a warning"),
        (count(Verdict::Failed), "failed"),
        (count(Verdict::NotAsked), "not asked"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let _ = writeln!(out, "\n{} checks: {}", findings.len(), counts.join(", "));
    out
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Failed => "FAILED",
        Verdict::NotAsked => "not asked",
    }
}

#[cfg(test)]
mod tests {
    use model::preflight::Check;

    use super::*;

    #[test]
    fn a_table_in_eighty_columns() {
        let findings = [
            Finding::ok(Check::Link, "enp1s0 has a link"),
            Finding::bad(
                Check::Ports,
                Verdict::Failed,
                "53/udp of pihole is taken by dnsmasq",
                "the service cannot start",
                "stop dnsmasq and keep it from starting (`sudo systemctl disable --now NAME`)",
            ),
            Finding::not_asked(Check::CertificateAuthority, "no address"),
        ];
        let text = text(&findings);
        assert!(text.lines().all(|line| line.chars().count() < COLUMNS), "{text}");
        assert_eq!(
            text,
            "ok         link                   enp1s0 has a link
FAILED     ports                  53/udp of pihole is taken by dnsmasq
                                  means: the service cannot start
                                  way out: stop dnsmasq and keep it from
                                  starting (`sudo systemctl disable --now
                                  NAME`)
not asked  certificate-authority  no address

3 checks: 1 ok, 1 failed, 1 not asked
"
        );
    }
}
