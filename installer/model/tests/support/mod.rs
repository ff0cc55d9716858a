//! What the tests of catalogue, linter, rendering and plan share.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::disallowed_methods, reason = "tests read their fixtures; the model may not")]

pub mod print;

use std::{collections::BTreeMap, fs, path::Path};

use model::{
    catalogue::Catalogue,
    facts::{Disk, Facts, Firmware, NetworkPort},
    plan::{Action, Plan},
    seed::{self, Seed},
};

/// All files below a folder, by their relative path.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, out: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, out);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                out.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(folder, folder, &mut files);
    files
}

/// The catalogue of this repository, as files.
pub fn stacks() -> BTreeMap<String, String> {
    tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacks"))
}

/// The catalogue of this repository.
pub fn catalogue() -> Catalogue {
    catalogue_with(&[])
}

/// The same with the owner's own stacks, given as name and Compose file.
pub fn catalogue_with(own: &[(&str, &str)]) -> Catalogue {
    let own: BTreeMap<String, String> = own
        .iter()
        .map(|(name, text)| (format!("{name}/compose.yaml"), (*text).to_owned()))
        .collect();
    Catalogue::parse_with_own(&stacks(), &own).unwrap_or_else(|wrong| {
        panic!("{}", wrong.iter().map(ToString::to_string).collect::<String>())
    })
}

/// A seed that must be good.
pub fn seed(text: &str) -> Seed {
    seed::parse("seed.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The least that a seed can say.
pub const LAN_ONLY: &str = include_str!("../seeds/parts/lan.toml");
/// A public name, dynamic DNS and public certificates.
pub const DUCKDNS: &str = include_str!("../seeds/parts/duckdns.toml");
/// Downloads go through a VPN.
pub const VPN: &str = include_str!("../seeds/parts/vpn.toml");
/// Mail and ntfy.
pub const NOTIFICATIONS: &str = include_str!("../seeds/parts/notifications.toml");
/// One stack, by name, and core.
pub const MEDIA_ONLY: &str = include_str!("../seeds/parts/media.toml");

/// Another program sends the logs.
pub const PROMTAIL: &str = include_str!("../seeds/parts/promtail.toml");

/// The least, and more.
pub fn with(more: &[&str]) -> String {
    format!("{LAN_ONLY}{}", more.concat())
}

/// A small machine with one disk and one wired port.
pub fn facts() -> Facts {
    Facts {
        architecture: "x86_64".into(),
        firmware: Firmware::Uefi,
        product: "QEMU".into(),
        memory: 4 << 30,
        processors: 2,
        disks: vec![Disk {
            name: "vda".into(),
            model: "".into(),
            serial: "BOX1".into(),
            ids: vec!["virtio-BOX1".into()],
            size: 64_000_000_000,
            sector: 512,
            bus: "virtio".into(),
            removable: false,
            boot: true,
            contents: Vec::new(),
            ..Disk::default()
        }],
        interfaces: vec![NetworkPort {
            name: "enp1s0".into(),
            mac: "52:54:00:12:34:56".into(),
            wired: true,
            carrier: true,
            addresses: vec![
                "192.168.1.23/24".parse().unwrap(),
                "fd00:99::5054:ff:fe12:3456/64".parse().unwrap(),
                "fe80::5054:ff:fe12:3456/64".parse().unwrap(),
            ],
            gateways: vec!["192.168.1.1".parse().unwrap()],
        }],
        render_device: false,
        render_group: None,
        tunnel_device: true,
        tpm2: false,
        artefacts: Vec::new(),
        own_artefacts: Vec::new(),
        known: Default::default(),
    }
}

/// The same with room for every service.
pub fn large() -> Facts {
    Facts { memory: 16 << 30, ..facts() }
}

/// The plan for a seed that can be fulfilled.
pub fn plan(seed_text: &str, catalogue: &Catalogue, facts: &Facts) -> Plan {
    model::plan::plan(&seed(seed_text), catalogue, facts)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// The text of a rendered file.
pub fn rendered(plan: &Plan, path: &str) -> String {
    let found = plan.steps.iter().find_map(|step| match &step.action {
        Action::Render(render) => {
            render.files.iter().chain(&render.initial).find(|file| file.path == path)
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{path} is not rendered")).text.clone()
}
