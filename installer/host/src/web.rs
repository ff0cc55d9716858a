//! Asks URLs of the box itself, through its proxy.

use std::net::IpAddr;

use crate::Result;

/// Asks URLs.
pub trait Web: Send + Sync {
    /// GET without cookies, redirects not followed.
    ///
    /// # Errors
    /// No connection, or TLS does not verify.
    fn get(&self, question: &Question) -> Result<Answer>;
}

/// What to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// URL; its host name is not looked up.
    pub url: String,
    /// The address that is connected to.
    pub connect: IpAddr,
    /// PEM of the only authority that is trusted; none: the system's.
    pub authority: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, if any.
    pub location: Option<String>,
    /// The first 4 KiB of the body.
    pub body: String,
}
