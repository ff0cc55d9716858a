//! Seeds as their owners write them: good ones become the value beside them, bad ones say
//! exactly what stands beside them.
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

/// Compares with the file beside the seed, or writes it. Says what differs.
fn golden(path: &Path, said: &str) -> Option<String> {
    let beside = path.with_extension("txt");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&beside, said).unwrap();
        return None;
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    (expected != said)
        .then(|| format!("{}\n--- expected\n{expected}--- got\n{said}", beside.display()))
}

#[test]
fn good_seeds_become_what_stands_beside_them() {
    let mut wrong = Vec::new();
    for (path, text) in seeds("good") {
        match seed::parse("seed.toml", &text) {
            Ok(seed) => wrong.extend(golden(&path, &format!("{seed:#?}\n"))),
            Err(problems) => wrong.push(format!("{}\n{problems}", path.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_seeds_say_what_stands_beside_them() {
    let mut wrong = Vec::new();
    for (path, text) in seeds("bad") {
        match seed::parse("seed.toml", &text) {
            Ok(_) => wrong.push(format!("{} was accepted", path.display())),
            Err(problems) => wrong.extend(golden(&path, &problems.to_string())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
