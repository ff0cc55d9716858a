//! systemd, as far as steps need it.

use std::time::Duration;

use crate::{Command, Result, Runner};

/// Starting a unit may take as long as its own time limit; beyond this systemd itself hangs.
const PATIENCE: Duration = Duration::from_secs(600);

fn systemctl(runner: &dyn Runner, words: &[&str]) -> Result<String> {
    let command = Command::new("systemctl").args(words).timeout(PATIENCE);
    Ok(runner.run(&command)?.stdout)
}

/// Reads unit files anew.
///
/// # Errors
/// systemd refused.
pub fn daemon_reload(runner: &dyn Runner) -> Result<()> {
    systemctl(runner, &["daemon-reload"]).map(drop)
}

/// The unit starts at boot from now on. Does not start it now.
///
/// # Errors
/// There is no such unit, or it has no `[Install]` section.
pub fn enable(runner: &dyn Runner, unit: &str) -> Result<()> {
    systemctl(runner, &["enable", unit]).map(drop)
}

/// The unit starts with what its present file says, and with nothing that an earlier one said.
///
/// # Errors
/// There is no such unit, or it has no `[Install]` section.
pub fn reenable(runner: &dyn Runner, unit: &str) -> Result<()> {
    systemctl(runner, &["reenable", unit]).map(drop)
}

/// The unit no longer starts at boot.
///
/// # Errors
/// There is no such unit.
pub fn disable(runner: &dyn Runner, unit: &str) -> Result<()> {
    systemctl(runner, &["disable", unit]).map(drop)
}

/// Starts the unit and waits until it runs.
///
/// # Errors
/// It failed.
pub fn start(runner: &dyn Runner, unit: &str) -> Result<()> {
    systemctl(runner, &["start", unit]).map(drop)
}

/// Stops the unit and waits until it is gone.
///
/// # Errors
/// There is no such unit.
pub fn stop(runner: &dyn Runner, unit: &str) -> Result<()> {
    systemctl(runner, &["stop", unit]).map(drop)
}

/// Restarts the unit and waits until it runs.
///
/// # Errors
/// It failed.
pub fn restart(runner: &dyn Runner, unit: &str) -> Result<()> {
    systemctl(runner, &["restart", unit]).map(drop)
}

/// Reloads the unit if it can, restarts it otherwise.
///
/// # Errors
/// It failed.
pub fn reload_or_restart(runner: &dyn Runner, unit: &str) -> Result<()> {
    systemctl(runner, &["reload-or-restart", unit]).map(drop)
}

/// Does the unit run?
///
/// # Errors
/// systemd does not answer.
pub fn is_active(runner: &dyn Runner, unit: &str) -> Result<bool> {
    // `is-active` exits with 3 for "no", which is no failure; `show` tells it apart from one.
    Ok(property(runner, unit, "ActiveState")? == "active")
}

/// Does the unit start at boot? Also true for one that is started without being enabled
/// (`static`, `generated`).
///
/// # Errors
/// systemd does not answer.
pub fn is_enabled(runner: &dyn Runner, unit: &str) -> Result<bool> {
    let state = property(runner, unit, "UnitFileState")?;
    Ok(["enabled", "enabled-runtime", "static", "generated", "alias", "indirect"]
        .contains(&state.as_str()))
}

/// A property of a unit; empty if there is no such unit or property.
///
/// # Errors
/// systemd does not answer.
pub fn property(runner: &dyn Runner, unit: &str, name: &str) -> Result<String> {
    let words = ["show", "--value", &format!("--property={name}"), unit];
    Ok(systemctl(runner, &words)?.trim_end().to_owned())
}

/// Names of the units that failed, sorted.
///
/// # Errors
/// systemd does not answer.
pub fn failed(runner: &dyn Runner) -> Result<Vec<String>> {
    let words = ["list-units", "--state=failed", "--all", "--plain", "--no-legend", "--full"];
    let mut units: Vec<String> = systemctl(runner, &words)?
        .lines()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    units.sort_unstable();
    Ok(units)
}

/// A path as a part of a unit's name, as `systemd-escape --path` makes it.
pub fn escape_path(path: &str) -> String {
    let mut escaped = String::new();
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    for (index, byte) in words.join("/").bytes().enumerate() {
        match byte {
            b'/' => escaped.push('-'),
            b'.' if index == 0 => escaped.push_str("\\x2e"),
            b':' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("\\x{other:02x}")),
        }
    }
    if escaped.is_empty() { "-".to_owned() } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::ScriptedRunner;

    #[test]
    fn states_are_read_from_properties() {
        let runner = ScriptedRunner::default();
        let show = |unit, property, value| {
            runner.answer(["systemctl", "show", "--value", property, unit], value);
        };
        show("docker.service", "--property=ActiveState", "active\n");
        show("ufw.service", "--property=ActiveState", "activating\n");
        show("docker.service", "--property=UnitFileState", "enabled\n");
        show("ufw.service", "--property=UnitFileState", "disabled\n");
        assert!(is_active(&runner, "docker.service").unwrap());
        assert!(!is_active(&runner, "ufw.service").unwrap());
        assert!(is_enabled(&runner, "docker.service").unwrap());
        assert!(!is_enabled(&runner, "ufw.service").unwrap());
        assert!(!is_enabled(&runner, "no-such.service").unwrap());
    }

    #[test]
    fn paths_are_escaped_as_systemd_does() {
        // From `systemd-escape --path`.
        for (path, name) in [
            ("/mnt/media", "mnt-media"),
            ("/", "-"),
            ("/dev/disk/by-uuid/0b1e-99", "dev-disk-by\\x2duuid-0b1e\\x2d99"),
            ("/.hidden/a b", "\\x2ehidden-a\\x20b"),
        ] {
            assert_eq!(escape_path(path), name, "{path}");
        }
    }

    #[test]
    fn failed_units_are_listed() {
        let runner = ScriptedRunner::default();
        runner.answer(
            ["systemctl", "list-units", "--state=failed"],
            "ufw.service loaded failed failed Uncomplicated firewall\n\
             mnt-media.mount loaded failed failed /mnt/media\n",
        );
        assert_eq!(failed(&runner).unwrap(), ["mnt-media.mount", "ufw.service"]);
    }
}
