//! Files below `/opt/stacks`.
//!
//! These folders belong to the owner as much as to us: Dockge and an editor work there. So we
//! remember the digest of everything that we wrote. A file that has another one was edited by
//! hand: it is kept, and the owner is told how to get ours.

use std::{collections::BTreeSet, path::Path};

use host::files;
use model::{
    Digest,
    plan::{FileWish, Render},
    report::Unit,
};

use crate::{
    failure::{Context as _, Result},
    scene::{Progress, Scene},
    state::{Kept as _, Rendered},
    steps::{Doing, Holding, file_set},
};

pub(crate) struct Doer<'a>(pub &'a Render);

/// What is to be done with a file.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// As planned.
    Good,
    /// Not there, or ours from an earlier plan.
    Write(&'static str),
    /// Edited by hand.
    Keep,
    /// Edited by hand, and the owner wants ours.
    Overwrite,
}

impl Doing for Doer<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        for folder in &self.0.folders {
            let path = scene.host().path(&folder.path);
            let good = files::folder_is(path, folder.mode, folder.owner)?;
            holding.need(good, || format!("the folder `{}` is not as planned", folder.path));
        }
        let rendered = Rendered::load(scene.host())?;
        for file in &self.0.files {
            match look(file, scene, &rendered)? {
                Found::Good => {}
                Found::Write(what) => holding.lacks(format!("`{}` {what}", file.path)),
                Found::Overwrite => holding.lacks(format!("`{}` was edited by hand", file.path)),
                Found::Keep => holding.warn(format!(
                    "`{0}` was edited by hand and is kept; `homelab apply --overwrite {0}` \
                     replaces it by the planned one",
                    file.path
                )),
            }
        }
        for file in &self.0.initial {
            let there = scene.host().path(&file.path).exists();
            holding.need(there, || format!("`{}` is missing", file.path));
        }
        for path in self.stale(&rendered) {
            match scene.read(&path)? {
                Some(text) if ours(&rendered, &path, &text) => {
                    holding.lacks(format!("`{path}` of an earlier plan is there"));
                }
                Some(_) => holding.warn(format!(
                    "`{path}` of an earlier plan was edited by hand and is kept; remove it if \
                     you do not need it"
                )),
                None => {}
            }
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        for folder in &self.0.folders {
            files::ensure_folder(scene.host().path(&folder.path), folder.mode, folder.owner)?;
        }
        let mut rendered = Rendered::load(scene.host())?;
        let mut work: Vec<(&FileWish, Found, Digest)> = Vec::new();
        for file in &self.0.files {
            let found = look(file, scene, &rendered)?;
            if found != Found::Keep {
                work.push((file, found, Digest::of(scene.fill(&file.text)?.reveal())));
            }
        }
        // Before the first file changes, both what lies there and what is to come are known as
        // ours. If the power goes half-way, neither is taken for a file edited by hand.
        for (file, _, digest) in &work {
            let known = rendered.0.entry(file.path.clone()).or_default();
            if !known.contains(digest) {
                known.push(digest.clone());
            }
        }
        rendered.save(scene.host())?;
        let total = work.len() as u64;
        for (done, (file, found, _)) in work.iter().enumerate() {
            if *found == Found::Good {
                continue;
            }
            progress.tell(done as u64, total, Unit::Items, file.path.clone());
            if *found == Found::Overwrite {
                keep_copy(file, scene)?;
            }
            file_set::ensure(file, scene)?;
        }
        for file in &self.0.initial {
            if !scene.host().path(&file.path).exists() {
                file_set::ensure(file, scene)?;
            }
        }
        for path in self.stale(&rendered) {
            if scene.read(&path)?.is_some_and(|text| ours(&rendered, &path, &text)) {
                files::remove(scene.host().path(&path))?;
            }
            if !scene.host().path(&path).exists() {
                rendered.0.remove(&path);
            }
        }
        for (file, _, digest) in work {
            rendered.0.insert(file.path.clone(), vec![digest]);
        }
        rendered.save(scene.host())
    }
}

impl Doer<'_> {
    /// What we wrote for an earlier plan and this one does not want.
    fn stale(&self, rendered: &Rendered) -> Vec<String> {
        let wanted: BTreeSet<&str> =
            self.0.files.iter().chain(&self.0.initial).map(|file| &*file.path).collect();
        rendered.0.keys().filter(|path| !wanted.contains(path.as_str())).cloned().collect()
    }
}

fn look(file: &FileWish, scene: &Scene<'_>, rendered: &Rendered) -> Result<Found> {
    let path = scene.host().path(&file.path);
    let Some(present) = scene.read(&file.path)? else {
        return Ok(Found::Write("is missing"));
    };
    let Some(wanted) = scene.fill_if_known(&file.text)? else {
        return Ok(Found::Write("waits for a secret"));
    };
    if present == wanted.reveal() {
        let same = files::same(&path, &present, file.mode, file.owner)?;
        return Ok(match (same, ours(rendered, &file.path, &present)) {
            (true, true) => Found::Good,
            (true, false) => Found::Write("is as planned, but not known as ours"),
            (false, _) => Found::Write("has another owner or mode"),
        });
    }
    if ours(rendered, &file.path, &present) {
        return Ok(Found::Write("is of an earlier plan"));
    }
    let overwrite = scene.context.overwrite.contains(&file.path);
    Ok(if overwrite { Found::Overwrite } else { Found::Keep })
}

/// Did we write this?
fn ours(rendered: &Rendered, path: &str, text: &str) -> bool {
    rendered.0.get(path).is_some_and(|known| known.contains(&Digest::of(text)))
}

/// The owner's version goes beside ours.
fn keep_copy(file: &FileWish, scene: &Scene<'_>) -> Result<()> {
    let path = scene.host().path(&file.path);
    let copy = format!("{}.edited", file.path);
    let bytes = files::read_optional(&path)?.unwrap_or_default();
    files::write_atomic(scene.host().path(Path::new(&copy)), bytes, file.mode, file.owner)
        .because(format!("your version cannot be kept as `{copy}`"), "")
}
