//! What the tests of catalogue, linter, rendering and plan share.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::disallowed_methods, reason = "tests read their fixtures; the model may not")]

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
pub const LAN_ONLY: &str = r#"schema = 1
[admin]
name = "alex"
password = "correct horse battery staple"
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f alex@laptop"]
"#;

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
        artefacts: Vec::new(),
        own_artefacts: Vec::new(),
    }
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

/// Everything that is rendered, as one text for people.
pub fn print(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let Action::Render(render) = &step.action else { continue };
        for folder in &render.folders {
            text += &format!("{} {:o} {:?}\n", folder.path, folder.mode, folder.owner);
        }
        for file in render.files.iter().chain(&render.initial) {
            text += &format!("\n==> {} {:o} {:?}\n{}", file.path, file.mode, file.owner, file.text);
            if !file.text.ends_with('\n') {
                text.push('\n');
            }
        }
    }
    text
}
