//! Password digests in the notations of the programs that read them.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use base64::{
    Engine as _,
    alphabet::Alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use model::{Secret, secret::Notation};
use sha2::Sha512;

use crate::{HostError, Result, random};

/// Authelia's default cost of argon2id: 64 MiB, 3 passes, 4 lanes, 32 bytes of key.
/// Its "recommended" profile takes 2 GiB for each login and is no option for a small box.
const ARGON2: (u32, u32, u32, usize) = (65_536, 3, 4, 32);
/// Authelia's default count for PBKDF2-SHA512.
const PBKDF2_ROUNDS: u32 = 310_000;
const PBKDF2_KEY: usize = 64;
/// qBittorrent's count for PBKDF2-SHA512 (`src/base/utils/password.cpp`).
const QBITTORRENT_ROUNDS: u32 = 100_000;
/// bcrypt's usual cost: a tenth of a second on a small machine.
const BCRYPT_COST: u32 = 10;

/// The digest of a password.
///
/// # Errors
/// No randomness, or no memory for it.
pub fn digest(password: &Secret, notation: Notation) -> Result<Secret> {
    match notation {
        Notation::Argon2id => argon2id(password),
        Notation::Pbkdf2Sha512 => pbkdf2_sha512(password),
        Notation::BcryptBase64 => {
            let hash = bcrypt::hash(password.reveal(), BCRYPT_COST).map_err(bad)?;
            Ok(Secret::new(STANDARD.encode(hash)))
        }
        Notation::QBittorrent => {
            let salt = random::bytes::<16>()?;
            let key = pbkdf2_key(password, &salt, QBITTORRENT_ROUNDS);
            Ok(Secret::new(format!("{}:{}", STANDARD.encode(salt), STANDARD.encode(key))))
        }
    }
}

/// Does a digest in this notation belong to the password? False also if it is none.
pub fn matches(password: &Secret, digest: &Secret, notation: Notation) -> bool {
    match notation {
        Notation::Argon2id => argon2_matches(password, digest),
        Notation::Pbkdf2Sha512 => pbkdf2_sha512_matches(password, digest),
        Notation::BcryptBase64 => STANDARD
            .decode(digest.reveal())
            .ok()
            .and_then(|text| String::from_utf8(text).ok())
            .is_some_and(|hash| bcrypt::verify(password.reveal(), &hash).unwrap_or(false)),
        Notation::QBittorrent => {
            let parts = digest.reveal().split_once(':');
            let decode = |text| STANDARD.decode(text).ok();
            parts.and_then(|(salt, key)| Some((decode(salt)?, decode(key)?))).is_some_and(
                |(salt, key)| pbkdf2_key(password, &salt, QBITTORRENT_ROUNDS)[..] == key[..],
            )
        }
    }
}

/// The argon2id digest as a PHC string: `$argon2id$v=19$m=65536,t=3,p=4$salt$key`.
///
/// # Errors
/// No randomness, or no 64 MiB of memory.
fn argon2id(password: &Secret) -> Result<Secret> {
    let (memory, passes, lanes, key) = ARGON2;
    let params = Params::new(memory, passes, lanes, Some(key)).map_err(bad)?;
    let salt = SaltString::encode_b64(&random::bytes::<16>()?).map_err(bad)?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.reveal().as_bytes(), &salt)
        .map_err(bad)?;
    Ok(Secret::new(hash.to_string()))
}

/// Does this PHC string of any argon2 variant belong to the password? False also if it is none.
fn argon2_matches(password: &Secret, phc: &Secret) -> bool {
    PasswordHash::new(phc.reveal()).is_ok_and(|hash| {
        Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok()
    })
}

/// The PBKDF2-SHA512 digest in Authelia's notation, `$pbkdf2-sha512$310000$salt$key`: that of
/// Python's passlib, whose base64 writes `.` for `+` and has no padding.
///
/// # Errors
/// No randomness.
fn pbkdf2_sha512(password: &Secret) -> Result<Secret> {
    let salt = random::bytes::<16>()?;
    let key = pbkdf2_key(password, &salt, PBKDF2_ROUNDS);
    let encoded = |bytes: &[u8]| adapted_base64().map(|base64| base64.encode(bytes));
    Ok(Secret::new(format!(
        "$pbkdf2-sha512${PBKDF2_ROUNDS}${}${}",
        encoded(&salt)?,
        encoded(&key)?
    )))
}

