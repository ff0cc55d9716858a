//! Rendered files before the programs that read them on the box, or their makers' own checkers.
//!
//! Boxes of five kinds are planned by `model` as the installer does it, and everything is written
//! that they would have below `/opt/stacks`. Each check is one test, `CHECKER::VARIANT`; where a
//! program looks for files, it is shown the root that its container would have. For each kind of
//! file there is a control, `CHECKER::refuses_…`: a spoiled copy, in which the same check must find
//! just what is wrong.

mod bench;
mod engine;
mod http;
mod network;
mod owners;
pub mod root;
mod traefik;
mod variant;

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

pub use self::bench::Bench;
use self::{bench::Case, variant::Variant};

/// A program and what it checks.
struct Checker {
    name: &'static str,
    /// Services without which there is nothing to check; none of them: it is about all.
    service: Option<&'static str>,
    check: fn(&Case<'_>) -> Result<()>,
    /// Ends of the paths that it reads.
    reads: &'static [&'static str],
    controls: &'static [Control],
}

/// A spoiled file that must be refused.
struct Control {
    /// What is wrong, as a name.
    name: &'static str,
    /// Path on the box.
    path: &'static str,
    /// These words …
    from: &'static str,
    /// … become those.
    to: &'static str,
    /// What the checker says then.
    says: &'static str,
}

/// The variant that the controls are made of, if it has the service.
const WHOLE: &str = "all";

const CHECKERS: &[Checker] = &[
    Checker {
        name: "compose",
        service: None,
        check: owners::compose,
        reads: &["/compose.yaml"],
        controls: &[
            Control {
                name: "an_unknown_key",
                path: "/opt/stacks/backup/compose.yaml",
                from: "    image: ",
                to: "    immage: ",
                says: "immage",
            },
            Control {
                name: "a_variable_that_nobody_sets",
                path: "/opt/stacks/media/compose.yaml",
                from: "restart: unless-stopped",
                to: "restart: ${NOBODY}",
                says: "NOBODY",
            },
        ],
    },
    Checker {
        name: "traefik",
        service: Some("traefik"),
        check: traefik::check,
        reads: &["/traefik.yml", "/dynamic/homelab.yml", "/dynamic/lazy.yml"],
        controls: &[
            Control {
                name: "a_wrong_dynamic_file",
                path: "/opt/stacks/core/traefik/dynamic/homelab.yml",
                from: "forwardAuth:",
                to: "forwardAuht:",
                says: "forwardAuht",
            },
            Control {
                name: "a_wrong_static_file",
                path: "/opt/stacks/core/traefik/traefik.yml",
                from: "exposedByDefault:",
                to: "exposedByDefalt:",
                says: "exposedByDefalt",
            },
            Control {
                name: "a_wrong_label",
                path: "/opt/stacks/monitoring/compose.yaml",
                from: "traefik.http.routers.grafana.rule: Host(",
                to: "traefik.http.routers.grafana.rule: Hots(",
                says: "Hots",
            },
            Control {
                name: "a_health_check_that_passes_too_early",
                path: "/opt/stacks/core/compose.yaml",
                from: "http://127.0.0.1:8082/ready",
                to: "http://127.0.0.1:8082/ping",
                says: "Traefik is ready before it knows a container",
            },
            Control {
                name: "a_page_without_login",
                path: "/opt/stacks/monitoring/compose.yaml",
                from: "      traefik.http.routers.prometheus.middlewares: authelia@file\n",
                to: "",
                says: "is not answered as by prometheus",
            },
        ],
    },
    Checker {
        name: "authelia",
        service: Some("authelia"),
        check: owners::authelia,
        reads: &["/authelia/configuration.yml"],
        controls: &[Control {
            name: "an_unknown_policy",
            path: "/opt/stacks/core/authelia/configuration.yml",
            from: "policy: two_factor",
            to: "policy: three_factor",
            says: "three_factor",
        }],
    },
    Checker {
        name: "prometheus",
        service: Some("prometheus"),
        check: owners::prometheus,
        reads: &["/prometheus/prometheus.yml", "/rules/homelab.yml"],
        controls: &[
            Control {
                name: "an_unknown_key",
                path: "/opt/stacks/monitoring/prometheus/prometheus.yml",
                from: "metrics_path:",
                to: "metrics_paht:",
                says: "metrics_paht",
            },
            Control {
                name: "a_wrong_rule",
                path: "/opt/stacks/monitoring/prometheus/rules/homelab.yml",
                from: "expr: up == 0",
                to: "expr: up === 0",
                says: "7:15",
            },
        ],
    },
    Checker {
        name: "alertmanager",
        service: Some("alertmanager"),
        check: owners::alertmanager,
        reads: &["/alertmanager.yml"],
        controls: &[Control {
            name: "a_receiver_that_nobody_is",
            path: "/opt/stacks/monitoring/alertmanager/alertmanager.yml",
            from: "receiver: owner",
            to: "receiver: nobody",
            says: "nobody",
        }],
    },
    Checker {
        name: "loki",
        service: Some("loki"),
        check: owners::loki,
        reads: &["/loki/config.yaml"],
        controls: &[Control {
            name: "an_unknown_key",
            path: "/opt/stacks/monitoring/loki/config.yaml",
            from: "retention_enabled:",
            to: "retention_enalbed:",
            says: "retention_enalbed",
        }],
    },
    Checker {
        name: "alloy",
        service: Some("alloy"),
        check: owners::alloy,
        reads: &["/config.alloy"],
        controls: &[Control {
            name: "a_brace_that_is_missing",
            path: "/opt/stacks/monitoring/alloy/config.alloy",
            from: "logging {",
            to: "logging",
            says: "config.alloy:",
        }],
    },
    Checker {
        name: "promtail",
        service: Some("promtail"),
        check: owners::promtail,
        reads: &["/promtail.yaml"],
        controls: &[
            Control {
                name: "an_unknown_key",
                path: "/opt/stacks/monitoring/promtail/promtail.yaml",
                from: "docker_sd_configs:",
                to: "docker_sd_confgis:",
                says: "docker_sd_confgis",
            },
            Control {
                name: "a_wrong_pattern",
                path: "/opt/stacks/monitoring/promtail/promtail.yaml",
                from: "\"/(.*)\"",
                to: "\"/(.*\"",
                says: "missing closing )",
            },
        ],
    },
    Checker {
        name: "shell",
        service: None,
        check: owners::shell,
        reads: &[".sh"],
        controls: &[Control {
            name: "a_word_that_is_missing",
            path: "/opt/stacks/media/setup/servarr.sh",
            from: "\nesac\n",
            to: "\n",
            says: "servarr.sh",
        }],
    },
];

