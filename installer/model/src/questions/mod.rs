//! The questions that lead to a seed: one graph for the console of a box, its serial port, an SSH
//! login and a PC. It knows no terminal, reads nothing and writes nothing.
//!
//! ```text
//! World + Answers --walk--> the first question without an answer --> a face asks it
//!            ^                                                              |
//!            +------------------ Interview::answer -------------------------+
//! no question is open --> seed_text --> the same parser as for a seed written by hand
//! ```
//!
//! The graph is straight code ([`ask`]): each section asks, and looks at the answer to know what to
//! ask next. After the first open question it goes on with defaults, so that the length of the way
//! is known. An answer that no longer fits, because an earlier one was changed, is asked again.
//! [`Answers`] can be written to a file of root's and read back, so a power cut costs no typing.

mod answers;
mod ask;
mod interview;
mod mounted;
pub mod password;
mod prefill;
mod question;
mod seed_text;
mod walk;
mod world;

pub use answers::{Answers, BadAnswers, Id, Value};
pub use interview::{Asked, Interview, SummaryLine};
pub use prefill::prefill;
pub use question::{Choice, Kind, Offer, Question};
pub use seed_text::seed_text;
pub use walk::Said;
pub use world::{Place, World};
