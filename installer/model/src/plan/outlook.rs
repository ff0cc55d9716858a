//! What a plan costs: an estimate for whoever is about to agree to it.

use super::{Action, Plan};
use crate::preflight::room;

/// A line of 50 Mbit/s in bytes a second, which is what half of the homes have at least.
const LINE: u64 = 50_000_000 / 8;
/// Images come packed; unpacked they take about three times as much.
const PACKED: u64 = 3;
/// Seconds that a stack takes to start, about.
const STACK: u64 = 40;

/// What is to be expected. Nothing depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// Images that are fetched.
    pub images: u64,
    /// Bytes that they take on the disk at most.
    pub bytes: u64,
    /// Seconds until the box is ready, with a line of 50 Mbit/s.
    pub seconds: u64,
}

impl Plan {
    /// What is to be expected if nothing of it is done yet.
    pub fn outlook(&self) -> Outlook {
        let mut outlook = Outlook { images: 0, bytes: 0, seconds: 0 };
        for step in &self.steps {
            match &step.action {
                Action::Images(images) => outlook.images += images.pulls.len() as u64,
                Action::Stack(_) => outlook.seconds += STACK,
                _ => {}
            }
        }
        outlook.bytes = room::space_for(outlook.images) - room::space_for(0);
        outlook.seconds += outlook.bytes / PACKED / LINE;
        outlook
    }
}
