//! A running box as its owner reaches it: over SSH, and with a browser.

pub mod ports;
pub mod ssh;
pub mod web;

pub use ssh::{Key, Ssh};
pub use web::Browser;
