//! The catalogue: the stacks that can be deployed.
//!
//! A stack is a folder with a plain `compose.yaml` and the templates of its configuration files.
//! What Compose cannot say stands in `x-homelab` blocks ([`wish`]); everything else (labels, login
//! rules, firewall, memory budget, …) is derived from them by [`crate::render`] and
//! [`crate::plan`], so that nothing can disagree.
//!
//! ```text
//! <stack>/compose.yaml --stack::read--> Stack --lint::check--> problems with their place
//! images.lock --------lock::Lock::parse----------^
//! ```

pub mod lint;
pub mod lock;
mod parts;
mod place;
mod stack;
pub mod wish;

use std::collections::BTreeMap;

use crate::{Digest, Problems};

pub use lock::Lock;
pub use stack::{Mount, Service, Stack};
pub(crate) use stack::{names, nearest, scalar};

/// Name of the lock in the catalogue's folder.
pub const LOCK_FILE: &str = "images.lock";
/// Name of the Compose file in a stack's folder.
pub const COMPOSE_FILE: &str = "compose.yaml";
/// What is appended to the name of a configuration file that is a template.
pub const TEMPLATE_SUFFIX: &str = ".j2";
/// The stack that every other stack stands on.
pub const CORE: &str = "core";

/// The stacks that can be deployed, with the lock of their images.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Digest over all its files.
    pub digest: Digest,
    /// The stacks: `core` first, then by name.
    pub stacks: Vec<Stack>,
    /// Images and artefacts.
    pub lock: Lock,
}

impl Catalogue {
    /// Parses all files of `stacks/`, given by their path relative to it (`core/compose.yaml`,
    /// `images.lock`), and applies every linter rule.
    ///
    /// # Errors
    /// For each file with problems, all of them.
    pub fn parse(files: &BTreeMap<String, String>) -> Result<Self, Vec<Problems>> {
        Self::parse_with_own(files, &BTreeMap::new())
    }

    /// The same with the owner's own stacks ([`crate::paths::OWN_STACKS`]) beside the
    /// catalogue's: they obey the same rules, but their images need no entry in the lock, and
    /// they may not bear the name of a stack of the catalogue.
    ///
    /// # Errors
    /// For each file with problems, all of them.
    pub fn parse_with_own(
        files: &BTreeMap<String, String>,
        own: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Problems>> {
        let mut wrong = Vec::new();
        let lock = match files.get(LOCK_FILE) {
            Some(text) => Lock::parse(LOCK_FILE, text),
            None => {
                let mut problems = Problems::new(LOCK_FILE, "");
                problems.push(None, "the lock of the images is missing", "");
                Err(problems)
            }
        };
        let lock = lock.map_err(|problems| wrong.push(problems)).unwrap_or_default();

        let mut stacks: Vec<Stack> = Vec::new();
        for (files, is_own) in [(files, false), (own, true)] {
            for (path, text) in files {
                let Some(name) = path.strip_suffix(COMPOSE_FILE).and_then(|p| p.strip_suffix('/'))
                else {
                    continue;
                };
                if name.contains('/') {
                    continue;
                }
                let shown = match is_own {
                    true => format!("{}/{path}", crate::paths::OWN_STACKS),
                    false => path.clone(),
                };
                let mut problems = Problems::new(shown, text);
                if let Some(stack) = stack::read(name, text, files, is_own, &mut problems) {
                    if stacks.iter().any(|other| other.name == stack.name) {
                        problems.push(
                            None,
                            format!("`{name}` is a stack of the catalogue already"),
                            "give the folder another name",
                        );
                    }
                    lint::check(&stack, &lock, &mut problems);
                    lint::check_between(&stack, &stacks, &mut problems);
                    stacks.push(stack);
                }
                if let Err(problems) = problems.into_result(Some(())) {
                    wrong.push(problems);
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        stacks.sort_by(|a, b| {
            (a.name != CORE, a.own, &a.name).cmp(&(b.name != CORE, b.own, &b.name))
        });
        Ok(Self { digest: digest(files, own), stacks, lock })
    }

    /// The stack of this name.
    pub fn stack(&self, name: &str) -> Option<&Stack> {
        self.stacks.iter().find(|stack| stack.name == name)
    }

    /// All services of all stacks, each with its stack.
    pub fn services(&self) -> impl Iterator<Item = (&Stack, &Service)> {
        self.stacks.iter().flat_map(|stack| stack.services.iter().map(move |s| (stack, s)))
    }
}

fn digest(files: &BTreeMap<String, String>, own: &BTreeMap<String, String>) -> Digest {
    let mut listing = String::new();
    for (kind, files) in [("", files), ("own ", own)] {
        for (path, text) in files {
            listing += &format!("{kind}{}  {path}\n", Digest::of(text).hex());
        }
    }
    Digest::of(listing)
}
