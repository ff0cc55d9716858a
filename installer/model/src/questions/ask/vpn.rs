//! The tunnel for downloads.

use super::key;
use crate::{
    questions::{Choice, Kind, Question, Value, walk::Walk},
    seed::rules::Refused,
};

/// Providers as Gluetun names them, and whether it speaks WireGuard with them.
const PROVIDERS: &[(&str, bool)] = &[
    ("airvpn", true),
    ("cyberghost", false),
    ("expressvpn", false),
    ("fastestvpn", true),
    ("ipvanish", false),
    ("ivpn", true),
    ("mullvad", true),
    ("nordvpn", true),
    ("perfect privacy", false),
    ("private internet access", false),
    ("privatevpn", false),
    ("protonvpn", true),
    ("purevpn", false),
    ("surfshark", true),
    ("torguard", false),
    ("vyprvpn", false),
    ("windscribe", true),
];

/// Asks whether there is one, and for its account.
pub(super) fn vpn(walk: &mut Walk<'_>) {
    let wanted = walk.yes(
        Question::new("vpn.wanted", "VPN", Kind::YesNo)
            .asks("Have you an account at a VPN provider that downloads shall go through?")
            .help(
                "The download client works through a tunnel only, and is cut off when the tunnel \
                 fails. Without a VPN it is not deployed; everything else is. The seed can say \
                 `without_vpn = [\"qbittorrent\"]` in `[stacks]` for downloads without one.",
            )
            .or_value(Value::Yes(false)),
    );
    if !wanted {
        return;
    }
    let options = PROVIDERS.iter().map(|(name, _)| Choice::new(*name, *name)).collect();
    let provider = walk.text(
        Question::new("vpn.provider", "VPN provider", Kind::Choice { options, other: true })
            .asks("Which provider? Another one can be typed as Gluetun names it.")
            .help("Gluetun is the program that makes the tunnel; its wiki lists the providers.")
            .each(key("vpn.provider")),
    );
    let speaks = PROVIDERS.iter().any(|(name, wireguard)| *name == provider && *wireguard);
    let options = ["wireguard", "openvpn"].map(|name| Choice::new(name, name)).to_vec();
    let protocol = walk.text(
        Question::new("vpn.protocol", "Kind of tunnel", Kind::Choice { options, other: false })
            .asks("Which kind of tunnel?")
            .help(
                "WireGuard is faster, where the provider has it. Its account page makes a \
                 configuration file with a private key and addresses. OpenVPN wants a user name and a \
                 password, often others than those of the web page.",
            )
            .or(if speaks { "wireguard" } else { "openvpn" }),
    );
    if protocol == "wireguard" {
        secret(walk, "vpn.private_key", "WireGuard key", "Private key? `PrivateKey` in its file.");
        walk.texts(
            Question::new("vpn.addresses", "Tunnel addresses", Kind::List("address"))
                .asks("Addresses inside the tunnel? `Address` in its file, such as 10.64.0.2/32.")
                .help("Each with its prefix length. An address of version 6 may be left out.")
                .each(key("vpn.addresses"))
                .whole(|value| match &value {
                    Value::Texts(list) if list.is_empty() => Err(Refused::new(
                        "the tunnel needs an address",
                        "copy `Address` from the file of the provider",
                    )),
                    _ => Ok(value),
                }),
        );
    } else {
        secret(walk, "vpn.user", "OpenVPN user", "User name for OpenVPN?");
        secret(walk, "vpn.password", "OpenVPN password", "Password for OpenVPN?");
    }
}

fn secret(walk: &mut Walk<'_>, id: &'static str, title: &str, asks: &str) {
    walk.secret(
        Question::new(id, title, Kind::Secret { twice: false })
            .asks(format!("{asks} It is not shown while you type."))
            .help("The provider's account page shows it. Only the tunnel gets to see it.")
            .each(key(id)),
    );
}
