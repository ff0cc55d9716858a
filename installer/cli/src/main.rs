//! The installer and every day-2 command of the box.
//!
//! Exit codes: 0 done, 2 the seed is wrong, 3 the machine cannot do it, 4 a step failed, 64 the
//! command line is wrong, 70 a bug.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its terminal")]

mod access;
mod auth;
mod command_line;
mod day_two;
mod disk;
mod door;
mod export;
mod failure;
mod first_boot;
mod inputs;
mod kernel_line;
mod keyboard;
mod lock;
mod machine;
mod port;
mod preflight;
mod recovery;
mod sealing;
mod secrets;
mod setup;
mod sources;
mod stack;
mod status;
mod talk;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

/// What a panic exits with.
const BUG: u8 = 70;

fn main() -> ExitCode {
    let exit = std::panic::catch_unwind(command_line::main).unwrap_or_else(|_| {
        eprintln!("this is a bug in the installer: please report it with the lines above");
        BUG
    });
    ExitCode::from(exit)
}
