//! Badness on the serial console: what fails a scenario whatever else it shows.

use regex::Regex;

/// The name of the one badness that is the kernel's own: see [`KernelOops`].
const OOPS: &str = "oops";

/// The guest's kernel, which is Debian's, stumbled under emulation. That says nothing about what
/// is tested, neither good nor bad, so the story may begin again.
#[derive(Debug)]
pub struct KernelOops(String);

impl std::fmt::Display for KernelOops {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for KernelOops {}

/// The error for badness of this name, with the console around it.
pub fn error(name: &str, console: &str) -> anyhow::Error {
    let text = format!("badness on the console ({name}){console}");
    if name == OOPS { KernelOops(text).into() } else { anyhow::Error::msg(text) }
}

/// Each pattern with a name, so that a scenario can exempt it by name.
const BAD: &[(&str, &str)] = &[
    ("panic", r"Kernel panic|panicked at"),
    (OOPS, r"\bOops:|general protection fault, probably|kernel BUG at|BUG: unable to handle"),
    ("segfault", r"segfault at|traps: \S+ general protection"),
    ("failed-unit", r"Failed to start|Dependency failed for"),
    ("ordering-cycle", r"ordering cycle"),
    ("out-of-memory", r"Out of memory:|oom-kill|invoked oom-killer"),
    ("file-system", r"EXT4-fs error|EXT4-fs \(.*\): error|Buffer I/O error"),
    ("emergency", r"emergency mode|emergency shell|\(initramfs\)"),
    ("hung-task", r"blocked for more than \d+ seconds"),
    ("stall", r"rcu.*detected stalls|soft lockup"),
    ("generator", r"systemd.*generator.* failed with exit"),
    ("boot-loader", r"grub rescue>|error: no such (device|partition)|error: unknown filesystem"),
];

/// Watches lines.
pub struct Watch {
    patterns: Vec<(&'static str, Regex)>,
    escapes: Regex,
}

impl Watch {
    /// Watches for everything but what is exempt.
    ///
    /// # Errors
    /// A pattern of ours is no regular expression.
    pub fn new(exempt: &[&str]) -> Result<Self, regex::Error> {
        let wanted = BAD.iter().filter(|(name, _)| !exempt.contains(name));
        let patterns = wanted.map(|(name, text)| Ok((*name, Regex::new(text)?)));
        Ok(Self {
            patterns: patterns.collect::<Result<_, regex::Error>>()?,
            escapes: Regex::new(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9])")?,
        })
    }

    /// The line as a person sees it: without terminal sequences.
    pub fn plain(&self, line: &str) -> String {
        self.escapes.replace_all(line, "").trim_end().to_owned()
    }

    /// The name of the first pattern that a plain line matches.
    pub fn badness(&self, line: &str) -> Option<&'static str> {
        self.patterns.iter().find(|(_, pattern)| pattern.is_match(line)).map(|(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_own_fault_is_an_oops() {
        let oops = error("oops", "\n  console: Oops: 0000 [#1]");
        assert_eq!(oops.to_string(), "badness on the console (oops)\n  console: Oops: 0000 [#1]");
        assert!(oops.context("install").is::<KernelOops>());
        assert!(!error("segfault", "").is::<KernelOops>());
    }

    #[test]
    fn every_pattern_compiles_and_finds_its_line() {
        let lines = [
            ("panic", "[    1.2] Kernel panic - not syncing: VFS"),
            ("panic", "thread 'main' panicked at installer/cli/src/main.rs:1:1:"),
            ("oops", "[    3.4] Oops: 0000 [#1] PREEMPT SMP"),
            ("oops", "[    3.4] general protection fault, probably for non-canonical address"),
            ("segfault", "[   50.1] homelab[411]: segfault at 0 ip 0000"),
            ("segfault", "traps: homelab[411] general protection fault ip:7f0 sp:7ff error:0"),
            ("failed-unit", "[FAILED] Failed to start docker.service - Docker."),
            ("failed-unit", "[DEPEND] Dependency failed for local-fs.target"),
            ("ordering-cycle", "systemd[1]: a.service: Found ordering cycle on b.service/start"),
            ("out-of-memory", "[ 99.9] Out of memory: Killed process 733 (authelia)"),
            ("file-system", "[ 12.0] EXT4-fs error (device vda3): ext4_lookup:1"),
            ("emergency", "You are in emergency mode. After logging in"),
            ("hung-task", "INFO: task homelab:411 blocked for more than 120 seconds."),
            ("stall", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"),
            ("boot-loader", "grub rescue> "),
        ];
        let watch = Watch::new(&[]).unwrap();
        assert_eq!(watch.patterns.len(), BAD.len());
        for (name, line) in lines {
            assert_eq!(watch.badness(line), Some(name), "{line}");
        }
        assert_eq!(watch.badness("[  OK  ] Started ssh.service - OpenBSD Secure Shell"), None);
        assert_eq!(watch.badness("Mounting EXT4-fs (vda3): mounted filesystem r/w"), None);
    }

    #[test]
    fn exemptions_are_by_name() {
        let watch = Watch::new(&["failed-unit"]).unwrap();
        assert_eq!(watch.badness("[FAILED] Failed to start x"), None);
    }

    #[test]
    fn terminal_sequences_do_not_hide_badness() {
        let watch = Watch::new(&[]).unwrap();
        let line =
            watch.plain("[\x1b[0;1;31mFAILED\x1b[0m] Failed \x1b[mto start \x1b[0;1mx\x1b[0m\r");
        assert_eq!(line, "[FAILED] Failed to start x");
        assert_eq!(watch.badness(&line), Some("failed-unit"));
    }
}
