//! The good answers of a seed, also of a broken one.

use toml::{Table, Value as Toml, de::DeTable};

use super::{
    Answers, Value,
    ask::{ENCRYPT, STAY},
};
use crate::{
    Secret,
    seed::{self, providers},
};

/// Tables, or keys of them, that nobody is asked about: what an earlier seed says there stays.
const KEPT: &[&str] = &[
    "system.locale",
    "network",
    "firewall",
    "images",
    "stacks.disable",
    "stacks.without_vpn",
    "stacks.prefer",
    "backup.schedule",
];

/// The answers that a seed gives, as defaults. Only what is good is taken: a question offers an
/// answer only if it would accept it. Secrets that the seed does not hold as text (`file`, `ask`,
/// `generate`, hashes) are asked for.
pub fn prefill(text: &str) -> Answers {
    let mut answers = Answers::none();
    let (tree, _) = DeTable::parse_recoverable(text);
    // A seed that cannot be read to its end is still good up to there.
    let tree = plain(tree.get_ref());
    let text_at = |path: &str| at(&tree, path).and_then(Toml::as_str).map(str::to_owned);
    for path in ["system.keyboard", "system.timezone", "system.hostname", "admin.name"] {
        fill_text(&mut answers, path, text_at(path));
    }
    fill_secret(&mut answers, "admin.password", text_at("admin.password"));
    fill_list(&mut answers, "admin.ssh_keys", at(&tree, "admin.ssh_keys"));
    let email = text_at("admin.email").or_else(|| text_at("domain.certificate.email"));
    fill_text(&mut answers, "admin.email", email);
    domain(&mut answers, &tree);
    // Consent to erase is never taken over, neither here nor for mounts. Whoever wrote a seed without
    // it stays where they are.
    let stays = (!tree.is_empty()).then(|| STAY.to_owned());
    fill_text(&mut answers, "install.disk", text_at("install.disk").or(stays));
    mounts(&mut answers, &tree);
    if at(&tree, "vpn").is_some() {
        answers.prefill("vpn.wanted", Value::Yes(true));
    }
    for path in ["vpn.provider", "vpn.protocol"] {
        fill_text(&mut answers, path, text_at(path));
    }
    for path in ["vpn.private_key", "vpn.user", "vpn.password"] {
        fill_secret(&mut answers, path, text_at(path));
    }
    fill_list(&mut answers, "vpn.addresses", at(&tree, "vpn.addresses"));
    if let Some(Value::Texts(mut names)) = list(at(&tree, "stacks.enable")) {
        names.retain(|name| name != crate::catalogue::CORE);
        answers.prefill("stacks", Value::Texts(names));
    }
    notifications(&mut answers, &tree);
    backup(&mut answers, &tree);
    keep(&mut answers, &tree);
    answers
}

fn domain(answers: &mut Answers, tree: &Table) {
    let text_at = |path: &str| at(tree, path).and_then(Toml::as_str).map(str::to_owned);
    let Some(name) = text_at("domain.name") else { return };
    let provider = text_at("domain.dns.provider");
    let kind = if provider.as_deref() == Some("duckdns") { "duckdns" } else { "own" };
    fill_text(answers, "domain.kind", Some(kind.to_owned()));
    fill_text(answers, "domain.name", Some(name));
    let credentials = at(tree, "domain.dns.credentials").and_then(Toml::as_table);
    let variables: Vec<String> = credentials.into_iter().flat_map(|t| t.keys().cloned()).collect();
    for variable in &variables {
        let path = format!("domain.dns.credentials.{variable}");
        fill_secret(answers, &path, text_at(&path));
    }
    if provider.as_deref().is_some_and(|code| providers::find(code).is_none()) {
        answers.prefill("domain.variables", Value::Texts(variables));
    }
    fill_text(answers, "domain.provider", provider.or_else(|| Some("none".to_owned())));
    fill_text(answers, "domain.issuer", text_at("domain.certificate.issuer"));
    let directory = "domain.certificate.directory";
    fill_text(answers, directory, text_at(directory));
    let root_ca = text_at("domain.certificate.root_ca.file");
    fill_text(answers, "domain.certificate.root_ca", root_ca);
}