/// Checkers whose programs, of the same names, take longest to build: not for every run.
const SLOW: &[&str] = &["loki", "promtail"];

/// The names of the checkers that are left out if the slow ones are not asked for.
pub fn left_out(slow: bool) -> &'static [&'static str] {
    if slow { &[] } else { SLOW }
}

/// Runs the selected checks of those for which the bench has the programs, and tells what they were
/// made with.
///
/// # Errors
/// The bench cannot be prepared.
pub fn run(mut bench: Bench, arguments: &Arguments) -> Result<Conclusion> {
    if !arguments.list {
        bench.prepare()?;
        bench.owners.truths().for_each(|line| println!("{line}"));
        if !bench.left_out.is_empty() {
            println!("left out without --all: {}", bench.left_out.join(", "));
        }
        println!("checked by nobody: {}", unread(&bench.variants).join(", "));
    }
    let bench = Arc::new(bench);
    let mut trials = Vec::new();
    for checker in CHECKERS.iter().filter(|checker| !bench.left_out.contains(&checker.name)) {
        for variant in &bench.variants {
            if checker.service.is_none_or(|service| variant.has(service)) {
                let (bench, name) = (Arc::clone(&bench), variant.name);
                let title = format!("{}::{name}", checker.name);
                trials.push(trial(title, move |title| (checker.check)(&bench.case(title, name)?)));
            }
        }
        for control in checker.controls {
            let bench = Arc::clone(&bench);
            let title = format!("{}::refuses_{}", checker.name, control.name);
            trials.push(trial(title, move |title| refuses(&bench, title, checker, control)));
        }
    }
    // Traefik wants the ports that it has on the box.
    let arguments = Arguments { test_threads: Some(1), ..arguments.clone() };
    Ok(libtest_mimic::run(&arguments, trials))
}

fn trial(title: String, body: impl FnOnce(&str) -> Result<()> + Send + 'static) -> Trial {
    let name = title.clone();
    Trial::test(title, move || body(&name).map_err(|error| Failed::from(format!("{error:#}"))))
}

fn refuses(bench: &Bench, title: &str, checker: &Checker, control: &Control) -> Result<()> {
    let has = |variant: &&Variant| checker.service.is_none_or(|service| variant.has(service));
    let variants = || bench.variants.iter().filter(has);
    let whole = variants().find(|variant| variant.name == WHOLE).or_else(|| variants().next());
    let whole = whole.with_context(|| format!("no variant has what {} checks", checker.name))?;
    let case = bench.case(title, whole.name)?;
    case.written.spoil(control.path, control.from, control.to)?;
    let Err(error) = (checker.check)(&case) else {
        bail!("{} with `{}` was accepted", control.path, control.to);
    };
    let said = format!("{error:#}");
    ensure!(said.contains(control.says), "it was refused for another reason: {said}");
    Ok(())
}

/// Files that no checker reads, below `/opt/stacks`: formats without a checker, and secrets, which
/// are left out.
fn unread(variants: &[Variant]) -> Vec<String> {
    let is_read = |path: &str| {
        path.contains("/secrets/")
            || CHECKERS.iter().flat_map(|checker| checker.reads).any(|end| path.ends_with(end))
    };
    let paths: BTreeSet<&str> = variants.iter().flat_map(Variant::paths).collect();
    let start = format!("{}/", model::paths::STACKS);
    let short = |path: &str| path.strip_prefix(&start).unwrap_or(path).to_owned();
    paths.into_iter().filter(|path| !is_read(path)).map(short).collect()
}
