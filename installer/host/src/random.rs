//! The kernel's randomness.

use model::Secret;

use crate::{HostError, Result};

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Random bytes.
///
/// # Errors
/// The kernel refused, which it does not on any kernel that boots Debian.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| HostError::Other(format!("no randomness from the kernel: {error}")))?;
    Ok(bytes)
}

/// So many characters of `A–Z a–z 0–9`, each equally likely (5.95 bits each).
///
/// # Errors
/// Those of [`bytes`].
pub fn alphanumeric(length: usize) -> Result<Secret> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        text.extend(bytes::<64>()?.into_iter().filter_map(letter).take(length - text.len()));
    }
    Ok(Secret::new(text))
}

/// So many digits of `0–9 a–f`.
///
/// # Errors
/// Those of [`bytes`].
pub fn hexadecimal(length: usize) -> Result<Secret> {
    let mut text = String::with_capacity(length + 64);
    while text.len() < length {
        text += &hex::encode(bytes::<32>()?);
    }
    text.truncate(length);
    Ok(Secret::new(text))
}

/// 248 is the largest multiple of 62 in a byte; what lies above would make the first eight letters
/// likelier, so it is thrown away.
fn letter(byte: u8) -> Option<char> {
    (byte < 248).then(|| char::from(ALPHABET[usize::from(byte % 62)]))
}

/// A version 4 UUID, lower case with hyphens.
///
/// # Errors
/// Those of [`bytes`].
pub fn uuid() -> Result<String> {
    Ok(uuid::Builder::from_random_bytes(bytes()?).into_uuid().to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_letter_stands_for_four_bytes() {
        let mut counts = BTreeMap::new();
        for byte in 0..=255 {
            *counts.entry(letter(byte)).or_insert(0) += 1;
        }
        assert_eq!(counts.remove(&None), Some(8));
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }

    #[test]
    fn texts_have_their_length_and_differ() {
        let (one, two) = (alphanumeric(100).unwrap(), alphanumeric(100).unwrap());
        assert_eq!(one.reveal().len(), 100);
        assert!(one.reveal().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert!(one != two);
        assert_eq!(alphanumeric(0).unwrap().reveal(), "");
        let digits = hexadecimal(65).unwrap();
        assert_eq!(digits.reveal().len(), 65);
        assert!(digits.reveal().bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    }

    #[test]
    fn uuids_are_of_version_4() {
        let parsed = uuid::Uuid::parse_str(&uuid().unwrap()).unwrap();
        assert_eq!(parsed.get_version_num(), 4);
    }
}
