//! The checks that are one call of a program which looks at its files and ends.

use std::{os::unix::fs::symlink, path::Path};

use anyhow::{Context, Result, ensure};
use model::paths::STACKS;

use super::{bench::Case, root::Root};
use crate::{fixtures::owners::COMPOSE, program::Program};

/// Docker Compose reads every stack, and has nothing to say about any.
pub fn compose(case: &Case<'_>) -> Result<()> {
    let root = Root::plain(case.folder.join("compose"));
    lend_libraries(case, &root)?;
    root.bind(&case.written.at(STACKS), STACKS)?;
    root.bind(Path::new("/dev/null"), "/dev/null")?;
    for stack in case.variant.stacks() {
        let said =
            root.run(&[COMPOSE, "--project-directory", &stack.folder, "config", "--quiet"])?;
        ensure!(said.stderr.is_empty(), "{}: {}", stack.name, said.stderr);
    }
    Ok(())
}

/// Authelia reads its configuration, with its templates and secrets.
pub fn authelia(case: &Case<'_>) -> Result<()> {
    let said = Container::of(case, "core", "authelia", "authelia")?.run(&["config", "validate"])?;
    ensure!(said.contains("successfully without errors"), "{said}");
    ensure!(!said.to_lowercase().contains("warning"), "{said}");
    Ok(())
}

/// Prometheus's own tool reads the configuration, the rules that it names, and what they mean.
pub fn prometheus(case: &Case<'_>) -> Result<()> {
    let container = Container::of(case, "monitoring", "prometheus", "promtool")?;
    let files = [("config", "prometheus.yml"), ("rules", "rules/homelab.yml")];
    for (kind, file) in files {
        let path = format!("/etc/prometheus/{file}");
        container.run(&["check", kind, "--lint=all", "--lint-fatal", &path])?;
    }
    Ok(())
}

/// Alertmanager's own tool reads its configuration.
pub fn alertmanager(case: &Case<'_>) -> Result<()> {
    let container = Container::of(case, "monitoring", "alertmanager", "amtool")?;
    container.run(&["check-config", "/etc/alertmanager/alertmanager.yml"]).map(drop)
}

/// Loki itself reads its configuration and ends.
pub fn loki(case: &Case<'_>) -> Result<()> {
    let container = Container::of(case, "monitoring", "loki", "loki")?;
    container.run(&["-verify-config", "-config.file=/etc/loki/config.yaml"]).map(drop)
}

/// Alloy's parser reads its configuration, and its printer would print the same.
pub fn alloy(case: &Case<'_>) -> Result<()> {
    let container = Container::of(case, "monitoring", "alloy", "alloy")?;
    container.run(&["fmt", "--test", "/etc/alloy/config.alloy"]).map(drop)
}

/// Promtail itself reads its configuration and ends. It does not look whether it can do what it reads.
pub fn promtail(case: &Case<'_>) -> Result<()> {
    let container = Container::of(case, "monitoring", "promtail", "promtail")?;
    // It is not static: it opens the journal's library while it runs.
    lend_libraries(case, &container.root)?;
    container.run(&["-check-syntax", "-config.file=/etc/promtail/promtail.yaml"]).map(drop)
}

/// Docker Compose and the C library that it is linked to: the box's own.
fn lend_libraries(case: &Case<'_>, root: &Root) -> Result<()> {
    root.bind(&case.owners.compose.join("usr"), "/usr")?;
    for folder in ["lib", "lib64"] {
        symlink(format!("usr/{folder}"), root.at(folder)).context("cannot make a link")?;
    }
    Ok(())
}

/// The shell reads every script: Debian's, but the scripts keep to the words that every shell knows.
pub fn shell(case: &Case<'_>) -> Result<()> {
    for script in case.written.files.iter().filter(|path| path.ends_with(".sh")) {
        Program::new("sh").arg("-n").arg(case.written.at(script)).run()?;
    }
    Ok(())
}

/// A program in what the container of a service sees.
struct Container {
    root: Root,
    program: String,
}

impl Container {
    fn of(case: &Case<'_>, stack: &str, service: &str, program: &str) -> Result<Self> {
        let root = Root::of(&case.written, stack, service, case.folder.join(service))?;
        let at = format!("/checker/{program}");
        root.bind(&case.owners.program(program)?.program, &at)?;
        Ok(Self { root, program: at })
    }

    /// What it says on both streams.
    fn run(&self, words: &[&str]) -> Result<String> {
        let said = self.root.run(&[&[self.program.as_str()], words].concat())?;
        Ok(said.stdout + &said.stderr)
    }
}
