//! Password digests in the notations that Authelia reads.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use base64::{
    Engine as _,
    alphabet::Alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use model::Secret;
use sha2::Sha512;

use crate::{HostError, Result, random};

/// Authelia's default cost of argon2id: 64 MiB, 3 passes, 4 lanes, 32 bytes of key.
/// Its "recommended" profile takes 2 GiB for each login and is no option for a small box.
const ARGON2: (u32, u32, u32, usize) = (65_536, 3, 4, 32);
/// Authelia's default count for PBKDF2-SHA512.
const PBKDF2_ROUNDS: u32 = 310_000;
const PBKDF2_KEY: usize = 64;

/// The argon2id digest as a PHC string: `$argon2id$v=19$m=65536,t=3,p=4$salt$key`.
///
/// # Errors
/// No randomness, or no 64 MiB of memory.
pub fn argon2id(password: &Secret) -> Result<Secret> {
    let (memory, passes, lanes, key) = ARGON2;
    let params = Params::new(memory, passes, lanes, Some(key)).map_err(bad)?;
    let salt = SaltString::encode_b64(&random::bytes::<16>()?).map_err(bad)?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.reveal().as_bytes(), &salt)
        .map_err(bad)?;
    Ok(Secret::new(hash.to_string()))
}

/// Does this PHC string of any argon2 variant belong to the password? False also if it is none.
pub fn argon2_matches(password: &Secret, phc: &Secret) -> bool {
    PasswordHash::new(phc.reveal()).is_ok_and(|hash| {
        Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok()
    })
}

/// The PBKDF2-SHA512 digest in Authelia's notation, `$pbkdf2-sha512$310000$salt$key`: that of
/// Python's passlib, whose base64 writes `.` for `+` and has no padding.
///
/// # Errors
/// No randomness.
pub fn pbkdf2_sha512(password: &Secret) -> Result<Secret> {
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
pub fn pbkdf2_sha512_matches(password: &Secret, digest: &Secret) -> bool {
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
