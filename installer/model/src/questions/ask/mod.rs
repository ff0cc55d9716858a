//! The sections of the graph, in the order in which they are asked.

mod candidates;
mod disks;
mod domain;
mod install;
mod keep;
mod owner;
mod stacks;
mod storage;
mod vpn;

pub(super) use disks::ENCRYPT;
pub(super) use install::STAY;

use super::{Question, walk::Walk};
use crate::seed::rules::{self, Refused};

/// Asks everything.
pub(super) fn everything(walk: &mut Walk<'_>) {
    owner::system(walk);
    owner::admin(walk);
    domain::domain(walk);
    install::install(walk);
    storage::storage(walk);
    vpn::vpn(walk);
    stacks::stacks(walk);
    keep::backup(walk);
    keep::notifications(walk);
}

/// The rule of a key of the seed, for [`Question::each`].
fn key(path: &'static str) -> impl Fn(&str) -> Result<String, Refused> {
    move |text| rules::value(path, text).map(|()| text.to_owned())
}

/// The same for an answer that may be empty.
fn key_or_empty(path: &'static str) -> impl Fn(&str) -> Result<String, Refused> {
    move |text| if text.is_empty() { Ok(String::new()) } else { key(path)(text) }
}

/// The mail address of the admin, asked for where something needs it, and once only.
fn email(walk: &mut Walk<'_>, why: &str) {
    if walk.said.has("admin.email") {
        return;
    }
    let question = Question::new("admin.email", "Mail address", super::Kind::Text)
        .asks(format!("Your mail address? {why}"))
        .help(
            "It is also the address of your account in the single sign-on. Nothing else is sent \
             there, and nobody outside learns of it but the authority that vouches for the name.",
        )
        .each(key("admin.email"));
    walk.text(question);
}
