//! The pages of the book about the services say what the catalogue says.
//!
//! `UPDATE_GOLDEN=1 cargo test -p homelab-model --test services` writes them anew.

#![allow(clippy::disallowed_methods, reason = "it compares files")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use model::{plan::plan, render::pages};

/// What brings pages and catalogue together again.
const WAY_OUT: &str = "run `UPDATE_GOLDEN=1 cargo test -p homelab-model --test services`";

/// So that nothing is left out for want of a tunnel.
const VPN: &str = r#"
[vpn]
provider = "mullvad"
protocol = "wireguard"
private_key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
addresses = ["10.64.0.2/32"]
"#;

fn book(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src").join(path)
}

/// The table of contents with the block of the services as it must be.
fn contents(text: &str, block: &str) -> String {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        inside = line == pages::SUMMARY_HEAD || (inside && line.starts_with(' '));
        match (inside, line == pages::SUMMARY_HEAD) {
            (_, true) => lines.push(block),
            (true, false) => {}
            (false, false) => lines.push(line),
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_book_says_what_the_catalogue_says() {
    let catalogue = support::catalogue();
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();

    let summary = fs::read_to_string(book("SUMMARY.md")).unwrap();
    assert!(summary.lines().any(|line| line == pages::SUMMARY_HEAD), "SUMMARY.md has no services");
    let mut wanted: BTreeMap<String, String> = pages::pages(&catalogue)
        .into_iter()
        .map(|(name, text)| (format!("services/{name}"), text))
        .collect();
    wanted.insert("SUMMARY.md".into(), contents(&summary, &pages::summary(&catalogue)));

    for (path, text) in &wanted {
        let there = fs::read_to_string(book(path)).unwrap_or_default();
        if there == *text {
            continue;
        }
        match update {
            true => fs::write(book(path), text).unwrap(),
            false => wrong.push(format!("docs/src/{path} is not what the catalogue says")),
        }
    }
    for path in support::tree(&book("services")).keys().map(|name| format!("services/{name}")) {
        match wanted.contains_key(&path) {
            true => {}
            false if update => fs::remove_file(book(&path)).unwrap(),
            false => wrong.push(format!("docs/src/{path} is about no service of the catalogue")),
        }
    }
    assert!(wrong.is_empty(), "{}: {WAY_OUT}", wrong.join("\n"));
}

#[test]
fn the_readme_names_every_service_beside_its_stack() {
    let readme = fs::read_to_string(book("../../README.md")).unwrap();
    let catalogue = support::catalogue();
    let pages = pages::pages(&catalogue);
    for (stack, service) in catalogue.services() {
        if !pages.contains_key(&format!("{}.md", service.name)) {
            continue;
        }
        let name = &service.name;
        if service.wish.instead_of.is_some() {
            let choice = format!("`prefer = [\"{name}\"]`");
            assert!(readme.contains(&choice), "README.md does not say {choice}");
            continue;
        }
        let head = format!("| `{}` | ", stack.name);
        let row = readme.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_default();
        let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "");
        let names: Vec<String> = row.trim_end_matches(" |").split(", ").map(plain).collect();
        let stack = &stack.name;
        assert!(names.contains(&plain(name)), "README.md does not name `{name}` of `{stack}`");
    }
}

#[test]
fn every_link_of_a_page_leads_to_a_page() {
    let pages = pages::pages(&support::catalogue());
    for (name, text) in &pages {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let found = pages.contains_key(link) || book("services").join(link).is_file();
            assert!(found, "services/{name} links to {link}");
        }
    }
}

#[test]
fn nothing_is_left_open_on_a_page() {
    let catalogue = support::catalogue();
    for (name, text) in pages::pages(&catalogue) {
        assert!(!text.contains("${"), "services/{name} has a variable that nobody fills in");
    }
    for (stack, service) in catalogue.services().filter(|(_, s)| s.wish.url.is_some()) {
        let (at, wish) = (format!("{}/{}", stack.name, service.name), &service.wish);
        assert!(wish.about.is_some(), "{at} does not say what it is about");
        assert!(wish.first_login.is_some(), "{at} does not say how one logs in first");
        assert!(!wish.limits.is_empty(), "{at} does not say what its limits are");
    }
}

#[test]
fn every_part_stands_on_the_page_of_a_service() {
    let catalogue = support::catalogue();
    let pages = pages::pages(&catalogue);
    for (_, part) in catalogue.services() {
        if pages.contains_key(&format!("{}.md", part.name)) {
            continue;
        }
        let row = format!("(`{}`)", part.name);
        let mut others = pages.iter().filter(|(name, _)| *name != "README.md");
        assert!(others.any(|(_, text)| text.contains(&row)), "`{}` is on no page", part.name);
    }
}

#[test]
fn what_a_page_says_to_do_without_a_service_makes_a_plan() {
    let catalogue = support::catalogue();
    let mut facts = support::facts();
    facts.memory = 32 << 30;
    let mut tried = 0;
    for (name, text) in pages::pages(&catalogue) {
        let Some((_, rest)) = text.split_once("```toml\n") else { continue };
        let wish = rest.split("```").next().unwrap();
        let seed = support::seed(&format!("{}{VPN}{wish}", support::LAN_ONLY));
        if let Err(problems) = plan(&seed, &catalogue, &facts) {
            panic!("services/{name} says\n{wish}and then\n{problems}");
        }
        tried += 1;
    }
    assert!(tried > 20, "only {tried} pages say it");
}
