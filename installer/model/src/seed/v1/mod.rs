//! Schema 1: the sections, one file for each group, and the checks across them.
//!
//! When a schema 2 comes, this folder and its table of keys are frozen, and [`parse`] gets an
//! upgrade of what it returns; seeds of schema 1 are read for ever.

mod access;
mod across;
mod domain;
mod network;
mod services;
mod storage;

pub(super) use across::is_private;
pub(super) use domain::issuer;

use toml::de::DeTable;

use super::{
    Seed,
    conform::Conform,
    reader::{Sink, Table},
};
use crate::Digest;

/// Reads the tree. `None` when something is wrong: it has been recorded.
pub(super) fn parse(tree: &DeTable<'_>, digest: Digest, sink: &Sink) -> Option<Seed> {
    Conform { sink }.table("", tree, None);
    let root = Table::root(tree, sink);
    let system = access::system(&root.table("system"));
    let domain = domain::domain(&root, system.as_ref());
    let admin = access::admin(&root.table("admin"), domain.as_ref());
    let interfaces = network::interfaces(&root.table("network"));
    let ssh_from = network::ssh_from(&root.table("firewall"));
    let mounts = storage::mounts(&root.table("storage"));
    let install = storage::install(&root.table("install"));
    let vpn = services::vpn(&root.table("vpn"));
    let stacks = services::stacks(&root.table("stacks"));
    let images = services::images(&root.table("images"));
    let notifications = services::notifications(&root.table("notifications"), admin.as_ref());
    let backup = services::backup(&root.table("backup"));
    across::check(&root);
    Some(Seed {
        digest,
        system: system?,
        admin: admin?,
        domain: domain?,
        interfaces: interfaces?,
        ssh_from: ssh_from?,
        mounts: mounts?,
        install: install?,
        vpn: vpn?,
        stacks: stacks?,
        images: images?,
        notifications: notifications?,
        backup: backup?,
    })
}

/// Records every text that stands in a list twice.
fn twice<T: PartialEq>(
    table: &Table<'_>,
    list: &[super::reader::At<T>],
    what: impl Fn(&T) -> String,
) {
    for (index, item) in list.iter().enumerate() {
        if list[..index].iter().any(|other| other.value == item.value) {
            let what = format!("{} is listed twice", what(&item.value));
            table.sink().push(Some(item.place.clone()), what, "take one of them away");
        }
    }
}
