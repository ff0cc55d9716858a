//! A [`Seed`] as the text that [`super::parse`] reads back as the same seed.
//!
//! Everything is written, defaults too: they may be others in a later version. What the seed left
//! open stays open (`[stacks] enable`, `[firewall] ssh_from`).

use toml::Value;

use super::{
    AdminPassword, Certificate, ImageSource, InterfaceMatch, Mount, MountSource, SCHEMA,
    SecretSource, Seed, VpnProtocol,
};
use crate::{Secret, secret::SecretRef};

/// Writes a seed. `origin` says for each secret where the text shall have it from; `comment` is
/// put at the top, line by line. The result is a secret if `origin` gives one as text.
pub fn write(
    seed: &Seed,
    comment: &str,
    mut origin: impl FnMut(&SecretRef, &SecretSource) -> SecretSource,
) -> Secret {
    // In the order of `Seed::secrets`, which is that of the sections below.
    let mut origins = seed.secrets().into_iter().map(|(name, source)| origin(&name, source));
    let mut next = || origins.next().unwrap_or(SecretSource::Ask);
    let mut text = Text::default();
    for line in comment.lines() {
        text.line(format!("# {line}").trim_end());
    }
    text.line(&format!("schema = {SCHEMA}"));
    text.header("system");
    text.key("hostname", &seed.system.hostname);
    text.key("timezone", &seed.system.timezone);
    text.key("locale", &seed.system.locale);
    text.key("keyboard", &seed.system.keyboard);
    text.header("admin");
    text.key("name", &seed.admin.name);
    text.key("email", &seed.admin.email);
    if !seed.admin.ssh_keys.is_empty() {
        text.list("ssh_keys", &seed.admin.ssh_keys);
    }
    match &seed.admin.password {
        AdminPassword::Plain(_) => text.secret("password", &next()),
        AdminPassword::Hashes { .. } => {
            text.header("admin.password_hash");
            text.secret("linux", &next());
            text.secret("sso", &next());
        }
    }
    domain(&mut text, seed, &mut next);
    network(&mut text, seed);
    storage(&mut text, &seed.mounts, &mut next);
    if let Some(install) = &seed.install {
        text.header("install");
        text.key("disk", install.disk.to_string());
        text.key("wipe", &install.wipe);
    }
    if let Some(vpn) = &seed.vpn {
        text.header("vpn");
        text.key("provider", &vpn.provider);
        match &vpn.protocol {
            VpnProtocol::Wireguard { addresses, .. } => {
                text.key("protocol", "wireguard");
                text.secret("private_key", &next());
                text.list("addresses", addresses);
            }
            VpnProtocol::Openvpn { .. } => {
                text.key("protocol", "openvpn");
                text.secret("user", &next());
                text.secret("password", &next());
            }
        }
    }
    services(&mut text, seed, &mut next);
    Secret::new(text.0)
}

fn domain(text: &mut Text, seed: &Seed, next: &mut impl FnMut() -> SecretSource) {
    text.header("domain");
    text.key("name", &seed.domain.name);
    if let Some(dns) = &seed.domain.dns {
        text.header("domain.dns");
        text.key("provider", &dns.provider);
        text.header("domain.dns.credentials");
        for variable in dns.credentials.keys() {
            text.secret(variable, &next());
        }
    }
    if let Certificate::Acme { directory, email, root_ca } = &seed.domain.certificate {
        text.header("domain.certificate");
        let issuer = super::v1::issuer(directory).filter(|_| root_ca.is_none());
        text.key("issuer", issuer.unwrap_or("custom"));
        text.key("email", email);
        if issuer.is_none() {
            text.key("directory", directory);
        }
        if root_ca.is_some() {
            text.secret("root_ca", &next());
        }
    }
}

fn network(text: &mut Text, seed: &Seed) {
    for interface in &seed.interfaces {
        text.tables("network.interface");
        match &interface.matches {
            InterfaceMatch::Mac(mac) => text.key("match", format!("mac:{mac}")),
            InterfaceMatch::Name(name) => text.key("match", format!("name:{name}")),
        }
        if !interface.address.is_empty() {
            text.list("address", &interface.address);
        }
        if let Some(gateway) = interface.gateway {
            text.key("gateway", gateway.to_string());
        }
        if !interface.dns.is_empty() {
            text.list("dns", &interface.dns);
        }
    }
    if let Some(from) = &seed.ssh_from {
        text.header("firewall");
        text.list("ssh_from", from);
    }
}

/// The table of one mount, as it can be put at the end of a seed. A password is asked for.
pub fn mount_text(mount: &Mount) -> String {
    let mut text = Text::default();
    storage(&mut text, std::slice::from_ref(mount), &mut || SecretSource::Ask);
    text.0.trim_start().to_owned()
}

