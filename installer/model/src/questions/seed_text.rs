//! What was said, as the text of a seed.

use toml::{Table, Value as Toml};

use super::{
    Said, Value,
    ask::{ENCRYPT, STAY},
    mounted::{Fate, Mounted, Source, named},
};
use crate::{
    Secret,
    disk::{FileSystem, Unlock},
    seed::keys::{self, find},
};

/// The seed for what was said, with a comment at each key. `kept` is what an earlier seed said that
/// nobody is asked about. The text has the secrets in it.
pub fn seed_text(said: &Said, kept: Option<&Secret>) -> Secret {
    let kept = kept.and_then(|kept| kept.reveal().parse::<Table>().ok()).unwrap_or_default();
    let mut seed = Writer { text: String::new(), kept };
    seed.text.push_str(
        "# The wish for one box. `homelab-image seed check` finds its mistakes on a PC, and\n# \
         `homelab-image seed explain KEY` tells what a key means and takes. There are passwords in \
         it.\n",
    );
    seed.key("schema", Toml::Integer(1));
    system(&mut seed, said);
    admin(&mut seed, said);
    domain(&mut seed, said);
    install(&mut seed, said);
    storage(&mut seed, said);
    vpn(&mut seed, said);
    stacks(&mut seed, said);
    notifications(&mut seed, said);
    backup(&mut seed, said);
    seed.rest();
    Secret::new(seed.text)
}

fn system(seed: &mut Writer, said: &Said) {
    seed.table("system");
    for key in ["system.hostname", "system.timezone", "system.keyboard"] {
        seed.text_key(key, said.text(key));
    }
    seed.kept_key("system.locale");
}

fn admin(seed: &mut Writer, said: &Said) {
    seed.table("admin");
    seed.text_key("admin.name", said.text("admin.name"));
    seed.text_key("admin.email", said.text("admin.email"));
    match said.text("admin.password") {
        "" => seed.key("admin.password", origin("ask", Toml::Boolean(true))),
        password => seed.text_key("admin.password", password),
    }
    seed.key("admin.ssh_keys", list(said.texts("admin.ssh_keys")));
}

fn domain(seed: &mut Writer, said: &Said) {
    let name = said.text("domain.name");
    if name.is_empty() {
        return seed.without(
            "domain",
            "the services stand under NAME.home.arpa, with certificates of the box's own",
        );
    }
    seed.table("domain");
    seed.text_key("domain.name", name);
    let provider = match said.text("domain.kind") {
        "duckdns" => "duckdns",
        _ => said.text("domain.provider"),
    };
    if provider.is_empty() || provider == "none" {
        return seed.without("domain.dns", "certificates are the box's own");
    }
    seed.table("domain.dns");
    seed.text_key("domain.dns.provider", provider);
    let mut credentials = Table::new();
    for (variable, value) in said.below("domain.dns.credentials.") {
        credentials.insert(variable.to_owned(), value.into());
    }
    seed.key("domain.dns.credentials", Toml::Table(credentials));
    seed.table("domain.certificate");
    seed.text_key("domain.certificate.issuer", said.text("domain.issuer"));
    seed.text_key("domain.certificate.directory", said.text("domain.certificate.directory"));
    let root_ca = said.text("domain.certificate.root_ca");
    if !root_ca.is_empty() {
        seed.key("domain.certificate.root_ca", origin("file", root_ca.into()));
    }
}

fn install(seed: &mut Writer, said: &Said) {
    let disk = said.text("install.disk");
    if !disk.is_empty() && disk != STAY {
        seed.table("install");
        seed.text_key("install.disk", disk);
        seed.text_key("install.wipe", named(disk));
    }
}

