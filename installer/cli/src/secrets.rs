//! The seed's secrets, from wherever the seed says that they are.

use std::{collections::BTreeMap, path::Path};

use model::{
    Problems, Secret,
    secret::SecretRef,
    seed::{SecretSource, Seed},
};

/// The outside of a secret: files and a person.
pub trait Outside {
    /// A file that the seed names; a relative path lies beside the seed.
    ///
    /// # Errors
    /// Why it cannot be had, in one sentence.
    fn file(&mut self, path: &Path) -> Result<String, String>;

    /// Asks at the console.
    ///
    /// # Errors
    /// Why nobody can be asked, in one sentence.
    fn ask(&mut self, name: &SecretRef) -> Result<String, String>;

    /// What the box has kept under this name since the seed was sealed.
    fn kept(&mut self, name: &SecretRef) -> Option<Secret>;
}

/// The secrets of a seed.
#[derive(Debug, Default)]
pub struct Resolved {
    /// All of them, but those that the box makes itself.
    pub all: BTreeMap<SecretRef, Secret>,
    /// Those whose text is not in the seed: sealing keeps them, since the next start may not see
    /// the file or the person again.
    pub foreign: BTreeMap<SecretRef, Secret>,
}

/// Brings the secrets together.
///
/// # Errors
/// Every secret that cannot be had, as problems of the seed `file`.
pub fn resolve(seed: &Seed, file: &str, outside: &mut dyn Outside) -> Result<Resolved, Problems> {
    let mut problems = Problems::new(file, "");
    let mut resolved = Resolved::default();
    for (name, source) in seed.secrets() {
        let got = match source {
            SecretSource::Generate => continue,
            SecretSource::Text(secret) => {
                resolved.all.insert(name, secret.clone());
                continue;
            }
            SecretSource::File(path) => match (outside.file(path), outside.kept(&name)) {
                // Editors end a file with a line break, passwords do not.
                (Ok(text), _) => Ok(Secret::new(text.trim_end_matches(['\n', '\r']))),
                (Err(_), Some(kept)) => Ok(kept),
                (Err(why), None) => Err(why),
            },
            SecretSource::Ask => match outside.kept(&name) {
                Some(kept) => Ok(kept),
                None => outside.ask(&name).map(Secret::new),
            },
        };
        match got {
            Ok(secret) if secret.reveal().is_empty() => {
                problems.push(None, format!("the secret `{name}` is empty"), "");
            }
            Ok(secret) => {
                resolved.all.insert(name.clone(), secret.clone());
                resolved.foreign.insert(name, secret);
            }
            Err(why) => problems.push(
                None,
                format!("the secret `{name}` cannot be had: {why}"),
                "write it into the seed, put the file beside the seed, or let the box make it: \
                 `{ generate = true }`",
            ),
        }
    }
    if problems.list.is_empty() { Ok(resolved) } else { Err(problems) }
}

