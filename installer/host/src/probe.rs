//! The machine as facts.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use model::facts::{Facts, Firmware, NetworkPort};
use serde_json::Value;

use crate::{Command, Host, HostError, Result, crypt, disks, files};

/// Where the firmware says whether Secure Boot is enforced: four bytes of attributes, then 1.
const SECURE_BOOT: &str =
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Gathers what this machine has. Which artefacts lie on it is for whoever knows the catalogue.
///
/// # Errors
/// `/proc` or `/sys` cannot be read, or `lsblk` or `ip` failed.
pub fn facts(host: &Host) -> Result<Facts> {
    let run = |command: Command| host.runner.run(&command).map(|output| output.stdout);
    Ok(Facts {
        architecture: run(Command::new("uname").arg("-m"))?.trim().to_owned(),
        firmware: firmware(host)?,
        product: product(host)?,
        memory: memory(&files::read_text(host.path("/proc/meminfo"))?)?,
        processors: u32::try_from(processors(host)?).unwrap_or(1),
        disks: disks::disks(host)?,
        interfaces: interfaces(host)?,
        render_device: host.path("/dev/dri").exists(),
        render_group: render_group(host),
        tunnel_device: host.path("/dev/net/tun").exists(),
        tpm2: host.path(crypt::TPM).exists(),
        artefacts: Vec::new(),
        own_artefacts: Vec::new(),
        known: std::collections::BTreeMap::new(),
    })
}

/// How many logical processors this machine has, at least one.
///
/// # Errors
/// `/proc/cpuinfo` cannot be read.
pub fn processors(host: &Host) -> Result<usize> {
    let text = files::read_text(host.path("/proc/cpuinfo"))?;
    Ok(text.lines().filter(|line| line.starts_with("processor")).count().max(1))
}

/// Interfaces that containers bring: their addresses are nobody's way to the box.
const VIRTUAL: [&str; 4] = ["docker", "br-", "veth", "lo"];

/// Global addresses of the box's own ports, IPv4 first.
///
/// # Errors
/// `ip` failed.
pub fn addresses(host: &Host) -> Result<Vec<IpAddr>> {
    Ok(global(&json(host, &["-json", "address", "show", "scope", "global"])?))
}

/// Seconds after which the network has given an address, or gives none.
const PATIENCE: u32 = 30;
/// Seconds without another address after which no more come: IPv6's arrive seconds after IPv4's.
const QUIET: u32 = 4;

/// Waits until the network has given the box its addresses: at a start they may come later than the
/// first program. A box without a network has none in the end.
pub fn wait_for_addresses(host: &Host) {
    let mut before = Vec::new();
    let mut quiet = 0;
    for _ in 0..PATIENCE {
        // What fails here is told by whoever needs the answer.
        let now = addresses(host).unwrap_or_default();
        quiet = if now == before && !now.is_empty() { quiet + 1 } else { 0 };
        if quiet >= QUIET {
            return;
        }
        before = now;
        host.clock.sleep(Duration::from_secs(1));
    }
}

fn global(ports: &Value) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for port in ports.as_array().into_iter().flatten() {
        let name = port["ifname"].as_str().unwrap_or_default();
        if VIRTUAL.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        for address in port["addr_info"].as_array().into_iter().flatten() {
            // Privacy addresses of IPv6 change every day; nobody should write them down.
            if address["temporary"].as_bool() != Some(true) {
                found
                    .extend(address["local"].as_str().and_then(|text| text.parse::<IpAddr>().ok()));
            }
        }
    }
    found.sort_by_key(IpAddr::is_ipv6);
    found
}

/// What `ip` says.
fn json(host: &Host, words: &[&str]) -> Result<Value> {
    let command = Command::new("ip").args(words);
    let output = host.runner.run(&command)?;
    serde_json::from_str(&output.stdout)
        .map_err(|error| HostError::Other(format!("`{command}` printed no JSON: {error}")))
}

fn firmware(host: &Host) -> Result<Firmware> {
    if !host.path("/sys/firmware/efi").is_dir() {
        return Ok(Firmware::Bios);
    }
    let variable = files::read_optional(host.path(SECURE_BOOT))?;
    let enforced = variable.is_some_and(|bytes| bytes.get(4) == Some(&1));
    Ok(if enforced { Firmware::UefiSecureBoot } else { Firmware::Uefi })
}

fn product(host: &Host) -> Result<String> {
    let mut words = Vec::new();
    for name in ["sys_vendor", "product_name"] {
        let text = files::read_text_optional(host.path(format!("/sys/class/dmi/id/{name}")))?;
        words.extend(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()));
    }
    Ok(words.join(" "))
}

/// `MemTotal` in bytes.
fn memory(meminfo: &str) -> Result<u64> {
    let kib = meminfo.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kib.map(|kib| kib << 10)
        .ok_or_else(|| HostError::Other("`/proc/meminfo` does not tell MemTotal".to_owned()))
}

/// Ports that a cable or an antenna is behind: the kernel knows a device for them.
///
/// # Errors
/// `ip` failed.
pub fn interfaces(host: &Host) -> Result<Vec<NetworkPort>> {
    let mut routes = Vec::new();
    for family in ["-4", "-6"] {
        let found = json(host, &["-json", family, "route", "show", "default"])?;
        routes.extend(found.as_array().cloned().unwrap_or_default());
    }
    let addresses = json(host, &["-json", "address", "show"])?;
    let physical = |name: &str| host.path(format!("/sys/class/net/{name}/device")).exists();
    let ports = addresses.as_array().into_iter().flatten();
    Ok(ports
        .filter_map(|port| interface(host, port, &routes))
        .filter(|p| physical(&p.name))
        .collect())
}