fn storage(seed: &mut Writer, said: &Said) {
    if said.mounts.is_empty() {
        return seed
            .without("storage.mount", "media, downloads and backups lie on the system's disk");
    }
    for mounted in &said.mounts {
        seed.table("storage.mount");
        match &mounted.holds[..] {
            [one] => seed.text_key("storage.mount.at", &format!("/mnt/{one}")),
            several => {
                seed.text_key("storage.mount.at", "/mnt/storage");
                seed.key("storage.mount.holds", list(several));
            }
        }
        match &mounted.source {
            Source::Disks(_) => disks(seed, said, mounted),
            Source::Share { remote, login } => {
                seed.text_key("storage.mount.remote", remote);
                let Some(login) = login else { continue };
                seed.text_key("storage.mount.user", said.text(&format!("{login}.user")));
                seed.text_key("storage.mount.password", said.text(&format!("{login}.password")));
            }
        }
    }
}

/// A disk, or several as one folder.
fn disks(seed: &mut Writer, said: &Said, mounted: &Mounted) {
    let members = mounted.members();
    let selectors: Vec<String> = members.iter().map(|member| member.selector.clone()).collect();
    let formatted = members.iter().filter(|member| member.fate == Fate::Formatted);
    let wipes: Vec<String> = formatted.map(|member| named(&member.selector).to_owned()).collect();
    match &selectors[..] {
        [one] => {
            seed.text_key("storage.mount.disk", one);
            seed.text_key("storage.mount.wipe", wipes.first().map_or("", String::as_str));
        }
        several => {
            seed.key("storage.mount.disks", list(several));
            if !wipes.is_empty() {
                seed.key("storage.mount.wipes", list(&wipes));
            }
        }
    }
    let kept = mounted.kept();
    let filesystem = kept.map_or(FileSystem::Ext4.word(), |kept| kept.filesystem.as_str());
    seed.text_key("storage.mount.filesystem", filesystem);
    let encrypt = match kept {
        Some(kept) => kept.unlock.map_or("", Unlock::word),
        None => Some(said.text(ENCRYPT)).filter(|how| *how != "no").unwrap_or_default(),
    };
    seed.text_key("storage.mount.encrypt", encrypt);
}

fn vpn(seed: &mut Writer, said: &Said) {
    if !said.has("vpn.provider") {
        return seed.without("vpn", "what must go through a tunnel is not deployed");
    }
    seed.table("vpn");
    for key in ["vpn.provider", "vpn.protocol", "vpn.private_key"] {
        seed.text_key(key, said.text(key));
    }
    if said.has("vpn.addresses") {
        seed.key("vpn.addresses", list(said.texts("vpn.addresses")));
    }
    for key in ["vpn.user", "vpn.password"] {
        seed.text_key(key, said.text(key));
    }
}

fn stacks(seed: &mut Writer, said: &Said) {
    let all = said.has("stacks.all") || !said.has("stacks");
    let mut disable = said.texts("stacks.too_heavy").to_vec();
    let kept = seed.take_kept("stacks.disable");
    let kept = kept.as_ref().and_then(Toml::as_array).into_iter().flatten();
    for name in kept.filter_map(Toml::as_str) {
        if !disable.iter().any(|other| other == name) {
            disable.push(name.to_owned());
        }
    }
    let others = ["stacks.without_vpn", "stacks.prefer"]
        .map(|key| seed.take_kept(key).map(|names| (key, names)));
    if all && disable.is_empty() && others.iter().all(Option::is_none) {
        return seed
            .without("stacks", "everything is deployed that fits into the memory of the box");
    }
    seed.table("stacks");
    if !all {
        let mut enable = vec![crate::catalogue::CORE.to_owned()];
        enable.extend(said.texts("stacks").iter().cloned());
        seed.key("stacks.enable", list(&enable));
    }
    if !disable.is_empty() {
        seed.key("stacks.disable", list(&disable));
    }
    for (key, names) in others.into_iter().flatten() {
        seed.key(key, names);
    }
}

