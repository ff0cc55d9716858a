//! What is done to single stacks of a plan, outside of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use host::Command;
use model::plan::{Action, Plan, StackWish, Step};

use crate::{
    Context, Sink,
    failure::{Failure, Trouble},
    scene::{Progress, Scene},
    steps::{Doing as _, stack},
};

/// Between two questions to a container engine that does not run yet.
const LOOK: Duration = Duration::from_secs(2);
/// For all containers to stop, each within the time that its Compose file gives it.
const STOP: Duration = Duration::from_secs(170);

/// Brings up, in order, the stacks that had no turn since the start of the box. What one of them lacks
/// keeps no other from its turn; a look at the plan tells it. The engine may take its
/// [`Context::patience`] to come up itself.
pub fn start_stacks(plan: &Plan, context: &Context, sink: &mut dyn Sink) {
    let host = &context.host;
    let end = host.clock.epoch().saturating_add_unsigned(context.patience.as_secs());
    while host.containers.version().is_err() && host.clock.epoch() < end {
        host.clock.sleep(LOOK);
    }
    let scene = Scene::new(context, plan);
    stacks(plan).for_each(|(step, stack)| take_turn(step, stack, &scene, sink));
}

/// Stops what runs of a plan's stacks, all at once, as the engine does when the box goes off. But what the
/// engine is told to stop it does not try to start at the next start of the box, where it would be
/// refused until the stack has its turn.
///
/// # Errors
/// The engine does not answer, or something did not stop.
pub fn stop_stacks(plan: &Plan, context: &Context) -> Result<(), Failure> {
    let scene = Scene::new(context, plan);
    let mut running = Vec::new();
    for (step, stack) in stacks(plan) {
        let containers = context.host.containers.project(&stack.name);
        let containers = containers.map_err(|error| Failure::in_step(&step.id)(error.into()))?;
        running.extend(containers.into_iter().filter(|c| c.running).map(|c| c.name));
    }
    if running.is_empty() {
        return Ok(());
    }
    let stop = Command::new("docker").arg("stop").args(running).timeout(STOP);
    scene.run(stop).map(drop).map_err(Failure::Machine)
}

/// Brings up one stack: its volume is back. Those before it that had no turn since the start of the
/// box come first. Why it is held, if it still is.
///
/// # Errors
/// The plan has no such stack, or it cannot be brought up.
pub fn start_stack(
    plan: &Plan,
    context: &Context,
    name: &str,
    sink: &mut dyn Sink,
) -> Result<Option<String>, Failure> {
    let scene = Scene::new(context, plan);
    let found = stacks(plan).find(|(_, stack)| stack.name == name);
    let (step, stack) = found.ok_or_else(|| {
        let hint = "`homelab status` shows those that are";
        Failure::Machine(Trouble::new(format!("no stack `{name}` is deployed"), hint))
    })?;
    let before = stacks(plan).take_while(|(_, stack)| stack.name != name);
    before.for_each(|(step, stack)| take_turn(step, stack, &scene, sink));
    start(step, stack, &scene, sink)
}

fn take_turn(step: &Step, stack: &StackWish, scene: &Scene<'_>, sink: &mut dyn Sink) {
    if !stack::Doer(stack).is_marked(scene) {
        // Whoever looks at the whole plan tells what is wrong.
        drop(start(step, stack, scene, sink));
    }
}

/// Carries out the step of one stack, if it does not hold.
fn start(
    step: &Step,
    stack: &StackWish,
    scene: &Scene<'_>,
    sink: &mut dyn Sink,
) -> Result<Option<String>, Failure> {
    let failed = Failure::in_step(&step.id);
    let doing = stack::Doer(stack);
    let before = doing.holds(scene).map_err(failed)?;
    if before.is_so() {
        return Ok(before.held);
    }
    doing.apply(scene, &mut Progress::new(&step.id, sink)).map_err(failed)?;
    let after = doing.holds(scene).map_err(failed)?;
    if after.is_so() {
        return Ok(after.held);
    }
    let trouble = format!("it was carried out, but still {}", after.missing.join("; "));
    Err(failed(Trouble::new(trouble, "`homelab status` shows its services")))
}

