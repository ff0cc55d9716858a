//! What is rendered for a box, as files: the very paths and texts that the box would have, with
//! stand-ins for the secrets that it makes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use model::{
    catalogue::Catalogue,
    facts::Facts,
    plan::{self, Action, Plan, SecretMaking},
    secret::{self, Notation, Secret},
    seed::{self, SecretSource, Seed},
};
use serde_json::json;
use serde_yaml_ng::Value;

use crate::fixtures::PLUGIN;

// The golden files of `model` are rendered from the same.
const LAN_ONLY: &str = include_str!("../../../installer/model/tests/seeds/parts/lan.toml");
const DUCKDNS: &str = include_str!("../../../installer/model/tests/seeds/parts/duckdns.toml");
const VPN: &str = include_str!("../../../installer/model/tests/seeds/parts/vpn.toml");
const NOTIFICATIONS: &str =
    include_str!("../../../installer/model/tests/seeds/parts/notifications.toml");
const MEDIA_ONLY: &str = include_str!("../../../installer/model/tests/seeds/parts/media.toml");
const PROMTAIL: &str = include_str!("../../../installer/model/tests/seeds/parts/promtail.toml");

/// A box: the name of the variant, parts of its seed, GiB of its memory, and whether it can have
/// services that sleep.
type Wish = (&'static str, &'static [&'static str], u64, bool);

const BOXES: &[Wish] = &[
    ("all", &[LAN_ONLY, DUCKDNS, VPN, NOTIFICATIONS], 16, true),
    ("lan", &[LAN_ONLY], 16, false),
    ("small", &[LAN_ONLY, DUCKDNS, VPN, NOTIFICATIONS], 4, true),
    ("media", &[LAN_ONLY, DUCKDNS, VPN, NOTIFICATIONS, MEDIA_ONLY], 16, true),
    ("promtail", &[LAN_ONLY, PROMTAIL], 16, false),
];

/// A box that is planned.
pub struct Variant {
    /// Such as `all`.
    pub name: &'static str,
    /// What is done on the box.
    pub plan: Plan,
    /// The box's domain.
    pub domain: String,
    seed: Seed,
}

/// The root folder of a box with everything that is rendered for it.
#[derive(Clone)]
pub struct Written {
    /// The folder.
    pub root: PathBuf,
    /// Rendered files by their path on the box.
    pub files: Vec<String>,
}

/// All variants. `source` is the folder of the workspace.
///
/// # Errors
/// The catalogue is wrong, or a seed cannot be fulfilled.
pub fn all(source: &Path) -> Result<Vec<Variant>> {
    let catalogue = catalogue(&source.join("stacks"))?;
    BOXES.iter().map(|wish| variant(&catalogue, wish)).collect()
}

fn variant(catalogue: &Catalogue, (name, parts, memory, sleepers): &Wish) -> Result<Variant> {
    let seed = seed::parse("seed.toml", &parts.concat()).map_err(|wrong| anyhow!("{wrong}"))?;
    let facts = facts(memory << 30, *sleepers)?;
    let plan = plan::plan(&seed, catalogue, &facts).map_err(|wrong| anyhow!("{name}: {wrong}"))?;
    Ok(Variant { name, plan, domain: seed.domain.name.clone(), seed })
}

fn catalogue(folder: &Path) -> Result<Catalogue> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        if entry.file_type().is_file() {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
            let text = fs::read_to_string(path);
            files.insert(name, text.with_context(|| format!("cannot read {}", path.display()))?);
        }
    }
    Catalogue::parse_with_own(&files, &BTreeMap::new()).map_err(|wrong| {
        anyhow!("{}", wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// A machine with one disk and one wired port.
fn facts(memory: u64, sleepers: bool) -> Result<Facts> {
    let artefacts: &[&str] = if sleepers { &[PLUGIN] } else { &[] };
    let facts = json!({
        "architecture": "x86_64", "firmware": "uefi", "product": "QEMU", "memory": memory,
        "processors": 2, "render_device": false, "tunnel_device": true, "artefacts": artefacts,
        "disks": [{
            "name": "vda", "model": "", "serial": "BOX1", "ids": ["virtio-BOX1"],
            "size": 64_000_000_000_u64, "sector": 512, "bus": "virtio", "removable": false,
            "boot": true, "contents": [],
        }],
        "interfaces": [{
            "name": "enp1s0", "mac": "52:54:00:12:34:56", "wired": true, "carrier": true,
            "addresses": ["192.168.1.23/24"], "gateways": ["192.168.1.1"],
        }],
    });
    serde_json::from_value(facts).context("the machine of the checkers is none")
}

impl Variant {
    /// Is a service deployed?
    pub fn has(&self, service: &str) -> bool {
        self.stacks().flat_map(|stack| &stack.services).any(|known| known.name == service)
    }

    /// The deployed stacks.
    pub fn stacks(&self) -> impl Iterator<Item = &plan::StackWish> {
        self.plan.steps.iter().filter_map(|step| match &step.action {
            Action::Stack(stack) => Some(stack),
            _ => None,
        })
    }

    /// The URLs of the box, each with its service.
    pub fn probes(&self) -> impl Iterator<Item = &plan::AccessProbe> {
        self.plan.steps.iter().flat_map(|step| match &step.action {
            Action::Access { probes } => probes.as_slice(),
            _ => &[],
        })
    }

    /// Paths of all files that are rendered.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let rendered = self.plan.steps.iter().filter_map(|step| match &step.action {
            Action::Render(render) => Some(render),
            _ => None,
        });
        rendered
            .flat_map(|render| render.files.iter().chain(&render.initial))
            .map(|file| file.path.as_str())
    }

    /// Writes all files of the box below a folder. `key` is a private key in PEM form.
    ///
    /// # Errors
    /// A secret is not told how to be made, or a file cannot be written.
    pub fn write(&self, root: &Path, key: &str) -> Result<Written> {
        let secrets = self.secrets(key)?;
        let mut written = Written { root: root.to_owned(), files: Vec::new() };
        for step in &self.plan.steps {
            let Action::Render(render) = &step.action else { continue };
            for folder in &render.folders {
                let path = written.at(&folder.path);
                fs::create_dir_all(&path)
                    .with_context(|| format!("cannot make {}", path.display()))?;
            }
            for file in render.files.iter().chain(&render.initial) {
                let known = |name: &secret::SecretRef| {
                    let text = secrets.get(&name.0).with_context(|| format!("no secret {name}"))?;
                    anyhow::Ok(Secret::new(text))
                };
                written.put(&file.path, secret::fill(&file.text, known)?.reveal())?;
                written.files.push(file.path.clone());
            }
        }
        Ok(written)
    }

    /// Texts of the right form for all secrets.
    fn secrets(&self, key: &str) -> Result<BTreeMap<String, String>> {
        let of_seed: BTreeMap<_, _> = self.seed.secrets().into_iter().collect();
        let wishes = self.plan.steps.iter().flat_map(|step| match &step.action {
            Action::Secrets { wishes } => wishes.as_slice(),
            _ => &[],
        });
        let mut secrets = BTreeMap::new();
        for wish in wishes {
            let text = match &wish.source {
                SecretMaking::Seed => match of_seed.get(&wish.name) {
                    Some(SecretSource::Text(secret)) => secret.reveal().to_owned(),
                    _ => bail!("the seed has no text for {}", wish.name),
                },
                SecretMaking::Random { length } => "aB3".chars().cycle().take(*length).collect(),
                SecretMaking::Hex { length } => "c0de".chars().cycle().take(*length).collect(),
                SecretMaking::RsaKey { .. } => key.to_owned(),
                SecretMaking::Digest { notation, .. } => digest(*notation).to_owned(),
            };
            secrets.insert(wish.name.0.clone(), text);
        }
        Ok(secrets)
    }
}

/// A digest of some password: only its form counts.
fn digest(notation: Notation) -> &'static str {
    match notation {
        Notation::Argon2id => {
            "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0c2FsdA\
             $bmNzZ3RoaXMgaXMgbm8gcmVhbCBrZXkgYXQgYWxsLiE"
        }
        Notation::Pbkdf2Sha512 => {
            "$pbkdf2-sha512$310000$c8p78n7pUMln0jzvd4aK4Q$JNRBzwAo0ek5qKn50cFzzvE9RXV88h1wJn5KGiHrD0\
             YKtZaR/nCb2CJPOsKaPK0hjf.9yHxzQGZziziccp6Yng"
        }
        Notation::BcryptBase64 => "JDJiJDEwJHNvbWVzYWx0c29tZXNhbHQ=",
        Notation::QBittorrent => "c2FsdHNhbHRzYWx0c2FsdA==:a2V5a2V5a2V5a2V5",
    }
}

impl Written {
    /// Where a path of the box lies here.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Writes a file of the box.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, path: &str, text: &str) -> Result<()> {
        let path = self.at(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Puts other words into a file of the box.
    ///
    /// # Errors
    /// The file is not there, or has no such words.
    pub fn spoil(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.at(path)).with_context(|| format!("no {path}"))?;
        if !text.contains(from) {
            bail!("{path} cannot be spoiled: it has no `{from}`");
        }
        self.put(path, &text.replacen(from, to, 1))
    }

    /// The rendered Compose file of a stack.
    ///
    /// # Errors
    /// There is none, or it is no YAML.
    pub fn compose(&self, stack: &str) -> Result<Value> {
        let path = self.at(&format!("{}/{stack}/compose.yaml", model::paths::STACKS));
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_yaml_ng::from_str(&text).with_context(|| format!("{} is no YAML", path.display()))
    }
}