fn notifications(seed: &mut Writer, said: &Said) {
    let (mail, ntfy) = (said.has("notifications.smtp.server"), said.has("notifications.ntfy.url"));
    if !mail && !ntfy {
        return seed.without("notifications", "the box sends no messages");
    }
    if mail {
        seed.table("notifications.smtp");
        for key in ["server", "from", "user", "password"] {
            let key = format!("notifications.smtp.{key}");
            seed.text_key(&key, said.text(&key));
        }
    }
    if ntfy {
        seed.table("notifications.ntfy");
        for key in ["notifications.ntfy.url", "notifications.ntfy.token"] {
            seed.text_key(key, said.text(key));
        }
    }
}

fn backup(seed: &mut Writer, said: &Said) {
    let (repository, password) = (said.text("backup.repository"), said.text("backup.password"));
    let schedule = seed.take_kept("backup.schedule");
    if repository.is_empty() && password.is_empty() && schedule.is_none() {
        let nothing = said.has("stacks") && !said.has("backup.place");
        return seed.without(
            "backup",
            if nothing {
                "nothing is backed up"
            } else {
                "every night into /mnt/backups/restic, with a password that the box makes"
            },
        );
    }
    seed.table("backup");
    seed.text_key("backup.repository", repository);
    seed.text_key("backup.password", password);
    if let Some(schedule) = schedule {
        seed.key("backup.schedule", schedule);
    }
}

fn list(texts: &[String]) -> Toml {
    Toml::Array(texts.iter().map(|text| Toml::String(text.clone())).collect())
}

/// `{ file = "..." }`, `{ ask = true }`
fn origin(name: &str, value: Toml) -> Toml {
    Toml::Table(Table::from_iter([(name.to_owned(), value)]))
}

/// Writes keys with their comments.
struct Writer {
    text: String,
    /// What an earlier seed said, less what was written of it.
    kept: Table,
}

impl Writer {
    fn comment(&mut self, path: &str) {
        let key = find(path);
        debug_assert!(key.is_some(), "{path} is no key");
        for line in key.map(|key| key.about).unwrap_or_default().lines() {
            self.text.push_str(&format!("# {line}\n"));
        }
    }

    fn table(&mut self, path: &str) {
        self.text.push('\n');
        self.comment(path);
        let header = keys::header(path);
        self.text.push_str(&format!("{}\n", header.trim_matches('`')));
    }

    /// Says that a table is left out, and what holds then.
    fn without(&mut self, path: &str, meaning: &str) {
        let header = keys::header(path);
        self.text.push_str(&format!("\n# No {}: {meaning}\n", header.trim_matches('`')));
    }

    fn key(&mut self, path: &str, value: Toml) {
        self.comment(path);
        let name = find(path).map_or(path, |key| key.name());
        self.text.push_str(&format!("{name} = {value}\n"));
    }

    /// A text; left out if it is empty.
    fn text_key(&mut self, path: &str, text: &str) {
        if !text.is_empty() {
            self.key(path, text.into());
        }
    }

    fn take_kept(&mut self, path: &str) -> Option<Toml> {
        let (table, name) = path.split_once('.')?;
        self.kept.get_mut(table)?.as_table_mut()?.remove(name)
    }

    fn kept_key(&mut self, path: &str) {
        if let Some(value) = self.take_kept(path) {
            self.key(path, value);
        }
    }

    /// Tables of the earlier seed that nothing else wrote.
    fn rest(&mut self) {
        self.kept.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
        if self.kept.is_empty() {
            return;
        }
        self.text.push_str("\n# Taken over from the seed that was there before\n");
        self.text.push_str(&self.kept.to_string());
    }
}

impl Said {
    /// Texts of the questions whose names begin so, by the rest of the name.
    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter_map(move |(id, value)| {
            let rest = id.strip_prefix(prefix)?;
            match value {
                Value::Secret(secret) => Some((rest, secret.reveal())),
                _ => None,
            }
        })
    }
}
