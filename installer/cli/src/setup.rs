//! `setup`: the questions of a box that is not installed, at the terminal that one is logged in to.

use std::{
    io::{self, ErrorKind, IsTerminal as _},
    path::PathBuf,
};

use engine::Journal;
use host::Host;
use model::paths;

use crate::{command_line::say, day_two::need_root, door, failure::Failure, sealing};

/// Brings this terminal to the installer, which asks there.
///
/// # Errors
/// The box is installed already, this is no terminal, or the installer does not run.
pub fn setup(host: &Host) -> Result<u8, Failure> {
    need_root("setup")?;
    not_installed(host)?;
    let terminal = terminal()?;
    let term = std::env::var("TERM").unwrap_or_default();
    say("The setup comes to this terminal. Ctrl-C takes it away from here.\n");
    if let Err(error) = door::call(host, &terminal, &term) {
        return Err(no_answer(&error));
    }
    if sealing::sealed(host)?.is_none() {
        say("Nothing was changed. The answers so far are kept: `homelab setup` goes on.\n");
    }
    Ok(0)
}

/// Whoever is set up already is changed by other means.
fn not_installed(host: &Host) -> Result<(), Failure> {
    let journal = Journal::load(host).ok().flatten();
    match journal.is_some_and(|journal| journal.complete) {
        false => Ok(()),
        true => Err(Failure::machine(
            "this box is set up already",
            format!(
                "edit `{}`, see by `sudo homelab plan` what that leads to, then run `sudo homelab \
                 apply`",
                paths::SEED
            ),
        )),
    }
}

fn terminal() -> Result<PathBuf, Failure> {
    let found = io::stdin().is_terminal().then(|| nix::unistd::ttyname(io::stdin()).ok()).flatten();
    found.ok_or_else(|| {
        Failure::machine(
            "there is no terminal at which questions could be asked",
            "run it at a console or in a login shell; over SSH with `ssh -t`",
        )
    })
}

fn no_answer(error: &io::Error) -> Failure {
    let what = match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            "the installer does not run".to_owned()
        }
        _ => format!("the installer does not answer: {error}"),
    };
    Failure::machine(
        what,
        "`systemctl restart --no-block homelab-install` starts it, `journalctl -u homelab-install` \
         has its last words",
    )
}

#[cfg(test)]
mod tests {
    use model::{
        Digest,
        plan::{FORMAT, Plan},
    };

    use super::*;
    use crate::testing::host_in;

    #[test]
    fn an_installed_box_is_not_set_up_again_and_says_what_to_do_instead() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        assert!(not_installed(&host).is_ok());
        let plan = Plan {
            format: FORMAT,
            seed: Digest::of("s"),
            catalogue: Digest::of("c"),
            steps: Vec::new(),
        };
        let mut journal = Journal::new(&plan, host.clock.now());
        journal.save(&host).unwrap();
        assert!(not_installed(&host).is_ok(), "one that is half-way can still be changed");
        journal.complete = true;
        journal.save(&host).unwrap();
        assert_eq!(
            not_installed(&host).unwrap_err().text(),
            "error: this box is set up already\nhint: edit `/etc/homelab/seed.toml`, see by `sudo \
             homelab plan` what that leads to, then run `sudo homelab apply`\n"
        );
    }

    #[test]
    fn an_installer_that_does_not_run_is_named_with_the_way_out() {
        let text = no_answer(&io::Error::from(ErrorKind::NotFound)).text();
        assert!(text.starts_with("error: the installer does not run\nhint: `systemctl restart"));
        assert_eq!(no_answer(&io::Error::other("x")).exit(), 3);
    }
}
