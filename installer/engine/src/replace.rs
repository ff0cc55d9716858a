//! A disk is copied onto the one that takes its place, before a plan says so.
//!
//! Until everything is there nothing of the box is changed but what stands still meanwhile: a cut
//! leaves the old disk at its place, and the next try goes on.

use host::{HostError, copy, format, interrupt::Interrupt};
use model::plan::{Action, Plan, Step, Storage};

use crate::{
    Context, Sink,
    failure::{Context as _, Failure, Trouble},
    hold::{self, Unused},
    scene::{Progress, Scene},
    stacks::{stacks, start_stack},
    steps::stack,
};

/// Brings all files of a disk of the plan `old` onto `disk`, as the seed of the plan `new` selects
/// it; it is formatted first if that was agreed to. `exact`: what is on the new disk only goes.
///
/// Stacks that use the place are stopped and stay so: whoever carries out `new` starts them. After a
/// failure they are started again.
///
/// # Errors
/// The old disk is not mounted; the new one cannot be formatted; a file cannot be copied, or is not
/// the same afterwards; it was interrupted.
pub fn copy_disk(
    old: &Plan,
    new: &Plan,
    disk: &str,
    exact: bool,
    context: &Context,
    interrupt: &Interrupt,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    let scene = Scene::new(context, old);
    let lacks = || {
        let what = format!("the plan does not mount the disk `{disk}` in another one's place");
        Failure::Machine(Trouble::new(what, "leave out `--copy`"))
    };
    let (_, wished) = storage(new).ok_or_else(lacks)?;
    let wish = wished.mounts.iter().find(|mount| mount.disk.as_deref() == Some(disk));
    let wish = wish.ok_or_else(lacks)?;
    let (step, before) = storage(old).ok_or_else(lacks)?;
    let (was, device) = before.mount(&wish.at).zip(wish.device()).ok_or_else(lacks)?;
    let failed = Failure::in_step(&step.id);
    if let Some(why) = hold::reason(was, before, Unused::Believe, scene.host()).map_err(failed)? {
        let hint = "leave out `--copy`, and bring back what you have a backup of";
        let what = format!("there is nothing to copy from: {why}");
        return Err(Failure::Machine(Trouble::new(what, hint)));
    }
    let users: Vec<_> = stacks(old)
        .filter(|(_, stack)| stack.needs.iter().any(|at| stands_on(at, &wish.at, before)))
        .collect();
    let copied = (|| {
        for (step, stack) in users.iter().rev() {
            let reason = format!("the disk for `{}` is copied", wish.at);
            let mut progress = Progress::new(&step.id, sink);
            stack::Doer(stack).hold(&reason, &scene, &mut progress)?;
        }
        let mut progress = Progress::new(&step.id, sink);
        if let Some(wish) = &wish.format {
            let done = format::format(scene.host(), wish, &mut |note| progress.note(note));
            told(done.map(drop), format!("{} cannot be formatted", wish.consent.victim()))?;
        }
        let target =
            copy::Target { device: &device, kind: &wish.kind, crypt: wish.crypt.as_ref(), exact };
        let mut notes = |note| progress.note(note);
        let done = copy::copy(scene.host(), &wish.at, &target, interrupt, &mut notes);
        told(done, format!("`{}` cannot be copied onto `{disk}`", wish.at))
    })();
    copied.map_err(|trouble| {
        for (_, stack) in &users {
            // What does not start is seen by `homelab status`; the copy is what failed.
            let _ = start_stack(old, context, &stack.name, sink);
        }
        failed(trouble)
    })
}

/// What was refused says itself what is in the way, and the way out.
fn told(done: host::Result<()>, what: String) -> Result<(), Trouble> {
    match done {
        Err(HostError::Refused { what, hint }) => Err(Trouble::new(what, hint)),
        done => done.because(
            what,
            "nothing was changed, and the old disk is at its place; the same command goes on, and \
             without `--copy` it takes the new disk with what is on it by now",
        ),
    }
}

fn storage(plan: &Plan) -> Option<(&Step, &Storage)> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::Storage(storage) => Some((step, storage)),
        _ => None,
    })
}

/// Is it the mount at `below`, or one that is not there without it?
fn stands_on(at: &str, below: &str, storage: &Storage) -> bool {
    let requires = || storage.mount(at).into_iter().flat_map(|mount| &mount.requires);
    at == below || requires().any(|at| stands_on(at, below, storage))
}
