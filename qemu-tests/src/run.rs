//! Runs the stories and shows their checks as `cargo test` shows tests.
//!
//! A story is one box's life; its checks happen in order, in one thread, on one [`Scene`]. Stories
//! run side by side as far as there is room. Each check is one test (`story::check`) for
//! [`libtest_mimic`], which does names, filters, the list and the last line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, mpsc},
    thread,
};

use anyhow::{Context, Result, anyhow};
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

use crate::{
    machine::console::KernelOops,
    scene::{Scene, Setup},
    world::fresh_folder,
};

/// Something that must be true, with its name.
pub type Check = (&'static str, fn(&mut Scene<'_>) -> Result<()>);

/// One box's life.
#[derive(Clone, Copy)]
pub struct Story {
    /// Such as `install.seabios`: the name tells the matrix.
    pub name: &'static str,
    /// Stories that must be over before this one begins, if they run at all.
    pub after: &'static [&'static str],
    /// Stacks whose images its boxes pull.
    pub stacks: &'static [&'static str],
    /// Debian's packages that its world is made of, besides what the fixtures need.
    pub packages: &'static [&'static str],
    /// In order. The first brings the box up; the others need it.
    pub checks: &'static [Check],
}

impl Story {
    /// Of a box with the stack `core` that waits for no other.
    pub const fn new(name: &'static str, checks: &'static [Check]) -> Self {
        Self { name, after: &[], stacks: &["core"], packages: &[], checks }
    }

    /// It begins when these are over.
    pub const fn after(self, after: &'static [&'static str]) -> Self {
        Self { after, ..self }
    }

    /// Its boxes have these stacks.
    pub const fn with_stacks(self, stacks: &'static [&'static str]) -> Self {
        Self { stacks, ..self }
    }

    /// Its world has these.
    pub const fn with_packages(self, packages: &'static [&'static str]) -> Self {
        Self { packages, ..self }
    }
}

/// Prints the names of the selected checks.
pub fn list(stories: &[Story], arguments: &Arguments) {
    for story in stories {
        for (check, _) in story.checks {
            let name = format!("{}::{check}", story.name);
            if selected(arguments, &name) {
                println!("{name}: test");
            }
        }
    }
}

type Outcome = Result<(), String>;

/// Runs the stories' selected checks, `jobs` stories at a time.
pub fn run(setup: &Setup, stories: &[Story], arguments: &Arguments, jobs: usize) -> Conclusion {
    let mut trials = Vec::new();
    let mut senders = BTreeMap::new();
    for story in stories {
        for (check, _) in story.checks {
            let name = format!("{}::{check}", story.name);
            let (sender, receiver) = mpsc::channel::<Outcome>();
            if selected(arguments, &name) {
                senders.insert(name.clone(), sender);
            }
            trials.push(Trial::test(name, move || match receiver.recv() {
                Ok(Ok(())) => Ok(()),
                Ok(Err(message)) => Err(Failed::from(message)),
                Err(_) => Err(Failed::from("the story ended without trying this")),
            }));
        }
    }
    let wanted = wanted(stories, arguments).map(|story| story.name).collect();
    let arguments = Arguments { test_threads: Some(1), ..arguments.clone() };
    let board = Board::new(stories, &wanted);
    thread::scope(|scope| {
        let (board, senders) = (&board, &senders);
        for _ in 0..jobs.max(1) {
            scope.spawn(move || {
                while let Some(story) = board.next() {
                    tell(setup, story, senders);
                    board.over(story.name);
                }
            });
        }
        libtest_mimic::run(&arguments, trials)
    })
}

/// Stories of which at least one check is selected.
fn wanted<'a>(
    stories: &'a [Story],
    arguments: &'a Arguments,
) -> impl Iterator<Item = &'a Story> + 'a {
    stories.iter().filter(|story| {
        story
            .checks
            .iter()
            .any(|(check, _)| selected(arguments, &format!("{}::{check}", story.name)))
    })
}

/// Stacks whose images the selected stories pull.
pub fn stacks(stories: &[Story], arguments: &Arguments) -> BTreeSet<&'static str> {
    wanted(stories, arguments).flat_map(|story| story.stacks).copied().collect()
}

/// Sets of packages that the selected stories' worlds are made of.
pub fn packages(stories: &[Story], arguments: &Arguments) -> BTreeSet<&'static [&'static str]> {
    let all = wanted(stories, arguments).map(|story| story.packages);
    all.filter(|packages| !packages.is_empty()).collect()
}

/// The rule of libtest, so that a box is only brought up when one of its checks is wanted.
fn selected(arguments: &Arguments, name: &str) -> bool {
    let hit = |pattern: &String| {
        if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) }
    };
    arguments.filter.as_ref().is_none_or(hit) && !arguments.skip.iter().any(hit)
}

/// Runs one story and tells its outcomes. One whose kernel stumbled begins again, once: what the
/// first try found is kept in a folder beside.
fn tell(setup: &Setup, story: &Story, senders: &BTreeMap<String, mpsc::Sender<Outcome>>) {
    let mut outcomes = live(setup, story, senders);
    if let Some(error) = outcomes.iter().find_map(|(_, outcome)| oops(outcome)) {
        let kept = format!("{}.oops", story.name);
        eprintln!("[{}] begins again, the first try is in {kept}/: {error:#}", story.name);
        outcomes = match keep(setup, story.name, &kept) {
            Ok(()) => live(setup, story, senders),
            Err(error) => vec![(story.checks[0].0, Err(error))],
        };
    }
    for (check, outcome) in outcomes {
        if let Some(sender) = senders.get(&format!("{}::{check}", story.name)) {
            // The receiver only goes away when the whole run is over.
            drop(sender.send(outcome.map_err(|error| format!("{error:#}"))));
        }
    }
}

