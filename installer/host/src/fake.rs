//! A host that does what its script says, for tests.
//!
//! ```no_run
//! # fn main() {
//! let folder = std::path::Path::new("/tmp/some-test");
//! let fake = host::fake::host(folder);
//! fake.runner.answer(["systemctl", "is-active"], "active\n");
//! fake.runner.fail(["ufw"], 1, "ERROR: problem running");
//! let host = fake.host();
//! # }
//! ```

mod containers;
mod runner;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

pub use containers::{FakeContainers, Gate};
pub use runner::{Ran, ScriptedRunner};

use crate::{
    Clock, Host, HostError, Result,
    clock::rfc3339,
    web::{Answer, Question, Web},
};

/// The parts of a scripted host; the test keeps them to script and to look.
#[derive(Clone)]
pub struct FakeHost {
    /// The folder that stands for `/`.
    pub root: PathBuf,
    /// Programs.
    pub runner: Arc<ScriptedRunner>,
    /// The container engine.
    pub containers: Arc<FakeContainers>,
    /// URLs.
    pub web: Arc<FakeWeb>,
    /// Time.
    pub clock: Arc<FakeClock>,
}

/// A scripted host whose files lie below `root`, which must exist.
pub fn host(root: impl AsRef<Path>) -> FakeHost {
    let clock = Arc::new(FakeClock::default());
    FakeHost {
        root: root.as_ref().to_owned(),
        runner: Arc::new(ScriptedRunner::default()),
        containers: Arc::new(FakeContainers::at(Arc::clone(&clock))),
        web: Arc::new(FakeWeb::default()),
        clock,
    }
}

impl FakeHost {
    /// The host that code under test gets.
    pub fn host(&self) -> Host {
        Host {
            root: self.root.clone(),
            runner: self.runner.clone(),
            containers: self.containers.clone(),
            web: self.web.clone(),
            clock: self.clock.clone(),
        }
    }
}

/// Makes the files by which a disk such as `vda` is known as the one that `/` lies on.
///
/// # Panics
/// They cannot be made.
#[allow(clippy::unwrap_used, reason = "a test without its files cannot go on")]
pub fn boot_disk(root: &Path, disk: &str, partition: u32) {
    let separator = if disk.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
    let device = root.join(format!("sys/devices/block/{disk}/{disk}{separator}{partition}"));
    for folder in [device.as_path(), &root.join("proc/self"), &root.join("sys/dev/block")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(device.join("partition"), format!("{partition}\n")).unwrap();
    let link = root.join("sys/dev/block/254:3");
    let target = format!("../../devices/block/{disk}/{disk}{separator}{partition}");
    std::os::unix::fs::symlink(target, link).unwrap();
    let mounts = "22 1 254:3 / / rw,relatime - ext4 /dev/root rw\n";
    fs::write(root.join("proc/self/mountinfo"), mounts).unwrap();
}

/// What a scripted site answers; none: somebody else does.
pub type Site = Box<dyn Fn(&Question) -> Option<Answer> + Send>;

/// URLs with their answers; all others do not answer.
#[derive(Default)]
pub struct FakeWeb {
    site: Mutex<Option<Site>>,
    answers: Mutex<BTreeMap<String, Answer>>,
    asked: Mutex<Vec<Question>>,
}

impl FakeWeb {
    /// From now on this URL answers so.
    pub fn answer(&self, url: &str, status: u16, location: Option<&str>, body: &str) {
        let answer = Answer {
            status,
            location: location.map(str::to_owned),
            body: body.to_owned(),
            cookies: Vec::new(),
            strict_transport: false,
        };
        lock(&self.answers).insert(url.to_owned(), answer);
    }

    /// From now on this site is asked first.
    pub fn serve(&self, site: impl Fn(&Question) -> Option<Answer> + Send + 'static) {
        *lock(&self.site) = Some(Box::new(site));
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Question> {
        lock(&self.asked).clone()
    }
}

impl Web for FakeWeb {
    fn ask(&self, question: &Question) -> Result<Answer> {
        lock(&self.asked).push(question.clone());
        if let Some(answer) = lock(&self.site).as_ref().and_then(|site| site(question)) {
            return Ok(answer);
        }
        lock(&self.answers).get(&question.url).cloned().ok_or_else(|| HostError::Web {
            url: question.url.clone(),
            message: "connection refused".to_owned(),
        })
    }
}

/// A clock that only moves when somebody sleeps. It begins at 2026-11-22T20:33:00Z.
pub struct FakeClock(AtomicI64);

impl Default for FakeClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_795_379_580_000))
    }
}

impl FakeClock {
    /// Sets the time, in seconds since the epoch.
    pub fn set(&self, epoch: i64) {
        self.0.store(epoch * 1000, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> String {
        rfc3339(self.epoch())
    }

    fn epoch(&self) -> i64 {
        self.0.load(Ordering::SeqCst) / 1000
    }

    fn sleep(&self, duration: Duration) {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