/// The stacks of a plan that are not up, though no volume keeps them from it. Changes nothing, but a
/// share may be mounted that one of them waits for.
///
/// # Errors
/// The engine does not answer.
pub fn down(plan: &Plan, context: &Context) -> Result<BTreeSet<String>, Failure> {
    let scene = Scene::new(context, plan);
    let mut down = BTreeSet::new();
    for (step, stack) in stacks(plan) {
        let failed = Failure::in_step(&step.id);
        if !stack::Doer(stack).holds(&scene).map_err(failed)?.is_so() {
            down.insert(stack.name.clone());
        }
    }
    Ok(down)
}

/// Is there more to do for a stack than to wait until what runs of it is well? Changes nothing.
///
/// # Errors
/// The engine does not answer.
pub fn can_go_on(plan: &Plan, context: &Context, name: &str) -> Result<bool, Failure> {
    let scene = Scene::new(context, plan);
    let Some((step, stack)) = stacks(plan).find(|(_, stack)| stack.name == name) else {
        return Ok(false);
    };
    let failed = Failure::in_step(&step.id);
    stack::Doer(stack).can_go_on(&scene).map_err(failed)
}

/// The stacks of a plan that wait for a volume, with the reason. Changes nothing.
///
/// # Errors
/// The mounts of the machine cannot be read.
pub fn held(plan: &Plan, context: &Context) -> Result<BTreeMap<String, String>, Failure> {
    let scene = Scene::new(context, plan);
    let mut held = BTreeMap::new();
    for (step, stack) in stacks(plan) {
        let failed = Failure::in_step(&step.id);
        if let Some(reason) = stack::Doer(stack).seen_held(&scene).map_err(failed)? {
            held.insert(stack.name.clone(), reason);
        }
    }
    Ok(held)
}

/// Has a service lost the network of the container that it uses? Changes nothing.
///
/// # Errors
/// The engine does not answer.
pub fn is_astray(plan: &Plan, context: &Context) -> Result<bool, Failure> {
    let scene = Scene::new(context, plan);
    for (step, stack) in network_users(plan) {
        let failed = Failure::in_step(&step.id);
        if stack::Doer(stack).seen_held(&scene).map_err(failed)?.is_some() {
            continue;
        }
        let containers = context.host.containers.project(&stack.name);
        let containers = containers.map_err(|error| failed(error.into()))?;
        if containers.iter().any(|container| container.astray) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The stacks of a plan, each with its step.
pub(crate) fn stacks(plan: &Plan) -> impl Iterator<Item = (&Step, &StackWish)> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::Stack(stack) => Some((step, stack)),
        _ => None,
    })
}

/// Stacks with a service that uses another container's network.
fn network_users(plan: &Plan) -> impl Iterator<Item = (&Step, &StackWish)> {
    stacks(plan).filter(|(_, stack)| stack.services.iter().any(|s| s.network_of.is_some()))
}

/// Looks at the services that use another container's network, and makes those anew that have lost
/// it; whether there were any.
///
/// # Errors
/// The engine does not answer, or Compose cannot make them.
pub fn rejoin(plan: &Plan, context: &Context, sink: &mut dyn Sink) -> Result<bool, Failure> {
    let scene = Scene::new(context, plan);
    let mut any = false;
    for (step, stack) in network_users(plan) {
        let failed = Failure::in_step(&step.id);
        if stack::Doer(stack).seen_held(&scene).map_err(failed)?.is_some() {
            continue;
        }
        let mut progress = Progress::new(&step.id, sink);
        any |= stack::Doer(stack).rejoin(&scene, &mut progress).map_err(failed)?;
    }
    Ok(any)
}
