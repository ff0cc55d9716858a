//! RSA keys.

use model::Secret;
use rsa::{
    RsaPrivateKey,
    pkcs8::{EncodePrivateKey as _, LineEnding},
    rand_core::{CryptoRng, Error as RandomError, RngCore},
};

use crate::{HostError, Result};

/// A new RSA private key of so many bits, PKCS#8 PEM. 4096 bits take seconds.
///
/// # Errors
/// No randomness, or fewer bits than make a key.
pub fn rsa(bits: usize) -> Result<Secret> {
    let bad = |error: String| HostError::Other(format!("cannot make an RSA key: {error}"));
    let key = RsaPrivateKey::new(&mut Kernel, bits).map_err(|error| bad(error.to_string()))?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| bad(error.to_string()))?;
    Ok(Secret::new(pem.as_str()))
}

/// The kernel's randomness for crates that ask by `rand_core` 0.6.
struct Kernel;

impl CryptoRng for Kernel {}

impl RngCore for Kernel {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    /// The interface knows no error here. A kernel that refuses randomness after boot does not
    /// exist, and a predictable key would be worse than a stop.
    fn fill_bytes(&mut self, destination: &mut [u8]) {
        if let Err(error) = getrandom::fill(destination) {
            panic!("no randomness from the kernel: {error}");
        }
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), RandomError> {
        self.fill_bytes(destination);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rsa::{pkcs8::DecodePrivateKey as _, traits::PublicKeyParts as _};

    use super::*;

    #[test]
    fn a_key_is_pkcs8_pem_of_the_asked_size() {
        let pem = rsa(2048).unwrap();
        assert!(pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let key = RsaPrivateKey::from_pkcs8_pem(pem.reveal()).unwrap();
        assert_eq!(key.size() * 8, 2048);
        key.validate().unwrap();
    }
}
