//! Stages whose results are kept under a hash of everything that went into them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use model::Digest;

use crate::error::{At as _, Result};

/// How many results of a stage are kept.
const KEPT: usize = 2;

/// What goes into a stage: name of the input, its text or digest.
pub type Inputs = BTreeMap<String, String>;

/// A folder of results: `STAGE/KEY/`, with `inputs.json` beside the result.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// Whether a stage has to be made, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The result is there.
    Kept,
    /// It has to be made: one line a reason.
    Due(Vec<String>),
}

impl Cache {
    /// A cache in this folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn place(&self, stage: &str, inputs: &Inputs) -> PathBuf {
        self.folder.join(stage).join(&key(inputs).hex()[..24])
    }

    /// Does a stage have to be made, and what has changed since the last time?
    pub fn state(&self, stage: &str, inputs: &Inputs) -> State {
        if self.place(stage, inputs).is_dir() {
            return State::Kept;
        }
        let last = fs::read_to_string(self.folder.join(stage).join("last.json")).ok();
        let Some(last) = last.and_then(|text| serde_json::from_str::<Inputs>(&text).ok()) else {
            return State::Due(vec!["it was never made here".to_owned()]);
        };
        let mut reasons = Vec::new();
        for name in last.keys().chain(inputs.keys()).collect::<std::collections::BTreeSet<_>>() {
            match (last.get(name), inputs.get(name)) {
                (old, new) if old == new => {}
                (Some(_), None) => reasons.push(format!("`{name}` is gone")),
                (None, Some(_)) => reasons.push(format!("`{name}` is new")),
                (Some(old), Some(new)) => reasons.push(difference(name, old, new)),
                (None, None) => {}
            }
        }
        if reasons.is_empty() {
            reasons.push("its result was removed".to_owned());
        }
        State::Due(reasons)
    }

    /// The folder with the result of a stage. If it is not there, `make` fills a new folder, which
    /// is put in place when it is whole.
    ///
    /// # Errors
    /// `make` failed, or the cache cannot be written.
    pub fn stage(
        &self,
        stage: &str,
        inputs: &Inputs,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let place = self.place(stage, inputs);
        if place.is_dir() {
            return Ok(place);
        }
        let above = self.folder.join(stage);
        fs::create_dir_all(&above).at("create", &above)?;
        let unfinished =
            tempfile::Builder::new().prefix(".making-").tempdir_in(&above).at("create", &above)?;
        make(unfinished.path())?;
        let text = serde_json::to_string_pretty(inputs).unwrap_or_default();
        let note = unfinished.path().join("inputs.json");
        fs::write(&note, &text).at("write", &note)?;
        let made = unfinished.keep();
        if let Err(error) = fs::rename(&made, &place) {
            // Another build was faster; its result has the same key and is as good.
            let _ = fs::remove_dir_all(&made);
            if !place.is_dir() {
                return Err(error).at("create", &place);
            }
        }
        let last = above.join("last.json");
        fs::write(&last, &text).at("write", &last)?;
        self.forget_old(&above, &place);
        Ok(place)
    }

    /// Removes the oldest results, never the one in use. Failing to do so only costs room.
    fn forget_old(&self, above: &Path, used: &Path) {
        let Ok(entries) = fs::read_dir(above) else { return };
        let mut results: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join("inputs.json").is_file() && path != used)
            .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
            .collect();
        results.sort();
        let surplus = (results.len() + 1).saturating_sub(KEPT);
        for (_, path) in results.into_iter().take(surplus) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// A hash of all inputs.
fn key(inputs: &Inputs) -> Digest {
    Digest::of(serde_json::to_string(inputs).unwrap_or_default())
}

/// What changed, short: words of a list one by one, long texts not at all.
fn difference(name: &str, old: &str, new: &str) -> String {
    let words = |text: &str| {
        text.split_whitespace().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let (old_words, new_words) = (words(old), words(new));
    let changes: Vec<String> = old_words
        .difference(&new_words)
        .map(|word| format!("-{word}"))
        .chain(new_words.difference(&old_words).map(|word| format!("+{word}")))
        .collect();
    if changes.is_empty() || changes.len() > 8 {
        format!("`{name}` changed")
    } else {
        format!("`{name}` changed: {}", changes.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ImageError;

    fn inputs(packages: &str) -> Inputs {
        [("packages", packages), ("suite", "trixie")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn made_once_for_the_same_inputs_and_explained_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let first = inputs("a b");
        assert_eq!(cache.state("base", &first), State::Due(vec!["it was never made here".into()]));
        let place = cache
            .stage("base", &first, |dir| fs::write(dir.join("x"), "1").at("write", dir))
            .unwrap();
        assert_eq!(cache.state("base", &first), State::Kept);
        let again = cache.stage("base", &first, |_| panic!("made twice")).unwrap();
        assert_eq!(place, again);
        assert_eq!(fs::read_to_string(again.join("x")).unwrap(), "1");
        assert_eq!(
            cache.state("base", &inputs("b c")),
            State::Due(vec!["`packages` changed: -a +c".into()])
        );
    }

    #[test]
    fn a_failed_stage_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let failed = cache.stage("base", &inputs("a"), |dir| {
            fs::write(dir.join("half"), "").at("write", dir)?;
            Err(ImageError::Other("no network".into()))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no network");
        assert_eq!(fs::read_dir(folder.path().join("base")).unwrap().count(), 0);
    }

    #[test]
    fn the_oldest_results_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        for packages in ["a", "b", "c", "d"] {
            cache.stage("base", &inputs(packages), |_| Ok(())).unwrap();
        }
        let left = ["a", "b", "c", "d"].map(|p| cache.state("base", &inputs(p)) == State::Kept);
        assert_eq!(left.iter().filter(|kept| **kept).count(), KEPT);
        assert!(left[3]);
    }
}
