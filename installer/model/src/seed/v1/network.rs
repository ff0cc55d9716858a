//! `[[network.interface]]` and `[firewall]`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    super::{
        Interface,
        reader::{At, Table},
        shape,
    },
    twice,
};

pub(super) fn interfaces(network: &Table<'_>) -> Option<Vec<Interface>> {
    let mut all = Some(Vec::new());
    let mut matches = Vec::new();
    let mut addresses: Vec<At<IpNet>> = Vec::new();
    for table in network.tables("interface") {
        let port = table.required("match", shape::interface);
        let address = table.list("address", shape::address);
        let gateway = table.optional("gateway", shape::ip);
        let dns = table.list("dns", shape::ip);
        addresses.extend(address.iter().flatten().cloned());
        matches.extend(port.clone());
        if let (Some(address), Some(Some(gateway))) = (&address, &gateway) {
            gateway_fits(&table, address, gateway);
        }
        if let Some(dns) = &dns {
            twice(&table, dns, |ip| format!("`{ip}`"));
        }
        let interface = (|| {
            Some(Interface {
                matches: port?.value,
                address: address?.into_iter().map(|at| at.value).collect(),
                gateway: gateway?.map(|at| at.value),
                dns: dns?.into_iter().map(|at| at.value).collect(),
            })
        })();
        match (&mut all, interface) {
            (Some(all), Some(interface)) => all.push(interface),
            _ => all = None,
        }
    }
    for (index, port) in matches.iter().enumerate() {
        if matches[..index].iter().any(|other| other.value == port.value) {
            network.sink().push(
                Some(port.place.clone()),
                "this port already has a `[[network.interface]]`",
                "put the settings of one port into one table",
            );
        }
    }
    for (index, address) in addresses.iter().enumerate() {
        if addresses[..index].iter().any(|other| other.value.addr() == address.value.addr()) {
            network.sink().push(
                Some(address.place.clone()),
                format!("`{}` is given twice", address.value.addr()),
                "each address belongs to one port, once",
            );
        }
    }
    all
}

/// A gateway is reached by one of the port's own subnets. Routers of IPv6 announce themselves by
/// link-local addresses, which every port with IPv6 reaches.
fn gateway_fits(table: &Table<'_>, address: &[At<IpNet>], gateway: &At<IpAddr>) {
    let place = Some(gateway.place.clone());
    let ip = gateway.value;
    if address.is_empty() {
        table.sink().push(
            place,
            "a gateway needs a static `address`",
            "add `address = [\"…\"]`, or take `gateway` away: DHCP brings its own",
        );
        return;
    }
    if address.iter().any(|net| net.value.addr() == ip) {
        table.sink().push(
            place,
            format!("`{ip}` is the box itself, not a gateway"),
            "write the address of your router",
        );
        return;
    }
    let link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let reached = address
        .iter()
        .any(|net| net.value.contains(&ip) || (link_local && matches!(net.value, IpNet::V6(_))));
    if !reached {
        let subnets: Vec<String> =
            address.iter().map(|net| format!("`{}`", net.value.trunc())).collect();
        table.sink().push(
            place,
            format!("gateway `{ip}` is outside of {}", subnets.join(", ")),
            "a gateway lies in a subnet of its own port; check both for typing errors",
        );
    }
}

pub(super) fn ssh_from(firewall: &Table<'_>) -> Option<Option<Vec<IpNet>>> {
    if !firewall.has("ssh_from") {
        return Some(None);
    }
    let networks = firewall.list("ssh_from", shape::network)?;
    twice(firewall, &networks, |net| format!("`{net}`"));
    if networks.is_empty() {
        // An empty list could be read as "nobody" or as "everybody".
        firewall.sink().push(
            firewall.key_place("ssh_from"),
            "`firewall.ssh_from` is empty",
            "leave it out: then the box's own subnets may reach SSH",
        );
    }
    Some(Some(networks.into_iter().map(|net| net.value).collect()))
}
