//! The machine tests: the built image in QEMU, driven and judged from outside.
//!
//! ```text
//! qemu-tests run [FILTER]      scenarios on virtual machines, as `cargo test` would name them
//! qemu-tests checkers [FILTER] rendered files before the programs that read them
//! qemu-tests suite             every layer of tests, and their sum
//! ```
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a test program talks to its terminal and ends with a status"
)]

mod checkers;
mod command_line;
mod file_server;
mod fixtures;
mod guest;
mod installed;
mod machine;
mod program;
mod run;
mod scene;
mod seed;
mod stories;
mod suite;
mod tools;
mod world;

fn main() {
    match command_line::main() {
        Ok(status) => std::process::exit(status),
        Err(error) => {
            eprintln!("qemu-tests: {error:#}");
            std::process::exit(70);
        }
    }
}
