//! The border guard: which crate may use which, and that the lints reach every crate.
//!
//! The table is that of the design ("The house") and of CONTRIBUTING.md. A crate that is not in it
//! fails, so that a new one cannot come in unseen.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crate, and what it may use of ours.
const MAY_USE: &[(&str, &[&str])] = &[
    ("homelab-model", &[]),
    ("homelab-host", &["homelab-model"]),
    ("homelab-engine", &["homelab-model", "homelab-host"]),
    ("homelab-terminal", &["homelab-model"]),
    ("homelab", &["homelab-model", "homelab-host", "homelab-engine", "homelab-terminal"]),
    ("homelab-image", &["homelab-model", "homelab-host", "homelab-terminal"]),
    ("homelab-qemu-tests", &["homelab-model"]),
];

/// Modules of `model` that the machine tests may name: they see the box from outside. The small
/// value types of the report, of the image's layout and of its block map come along.
const QEMU_TESTS_MAY_NAME: &[&str] =
    &["report", "seed", "paths", "block_map", "digest", "Digest", "problem", "secret", "Secret"];

/// What the layer `checkers` may name beyond that. It sees no box: it plans as the installer does, and
/// shows what is rendered to the programs that read it.
const CHECKERS_MAY_NAME: &[&str] = &["catalogue", "facts"];

/// What the pure crate must not depend on, although it would be a dependency and not ours.
const NOT_IN_MODEL: &[&str] =
    &["tokio", "reqwest", "bollard", "nix", "tempfile", "walkdir", "getrandom", "indicatif"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace lies above")
}

fn metadata() -> cargo_metadata::Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps().other_options(["--offline".into()]);
    command.exec().expect("cargo metadata")
}

#[test]
fn crates_use_only_what_the_table_allows() {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    let metadata = metadata();
    let ours: BTreeSet<&str> =
        metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let known: BTreeSet<&str> = table.keys().copied().collect();
    assert_eq!(ours, known, "the workspace and the table have different crates");
    for package in &metadata.packages {
        let used: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| dependency.name.as_str())
            .filter(|name| ours.contains(name))
            .collect();
        let forbidden: Vec<_> = used.difference(&table[package.name.as_str()]).collect();
        assert!(forbidden.is_empty(), "{} must not use {forbidden:?}", package.name);
    }
}

#[test]
fn tests_do_not_reach_over_the_border_either() {
    let metadata = metadata();
    for package in &metadata.packages {
        let allowed = MAY_USE.iter().find(|(name, _)| *name == package.name.as_str());
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let ours = MAY_USE.iter().any(|(ours, _)| *ours == name);
            let allowed = allowed.is_some_and(|(_, uses)| uses.contains(&name));
            assert!(!ours || allowed, "{} must not use {name}, not even in tests", package.name);
        }
    }
}

#[test]
fn the_pure_crate_has_no_means_to_touch_anything() {
    let metadata = metadata();
    let model = metadata.packages.iter().find(|package| package.name.as_str() == "homelab-model");
    for dependency in &model.expect("there is a model").dependencies {
        if dependency.kind == DependencyKind::Normal {
            assert!(!NOT_IN_MODEL.contains(&dependency.name.as_str()), "{}", dependency.name);
        }
    }
    let lints = fs::read_to_string(root().join("installer/model/clippy.toml")).expect("its lints");
    for banned in ["std::fs::", "std::env::", "std::process::Command::new", "SystemTime::now"] {
        assert!(lints.contains(banned), "installer/model/clippy.toml does not ban {banned}");
    }
}

#[test]
fn every_crate_inherits_lints_version_and_licence() {
    for package in metadata().packages {
        let text = fs::read_to_string(&package.manifest_path).expect("a manifest");
        let manifest: toml::Table = toml::from_str(&text).expect("TOML");
        let inherits = |table: &str, key: &str| {
            manifest
                .get(table)
                .and_then(|value| if key.is_empty() { Some(value) } else { value.get(key) })
                .and_then(|value| value.get("workspace"))
                .and_then(toml::Value::as_bool)
                == Some(true)
        };
        assert!(inherits("lints", ""), "{} does not inherit the lints", package.name);
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert!(inherits("package", key), "{} does not inherit `{key}`", package.name);
        }
    }
}

#[test]
fn the_machine_tests_name_only_what_crosses_the_border() {
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(root().join("qemu-tests/src")) {
        let entry = entry.expect("a readable folder");
        if entry.path().extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).expect("a readable file");
        let checker = entry.path().starts_with(root().join("qemu-tests/src/checkers"));
        let further = if checker { CHECKERS_MAY_NAME } else { &[] };
        for named in names_of_model(&text) {
            seen += 1;
            // `plan::StepId` is the name of a step inside a report.
            let allowed = QEMU_TESTS_MAY_NAME.iter().chain(further).any(|may| *may == named)
                || named == "plan";
            assert!(allowed, "{} names model::{named}", entry.path().display());
        }
        let plans = text.contains("plan::Plan") && !checker;
        assert!(!plans, "{} knows plans", entry.path().display());
    }
    assert!(seen > 5, "the search finds nothing");
}

/// First path segments after `model::`, those in braces too.
fn names_of_model(text: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = Vec::new();
    for rest in text.split("model::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (index, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                character if start && depth == 1 && !character.is_whitespace() => {
                    names.push(word(&group[index..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn the_search_for_names_sees_groups() {
    let text = "use model::{Digest, paths::{self, SEED},\n report::Event}; model::seed::parse(x)";
    assert_eq!(names_of_model(text), ["Digest", "paths", "report", "seed"]);
}
