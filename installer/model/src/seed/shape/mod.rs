//! What a single text must look like. Each check turns a text into a checked value or says what
//! is wrong with it and the way out; where it stood and under which key is the reader's business.

mod access;
mod disk;
mod names;
mod net;
mod time;

pub(super) use access::{
    argon2id, crypt_hash, password, pem_certificate, plain_secret, ssh_key, wireguard_key,
};
pub(super) use disk::{remote, repository, selector, serial, wipe_matches};
pub(super) use names::{
    domain, email, environment_variable, host_label, image_or_artefact, keyboard, locale, provider,
    share_user, stack_name, timezone, user_name, vpn_provider,
};
pub(super) use net::{
    address, directory, interface, ip, mirror, network, ntfy_url, server_and_port,
};
pub(super) use time::schedule;
