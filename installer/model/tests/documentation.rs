//! The references tell every key: of the seed as the table of keys has it, of the catalogue by name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::disallowed_methods, reason = "it reads the page")]

use std::{fmt::Write as _, fs, path::Path};

use model::{
    catalogue::wish,
    secret::Notation,
    seed::keys::{KEYS, Key, Kind, Need},
};
use serde::de::DeserializeOwned;

fn kind(key: &Key) -> String {
    let list = |words: &[&str]| {
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    match key.kind {
        Kind::Number => "number".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Texts => "list of texts".to_owned(),
        Kind::Choice(words) => list(words),
        Kind::Choices(words) => format!("list of {}", list(words)),
        Kind::Secret(_) => "secret".to_owned(),
        Kind::TextMap => "table of texts".to_owned(),
        Kind::SecretMap(_) => "table of secrets".to_owned(),
        Kind::Table => "table".to_owned(),
        Kind::Tables => "tables".to_owned(),
    }
}

fn need(key: &Key) -> String {
    match key.need {
        Need::Required => "required".to_owned(),
        Need::Optional => "–".to_owned(),
        Need::Default(text) => text.to_owned(),
    }
}

fn page(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Names that a type reads, or words that one knows: its refusal of another one lists them.
fn names<T: DeserializeOwned>(wrong: &str) -> Vec<String> {
    let Err(error) = serde_yaml_ng::from_str::<T>(wrong) else { panic!("`{wrong}` was read") };
    let error = error.to_string();
    let (_, known) = error.split_once("expected").unwrap_or_else(|| panic!("{error}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The words of a text; hyphens and underscores belong to them.
fn split(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).collect()
}

fn keys<T: DeserializeOwned>() -> Vec<String> {
    names::<T>("no-such-key: 1")
}

fn choices<T: DeserializeOwned>() -> Vec<String> {
    names::<T>("no-such-word")
}

#[test]
fn the_page_of_the_catalogue_has_every_rule() {
    let page = page("catalogue.md");
    for rule in model::catalogue::lint::rules() {
        let excepted = if rule.excepted { "yes" } else { "no" };
        let row = format!("| `{}` | {} | {excepted} |", rule.name, rule.why);
        assert!(
            page.lines().any(|line| line == row),
            "docs/src/reference/catalogue.md lacks\n{row}"
        );
    }
}

#[test]
fn the_page_of_the_catalogue_has_every_key() {
    let page = page("catalogue.md");
    let row = |key: &str| page.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
    let mut missing = Vec::new();
    for key in keys::<wish::ServiceWish>() {
        missing.extend(row(&key).is_none().then_some(key));
    }
    for (key, below) in [
        ("access", choices::<wish::Access>()),
        ("access_exceptions", keys::<wish::AccessException>()),
        ("oidc", [keys::<wish::Oidc>(), choices::<wish::TokenAuth>()].concat()),
        ("oidc_provider", keys::<wish::OidcProvider>()),
        ("lazy", [keys::<wish::LazyWish>(), choices::<wish::LazyWait>()].concat()),
        ("backup", keys::<wish::Backup>()),
        ("monitor", keys::<wish::Monitor>()),
        ("scrape", keys::<wish::Scrape>()),
        ("setup", keys::<wish::Setup>()),
        ("files", [keys::<wish::ConfigurationFile>(), choices::<wish::Reading>()].concat()),
        ("certificate", keys::<wish::CertificateFiles>()),
        ("artefacts", keys::<wish::ArtefactMount>()),
        ("publishes", [keys::<wish::Publish>(), choices::<wish::PublishKind>()].concat()),
    ] {
        assert!(!below.is_empty(), "`{key}` has nothing below it");
        let words = split(row(key).unwrap_or_default());
        let absent = below.into_iter().filter(|name| !words.contains(&name.as_str()));
        missing.extend(absent.map(|name| format!("{key}.{name}")));
    }
    let unsaid = format!("; {} if not said", model::render::DEADLINE);
    assert!(row("deadline").unwrap_or_default().contains(&unsaid), "`deadline`{unsaid}");
    // Below the table: what a stack may say, and how its secrets come to be.
    let top = page.split("At the top of the file").nth(1).unwrap_or_default();
    let words = split(top.split("\n## ").next().unwrap_or_default());
    for name in [
        keys::<wish::StackWish>(),
        names::<wish::StackWish>("secrets: {one: {no-such-word: 1}}"),
        choices::<Notation>(),
    ]
    .concat()
    {
        missing.extend((!words.contains(&name.as_str())).then_some(name));
    }
    assert!(missing.is_empty(), "docs/src/reference/catalogue.md lacks {}", missing.join(", "));
}

#[test]
fn the_page_has_every_key() {
    let page = page("seed.md");
    let mut missing = String::new();
    for key in KEYS {
        let row = format!("| `{}` | {} | {} | {} |", key.path, kind(key), need(key), key.about);
        if !page.contains(&row) {
            writeln!(missing, "{row}").unwrap();
        }
    }
    assert!(missing.is_empty(), "docs/src/reference/seed.md lacks\n{missing}");
}
