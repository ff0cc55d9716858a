//! The one mapping from a seed to the names of its secrets.

use super::{AdminPassword, Certificate, MountSource, SecretSource, Seed, VpnProtocol};
use crate::secret::SecretRef;

impl Seed {
    /// Every secret of the seed with the name that it has on the box and in plans.
    ///
    /// `smb-<n>-password` counts the mounts from 1, in the order of [`Seed::mounts`].
    pub fn secrets(&self) -> Vec<(SecretRef, &SecretSource)> {
        let mut all: Vec<(String, &SecretSource)> = Vec::new();
        match &self.admin.password {
            AdminPassword::Plain(source) => all.push(("admin-password".into(), source)),
            AdminPassword::Hashes { linux, sso } => {
                all.push(("admin-linux-hash".into(), linux));
                all.push(("admin-sso-hash".into(), sso));
            }
        }
        for (variable, source) in self.domain.dns.iter().flat_map(|dns| &dns.credentials) {
            all.push((dns_secret(variable), source));
        }
        if let Certificate::Acme { root_ca: Some(source), .. } = &self.domain.certificate {
            all.push(("acme-root-ca".into(), source));
        }
        for (index, mount) in self.mounts.iter().enumerate() {
            if let MountSource::Smb { password: Some(source), .. } = &mount.source {
                all.push((format!("smb-{}-password", index + 1), source));
            }
        }
        match self.vpn.as_ref().map(|vpn| &vpn.protocol) {
            Some(VpnProtocol::Wireguard { private_key, .. }) => {
                all.push(("vpn-private-key".into(), private_key));
            }
            Some(VpnProtocol::Openvpn { user, password }) => {
                all.push(("vpn-user".into(), user));
                all.push(("vpn-password".into(), password));
            }
            None => {}
        }
        all.extend(self.images.mirror_ca.iter().map(|source| ("mirror-ca".into(), source)));
        let smtp = self.notifications.smtp.as_ref().and_then(|smtp| smtp.password.as_ref());
        all.extend(smtp.map(|source| ("smtp-password".into(), source)));
        let ntfy = self.notifications.ntfy.as_ref().and_then(|ntfy| ntfy.token.as_ref());
        all.extend(ntfy.map(|source| ("ntfy-token".into(), source)));
        all.push(("backup-password".into(), &self.backup.password));
        all.into_iter().map(|(name, source)| (SecretRef::new(name), source)).collect()
    }
}

/// `DUCKDNS_TOKEN` → `dns-duckdns-token`
fn dns_secret(variable: &str) -> String {
    format!("dns-{}", variable.to_lowercase().replace('_', "-"))
}
