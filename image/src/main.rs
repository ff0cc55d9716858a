//! `homelab-image`: builds, seeds and runs the disk image.
#![allow(dead_code)]
mod error;
mod fat;
mod identifiers;
mod layout;
mod recipe;
mod tree;
mod window;
fn main() {}
