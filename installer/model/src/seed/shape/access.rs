//! Passwords, hashes and keys. Nothing here repeats a secret in what it says.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::super::reader::Wrong;

/// Fewest characters of the admin's password.
const SHORTEST: usize = 10;

/// The admin's password: it is typed at consoles and handed to `chpasswd` as one line.
pub(in super::super) fn password(text: &str) -> Result<(), Wrong> {
    plain_secret(text)?;
    let count = text.chars().count();
    if count < SHORTEST {
        let what = format!("the password has {count} characters, at least {SHORTEST} are needed");
        return Err(Wrong::new(what, "three or four random words are strong and easy to type"));
    }
    if text.chars().collect::<std::collections::BTreeSet<char>>().len() == 1 {
        let what = "the password is one character over and over";
        return Err(Wrong::new(what, "three or four random words are strong and easy to type"));
    }
    Ok(())
}

/// A secret of one line.
pub(in super::super) fn plain_secret(text: &str) -> Result<(), Wrong> {
    if text.chars().any(char::is_control) {
        let what = "the secret has a line break or a control character in it";
        return Err(Wrong::new(what, "write it in one line, without tabs"));
    }
    if text.trim() != text {
        let what = "the secret begins or ends with a blank";
        return Err(Wrong::new(what, "take the blank away; it was most likely pasted along"));
    }
    if text.len() > 1024 {
        let what = "the secret is longer than 1024 bytes";
        return Err(Wrong::new(what, "take a shorter one"));
    }
    Ok(())
}

/// `./0-9A-Za-z`, the alphabet of crypt(5).
fn is_crypt(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
}

/// yescrypt (`$y$parameters$salt$hash`) or SHA-512 (`$6$[rounds=n$]salt$hash`), as crypt(5) has it.
pub(in super::super) fn crypt_hash(text: &str) -> Result<(), Wrong> {
    let parts: Vec<&str> = text.split('$').collect();
    let good = match parts.as_slice() {
        ["", "y", parameters, salt, hash] => {
            !parameters.is_empty()
                && is_crypt(parameters)
                && (1..=86).contains(&salt.len())
                && is_crypt(salt)
                && hash.len() == 43
                && is_crypt(hash)
        }
        ["", "6", rest @ .., salt, hash] => {
            let rounds = match rest {
                [] => true,
                [rounds] => rounds.strip_prefix("rounds=").is_some_and(|n| {
                    (4..=9).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit())
                }),
                _ => false,
            };
            let salted = (1..=16).contains(&salt.len()) && is_crypt(salt);
            rounds && salted && hash.len() == 86 && is_crypt(hash)
        }
        _ => false,
    };
    good.then_some(()).ok_or_else(|| {
        let what = "this is no crypt(5) hash of yescrypt (`$y$…`) or SHA-512 (`$6$…`)";
        Wrong::new(what, "make one with `mkpasswd --method=yescrypt`")
    })
}

/// An argon2id PHC string: `$argon2id$v=19$m=65536,t=3,p=4$salt$hash`.
pub(in super::super) fn argon2id(text: &str) -> Result<(), Wrong> {
    let parts: Vec<&str> = text.split('$').collect();
    let base64 = |text: &str, least: usize| {
        text.len() >= least
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
    };
    let good = match parts.as_slice() {
        ["", "argon2id", "v=19", costs, salt, hash] => {
            let costs: Vec<&str> = costs.split(',').collect();
            let number = |text: &str, name: &str| {
                text.strip_prefix(name).is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n > 0))
            };
            let costs = match costs.as_slice() {
                [m, t, p] => number(m, "m=") && number(t, "t=") && number(p, "p="),
                _ => false,
            };
            // 8 bytes of salt and 16 of hash are the least that argon2 takes and anybody uses.
            costs && base64(salt, 11) && base64(hash, 22)
        }
        _ => false,
    };
    good.then_some(()).ok_or_else(|| {
        let way_out = "one is `$argon2id$v=19$m=…,t=…,p=…$salt$hash`; \
                       make it with `authelia crypto hash generate argon2`";
        Wrong::new("this is no argon2id hash", way_out)
    })
}

/// Key types of OpenSSH with the number of fields that their public half has (RFC 4253 section
/// 6.6, RFC 5656, RFC 8709, and PROTOCOL.u2f of OpenSSH for `sk-`).
const SSH_TYPES: &[(&str, usize)] = &[
    ("ssh-ed25519", 2),
    ("ssh-rsa", 3),
    ("ecdsa-sha2-nistp256", 3),
    ("ecdsa-sha2-nistp384", 3),
    ("ecdsa-sha2-nistp521", 3),
    ("sk-ssh-ed25519@openssh.com", 3),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 4),
];