fn interface(host: &Host, port: &Value, routes: &[Value]) -> Option<NetworkPort> {
    let name = port["ifname"].as_str()?;
    let of_port = routes.iter().filter(|route| route["dev"].as_str() == Some(name));
    let mut gateways: Vec<IpAddr> =
        of_port.filter_map(|route| route["gateway"].as_str()?.parse().ok()).collect();
    gateways.dedup();
    let addresses = port["addr_info"].as_array().into_iter().flatten().filter_map(|address| {
        let length = u8::try_from(address["prefixlen"].as_u64()?).ok()?;
        IpNet::new(address["local"].as_str()?.parse().ok()?, length).ok()
    });
    let flags = port["flags"].as_array().into_iter().flatten();
    Some(NetworkPort {
        name: name.to_owned(),
        mac: port["address"].as_str().unwrap_or_default().to_lowercase(),
        wired: !host.path(format!("/sys/class/net/{name}/wireless")).exists(),
        carrier: flags.clone().any(|flag| flag.as_str() == Some("LOWER_UP")),
        addresses: addresses.collect(),
        gateways,
    })
}

/// Group of the first device that renders without a screen.
fn render_group(host: &Host) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(host.path("/dev/dri/renderD128")).ok().map(|device| device.gid())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake;

    #[test]
    fn addresses_are_waited_for_until_no_more_come() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let host = fake.host();
        let said = |addresses: &[&str]| {
            let all: Vec<Value> =
                addresses.iter().map(|local| serde_json::json!({"local": local})).collect();
            serde_json::json!([{"ifname": "enp1s0", "addr_info": all}]).to_string()
        };
        let ip = ["ip", "-json", "address"];
        // The latest rule counts first.
        fake.runner.answer(ip, &said(&["10.0.2.15", "fd00::1"]));
        fake.runner.answer_once(ip, &said(&["10.0.2.15"]));
        fake.runner.answer_once(ip, &said(&["10.0.2.15"]));
        fake.runner.answer_once(ip, &said(&[]));
        let begun = host.clock.epoch();
        wait_for_addresses(&host);
        let asked = 3 + 1 + i64::from(QUIET);
        assert_eq!(host.clock.epoch() - begun, asked - 1);
        assert_eq!(fake.runner.commands().len(), usize::try_from(asked).unwrap());

        // A box without a network goes on in the end.
        fake.runner.answer(ip, "[]");
        let begun = host.clock.epoch();
        wait_for_addresses(&host);
        assert_eq!(host.clock.epoch() - begun, i64::from(PATIENCE));
    }

    #[test]
    fn a_small_machine() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake::boot_disk(folder.path(), "vda", 3);
        let put = |path: &str, bytes: &[u8]| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        put("proc/cpuinfo", b"processor\t: 0\nmodel name\t: x\nprocessor\t: 1\n");
        put("proc/meminfo", b"MemTotal:        4004152 kB\nMemFree: 1 kB\n");
        put("sys/class/dmi/id/product_name", b"Standard PC\n");
        put("sys/class/net/enp1s0/device/vendor", b"x");
        put(&SECURE_BOOT[1..], &[6, 0, 0, 0, 1]);
        fake.runner.answer(["uname"], "x86_64\n");
        fake.runner.answer(["lsblk"], "{\"blockdevices\": []}");
        fake.runner.answer(
            ["ip", "-json", "-4"],
            r#"[{"dst": "default", "gateway": "10.0.2.2", "dev": "enp1s0"}]"#,
        );
        fake.runner.answer(["ip", "-json", "-6"], "[]");
        fake.runner.answer(
            ["ip", "-json", "address"],
            r#"[{"ifname": "lo", "flags": ["LOOPBACK"], "addr_info": []},
                {"ifname": "enp1s0", "flags": ["UP", "LOWER_UP"], "address": "52:54:00:AA:00:01",
                 "addr_info": [{"family": "inet", "local": "10.0.2.15", "prefixlen": 24}]},
                {"ifname": "docker0", "flags": ["UP"], "addr_info": []}]"#,
        );
        let facts = facts(&fake.host()).unwrap();
        assert_eq!((facts.processors, facts.memory), (2, 4_004_152 << 10));
        assert!(!facts.tpm2);
        assert_eq!(facts.firmware, Firmware::UefiSecureBoot);
        assert_eq!(facts.product, "Standard PC");
        assert_eq!(
            facts.interfaces,
            [NetworkPort {
                name: "enp1s0".into(),
                mac: "52:54:00:aa:00:01".into(),
                wired: true,
                carrier: true,
                addresses: vec!["10.0.2.15/24".parse().unwrap()],
                gateways: vec!["10.0.2.2".parse().unwrap()],
            }]
        );
        put("dev/tpmrm0", b"");
        assert!(super::facts(&fake.host()).unwrap().tpm2);
    }

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
        assert_eq!(
            global(&value).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.99.0.5", "fd00:99::5"]
        );
    }
}