/// Does this digest, as [`pbkdf2_sha512`] writes it, belong to the password?
fn pbkdf2_sha512_matches(password: &Secret, digest: &Secret) -> bool {
    let fields: Vec<&str> = digest.reveal().split('$').collect();
    let ["", "pbkdf2-sha512", rounds, salt, key] = fields[..] else { return false };
    let Ok(base64) = adapted_base64() else { return false };
    let (Ok(rounds), Ok(salt), Ok(key)) = (rounds.parse(), base64.decode(salt), base64.decode(key))
    else {
        return false;
    };
    // The digest is ours and on our disk: nobody can measure how long this comparison takes.
    pbkdf2_key(password, &salt, rounds)[..] == key[..]
}

fn pbkdf2_key(password: &Secret, salt: &[u8], rounds: u32) -> [u8; PBKDF2_KEY] {
    pbkdf2::pbkdf2_hmac_array::<Sha512, PBKDF2_KEY>(password.reveal().as_bytes(), salt, rounds)
}

fn adapted_base64() -> Result<GeneralPurpose> {
    let alphabet =
        Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./")
            .map_err(bad)?;
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone);
    Ok(GeneralPurpose::new(&alphabet, config))
}

fn bad(error: impl std::fmt::Display) -> HostError {
    HostError::Other(format!("cannot compute a password digest: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argon2id_has_authelias_cost_and_verifies() {
        let (right, wrong) = (Secret::new("correct horse"), Secret::new("correct horse "));
        let hash = argon2id(&right).unwrap();
        assert!(hash.reveal().starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{}", hash.reveal());
        let fields: Vec<usize> = hash.reveal().split('$').skip(4).map(str::len).collect();
        assert_eq!(fields, [22, 43], "16 bytes of salt, 32 of key, without padding");
        assert!(argon2_matches(&right, &hash));
        assert!(!argon2_matches(&wrong, &hash));
        assert!(!argon2_matches(&right, &Secret::new("nonsense")));
    }

    #[test]
    fn each_notation_verifies_its_own_digests_only() {
        let all = [
            (Notation::Argon2id, "$argon2id$"),
            (Notation::Pbkdf2Sha512, "$pbkdf2-sha512$"),
            (Notation::BcryptBase64, "JDJi"),
            (Notation::QBittorrent, ""),
        ];
        let (right, wrong) = (Secret::new("correct horse"), Secret::new("wrong"));
        for (notation, begin) in all {
            let hash = digest(&right, notation).unwrap();
            assert!(hash.reveal().starts_with(begin), "{notation:?}: {}", hash.reveal());
            for (other, _) in all {
                assert_eq!(matches(&right, &hash, other), other == notation, "{other:?}");
            }
            assert!(!matches(&wrong, &hash, notation), "{notation:?}");
        }
    }

    /// From qBittorrent's own documentation of the password `adminadmin`.
    #[test]
    fn qbittorrents_published_digest_verifies() {
        let digest = "ARQ77eY1NUZaQsuDHbIMCA==:0WMRkYTUWVT9wVvdDtHAjU9b3b7uB8NR1Gur2hmQCvCDpm39Q+PsJRJPaCU51dEiz+dTzh8qbPsL8WkFljQYFQ==";
        let matches =
            |text: &str| matches(&Secret::new(text), &Secret::new(digest), Notation::QBittorrent);
        assert!(matches("adminadmin"));
        assert!(!matches("admin"));
    }

    #[test]
    fn pbkdf2_verifies() {
        let (right, wrong) = (Secret::new("correct horse"), Secret::new("wrong"));
        let digest = pbkdf2_sha512(&right).unwrap();
        assert!(digest.reveal().starts_with("$pbkdf2-sha512$310000$"), "{}", digest.reveal());
        let fields: Vec<usize> = digest.reveal().split('$').skip(3).map(str::len).collect();
        assert_eq!(fields, [22, 86], "16 bytes of salt, 64 of key, without padding");
        assert!(pbkdf2_sha512_matches(&right, &digest));
        assert!(!pbkdf2_sha512_matches(&wrong, &digest));
        assert!(!pbkdf2_sha512_matches(&right, &Secret::new("$pbkdf2-sha512$1$$")));
    }
}