fn storage(text: &mut Text, mounts: &[Mount], next: &mut impl FnMut() -> SecretSource) {
    for mount in mounts {
        text.tables("storage.mount");
        text.key("at", &mount.at);
        if !mount.holds.is_empty() {
            text.list("holds", &mount.holds);
        }
        match &mount.source {
            MountSource::Disks { members, filesystem, encrypt } => {
                let wipes: Vec<&String> =
                    members.iter().filter_map(|member| member.wipe.as_ref()).collect();
                match &members[..] {
                    [member] => {
                        text.key("disk", member.selector.to_string());
                        for serial in wipes {
                            text.key("wipe", serial);
                        }
                    }
                    _ => {
                        let disks: Vec<String> =
                            members.iter().map(|member| member.selector.to_string()).collect();
                        text.list("disks", &disks);
                        if !wipes.is_empty() {
                            text.list("wipes", &wipes);
                        }
                    }
                }
                text.key("filesystem", filesystem.word());
                if let Some(unlock) = encrypt {
                    text.key("encrypt", unlock.word());
                }
            }
            MountSource::Nfs(remote) => text.key("remote", remote),
            MountSource::Smb { share, user, password } => {
                text.key("remote", share);
                if let Some(user) = user {
                    text.key("user", user);
                }
                if password.is_some() {
                    text.secret("password", &next());
                }
            }
        }
    }
}

fn services(text: &mut Text, seed: &Seed, next: &mut impl FnMut() -> SecretSource) {
    let stacks = &seed.stacks;
    text.header("stacks");
    if let Some(enable) = &stacks.enable {
        text.list("enable", enable);
    }
    text.list("disable", &stacks.disable);
    text.list("without_vpn", &stacks.without_vpn);
    text.list("prefer", &stacks.prefer);
    let images = &seed.images;
    text.header("images");
    text.key(
        "source",
        match images.source {
            ImageSource::Auto => "auto",
            ImageSource::Bundle => "bundle",
            ImageSource::Registry => "registry",
        },
    );
    if let Some(mirror) = &images.mirror {
        text.key("mirror", mirror);
    }
    if images.mirror_ca.is_some() {
        text.secret("mirror_ca", &next());
    }
    if !images.pins.is_empty() {
        text.header("images.pins");
        for (name, digest) in &images.pins {
            text.key(name, digest.to_string());
        }
    }
    if let Some(smtp) = &seed.notifications.smtp {
        text.header("notifications.smtp");
        text.key("server", &smtp.server);
        if let Some(user) = &smtp.user {
            text.key("user", user);
        }
        if smtp.password.is_some() {
            text.secret("password", &next());
        }
        text.key("from", &smtp.from);
        text.key("to", &smtp.to);
    }
    if let Some(ntfy) = &seed.notifications.ntfy {
        text.header("notifications.ntfy");
        text.key("url", &ntfy.url);
        if ntfy.token.is_some() {
            text.secret("token", &next());
        }
    }
    text.header("backup");
    text.key("repository", &seed.backup.repository);
    text.secret("password", &next());
    text.key("schedule", &seed.backup.schedule);
}

/// TOML in the making.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn header(&mut self, table: &str) {
        self.line(&format!("\n[{table}]"));
    }

    fn tables(&mut self, table: &str) {
        self.line(&format!("\n[[{table}]]"));
    }

    fn key(&mut self, name: &str, value: impl AsRef<str>) {
        self.line(&format!("{} = {}", key(name), quoted(value.as_ref())));
    }

    fn list(&mut self, name: &str, values: &[impl ToString]) {
        let values: Vec<String> = values.iter().map(|value| quoted(&value.to_string())).collect();
        self.line(&format!("{} = [{}]", key(name), values.join(", ")));
    }

    fn secret(&mut self, name: &str, source: &SecretSource) {
        let value = match source {
            SecretSource::Text(secret) => quoted(secret.reveal()),
            SecretSource::File(path) => {
                format!("{{ file = {} }}", quoted(&path.to_string_lossy()))
            }
            SecretSource::Generate => "{ generate = true }".to_owned(),
            SecretSource::Ask => "{ ask = true }".to_owned(),
        };
        self.line(&format!("{} = {value}", key(name)));
    }
}

/// A key, in quotes if it must be.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { basic(name) }
}

/// A text in quotes, several lines in triple ones.
fn quoted(text: &str) -> String {
    match text.contains('\n') {
        true => Value::String(text.to_owned()).to_string(),
        false => basic(text),
    }
}

/// A text on one line in double quotes.
fn basic(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
