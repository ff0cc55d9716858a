//! Drives a plan through the host: check, guard, apply, verify.
//!
//! ```text
//! Plan --prepare--> the plan to carry out --run--> Report
//!                        |                   \--> Events to a Sink
//!                    the journal
//! ```
//!
//! [`prepare`] decides between a new plan and one that was cut off, [`run`] carries it out,
//! [`verify`] only looks, [`publish`] puts the report where people find it. What each step does
//! stands in `steps`, one file each; how they are strung together in `run`. [`matrix::measure`]
//! asks every URL as every kind of visitor, [`copy_disk`] fills a disk that takes another one's place.

pub mod context;
pub mod failure;
mod hold;
pub mod journal;
pub mod matrix;
pub mod preflight;
mod publish;
mod reach;
mod redact;
mod replace;
mod run;
mod scene;
pub mod sink;
mod stacks;
pub mod state;
mod steps;

pub use context::{Context, Folder, Medium};
pub use failure::{Failure, Trouble};
pub use journal::{Journal, prepare};
pub use preflight::Preflight;
pub use publish::publish;
pub use replace::copy_disk;
pub use run::{renew, run, verify};
pub use sink::{Fan, JsonLines, Listener, Silence, Sink};
pub use stacks::{
    can_go_on, down, held, is_astray, rejoin, start_stack, start_stacks, stop_stacks,
};
