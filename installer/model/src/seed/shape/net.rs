//! Addresses, networks, ports, servers and URLs.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::{super::reader::Wrong, names::is_dns_name};
use crate::seed::InterfaceMatch;

pub(in super::super) fn ip(text: &str) -> Result<IpAddr, Wrong> {
    text.parse().map_err(|_| {
        let way_out = match text.split_once('/') {
            Some((address, _)) => format!("without a prefix length: `{address}`"),
            None => "write it as `192.168.1.1` or `fd00::1`".to_owned(),
        };
        Wrong::new(format!("`{text}` is no IP address"), way_out)
    })
}

/// An address of a port, with its prefix length: `192.168.1.10/24`.
pub(in super::super) fn address(text: &str) -> Result<IpNet, Wrong> {
    let net: IpNet = text.parse().map_err(|_| match text.parse::<IpAddr>() {
        Ok(address) => {
            let prefix = if address.is_ipv4() { 24 } else { 64 };
            let what = format!("`{text}` lacks its prefix length");
            Wrong::new(what, format!("write `{text}/{prefix}`, with the prefix of your network"))
        }
        Err(_) => Wrong::new(
            format!("`{text}` is no address with prefix length"),
            "write it as `192.168.1.10/24`",
        ),
    })?;
    let address = net.addr();
    let unusable = if address.is_loopback() {
        Some("leads back to the box itself")
    } else if address.is_multicast() {
        Some("is a multicast address")
    } else if address.is_unspecified() {
        Some("is no address of a machine")
    } else if net.prefix_len() + 1 < net.max_prefix_len() && address == net.network() {
        Some("is the network itself, not a machine in it")
    } else if net.prefix_len() + 1 < net.max_prefix_len()
        && address.is_ipv4()
        && address == net.broadcast()
    {
        Some("is the broadcast address of its network")
    } else {
        None
    };
    match unusable {
        Some(why) => {
            let way_out = "write an address of the box, such as `192.168.1.10/24`";
            Err(Wrong::new(format!("`{text}` {why}"), way_out))
        }
        None => Ok(net),
    }
}

/// A network; a single address stands for itself.
pub(in super::super) fn network(text: &str) -> Result<IpNet, Wrong> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let net: IpNet = text.parse().map_err(|_| {
        Wrong::new(format!("`{text}` is no network"), "write it as `192.168.1.0/24`")
    })?;
    if net.trunc() == net {
        return Ok(net);
    }
    let what = format!("`{text}` is neither a network nor a single address");
    Err(Wrong::new(what, format!("write `{}` or `{}`", net.trunc(), IpNet::from(net.addr()))))
}

pub(in super::super) fn interface(text: &str) -> Result<InterfaceMatch, Wrong> {
    if let Some(mac) = text.strip_prefix("mac:") {
        let mac = mac.to_lowercase();
        let octets: Option<Vec<u8>> = mac
            .split(':')
            .map(|o| (o.len() == 2).then(|| u8::from_str_radix(o, 16).ok())?)
            .collect();
        let good = octets.is_some_and(|octets| {
            // The lowest bit of the first octet marks group addresses.
            octets.len() == 6 && octets[0] & 1 == 0 && octets.iter().any(|octet| *octet != 0)
        });
        return good.then(|| InterfaceMatch::Mac(mac.clone())).ok_or_else(|| {
            let way_out = "write it as `mac:52:54:00:12:34:56`";
            Wrong::new(format!("`{mac}` is no MAC address of a port"), way_out)
        });
    }
    if let Some(name) = text.strip_prefix("name:") {
        // IFNAMSIZ is 16 with the final NUL.
        let good = (1..=15).contains(&name.len())
            && name != "lo"
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !matches!(name, "." | "..");
        return good.then(|| InterfaceMatch::Name(name.to_owned())).ok_or_else(|| {
            let way_out = "write it as `name:enp1s0`; `ip link` lists them";
            Wrong::new(format!("`{name}` is no name of a network port"), way_out)
        });
    }
    let way_out = if text.matches(':').count() == 5 {
        format!("write `mac:{}`", text.to_lowercase())
    } else {
        format!("write `name:{text}` or `mac:…`")
    };
    Err(Wrong::new(format!("`{text}` does not say how to find the port"), way_out))
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; none if either half is malformed.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (host, port)
        }
        None => {
            let (host, port) =
                text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let v4 = host.parse::<std::net::Ipv4Addr>().is_ok();
            (v4 || is_dns_name(host)).then_some(())?;
            (host, port)
        }
    };
    match port {
        None => Some((host, None)),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port)))
        }
        Some(_) => None,
    }
}

/// `host[:port]` of a registry; a leading `https://` and a final slash are taken off.
pub(in super::super) fn mirror(text: &str) -> Result<String, Wrong> {
    if let Some(rest) = text.strip_prefix("http://") {
        let what = "images are not pulled over plain http: anybody on the way could read along";
        let way_out = format!("write `{rest}` and serve it by https; `mirror_ca` takes its CA");
        return Err(Wrong::new(what, way_out));
    }
    let host = text.strip_prefix("https://").unwrap_or(text);
    let host = host.strip_suffix('/').unwrap_or(host);
    if host_and_port(host).is_some() {
        return Ok(host.to_owned());
    }
    let way_out = match host.split_once('/') {
        Some((bare, _)) if host_and_port(bare).is_some() => {
            format!("without a path: `{bare}`")
        }
        _ => "write `registry.lan` or `registry.lan:5000`".to_owned(),
    };
    Err(Wrong::new(format!("`{text}` is no registry"), way_out))
}

/// `host:port`
pub(in super::super) fn server_and_port(text: &str) -> Result<String, Wrong> {
    match host_and_port(text) {
        Some((_, Some(_))) => Ok(text.to_owned()),
        Some((_, None)) => Err(Wrong::new(
            format!("`{text}` lacks its port"),
            format!("write `{text}:587` (STARTTLS) or `{text}:465` (TLS)"),
        )),
        None => Err(Wrong::new(
            format!("`{text}` is no mail server"),
            "write it as `smtp.example.org:587`",
        )),
    }
}

/// Host and path of an https URL without user, query and fragment.
fn https<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), Wrong> {
    if text.starts_with("http://") {
        let what = format!("`{text}` is not encrypted");
        return Err(Wrong::new(what, format!("use https: `{example}`")));
    }
    let rest = text.strip_prefix("https://").unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path_byte = |b: u8| b.is_ascii_alphanumeric() || b"._~-/%:".contains(&b);
    if host_and_port(host).is_none() || !path.bytes().all(path_byte) {
        return Err(Wrong::new(
            format!("`{text}` is no https URL that can be used here"),
            format!("write it as `{example}`, without user, `?` and `#`"),
        ));
    }
    Ok((host, path))
}

/// Directory URL of an ACME authority.
pub(in super::super) fn directory(text: &str) -> Result<String, Wrong> {
    https(text, "https://ca.lan/acme/acme/directory").map(|_| text.to_owned())
}

/// https URL with a topic: `https://ntfy.sh/my-topic`.
pub(in super::super) fn ntfy_url(text: &str) -> Result<String, Wrong> {
    let (host, path) = https(text, "https://ntfy.sh/my-topic")?;
    let topic = path.rsplit('/').next().unwrap_or_default();
    if topic.is_empty() || topic.len() > 64 || !topic.bytes().all(is_topic_byte) {
        let what = format!("`{text}` lacks the topic");
        return Err(Wrong::new(what, format!("add it: `https://{host}/my-topic`")));
    }
    Ok(text.to_owned())
}

fn is_topic_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}
