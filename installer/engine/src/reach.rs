//! Small looks at the machine that several places need.

use host::{Command, Host, authority::Certificate};
use serde_json::Value;

use crate::{
    failure::{Context as _, Result},
    scene::Scene,
};

/// Interfaces that containers bring: their addresses are nobody's way to the box.
const VIRTUAL: [&str; 4] = ["docker", "br-", "veth", "lo"];

/// Global addresses of the box's own ports, IPv4 first, without prefix lengths.
pub(crate) fn addresses(host: &Host) -> Result<Vec<String>> {
    let command = Command::new("ip").args(["-json", "address", "show", "scope", "global"]);
    let output = host.runner.run(&command)?;
    let value: Value =
        serde_json::from_str(&output.stdout).because(format!("`{command}` printed no JSON"), "")?;
    Ok(parse_addresses(&value))
}

fn parse_addresses(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for port in value.as_array().into_iter().flatten() {
        let name = port["ifname"].as_str().unwrap_or_default();
        if VIRTUAL.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        for address in port["addr_info"].as_array().into_iter().flatten() {
            // Privacy addresses of IPv6 change every day; nobody should write them down.
            if address["temporary"].as_bool() != Some(true) {
                found.extend(address["local"].as_str().map(str::to_owned));
            }
        }
    }
    found.sort_by_key(|address| address.contains(':'));
    found
}

/// SHA-256 fingerprint of the box's own authority, if it is used and exists.
pub(crate) fn fingerprint(scene: &Scene<'_>) -> Result<Option<String>> {
    match scene.authority()? {
        Some(pem) => Ok(Some(Certificate::parse(&pem)?.fingerprint)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_and_privacy_addresses_are_left_out() {
        let value = serde_json::json!([
            {"ifname": "enp1s0", "addr_info": [
                {"family": "inet6", "local": "fd00:99::5", "prefixlen": 64},
                {"family": "inet6", "local": "fd00:99::77", "temporary": true},
                {"family": "inet", "local": "10.99.0.5", "prefixlen": 24}]},
            {},
            {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1"}]},
            {"ifname": "br-0123456789ab", "addr_info": [{"local": "172.18.0.1"}]}
        ]);
        assert_eq!(parse_addresses(&value), ["10.99.0.5", "fd00:99::5"]);
    }
}
