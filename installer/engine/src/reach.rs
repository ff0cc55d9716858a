//! Small looks at the machine that several places need.

use host::authority::Certificate;

use crate::{failure::Result, scene::Scene};

/// SHA-256 fingerprint of the box's own authority, if it is used and exists.
pub(crate) fn fingerprint(scene: &Scene<'_>) -> Result<Option<String>> {
    match scene.authority()? {
        Some(pem) => Ok(Some(Certificate::parse(&pem)?.fingerprint)),
        None => Ok(None),
    }
}
