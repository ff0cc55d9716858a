//! Time-based one-time codes (RFC 6238), as an app on a phone makes them.

use model::Secret;
use totp_rs::TOTP;

use crate::{HostError, Result};

/// The code of this moment, in seconds since the epoch. `uri` is an `otpauth://totp/…`, whose
/// secret, digits, period and algorithm count.
///
/// # Errors
/// It is no such URI.
pub fn code(uri: &Secret, epoch: i64) -> Result<Secret> {
    // The library's error could repeat the secret.
    let wrong = |_| HostError::Other("this is no otpauth URI of a one-time code".to_owned());
    // Not checked: an issuer of any length is as good, and only the login service chose it.
    let codes = TOTP::from_url_unchecked(uri.reveal()).map_err(wrong)?;
    Ok(Secret::new(codes.generate(u64::try_from(epoch).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 6238, appendix B, with six of their eight digits.
    #[test]
    fn the_published_vectors() {
        let uri = Secret::new(
            "otpauth://totp/homelab.home.arpa:homelab-access-admin?algorithm=SHA1&digits=6\
             &issuer=homelab.home.arpa&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        );
        for (epoch, expected) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(code(&uri, epoch).unwrap().reveal(), expected);
        }
    }

    #[test]
    fn nonsense_is_refused_without_repeating_it() {
        let error = code(&Secret::new("otpauth://hotp/x?secret=hunter2"), 0).unwrap_err();
        assert_eq!(error.to_string(), "this is no otpauth URI of a one-time code");
    }
}
