//! Which secrets must exist, and how each is made.

use std::collections::BTreeMap;

use super::{SecretMaking, SecretWish};
use crate::{
    catalogue::wish::SecretSourceWish,
    render::{Deployment, Rendered, oidc_secret, oidc_secret_hash},
    secret::{Notation, SecretRef, placeholders},
    seed::{AdminPassword, SecretSource, Seed},
};

/// Characters of a password that is made on the box and typed by a person.
const GENERATED: usize = 24;
/// Characters of a secret between an OpenID Connect client and its provider.
const OIDC: usize = 64;

/// Wishes for every secret that something on the box reads, in order of making: a hash after what
/// it is made from, otherwise by name. Secrets of the seed that nothing reads stay where they are.
pub(super) fn secrets(
    seed: &Seed,
    deployment: &Deployment<'_>,
    rendered: &Rendered,
    named: &[SecretRef],
) -> Vec<SecretWish> {
    let of_seed: BTreeMap<SecretRef, &SecretSource> = seed.secrets().into_iter().collect();
    let of_stacks: BTreeMap<SecretRef, &SecretSourceWish> = deployment
        .stacks
        .iter()
        .flat_map(|(stack, _)| &stack.wish.secrets)
        .map(|(name, source)| (SecretRef::new(name), source))
        .collect();
    let hashes: BTreeMap<SecretRef, SecretRef> = deployment
        .oidc_clients()
        .map(|client| (oidc_secret_hash(&client.name), oidc_secret(&client.name)))
        .collect();
    let mut wanted: Vec<SecretRef> = named.to_vec();
    for file in rendered.files.iter().chain(&rendered.initial) {
        wanted.extend(placeholders(&file.text));
    }
    let mut wishes: BTreeMap<SecretRef, SecretMaking> = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if wishes.contains_key(&name) {
            continue;
        }
        let plain = matches!(seed.admin.password, AdminPassword::Plain(_));
        let making = if name.0 == "admin-sso-hash" && plain {
            let password = SecretRef::new("admin-password");
            wanted.push(password.clone());
            SecretMaking::Digest { of: password, notation: Notation::Argon2id }
        } else if let Some(source) = of_seed.get(&name) {
            match source {
                SecretSource::Generate => SecretMaking::Random { length: GENERATED },
                _ => SecretMaking::Seed,
            }
        } else if let Some(client) = hashes.get(&name) {
            wanted.push(client.clone());
            SecretMaking::Digest { of: client.clone(), notation: Notation::Pbkdf2Sha512 }
        } else if hashes.values().any(|client| *client == name) {
            SecretMaking::Random { length: OIDC }
        } else {
            match of_stacks.get(&name) {
                Some(SecretSourceWish::Random(length)) => SecretMaking::Random { length: *length },
                Some(SecretSourceWish::Hex(length)) => SecretMaking::Hex { length: *length },
                Some(SecretSourceWish::Rsa(bits)) => SecretMaking::RsaKey { bits: *bits },
                Some(SecretSourceWish::Digest { of, notation }) => {
                    let of = SecretRef::new(of);
                    wanted.push(of.clone());
                    SecretMaking::Digest { of, notation: *notation }
                }
                Some(SecretSourceWish::Seed(_) | SecretSourceWish::Same(_)) | None => {
                    SecretMaking::Seed
                }
            }
        };
        wishes.insert(name, making);
    }
    let (hashed, plain): (Vec<_>, Vec<_>) =
        wishes.into_iter().partition(|(_, making)| matches!(making, SecretMaking::Digest { .. }));
    plain.into_iter().chain(hashed).map(|(name, source)| SecretWish { name, source }).collect()
}
