//! What can go wrong in a run, sorted by who has to act.

use std::error::Error;

use host::{HostError, tells_of_full_disk};
use model::{Problems, plan::StepId};

/// The way out of a full disk.
const MAKE_ROOM: &str = "make room: `df -h` says which disk is full, `du -xh --max-depth=3 / | \
                         sort -h` what takes it on the box's own; what was done so far is kept, \
                         and `homelab apply` goes on from there";

/// The result inside a step.
pub type Result<T, E = Trouble> = std::result::Result<T, E>;

/// Why a run did not reach its end. `Display` never repeats the `source`.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Edit the seed.
    #[error("the seed cannot be used")]
    Seed(#[source] Problems),
    /// Hardware, network, tools, or an earlier run: nothing was changed.
    #[error("this machine cannot run the plan")]
    Machine(#[source] Trouble),
    /// See the report; a second try goes on there.
    #[error("step `{id}` failed")]
    Step {
        /// Which one.
        id: StepId,
        /// Why.
        #[source]
        trouble: Trouble,
    },
    /// Ours.
    #[error("this is a bug in the installer, please report it")]
    Bug(#[source] Trouble),
}

impl Failure {
    /// What makes the failure of a step out of its trouble.
    pub(crate) fn in_step(id: &StepId) -> impl Fn(Trouble) -> Self + Copy + '_ {
        |trouble| Self::Step { id: id.clone(), trouble }
    }

    /// What the program exits with: 2, 3, 4 or 70.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Seed(_) => 2,
            Self::Machine(_) => 3,
            Self::Step { .. } => 4,
            Self::Bug(_) => 70,
        }
    }

    /// What the owner can do, in one sentence; may be empty.
    pub fn hint(&self) -> &str {
        match self {
            Self::Seed(_) => "correct seed.toml and try again",
            // Whatever was being done: nothing else helps.
            _ if self.causes().iter().any(|cause| tells_of_full_disk(cause)) => MAKE_ROOM,
            Self::Machine(trouble) | Self::Step { trouble, .. } | Self::Bug(trouble) => {
                trouble.hint()
            }
        }
    }

    /// The chain of causes, outermost first, one text each.
    pub fn causes(&self) -> Vec<String> {
        chain(self)
    }
}

/// What went wrong inside a step: what and where, why (the source), and the way out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    message: String,
    hint: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Trouble {
    /// Without a deeper cause.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), source: None }
    }

    /// What the owner can do; may be empty.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// With another way out.
    #[must_use]
    pub fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The chain of causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        chain(self)
    }
}

/// A deeper error gets the words of the step that met it.
pub trait Context<T> {
    /// Says what was tried, and what the owner can do about its failure.
    ///
    /// # Errors
    /// The error itself, as the source of a [`Trouble`].
    fn because(self, message: impl Into<String>, hint: impl Into<String>) -> Result<T>;
}

impl<T, E: Error + Send + Sync + 'static> Context<T> for Result<T, E> {
    fn because(self, message: impl Into<String>, hint: impl Into<String>) -> Result<T> {
        self.map_err(|error| Trouble {
            message: message.into(),
            hint: hint.into(),
            source: Some(Box::new(error)),
        })
    }
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Self {
        let message = error.to_string();
        match error {
            HostError::File { source, .. } => {
                Self { message, hint: String::new(), source: Some(Box::new(source)) }
            }
            HostError::Refused { hint, .. } => Self::new(message, hint),
            _ => Self::new(message, ""),
        }
    }
}

impl From<host::command::CommandError> for Trouble {
    fn from(error: host::command::CommandError) -> Self {
        HostError::from(error).into()
    }
}

/// The texts of an error and all its sources.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        texts.push(source.to_string());
        next = source.source();
    }
    texts.dedup();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let file = HostError::File {
            action: "write",
            path: "/etc/hosts".into(),
            source: std::io::Error::other("disk on fire"),
        };
        let trouble =
            Err::<(), _>(Trouble::from(file)).because("the name is not set", "buy a disk");
        let failure = Failure::Step { id: StepId::new("identity"), trouble: trouble.unwrap_err() };
        assert_eq!(
            failure.causes(),
            [
                "step `identity` failed",
                "the name is not set",
                "cannot write `/etc/hosts`",
                "disk on fire"
            ]
        );
        assert_eq!((failure.exit(), failure.hint()), (4, "buy a disk"));
    }

    #[test]
    fn a_full_disk_has_one_way_out_whoever_meets_it() {
        let step = |error: HostError, hint: &str| {
            let trouble = Err::<(), _>(error).because("it was not done", hint).unwrap_err();
            Failure::Step { id: StepId::new("images"), trouble }
        };
        let pulled = |message: &str| HostError::Containers {
            action: "pull traefik:v3".to_owned(),
            message: message.to_owned(),
        };
        let full = std::io::Error::from_raw_os_error(28);
        let file = HostError::File { action: "write", path: "/x".into(), source: full };
        let network = "look at the network";
        for error in [pulled("write /var/lib/docker/tmp/x: no space left on device"), file] {
            assert_eq!(step(error, network).hint(), MAKE_ROOM);
        }
        let away = pulled("dial tcp 10.0.0.1:5000: connect: connection refused");
        assert_eq!(step(away, network).hint(), network);
    }
}
