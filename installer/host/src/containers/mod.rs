//! The container engine, as far as we need it. Blocking; the real one is [`Docker`].

mod docker;
mod pull;

use std::time::Duration;

use model::Digest;

pub use docker::Docker;

use crate::Result;

/// The container engine.
pub trait Containers: Send + Sync {
    /// Does it answer? Its version.
    ///
    /// # Errors
    /// It does not.
    fn version(&self) -> Result<String>;

    /// The image that bears this reference (`traefik:v3.7.11`).
    ///
    /// # Errors
    /// The engine does not answer.
    fn image(&self, reference: &str) -> Result<Option<Image>>;

    /// Takes an image's name away, and the image itself unless something else needs it.
    ///
    /// # Errors
    /// The engine refused.
    fn remove_image(&self, reference: &str) -> Result<()>;

    /// Pulls `repository` by digest, or by tag if there is none, and tags it as `reference`.
    /// `progress` gets bytes done and total of all layers so far known.
    ///
    /// # Errors
    /// The registry or the engine refused; transient failures were tried again before.
    fn pull(&self, pull: &Pull, progress: &mut dyn FnMut(u64, u64)) -> Result<Image> {
        self.pull_with_news(pull, &mut |news| {
            if let PullNews::Bytes { done, total } = news {
                progress(done, total);
            }
        })
    }

    /// [`Containers::pull`] that tells about its retries too.
    ///
    /// # Errors
    /// Those of [`Containers::pull`].
    fn pull_with_news(&self, pull: &Pull, news: &mut dyn FnMut(PullNews)) -> Result<Image>;

    /// Names of all networks.
    ///
    /// # Errors
    /// The engine does not answer.
    fn networks(&self) -> Result<Vec<String>>;

    /// Creates a bridge network.
    ///
    /// # Errors
    /// The engine refused.
    fn create_network(&self, name: &str, internal: bool, subnet: Option<&str>) -> Result<()>;

    /// All containers of a Compose project, stopped ones included.
    ///
    /// # Errors
    /// The engine does not answer.
    fn project(&self, project: &str) -> Result<Vec<Container>>;

    /// The last lines of a container's log, both streams.
    ///
    /// # Errors
    /// The engine does not answer.
    fn logs(&self, container: &str, lines: usize) -> Result<String>;

    /// Bytes of memory that a container has in use, without what the kernel can take back at once;
    /// none: it does not run.
    ///
    /// # Errors
    /// The engine does not answer.
    fn memory(&self, container: &str) -> Result<Option<u64>>;

    /// Starts a container; one that runs is left alone.
    ///
    /// # Errors
    /// The engine refused.
    fn start(&self, container: &str) -> Result<()>;

    /// Restarts a container.
    ///
    /// # Errors
    /// The engine refused.
    fn restart(&self, container: &str) -> Result<()>;

    /// Blocks until something changes with containers (start, die, health) or the time is over.
    ///
    /// # Errors
    /// The engine does not answer.
    fn wait_for_event(&self, at_most: Duration) -> Result<()>;
}

/// An image on the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Image id.
    pub id: String,
    /// Manifest digests it was pulled by, without repository.
    pub digests: Vec<Digest>,
    /// Bytes on disk.
    pub size: u64,
}

/// What to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// `docker.io/library/traefik` or `mirror:5000/docker.io/library/traefik`
    pub repository: String,
    /// Tag, used if there is no digest.
    pub tag: String,
    /// Digest.
    pub digest: Option<Digest>,
    /// The reference that the image bears afterwards.
    pub reference: String,
}

impl Pull {
    /// Completes "Docker: cannot …".
    fn action(&self) -> String {
        match &self.digest {
            Some(digest) => format!("pull {}@{digest}", self.repository),
            None => format!("pull {}:{}", self.repository, self.tag),
        }
    }
}

/// What happens while an image is pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullNews {
    /// Bytes done and total of all layers so far known. Both fall back when a try begins anew.
    Bytes {
        /// On the box.
        done: u64,
        /// Known so far.
        total: u64,
    },
    /// A try failed by something that may pass; the next begins after the pause.
    Retry {
        /// What the engine said.
        cause: String,
        /// How long until the next try.
        pause: Duration,
    },
}

/// A container of a Compose project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Service in the Compose file.
    pub service: String,
    /// Id.
    pub id: String,
    /// Image id that it was made from.
    pub image: String,
    /// Runs now.
    pub running: bool,
    /// Exit status when it does not run.
    pub exit: Option<i64>,
    /// Health; none when the image and the Compose file declare no check.
    pub health: Option<Health>,
    /// Unix time of its last start, 0 if never.
    pub started: i64,
    /// How often the engine restarted it.
    pub restarts: u64,
    /// It uses the network of another container and has lost it: that one is gone, was started
    /// anew since, or did not run yet when this one should have started.
    pub astray: bool,
}

/// Result of a container's health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Not known yet.
    Starting,
    /// Good.
    Healthy,
    /// Bad.
    Unhealthy,
}
