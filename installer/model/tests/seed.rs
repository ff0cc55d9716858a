//! Seeds as their owners write them: good ones become the value beside them, bad ones say
//! exactly what stands beside them. The bad ones and what they say are a page of the book.
//!
//! `UPDATE_GOLDEN=1 cargo test -p homelab-model --test seed` writes what is said now; read the
//! difference before you keep it.

#![allow(clippy::disallowed_methods, reason = "golden tests read their files")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use model::seed;

/// The seeds of a folder, sorted by name.
fn seeds(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(folder);
    let mut all: Vec<(PathBuf, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    all.sort();
    all
}

/// Compares with a file, or writes it. Says what differs.
fn golden(path: &Path, said: &str) -> Option<String> {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, said).unwrap();
        return None;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    (expected != said)
        .then(|| format!("{}\n--- expected\n{expected}--- got\n{said}", path.display()))
}

/// A bad seed and what it says, as the page has them.
fn told(path: &Path, text: &str, said: &str) -> String {
    let name = path.file_stem().unwrap().to_string_lossy().replacen('-', ": ", 1).replace('-', " ");
    // Some seeds end in the middle of a line.
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let said = said.trim_end();
    let chapter = format!("\n## {name}\n\n```toml\n{text}{end}```\n\n```text\n{said}\n```\n");
    assert_eq!(chapter.matches("```").count(), 4, "a block of `{name}` would end too early");
    chapter
}

#[test]
fn good_seeds_become_what_stands_beside_them() {
    let mut wrong = Vec::new();
    for (path, text) in seeds("good") {
        match seed::parse("seed.toml", &text) {
            Ok(seed) => {
                wrong.extend(golden(&path.with_extension("txt"), &format!("{seed:#?}\n")));
            }
            Err(problems) => wrong.push(format!("{}\n{problems}", path.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_seeds_say_what_stands_beside_them_and_on_the_page() {
    let (mut wrong, seeds) = (Vec::new(), seeds("bad"));
    let mut page = format!(
        "# Mistakes in a seed\n\nThe {} bad [seeds](seed.md) that the tests know, each with all that \
         `homelab-image seed check` and the box\nsay about it: where, what, and the way out. What \
         stands at keys for secrets and at unknown keys\nis repeated as stars.\n",
        seeds.len()
    );
    for (path, text) in seeds {
        match seed::parse("seed.toml", &text) {
            Ok(_) => wrong.push(format!("{} was accepted", path.display())),
            Err(problems) => {
                let said = problems.to_string();
                page += &told(&path, &text, &said);
                wrong.extend(golden(&path.with_extension("txt"), &said));
            }
        }
    }
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference/seed-mistakes.md");
    // What differs in it is told above, seed by seed.
    let differs = golden(&path, &page).is_some();
    wrong.extend(differs.then(|| format!("{} is not what the bad seeds say", path.display())));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
