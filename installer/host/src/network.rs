//! Looks at the network and at who listens: resolvers, names, gateways, sockets.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use model::{plan::Protocol, preflight::room::Listener};
use reqwest::Url;
use serde_json::Value;

use crate::{Command, Host, HostError, Result, files};

/// What systemd-resolved asks, and what programs read that do not know it.
const RESOLVERS: [&str; 2] = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"];
/// A resolver that does not answer is given up after this.
const PATIENCE: Duration = Duration::from_secs(15);
/// Seconds in which a neighbour is found or given up: the kernel believes an old answer for five
/// seconds, and asks three times.
const NEIGHBOUR: u32 = 12;

/// The resolvers that the box asks.
///
/// # Errors
/// The file is there but cannot be read.
pub fn resolvers(host: &Host) -> Result<Vec<IpAddr>> {
    for path in RESOLVERS {
        if let Some(text) = files::read_text_optional(host.path(path))? {
            let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver"));
            // A link-local resolver has its port behind a percent sign.
            let address = |word: &str| word.trim().split('%').next()?.parse().ok();
            return Ok(servers.filter_map(address).collect());
        }
    }
    Ok(Vec::new())
}

/// The addresses of a name, IPv4 first; none: it is not known, or no resolver answers.
///
/// # Errors
/// `getent` cannot be run.
pub fn resolve(host: &Host, name: &str) -> Result<Vec<IpAddr>> {
    let command = Command::new("getent").args(["ahosts", name]).timeout(PATIENCE);
    let text = match host.runner.run(&command) {
        Ok(output) => output.stdout,
        // 2: not found. Without a status it took too long, which is the same to whoever asks.
        Err(error) if error.status == Some(2) || error.exit.starts_with("took longer") => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    let mut found: Vec<IpAddr> =
        text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found.dedup();
    Ok(found)
}

/// Names of the servers that the box gets its own updates from, as apt is set up; none: its sources
/// are on a disk. Nobody is asked.
///
/// # Errors
/// apt cannot be run, or does not understand its sources.
pub fn update_servers(host: &Host) -> Result<Vec<String>> {
    let command = Command::new("apt-get").args(["update", "--print-uris"]).timeout(PATIENCE);
    let text = host.runner.run(&command)?.stdout;
    // 'http://server/debian/dists/trixie/InRelease' its-file 0
    let urls = text.lines().filter_map(|line| line.strip_prefix('\'')?.split('\'').next());
    let mut names: Vec<String> =
        urls.filter_map(|url| Some(Url::parse(url).ok()?.host_str()?.to_owned())).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}

/// Is a gateway there? It need not answer anything: it is enough that somebody on the wire has its
/// address.
///
/// # Errors
/// `ip` failed.
pub fn gateway_is_there(host: &Host, gateway: IpAddr, port: &str) -> Result<bool> {
    // Whatever becomes of the question, the kernel has to look for the neighbour first.
    let url = match gateway {
        IpAddr::V4(address) => format!("http://{address}/"),
        IpAddr::V6(address) if is_link_local(address) => format!("http://[{address}%25{port}]/"),
        IpAddr::V6(address) => format!("http://[{address}]/"),
    };
    let question = Command::new("curl")
        .args(["--silent", "--output", "/dev/null", "--max-time", "3", &url])
        .timeout(PATIENCE);
    if host.runner.run(&question).is_ok() {
        return Ok(true);
    }
    let address = gateway.to_string();
    let look = Command::new("ip").args(["-json", "neighbour", "show", "to", &address, "dev", port]);
    for _ in 0..NEIGHBOUR {
        let text = host.runner.run(&look)?.stdout;
        match neighbour(&text) {
            Neighbour::There => return Ok(true),
            Neighbour::Absent => return Ok(false),
            Neighbour::Asked => host.clock.sleep(Duration::from_secs(1)),
        }
    }
    Ok(false)
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

enum Neighbour {
    There,
    Absent,
    /// The kernel is still asking, or believes an old answer.
    Asked,
}

/// What `ip -json neighbour` says about one address.
fn neighbour(text: &str) -> Neighbour {
    let entries: Value = serde_json::from_str(text).unwrap_or_default();
    let states = entries.as_array().into_iter().flatten().flat_map(|entry| {
        entry["state"].as_array().into_iter().flatten().filter_map(Value::as_str)
    });
    let states: Vec<&str> = states.collect();
    if states.iter().any(|state| matches!(*state, "REACHABLE" | "PERMANENT" | "NOARP")) {
        Neighbour::There
    } else if states.iter().any(|state| matches!(*state, "STALE" | "DELAY" | "PROBE")) {
        Neighbour::Asked
    } else {
        Neighbour::Absent
    }
}

/// Every socket that listens, by `ss`; who it is only root learns.
///
/// # Errors
/// `ss` failed.
pub fn listeners(host: &Host) -> Result<Vec<Listener>> {
    let command = Command::new("ss")
        .args(["--no-header", "--listening", "--numeric", "--tcp", "--udp", "--processes"])
        .timeout(PATIENCE);
    let text = host.runner.run(&command)?.stdout;
    Ok(text.lines().filter_map(listener).collect())
}

/// `udp UNCONN 0 0 127.0.0.54%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=1,fd=2))`
fn listener(line: &str) -> Option<Listener> {
    let mut words = line.split_whitespace();
    let protocol = match words.next()? {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    let (address, port) = words.nth(3)?.rsplit_once(':')?;
    let address = address.trim_matches(['[', ']']).split(['%', ']']).next()?;
    let program = line.split_once("users:((\"").and_then(|(_, rest)| rest.split('"').next());
    Some(Listener {
        protocol,
        // `*` is both families, `0.0.0.0` and `::` are all of one.
        address: address.parse().ok().filter(|address: &IpAddr| !address.is_unspecified()),
        port: port.parse().ok()?,
        program: program.map(str::to_owned),
    })
}

/// Bytes that are free for anybody on the file system of a path.
///
/// # Errors
/// `df` failed, or printed no number.
pub fn free_bytes(host: &Host, path: &str) -> Result<u64> {
    bytes(host, "avail", path)
}

/// Bytes that are used on the file system of a path.
///
/// # Errors
/// `df` failed, or printed no number.
pub fn used_bytes(host: &Host, path: &str) -> Result<u64> {
    bytes(host, "used", path)
}

fn bytes(host: &Host, which: &str, path: &str) -> Result<u64> {
    let command = Command::new("df").args([&format!("--output={which}"), "--block-size=1", path]);
    let text = host.runner.run(&command)?.stdout;
    let number = text.lines().last().and_then(|line| line.trim().parse().ok());
    number.ok_or_else(|| HostError::Other(format!("`{command}` printed no number")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn resolvers_are_those_behind_the_local_one() {
        let folder = tempfile::tempdir().unwrap();
        let host = fake::host(folder.path()).host();
        assert_eq!(resolvers(&host).unwrap(), Vec::<IpAddr>::new());
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("etc/resolv.conf", "# comment\nnameserver 127.0.0.53\nsearch lan\n");
        assert_eq!(resolvers(&host).unwrap(), [ip("127.0.0.53")]);
        put(
            "run/systemd/resolve/resolv.conf",
            "nameserver 192.168.1.1\nnameserver fe80::1%enp1s0\n",
        );
        assert_eq!(resolvers(&host).unwrap(), [ip("192.168.1.1"), ip("fe80::1")]);
    }

    #[test]
    fn update_servers_are_those_of_apt_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let apt = ["apt-get", "update", "--print-uris"];
        // As apt 3.0 prints it; one source lies on a disk.
        fake.runner.answer(
            apt,
            "'http://mirror.example/debian/dists/trixie/InRelease' mirror.example_InRelease 0 \n\
             'file:/srv/packages/InRelease' _srv_packages_InRelease 0 \n\
             'https://fixes.example:8443/x/InRelease' fixes.example_InRelease 0 \n\
             'http://mirror.example/debian/dists/trixie/main/Packages.xz' Packages 0 \n",
        );
        assert_eq!(update_servers(&fake.host()).unwrap(), ["mirror.example", "fixes.example"]);
        fake.runner.answer(apt, "");
        assert_eq!(update_servers(&fake.host()).unwrap(), Vec::<String>::new());
        fake.runner.fail(apt, 100, "E: Malformed entry 1 in list file /etc/apt/sources.list");
        let error = update_servers(&fake.host()).unwrap_err().to_string();
        assert!(error.contains("E: Malformed entry 1"), "{error}");
    }

    #[test]
    fn a_name_has_addresses_or_none_and_a_missing_program_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let text = "2606:4700::1 STREAM registry.example\n2606:4700::1 DGRAM\n\
                    104.16.0.1 STREAM\n104.16.0.1 DGRAM\n";
        fake.runner.answer(["getent"], text);
        let found = resolve(&fake.host(), "registry.example").unwrap();
        assert_eq!(found, [ip("104.16.0.1"), ip("2606:4700::1")]);
        fake.runner.fail(["getent"], 2, "");
        assert!(resolve(&fake.host(), "nowhere.example").unwrap().is_empty());
        fake.runner.missing(["getent"]);
        assert!(resolve(&fake.host(), "a.example").is_err());
        assert_eq!(fake.runner.commands()[0], "getent ahosts registry.example");
    }

    #[test]
    fn a_gateway_that_answers_nothing_is_seen_by_its_neighbour_entry() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        let there = || gateway_is_there(&fake.host(), ip("192.168.1.1"), "enp1s0").unwrap();
        assert!(there(), "a page came back");
        fake.runner.fail(["curl"], 7, "");
        let state = |state: &str| format!(r#"[{{"dst": "192.168.1.1", "state": ["{state}"]}}]"#);
        fake.runner.answer(["ip"], &state("REACHABLE"));
        assert!(there());
        // An old entry counts only once the kernel has found it confirmed.
        fake.runner.answer_once(["ip"], &state("DELAY"));
        assert!(there());
        fake.runner.answer(["ip"], &state("FAILED"));
        fake.runner.answer_once(["ip"], &state("DELAY"));
        assert!(!there());
        fake.runner.answer(["ip"], "[]");
        assert!(!there());
        fake.runner.answer(["ip"], &state("STALE"));
        assert!(!there(), "nobody waits for ever");
    }

    #[test]
    fn a_gateway_on_the_link_is_asked_by_its_port() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        gateway_is_there(&fake.host(), ip("fe80::1"), "enp1s0").unwrap();
        gateway_is_there(&fake.host(), ip("fd00::1"), "enp1s0").unwrap();
        let words = fake.runner.ran();
        assert_eq!(words[0].words.last().unwrap(), "http://[fe80::1%25enp1s0]/");
        assert_eq!(words[1].words.last().unwrap(), "http://[fd00::1]/");
    }

    #[test]
    fn listeners_with_and_without_their_programs() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake.runner.answer(
            ["ss"],
            "udp   UNCONN 0      0       127.0.0.54%lo:53       0.0.0.0:*    users:((\"systemd-resolve\",pid=90,fd=21))\n\
             tcp   LISTEN 0      4096          0.0.0.0:443      0.0.0.0:*    users:((\"docker-proxy\",pid=9,fd=7))\n\
             tcp   LISTEN 0      128              [::]:22          [::]:*\n\
             tcp   LISTEN 0      128                 *:9090           *:*\n\
             u_str LISTEN 0      128       /run/x 1 * 0\n",
        );
        let listener = |protocol, address: Option<&str>, port, program: Option<&str>| Listener {
            protocol,
            address: address.map(ip),
            port,
            program: program.map(str::to_owned),
        };
        assert_eq!(
            listeners(&fake.host()).unwrap(),
            [
                listener(Protocol::Udp, Some("127.0.0.54"), 53, Some("systemd-resolve")),
                listener(Protocol::Tcp, None, 443, Some("docker-proxy")),
                listener(Protocol::Tcp, None, 22, None),
                listener(Protocol::Tcp, None, 9090, None),
            ]
        );
    }

    #[test]
    fn free_bytes_are_the_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let fake = fake::host(folder.path());
        fake.runner.answer(["df"], "     Avail\n1024\n");
        assert_eq!(free_bytes(&fake.host(), "/").unwrap(), 1024);
        assert_eq!(used_bytes(&fake.host(), "/mnt/media").unwrap(), 1024);
        assert_eq!(
            fake.runner.commands().last().unwrap(),
            "df --output=used --block-size=1 /mnt/media"
        );
        fake.runner.answer(["df"], "");
        assert_eq!(
            free_bytes(&fake.host(), "/").unwrap_err().to_string(),
            "`df --output=avail --block-size=1 /` printed no number"
        );
    }
}