/// One line of an OpenSSH `.pub` file: type, base64, comment.
pub(in super::super) fn ssh_key(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        let what = "this is a private key; it must never leave your computer";
        return Err(Wrong::new(what, "write the line of the file that ends in `.pub`"));
    }
    if text.chars().any(char::is_control) {
        let what = "this is more than one line";
        return Err(Wrong::new(what, "write one key an entry"));
    }
    let mut words = text.split_whitespace();
    let (kind, blob) = (words.next().unwrap_or_default(), words.next());
    let Some((_, fields)) = SSH_TYPES.iter().find(|(known, _)| *known == kind) else {
        let way_out = "write the line of your `.pub` file: `ssh-ed25519 AAAA… name`";
        return Err(match kind {
            "ssh-dss" => Wrong::new(
                "`ssh-dss` keys are no longer taken by OpenSSH",
                "make a new one with `ssh-keygen -t ed25519`",
            ),
            _ if SSH_TYPES.iter().any(|(known, _)| text.contains(&format!("{known} "))) => {
                Wrong::new("this key has options before its type", way_out)
            }
            _ => Wrong::new("this does not begin with a type of SSH key", way_out),
        });
    };
    let Some(bytes) = blob.and_then(|blob| STANDARD.decode(blob).ok()) else {
        let what = format!("what follows `{kind}` is not base64");
        return Err(Wrong::new(what, "copy the whole line of your `.pub` file"));
    };
    let parts = ssh_fields(&bytes);
    let inner = parts.as_ref().and_then(|parts| parts.first().copied());
    match (inner, &parts) {
        (Some(inner), _) if inner != kind.as_bytes() => {
            let what = match std::str::from_utf8(inner) {
                Ok(name) if name.len() < 64 && name.bytes().all(|b| b.is_ascii_graphic()) => {
                    format!("the key says that it is `{name}`, not `{kind}`")
                }
                _ => format!("what follows `{kind}` is no key of that type"),
            };
            Err(Wrong::new(what, "copy the whole line of your `.pub` file"))
        }
        (Some(_), Some(parts))
            if parts.len() == *fields
                && (kind != "ssh-ed25519" || parts[1].len() == 32)
                && parts.iter().all(|part| !part.is_empty()) =>
        {
            Ok(text.to_owned())
        }
        _ => {
            let what = format!("the `{kind}` key is cut off or damaged");
            Err(Wrong::new(what, "copy the whole line of your `.pub` file"))
        }
    }
}

/// The length-prefixed fields of a key; none unless they fill the bytes exactly.
fn ssh_fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        fields.push(field);
        bytes = rest;
    }
    Some(fields)
}

/// 32 bytes in base64: 44 characters.
pub(in super::super) fn wireguard_key(text: &str) -> Result<(), Wrong> {
    let good = text.len() == 44 && STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
    good.then_some(()).ok_or_else(|| {
        let what = "this is no WireGuard private key, which is 32 bytes as 44 characters of base64";
        Wrong::new(what, "copy `PrivateKey` from the provider's configuration file")
    })
}

/// PEM text with at least one certificate and no private key.
pub(in super::super) fn pem_certificate(text: &str) -> Result<(), Wrong> {
    if text.contains("PRIVATE KEY-----") {
        let what = "this has a private key in it; only the certificate is wanted";
        return Err(Wrong::new(what, "take the block with `PRIVATE KEY` away"));
    }
    let certificates = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies: Vec<Option<&str>> = certificates
        .map(|rest| rest.split_once("-----END CERTIFICATE-----").map(|(body, _)| body))
        .collect();
    let decodes = |body: &Option<&str>| {
        body.is_some_and(|body| {
            let body: String = body.split_whitespace().collect();
            // A DER certificate is a SEQUENCE: its first byte is 0x30.
            STANDARD.decode(body).is_ok_and(|der| der.first() == Some(&0x30))
        })
    };
    (!bodies.is_empty() && bodies.iter().all(decodes)).then_some(()).ok_or_else(|| {
        let what = "this is no certificate in PEM (`-----BEGIN CERTIFICATE-----`)";
        Wrong::new(what, "write the PEM between `\"\"\"`, or `{ file = \"…\" }`")
    })
}
