//! What the questions depend on besides the answers.

use crate::{catalogue::Catalogue, facts::Facts};

/// Where the questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the box itself: its disks are known.
    Box,
    /// On a PC: of the box nothing is known but what its owner says.
    Pc,
}

/// What is known before the first question.
#[derive(Debug, Clone)]
pub struct World<'a> {
    /// Where we are.
    pub place: Place,
    /// What can be deployed.
    pub catalogue: &'a Catalogue,
    /// The machine; on a PC nothing but its memory.
    pub facts: Facts,
    /// Whether the memory of `facts` is true. If not, nothing is refused for want of it.
    pub memory_known: bool,
    /// All time zones, where a list of them is at hand; empty: any that looks like one is taken.
    pub timezones: Vec<String>,
    /// The time zone to begin with, where one can be guessed: on the box what its network says, on
    /// a PC the PC's own. It counts only if it would be taken as an answer.
    pub timezone: Option<String>,
    /// The keyboard to begin with, where one can be guessed.
    pub keyboard: Option<String>,
    /// Whether disks can be formatted: [`crate::plan::FORMATS`].
    pub formats: bool,
}

impl<'a> World<'a> {
    /// On the box.
    pub fn of_box(catalogue: &'a Catalogue, facts: Facts) -> Self {
        Self {
            place: Place::Box,
            catalogue,
            facts,
            memory_known: true,
            timezones: Vec::new(),
            timezone: None,
            keyboard: None,
            formats: crate::plan::FORMATS,
        }
    }

    /// On a PC, for a box with so many bytes of memory, if its owner knows.
    pub fn of_pc(catalogue: &'a Catalogue, memory: Option<u64>) -> Self {
        let facts = Facts::of_memory(memory.unwrap_or(u64::MAX));
        Self { place: Place::Pc, memory_known: memory.is_some(), ..Self::of_box(catalogue, facts) }
    }
}
