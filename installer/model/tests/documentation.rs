//! The reference of the seed tells every key as the table of keys has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::disallowed_methods, reason = "it reads the page")]

use std::{fmt::Write as _, fs, path::Path};

use model::seed::keys::{KEYS, Key, Kind, Need};

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

#[test]
fn the_page_has_every_key() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference/seed.md");
    let page = fs::read_to_string(page).unwrap();
    let mut missing = String::new();
    for key in KEYS {
        let row = format!("| `{}` | {} | {} | {} |", key.path, kind(key), need(key), key.about);
        if !page.contains(&row) {
            writeln!(missing, "{row}").unwrap();
        }
    }
    assert!(missing.is_empty(), "docs/src/reference/seed.md lacks\n{missing}");
}
