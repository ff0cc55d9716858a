//! What can be asked of this program.

#[cfg(test)]
mod page;

use std::{
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use clap::{Parser, Subcommand};
use host::Host;
use terminal::card::{Next, stopped};

use crate::{
    access, auth, day_two, disk, export, failure::Failure, first_boot, machine::System, preflight,
    recovery, setup, stack, status, talk::Talk,
};

/// The installer's version, for reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Parser)]
#[command(name = "homelab", about = "Brings this box to what its seed says", version)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show what `apply` would do; changes nothing
    Plan {
        /// Another seed than the box's own
        #[arg(long)]
        seed: Option<PathBuf>,
        /// The plan as JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring the box to what its seed says; a second time changes nothing
    Apply(day_two::Apply),
    /// Answer the questions of a box that is not installed, at this terminal
    Setup,
    /// Look whether everything holds; changes nothing
    Verify {
        /// The report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Look whether machine and network give what a seed needs; changes nothing
    Preflight {
        /// Another seed than the box's own
        #[arg(long)]
        seed: Option<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what is there and whether it is well
    Status {
        /// Show what memory the services were counted with, may take and have
        #[arg(long)]
        memory: bool,
        /// Show the start page as a QR code; `ascii` is for terminals without Unicode
        #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true,
              default_missing_value = "auto", conflicts_with_all = ["memory", "json"])]
        qr: Option<status::Qr>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask every address as every kind of visitor: who may see what, and who can
    Access {
        /// Wake services that sleep, to ask them too
        #[arg(long)]
        wake: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The disks: which there are, how they are, and how one is added
    #[command(subcommand)]
    Disk(disk::Disk),
    /// Who can log in: users, passwords and one-time codes
    #[command(subcommand)]
    Auth(auth::Auth),
    /// Show what the last run did
    Report {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the seed that rebuilds this box, its secrets by reference
    ExportSeed {
        /// Save it to this folder or stick, such as /dev/sdb1, instead of printing it
        #[arg(long, value_name = "PLACE")]
        to: Option<PathBuf>,
        /// Save its secrets beside it, in clear
        #[arg(long, requires = "to")]
        with_secrets: bool,
    },
    /// Print or save what is needed after a total loss; it holds secrets
    RecoverySheet {
        /// Save it to this folder or stick, such as /dev/sdb1, instead of printing it
        #[arg(long, value_name = "PLACE")]
        to: Option<PathBuf>,
    },
    /// Print the box's certificate authority, to be trusted by your devices
    Authority,
    /// Install on first boot, check on later ones; run by homelab-install.service
    #[command(hide = true)]
    Install,
    /// Renew the certificate of the box's own authority; run by homelab-renew.timer
    #[command(hide = true)]
    Renew,
    /// Give services their network again when the container that it belongs to was started anew;
    /// run by homelab-rejoin.service
    #[command(hide = true)]
    Rejoin,
    /// Stacks, one by one; run by their units
    #[command(hide = true, subcommand)]
    Stack(Stack),
}

#[derive(Subcommand)]
enum Stack {
    /// Bring a stack up if the volumes that it needs are there; run by homelab-stack-NAME.service.
    /// Without a name, all that could not be brought up at the start of the box, until they are; run
    /// by homelab-start.service
    Start {
        /// Its name
        name: Option<String>,
    },
    /// Stop all of them, when the box goes off; run by homelab-stop.service
    Stop,
}

/// What a wrong command line exits with: 2, which is usual, is the wrong seed's.
const USAGE: u8 = 64;

/// Reads the command line and does what it says; the exit status.
pub fn main() -> u8 {
    let verb = match CommandLine::try_parse() {
        Ok(line) => line.verb,
        Err(told) => {
            // Help goes to standard output, mistakes to standard error; either may be closed.
            let _ = told.print();
            return if told.use_stderr() { USAGE } else { 0 };
        }
    };
    let host = match Host::system() {
        Ok(host) => host,
        Err(error) => return told(Err(error.into())),
    };
    told(match verb {
        Verb::Plan { seed, json } => day_two::plan(&host, seed.as_deref(), json),
        Verb::Apply(options) => day_two::apply(&host, &options),
        Verb::Setup => setup::setup(&host),
        Verb::Verify { json } => day_two::verify(&host, json),
        Verb::Preflight { seed, json } => preflight::preflight(&host, seed.as_deref(), json),
        Verb::Status { qr: Some(form), .. } => status::qr(&host, form),
        Verb::Status { memory: true, json, .. } => status::memory(&host, json),
        Verb::Status { memory: false, json, .. } => status::status(&host, json),
        Verb::Access { wake, json } => access::access(&host, wake, json),
        Verb::Disk(asked) => disk::disk(&host, asked),
        Verb::Auth(asked) => auth::auth(&host, asked),
        Verb::Report { json } => status::report(&host, json),
        Verb::ExportSeed { to, with_secrets } => export::export(&host, to.as_deref(), with_secrets),
        Verb::RecoverySheet { to } => recovery::recovery(&host, to.as_deref()),
        Verb::Authority => status::authority(&host),
        Verb::Install => Ok(install(host)),
        Verb::Renew => day_two::renew(&host),
        Verb::Rejoin => day_two::rejoin(&host),
        Verb::Stack(Stack::Start { name: Some(name) }) => stack::start(&host, &name),
        Verb::Stack(Stack::Start { name: None }) => stack::start_again(&host),
        Verb::Stack(Stack::Stop) => stack::stop_all(&host),
    })
}

fn install(host: Host) -> u8 {
    let mut talk = Talk::on(&host, Box::new(std::io::stdout()));
    let machine = System::new(host);
    let install = || first_boot::install(&machine, &mut talk, VERSION);
    let exit = catch_unwind(AssertUnwindSafe(install)).unwrap_or_else(|_| {
        // The panic itself went to the journal. Whoever looks at a console must not be left with
        // a login that says nothing.
        let bug = Failure::bug("the installer stopped by a mistake of its own", Vec::new());
        talk.say(&stopped(&bug.stop(), Next::Apply));
        bug.exit()
    });
    talk.close();
    exit
}

/// Says a text on standard output, which may be closed: `homelab report | head`.
pub fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn told(result: Result<u8, Failure>) -> u8 {
    result.unwrap_or_else(|failure| {
        eprint!("{}", failure.text());
        failure.exit()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_page_tells_every_command_and_option() {
        let differences = page::differences(&CommandLine::command());
        assert!(differences.is_empty(), "docs/src/reference/cli.md:\n{}", differences.join("\n"));
    }
}