/// Disks fill in the questions of the box, and the lines of the PC; shares the lines of both.
/// Consent to format is never taken over.
fn mounts(answers: &mut Answers, tree: &Table) {
    let tables = at(tree, "storage.mount").and_then(Toml::as_array);
    let (mut shares, mut disks) = (Vec::new(), Vec::new());
    for table in tables.into_iter().flatten().filter_map(Toml::as_table) {
        let text_at = |key: &str| table.get(key).and_then(Toml::as_str);
        let holds = match text_at("at") {
            Some("/mnt/storage") => list(table.get("holds")),
            Some(at) => at.strip_prefix("/mnt/").map(|at| Value::Texts(vec![at.to_owned()])),
            None => None,
        };
        let Some(Value::Texts(holds)) = holds else { continue };
        let pool = table.get("disks").and_then(Toml::as_array);
        let members = pool.into_iter().flatten().filter_map(Toml::as_str);
        for disk in text_at("disk").into_iter().chain(members) {
            answers.prefill(format!("storage.disk.{disk}"), Value::Texts(holds.clone()));
            let filesystem = text_at("filesystem").unwrap_or("ext4");
            let encrypt = text_at("encrypt").map(|how| format!(" {how}")).unwrap_or_default();
            disks.push(format!("{} {disk} {filesystem}{encrypt}", holds.join("+")));
        }
        fill_text(answers, ENCRYPT, text_at("encrypt").map(str::to_owned));
        if let Some(remote) = text_at("remote") {
            shares.push(format!("{} {remote}", holds.join("+")));
            let id = format!("storage.share.{}", shares.len());
            fill_text(answers, &format!("{id}.user"), text_at("user").map(str::to_owned));
            let password = text_at("password").map(str::to_owned);
            fill_secret(answers, &format!("{id}.password"), password);
        }
    }
    if !shares.is_empty() {
        answers.prefill("storage.shares", Value::Texts(shares.clone()));
    }
    shares.extend(disks);
    if !shares.is_empty() {
        answers.prefill("storage.lines", Value::Texts(shares));
    }
}

fn notifications(answers: &mut Answers, tree: &Table) {
    let mut wanted = Vec::new();
    for (name, table) in [("mail", "notifications.smtp"), ("ntfy", "notifications.ntfy")] {
        if at(tree, table).is_some() {
            wanted.push(name.to_owned());
        }
    }
    if !wanted.is_empty() {
        answers.prefill("notifications", Value::Texts(wanted));
    }
    let text_at = |path: &str| at(tree, path).and_then(Toml::as_str).map(str::to_owned);
    for path in ["server", "from", "user"].map(|key| format!("notifications.smtp.{key}")) {
        fill_text(answers, &path, text_at(&path));
    }
    fill_text(answers, "notifications.ntfy.url", text_at("notifications.ntfy.url"));
    for path in ["notifications.smtp.password", "notifications.ntfy.token"] {
        fill_secret(answers, path, text_at(path));
    }
}

fn backup(answers: &mut Answers, tree: &Table) {
    let text_at = |path: &str| at(tree, path).and_then(Toml::as_str).map(str::to_owned);
    if let Some(repository) = text_at("backup.repository") {
        fill_text(answers, "backup.place", Some("other".to_owned()));
        fill_text(answers, "backup.repository", Some(repository));
    }
    if let Some(password) = text_at("backup.password") {
        fill_text(answers, "backup.password_from", Some("own".to_owned()));
        fill_secret(answers, "backup.password", Some(password));
    }
}

/// Keeps what nobody is asked about, each part only if a seed with it is good.
fn keep(answers: &mut Answers, tree: &Table) {
    let mut kept = Table::new();
    for path in KEPT {
        let Some(value) = at(tree, path) else { continue };
        let mut with = kept.clone();
        match path.split_once('.') {
            None => drop(with.insert((*path).to_owned(), value.clone())),
            Some((table, name)) => {
                let table = with.entry(table).or_insert_with(|| Toml::Table(Table::new()));
                if let Some(table) = table.as_table_mut() {
                    table.insert(name.to_owned(), value.clone());
                }
            }
        }
        let least = "schema = 1\n[admin]\npassword = { ask = true }\n";
        if seed::parse("seed.toml", &format!("{least}{with}")).is_ok() {
            kept = with;
        }
    }
    if !kept.is_empty() {
        answers.keep(kept.to_string());
    }
}

fn fill_text(answers: &mut Answers, id: &str, text: Option<String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        answers.prefill(id, Value::Text(text));
    }
}

fn fill_secret(answers: &mut Answers, id: &str, text: Option<String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        answers.prefill(id, Value::Secret(Secret::new(text)));
    }
}

fn fill_list(answers: &mut Answers, id: &str, value: Option<&Toml>) {
    if let Some(list) = list(value) {
        answers.prefill(id, list);
    }
}

fn list(value: Option<&Toml>) -> Option<Value> {
    let texts = value?.as_array()?.iter().filter_map(Toml::as_str).map(str::to_owned);
    Some(Value::Texts(texts.collect()))
}

fn at<'a>(tree: &'a Table, path: &str) -> Option<&'a Toml> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let found = tree.get(first)?;
    match rest {
        None => Some(found),
        Some(rest) => at(found.as_table()?, rest),
    }
}

/// The tree without places; what is no text, number, truth, list or table is left out.
fn plain(tree: &DeTable<'_>) -> Table {
    use toml::de::DeValue;
    fn value(found: &DeValue<'_>) -> Option<Toml> {
        Some(match found {
            DeValue::String(text) => Toml::String(text.to_string()),
            DeValue::Integer(number) => {
                Toml::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
            }
            DeValue::Boolean(truth) => Toml::Boolean(*truth),
            DeValue::Array(items) => {
                Toml::Array(items.iter().filter_map(|item| value(item.get_ref())).collect())
            }
            DeValue::Table(table) => Toml::Table(plain(table)),
            DeValue::Float(_) | DeValue::Datetime(_) => return None,
        })
    }
    tree.iter()
        .filter_map(|(name, item)| Some((name.get_ref().to_string(), value(item.get_ref())?)))
        .collect()
}
