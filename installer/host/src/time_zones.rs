//! The time zones that this machine knows, and the one that its network says it is in.

use crate::{Host, files};

/// Where each zone has its file.
const ZONES: &str = "/usr/share/zoneinfo";
/// What systemd-networkd has of its DHCPv4 leases, a file for each port.
const LEASES: &str = "/run/systemd/netif/leases";

/// All names of the IANA list that have a file here, in its order; empty where there is no list
/// (package `tzdata`). The list names more than Debian has: `US/Eastern` and its like are in
/// `tzdata-legacy`.
pub fn all(host: &Host) -> Vec<String> {
    let text = files::read_text_optional(host.path(format!("{ZONES}/tzdata.zi")));
    // `Z NAME ...` is a zone, `L ZONE NAME` another name of one.
    let name = |line: &str| {
        let mut words = line.split(' ');
        match words.next()? {
            "Z" => words.next().map(str::to_owned),
            "L" => words.nth(1).map(str::to_owned),
            _ => None,
        }
    };
    let names = text.ok().flatten().unwrap_or_default();
    let names = names.lines().filter_map(name);
    names.filter(|name| host.path(format!("{ZONES}/{name}")).is_file()).collect()
}

/// The name of the zone that the network says the box is in: option 101 of DHCPv4 (RFC 4833), for
/// which our files ask by `RequestOptions=101`. None: no lease has it, or two name different ones. It
/// is what a router says; whether there is such a zone is for who takes it to look.
///
/// The lease's file is networkd's own, and the only place that has it: networkd 257 names the zone
/// neither on D-Bus nor in `networkctl --json`, and its DHCPv6 client knows no such option.
/// `networkctl status` reads the same file.
pub fn of_network(host: &Host) -> Option<String> {
    let mut told: Option<String> = None;
    for port in files::list(host.path(LEASES)).ok()? {
        // A port that lost its lease meanwhile says nothing.
        let text = files::read_text_optional(host.path(format!("{LEASES}/{port}"))).ok().flatten();
        let text = text.unwrap_or_default();
        let names = text.lines().filter_map(|line| line.strip_prefix("TIMEZONE="));
        for name in names.filter(|name| !name.is_empty()) {
            if told.get_or_insert_with(|| name.to_owned()) != name {
                return None;
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(host: &Host, path: &str, text: &str) {
        let path = host.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn zones_and_their_other_names_that_are_installed() {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::fake::host(folder.path()).host();
        assert!(all(&host).is_empty());
        let text = "# version 2025b\nR a 1916 o - Jun 14 23s 1 S\nZ Europe/Berlin 0:53:28 - LMT\n\
                    1 c CE%sT\nL Europe/Berlin Europe/Oslo\nL America/New_York US/Eastern\n";
        put(&host, "/usr/share/zoneinfo/tzdata.zi", text);
        for zone in ["Europe/Berlin", "Europe/Oslo"] {
            put(&host, &format!("/usr/share/zoneinfo/{zone}"), "TZif");
        }
        assert_eq!(all(&host), ["Europe/Berlin", "Europe/Oslo"]);
    }

    /// A lease as systemd-networkd 257 wrote it, with what dnsmasq sent by
    /// `--dhcp-option=101,Europe/Berlin`.
    const LEASE: &str = "\
# This is private data. Do not parse.
ADDRESS=192.168.77.36
NETMASK=255.255.255.0
ROUTER=192.168.77.1
SERVER_ADDRESS=192.168.77.1
NEXT_SERVER=192.168.77.1
BROADCAST=192.168.77.255
T1=30min
T2=52min 30s
LIFETIME=1h
HOSTNAME=vm
TIMEZONE=Europe/Berlin
CLIENTID=01268ce7fb3601
";

    /// What is made of these leases, each as [`LEASE`] with this in place of its zone's line.
    fn told(lines: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::fake::host(folder.path()).host();
        for (index, line) in lines.iter().enumerate() {
            let text = LEASE.replace("TIMEZONE=Europe/Berlin\n", line);
            put(&host, &format!("{LEASES}/{}", index + 2), &text);
        }
        of_network(&host)
    }

    #[test]
    fn the_network_tells_the_zone_in_a_lease() {
        let berlin = "TIMEZONE=Europe/Berlin\n";
        assert_eq!(told(&[berlin]).as_deref(), Some("Europe/Berlin"));
        assert_eq!(told(&[berlin, "", berlin]).as_deref(), Some("Europe/Berlin"));
        assert_eq!(told(&["TIMEZONE=\n", berlin]).as_deref(), Some("Europe/Berlin"));
        assert_eq!(told(&["TIMEZONE=Mars/Base\n"]).as_deref(), Some("Mars/Base"));
    }

    #[test]
    fn leases_without_a_zone_or_with_two_tell_none() {
        for lines in [
            &[][..],
            &[""],
            &["TIMEZONE=\n"],
            &["DOMAINNAME=TIMEZONE=Europe/Berlin\n"],
            &["TIMEZONE=Europe/Berlin\n", "TIMEZONE=Europe/Oslo\n"],
            &["TIMEZONE=Europe/Berlin\n", "", "TIMEZONE=Mars/Base\n"],
        ] {
            assert_eq!(told(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn leases_that_cannot_be_read_tell_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::fake::host(folder.path()).host();
        let path = host.path(format!("{LEASES}/2"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"TIMEZONE=\xff\n").unwrap();
        assert_eq!(of_network(&host), None);
    }
}
