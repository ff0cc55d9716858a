//! `${NAME}` in Compose files: filled in from the seed when a stack is rendered.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde_yaml_ng::Value;

use super::{Deployment, backup};
use crate::seed::VpnProtocol;

/// All names that can be used.
pub const NAMES: [&str; 15] = [
    "DOMAIN",
    "PORTAL",
    "HOSTNAME",
    "TZ",
    "ADMIN",
    "ADMIN_EMAIL",
    "DUCKDNS_NAME",
    "VPN_PROVIDER",
    "VPN_TYPE",
    "WIREGUARD_ADDRESSES",
    "LOCALE",
    "LAN_ADDRESS",
    "DATA",
    "BACKUPS",
    "AUTHORITIES",
];

// Compose's own forms with a default (`${NAME:-x}`) and its escape (`$$`) are left to Compose.
static PLAIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}").ok());

/// Names with their values.
pub(super) type Values = BTreeMap<&'static str, String>;

/// The values for one box.
pub(super) fn values(deployment: &Deployment<'_>) -> Values {
    let seed = deployment.seed;
    let domain = &seed.domain.name;
    let vpn = seed.vpn.as_ref();
    let (kind, addresses) = match vpn.map(|vpn| &vpn.protocol) {
        Some(VpnProtocol::Wireguard { addresses, .. }) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            ("wireguard", addresses.join(","))
        }
        Some(VpnProtocol::Openvpn { .. }) => ("openvpn", String::new()),
        None => ("", String::new()),
    };
    let duckdns = domain.strip_suffix(".duckdns.org").unwrap_or(domain);
    BTreeMap::from([
        ("DOMAIN", domain.clone()),
        ("PORTAL", format!("{}.{domain}", super::PORTAL)),
        ("HOSTNAME", seed.system.hostname.clone()),
        ("TZ", seed.system.timezone.clone()),
        ("ADMIN", seed.admin.name.clone()),
        ("ADMIN_EMAIL", seed.admin.email.clone()),
        ("DUCKDNS_NAME", duckdns.rsplit('.').next().unwrap_or(duckdns).to_owned()),
        ("VPN_PROVIDER", vpn.map(|vpn| vpn.provider.clone()).unwrap_or_default()),
        ("VPN_TYPE", kind.to_owned()),
        ("WIREGUARD_ADDRESSES", addresses),
        ("LOCALE", seed.system.locale.clone()),
        ("LAN_ADDRESS", deployment.lan_address().map(|ip| ip.to_string()).unwrap_or_default()),
        ("DATA", deployment.data().to_owned()),
        ("BACKUPS", backup::place(&seed.backup)),
        ("AUTHORITIES", deployment.authorities()),
    ])
}

/// Names of the variables that a text uses.
pub fn used(text: &str) -> Vec<String> {
    let Some(pattern) = PLAIN.as_ref() else { return Vec::new() };
    pattern.captures_iter(text).filter_map(|c| Some(c.get(1)?.as_str().to_owned())).collect()
}

/// Puts the values in place of the variables, in all texts below `value`.
pub(super) fn fill(value: &mut Value, values: &Values) {
    match value {
        Value::String(text) => {
            if let Some(pattern) = PLAIN.as_ref() {
                let filled = pattern.replace_all(text, |found: &regex::Captures<'_>| {
                    let whole = found.get(0).map_or("", |m| m.as_str());
                    let name = found.get(1).map_or("", |m| m.as_str());
                    // A dollar in the value would be a variable again for Compose.
                    values.get(name).map_or(whole.to_owned(), |value| value.replace('$', "$$"))
                });
                *text = filled.into_owned();
            }
        }
        Value::Sequence(list) => list.iter_mut().for_each(|value| fill(value, values)),
        Value::Mapping(map) => map.values_mut().for_each(|value| fill(value, values)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plain_form_is_ours() {
        let values = BTreeMap::from([("DOMAIN", "a$b".to_owned())]);
        let mut value = Value::from("x ${DOMAIN} $${DOMAIN} ${DOMAIN:-y} $DOMAIN ${OTHER}");
        fill(&mut value, &values);
        assert_eq!(value, Value::from("x a$$b $${DOMAIN} ${DOMAIN:-y} $DOMAIN ${OTHER}"));
        assert_eq!(used("${A} $${B} ${C:-d} ${E}"), ["A", "E"]);
    }
}
