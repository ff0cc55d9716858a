//! `stack start`: what the unit of a stack that needs volumes runs when they are there.

use std::time::Duration;

use engine::{Context, Journal};
use host::Host;
use model::render::stack_mark;

use crate::{
    command_line::{VERSION, say},
    day_two::{Notes, need_root},
    failure::Failure,
    lock,
};

/// Between two tries to get the lock.
const LOOK: Duration = Duration::from_secs(1);

/// Brings a stack up if its volumes are there; 4 if they are not, so that systemd tries again.
///
/// # Errors
/// The journal cannot be read, there is no such stack, or nothing of it runs in the end.
pub fn start(host: &Host, name: &str) -> Result<u8, Failure> {
    need_root("stack start")?;
    let Some(_lock) = lock_or_leave(host, name)? else { return Ok(0) };
    let journal = Journal::load(host)
        .map_err(|trouble| Failure::machine(trouble.to_string(), trouble.hint()))?;
    let Some(journal) = journal else { return Ok(0) };
    let context = Context::new(host.clone(), VERSION);
    match engine::start_stack(&journal.plan, &context, name, &mut Notes) {
        Ok(None) => Ok(0),
        Ok(Some(reason)) => {
            say(&format!("{name} is held: {reason}\n"));
            Ok(4)
        }
        Err(failure) => {
            let containers = host.containers.project(name)?;
            if !containers.iter().any(|container| container.running) {
                return Err(failure.into());
            }
            // Part of it runs and writes, so its volumes are watched; `status` tells of the rest.
            say(&Failure::from(failure).text());
            Ok(0)
        }
    }
}

/// The lock; none: whoever has it is at this very stack, has found its volumes and does the rest.
fn lock_or_leave(host: &Host, name: &str) -> Result<Option<lock::Lock>, Failure> {
    let mark = host.path(stack_mark(name));
    loop {
        match lock::take(host, "stack start") {
            Ok(lock) => return Ok(Some(lock)),
            Err(lock::Busy::Held { .. }) if mark.exists() => return Ok(None),
            Err(lock::Busy::Held { .. }) => host.clock.sleep(LOOK),
            Err(broken) => return Err(Failure::machine(broken.to_string(), "")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host_in;

    #[test]
    fn who_is_at_work_and_has_found_the_volume_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        std::fs::create_dir_all(host.path("/run/homelab/stacks")).unwrap();
        let held = lock::take(&host, "apply").unwrap();
        std::fs::write(host.path("/run/homelab/stacks/media"), "").unwrap();
        assert!(lock_or_leave(&host, "media").unwrap_or_default().is_none());
        drop(held);
        assert!(lock_or_leave(&host, "media").unwrap_or_default().is_some());
    }
}