fn oops(outcome: &Result<()>) -> Option<&anyhow::Error> {
    outcome.as_ref().err().filter(|error| error.is::<KernelOops>())
}

fn keep(setup: &Setup, name: &str, kept: &str) -> Result<()> {
    let folder = fresh_folder(&setup.results.join(kept))?;
    fs::rename(setup.results.join(name), &folder)
        .with_context(|| format!("cannot keep {}", folder.display()))
}

/// One try at a story: the first check always, the others as selected.
fn live(
    setup: &Setup,
    story: &Story,
    senders: &BTreeMap<String, mpsc::Sender<Outcome>>,
) -> Vec<(&'static str, Result<()>)> {
    let mut scene = Scene::open(setup, story.name);
    let mut spoiled: Option<String> = None;
    let mut outcomes = Vec::new();
    for (index, (check, body)) in story.checks.iter().enumerate() {
        let name = format!("{}::{check}", story.name);
        if index > 0 && !senders.contains_key(&name) {
            continue;
        }
        let outcome = match (&spoiled, &mut scene) {
            (Some(reason), _) => Err(anyhow!("not tried: {reason}")),
            (None, Err(error)) => Err(anyhow!("{error:#}")),
            (None, Ok(scene)) => {
                scene.note(&format!("{check} …"));
                let outcome = catch_unwind(AssertUnwindSafe(|| body(scene)))
                    .unwrap_or_else(|_| Err(anyhow!("it panicked")));
                match &outcome {
                    Ok(()) => scene.note(&format!("{check} ok")),
                    Err(error) => scene.note(&format!("{check} FAILED: {error:#}")),
                }
                outcome
            }
        };
        if oops(&outcome).is_some() {
            spoiled = Some(format!("the kernel stumbled in `{name}`"));
        } else if index == 0 && outcome.is_err() && !there_is_a_box(&scene) {
            spoiled = Some(format!("`{name}` failed"));
        }
        outcomes.push((*check, outcome));
    }
    if let Ok(scene) = scene {
        scene.close();
    }
    outcomes
}

fn there_is_a_box(scene: &Result<Scene<'_>>) -> bool {
    scene.as_ref().is_ok_and(|scene| scene.installed.is_some())
}

/// Which stories are to come, which run, which are over.
struct Board<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
}

struct State<'a> {
    to_come: Vec<&'a Story>,
    not_over: BTreeSet<&'a str>,
}

impl<'a> Board<'a> {
    fn new(stories: &'a [Story], wanted: &BTreeSet<&'a str>) -> Self {
        let to_come = stories.iter().filter(|story| wanted.contains(story.name)).collect();
        Self {
            state: Mutex::new(State { to_come, not_over: wanted.clone() }),
            changed: Condvar::new(),
        }
    }

    /// Takes the first story that may begin; waits while there are only others.
    fn next(&self) -> Option<&'a Story> {
        let mut state = self.state.lock().ok()?;
        loop {
            if state.to_come.is_empty() {
                return None;
            }
            let ready = state
                .to_come
                .iter()
                .position(|story| !story.after.iter().any(|name| state.not_over.contains(name)));
            if let Some(index) = ready {
                return Some(state.to_come.remove(index));
            }
            state = self.changed.wait(state).ok()?;
        }
    }

    fn over(&self, name: &str) {
        if let Ok(mut state) = self.state.lock() {
            state.not_over.remove(name);
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORIES: &[Story] = &[
        Story::new("compare", &[]).after(&["a", "b"]),
        Story::new("a", &[("x", |_| Ok(()))]),
        Story::new("b", &[("y", |_| Ok(()))])
            .with_stacks(&["core", "media"])
            .with_packages(&["samba"]),
    ];

    #[test]
    fn a_story_waits_for_those_it_comes_after() {
        let board = Board::new(STORIES, &["a", "b", "compare"].into());
        assert_eq!(board.next().unwrap().name, "a");
        assert_eq!(board.next().unwrap().name, "b");
        board.over("b");
        board.over("a");
        assert_eq!(board.next().unwrap().name, "compare");
        assert!(board.next().is_none());
    }

    #[test]
    fn a_story_that_is_not_wanted_is_not_waited_for() {
        let board = Board::new(STORIES, &["b", "compare"].into());
        assert_eq!(board.next().unwrap().name, "b");
        board.over("b");
        assert_eq!(board.next().unwrap().name, "compare");
    }

    #[test]
    fn only_what_is_selected_needs_images() {
        let stacks = |filter: &str| super::stacks(STORIES, &Arguments::from_iter(["x", filter]));
        assert_eq!(stacks("a::"), ["core"].into());
        assert_eq!(stacks("::"), ["core", "media"].into());
        assert_eq!(stacks("none"), [].into());
    }

    #[test]
    fn only_what_is_selected_needs_packages() {
        let packages =
            |filter: &str| super::packages(STORIES, &Arguments::from_iter(["x", filter]));
        assert_eq!(packages("a::"), [].into());
        assert_eq!(packages("b::"), [&["samba"][..]].into());
    }

    #[test]
    fn selects_as_libtest_does() {
        let arguments = |words: &[&str]| {
            Arguments::from_iter(std::iter::once("x").chain(words.iter().copied()))
        };
        assert!(selected(&arguments(&[]), "install.seabios::comes-up"));
        assert!(selected(&arguments(&["seabios"]), "install.seabios::comes-up"));
        assert!(!selected(&arguments(&["ovmf"]), "install.seabios::comes-up"));
        assert!(!selected(&arguments(&["--exact", "install.seabios"]), "install.seabios::x"));
        assert!(!selected(&arguments(&["--skip", "comes"]), "install.seabios::comes-up"));
    }
}