/// The secrets that can be had without asking anybody, those among them that the box has made.
pub fn known(seed: &Seed, outside: &mut dyn Outside) -> BTreeMap<SecretRef, Secret> {
    let secrets = seed.secrets().into_iter().filter_map(|(name, source)| {
        let secret = match source {
            SecretSource::Text(secret) => Some(secret.clone()),
            // As for `resolve`: what lies there now counts, and without the editor's line break.
            SecretSource::File(path) => match outside.file(path) {
                Ok(text) => Some(Secret::new(text.trim_end_matches(['\n', '\r']))),
                Err(_) => outside.kept(&name),
            },
            SecretSource::Generate | SecretSource::Ask => outside.kept(&name),
        };
        Some((name, secret?))
    });
    secrets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files and kept secrets by name; nobody to ask.
    #[derive(Default)]
    struct Desk {
        files: BTreeMap<&'static str, &'static str>,
        kept: BTreeMap<&'static str, &'static str>,
    }

    impl Outside for Desk {
        fn file(&mut self, path: &Path) -> Result<String, String> {
            let name = path.to_str().unwrap_or_default();
            self.files.get(name).map(|t| (*t).to_owned()).ok_or(format!("`{name}` is not there"))
        }
        fn ask(&mut self, _: &SecretRef) -> Result<String, String> {
            Err("this console has no keyboard".into())
        }
        fn kept(&mut self, name: &SecretRef) -> Option<Secret> {
            self.kept.get(name.0.as_str()).map(|text| Secret::new(*text))
        }
    }

    fn seed(password: &str) -> Seed {
        let text = format!("schema = 1\n[admin]\nname = \"alex\"\npassword = {password}\n");
        model::seed::parse("seed.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn a_file_beside_the_seed_without_its_last_line_break() {
        let mut desk = Desk { files: [("pw.txt", "correct horse\n")].into(), ..Desk::default() };
        let seed = seed("{ file = \"pw.txt\" }");
        let resolved = resolve(&seed, "seed.toml", &mut desk).unwrap();
        let name = SecretRef::new("admin-password");
        assert_eq!(resolved.all[&name].reveal(), "correct horse");
        assert!(resolved.foreign.contains_key(&name));
    }

    #[test]
    fn text_stays_in_the_seed() {
        let resolved =
            resolve(&seed("\"correct horse battery\""), "seed.toml", &mut Desk::default()).unwrap();
        assert_eq!(resolved.all.len(), 1);
        assert!(resolved.foreign.is_empty());
    }

    #[test]
    fn a_kept_secret_stands_in_for_a_file_that_went_away_and_for_a_question() {
        for source in ["{ file = \"pw.txt\" }", "{ ask = true }"] {
            let mut desk = Desk { kept: [("admin-password", "kept")].into(), ..Desk::default() };
            let resolved = resolve(&seed(source), "seed.toml", &mut desk).unwrap();
            assert_eq!(resolved.all[&SecretRef::new("admin-password")].reveal(), "kept");
        }
    }

    #[test]
    fn what_cannot_be_had_is_a_problem_of_the_seed() {
        let message = |source: &str| {
            resolve(&seed(source), "seed.toml", &mut Desk::default()).unwrap_err().summary_lines()
        };
        assert_eq!(
            message("{ file = \"pw.txt\" }"),
            ["seed.toml: the secret `admin-password` cannot be had: `pw.txt` is not there"]
        );
        assert_eq!(
            message("{ ask = true }"),
            ["seed.toml: the secret `admin-password` cannot be had: this console has no keyboard"]
        );
        let mut desk = Desk { files: [("pw.txt", "\n")].into(), ..Desk::default() };
        assert_eq!(
            resolve(&seed("{ file = \"pw.txt\" }"), "seed.toml", &mut desk)
                .unwrap_err()
                .summary_lines(),
            ["seed.toml: the secret `admin-password` is empty"]
        );
    }

    #[test]
    fn what_is_known_is_what_nobody_must_be_asked_for() {
        let text = "schema = 1\n[admin]\nname = \"alex\"\npassword = { ask = true }\n\
                    [images]\nmirror = \"registry.lan\"\nmirror_ca = { file = \"ca.pem\" }\n";
        let seed = model::seed::parse("seed.toml", text).unwrap();
        let shown = |desk: &mut Desk| -> Vec<String> {
            let known = known(&seed, desk);
            known.iter().map(|(name, secret)| format!("{name} {}", secret.reveal())).collect()
        };
        assert!(shown(&mut Desk::default()).is_empty());
        let kept = [("mirror-ca", "KEPT"), ("backup-password", "made")];
        let mut desk = Desk { kept: kept.into(), ..Desk::default() };
        assert_eq!(shown(&mut desk), ["backup-password made", "mirror-ca KEPT"]);
        desk.files = [("ca.pem", "PEM\n")].into();
        desk.kept.insert("admin-password", "typed");
        assert_eq!(
            shown(&mut desk),
            ["admin-password typed", "backup-password made", "mirror-ca PEM"]
        );
    }
}
