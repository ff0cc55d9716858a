//! Pulls side by side.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
};

use host::{
    Containers,
    containers::{Image, Pull, PullNews},
};
use model::report::Unit;

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::Progress,
};

/// Pulls at a time. Each already loads its layers side by side.
const AT_A_TIME: usize = 3;
/// Progress is told when the sum has grown by this many bytes.
const STEP: u64 = 1 << 20;
/// What helps when an image cannot be had.
const WAY_OUT: &str = "look at the network and the registry; what was pulled so far is kept, and \
                       `homelab apply` goes on from there";

/// What a worker tells.
enum News {
    Began(usize),
    Pulling(usize, PullNews),
    Ended(usize, host::Result<Image>),
}

/// Pulls all images, and calls `keep` with each that came. After a failure no new pull is begun,
/// and those that are under way come to their end.
pub(super) fn all(
    containers: &dyn Containers,
    pulls: &[Pull],
    progress: &mut Progress<'_>,
    keep: &mut dyn FnMut(&Pull, &Image) -> Result<()>,
) -> Result<()> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..pulls.len()).collect());
    let stop = AtomicBool::new(false);
    let mut board = Board::new(pulls);
    let mut failed: Option<Trouble> = None;
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(pulls.len()) {
            let (sender, queue, stop) = (sender.clone(), &queue, &stop);
            scope.spawn(move || work(containers, pulls, queue, stop, &sender));
        }
        // Only the workers hold senders now, so the loop ends when they have.
        drop(sender);
        for news in receiver {
            match news {
                News::Began(index) => board.note(index, progress, "pulling"),
                News::Pulling(index, PullNews::Bytes { done, total }) => {
                    board.bytes(index, done, total, progress);
                }
                News::Pulling(index, PullNews::Retry { cause, pause }) => {
                    let note = format!("again in {} s, since {cause}:", pause.as_secs());
                    board.note(index, progress, &note);
                }
                News::Ended(index, Ok(image)) => {
                    if let Err(trouble) = keep(&pulls[index], &image) {
                        stop.store(true, Ordering::Relaxed);
                        failed.get_or_insert(trouble);
                    }
                    board.ended += 1;
                    board.note(index, progress, "pulled");
                }
                News::Ended(index, Err(error)) => {
                    stop.store(true, Ordering::Relaxed);
                    let what = format!("the image {} cannot be had", pulls[index].reference);
                    let trouble = Err::<(), _>(error).because(what, WAY_OUT);
                    failed = failed.take().or(trouble.err());
                }
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

fn work(
    containers: &dyn Containers,
    pulls: &[Pull],
    queue: &Mutex<VecDeque<usize>>,
    stop: &AtomicBool,
    sender: &Sender<News>,
) {
    // A send fails only when the receiver is gone, and it outlives the workers.
    let tell = |news| drop(sender.send(news));
    while !stop.load(Ordering::Relaxed) {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(index) = next else { return };
        tell(News::Began(index));
        let image =
            containers.pull_with_news(&pulls[index], &mut |news| tell(News::Pulling(index, news)));
        tell(News::Ended(index, image));
    }
}

/// The sum over all pulls.
struct Board<'a> {
    pulls: &'a [Pull],
    bytes: Vec<(u64, u64)>,
    ended: usize,
    told: u64,
}

impl<'a> Board<'a> {
    fn new(pulls: &'a [Pull]) -> Self {
        Self { pulls, bytes: vec![(0, 0); pulls.len()], ended: 0, told: 0 }
    }

    fn bytes(&mut self, index: usize, done: u64, total: u64, progress: &mut Progress<'_>) {
        self.bytes[index] = (done, total);
        let sum: u64 = self.bytes.iter().map(|(done, _)| done).sum();
        if sum >= self.told + STEP || sum < self.told {
            self.note(index, progress, "pulling");
        }
    }

    fn note(&mut self, index: usize, progress: &mut Progress<'_>, what: &str) {
        let done = self.bytes.iter().map(|(done, _)| done).sum();
        let total = self.bytes.iter().map(|(_, total)| total).sum();
        let note = format!(
            "{} of {} images, {what} {}",
            self.ended,
            self.pulls.len(),
            self.pulls[index].reference
        );
        self.told = done;
        progress.tell(done, total, Unit::Bytes, note);
    }
}
