//! `homelab-image`: builds, seeds and runs the disk image.
//!
//! Exit codes: 0 done, 2 an input is wrong, 3 this machine cannot do it, 4 a step failed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its terminal")]

mod artefact;
mod bench;
mod build;
mod cache;
mod check;
mod command_line;
mod debian;
mod error;
mod ext4;
mod flash;
mod grub;
mod identifiers;
mod layout;
mod leftovers;
mod lock;
mod manifest;
mod map;
mod pack;
mod prerequisites;
mod progress;
mod recipe;
mod run;
mod seed;
mod simulate;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command_line::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("{error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                text = format!("{text}: {next}");
                cause = next.source();
            }
            eprintln!("error: {text}");
            ExitCode::from(error.exit_code())
        }
    }
}
