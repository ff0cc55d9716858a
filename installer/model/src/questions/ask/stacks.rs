//! What is deployed, held against the memory that is there.

use std::{cell::OnceCell, rc::Rc};

use crate::{
    catalogue::{CORE, Catalogue, Stack, wish::Memory},
    facts::Facts,
    memory::Budget,
    plan,
    questions::{Choice, Kind, Question, Said, Value, World, seed_text, walk::Walk},
    seed::{self, Seed, rules::Refused},
};

/// Asks for the stacks; `core` is always one.
pub(super) fn stacks(walk: &mut Walk<'_>) {
    let world = walk.world;
    let all: Vec<String> = offered(world.catalogue).map(|stack| stack.name.clone()).collect();
    let scales = Rc::new(Scales::new(world, walk.said.clone()));
    let default = if walk.wants_default("stacks") { scales.most(&all) } else { all.clone() };
    let weighed = walk.open.is_none().then(|| scales.weigh(&all)).flatten();
    let option = |stack| option(stack, weighed.as_ref().map(|weighed| weighed.of(&stack.name)));
    let options: Vec<Choice> = offered(world.catalogue).map(option).collect();
    let (judge, weigh) = (Rc::clone(&scales), Rc::clone(&scales));
    let chosen = walk.texts(
        Question::new("stacks", "Services", Kind::Several(options))
            .asks("What shall run on the box? The core (proxy, login) always does.")
            .help(
                "The line below counts the memory that the services were measured to need, with the \
                 system. A service that needs more than the box has is left out by itself, and named. \
                 `homelab status --memory` shows on the box what each one takes. More can be added \
                 later, by `enable` in the seed and `homelab apply`.",
            )
            .or_value(Value::Texts(default))
            .remarks(move |value| match value {
                Value::Texts(chosen) => {
                    weigh.weigh(chosen).map(|weighed| weighed.words(world)).unwrap_or_default()
                }
                _ => String::new(),
            })
            .whole(move |value| {
                if let (Value::Texts(chosen), true) = (&value, world.memory_known) {
                    if let Some(weighed) = judge.weigh(chosen) {
                        weighed.fits(world)?;
                    }
                }
                Ok(value)
            }),
    );
    if chosen.len() < all.len() {
        walk.said.put("stacks.too_heavy", Value::Texts(scales.too_heavy(&chosen)));
    } else {
        walk.said.put("stacks.all", Value::Yes(true));
    }
}

/// The catalogue's stacks besides the core. The owner's own are there to be had.
fn offered(catalogue: &Catalogue) -> impl Iterator<Item = &Stack> {
    catalogue.stacks.iter().filter(|stack| stack.name != CORE && !stack.own)
}

fn option(stack: &Stack, memory: Option<u64>) -> Choice {
    let title = stack.wish.title.as_deref().unwrap_or(&stack.name);
    let about = stack.wish.about.as_deref().unwrap_or_default();
    let memory = memory.map(|memory| Memory(memory).to_string()).unwrap_or_default();
    Choice::new(stack.name.clone(), format!("{title:<15} {memory:>8}  {about}"))
}

/// Weighs selections of one box.
struct Scales<'a> {
    world: &'a World<'a>,
    before: Said,
    /// Services that are left out of everything for want of memory.
    heavy: OnceCell<Vec<String>>,
}

impl<'a> Scales<'a> {
    fn new(world: &'a World<'a>, before: Said) -> Self {
        Self { world, before, heavy: OnceCell::new() }
    }

    /// Services of the chosen stacks that are left out of everything for want of memory: who names a
    /// stack would get them all the same. Empty where the memory is not known.
    fn too_heavy(&self, chosen: &[String]) -> Vec<String> {
        let of_chosen = |name: &&String| {
            let mut stacks = self.world.catalogue.stacks.iter();
            stacks.any(|stack| {
                (stack.name == CORE || chosen.contains(&stack.name))
                    && stack.service(name).is_some()
            })
        };
        self.heavy.get_or_init(|| self.heavy()).iter().filter(of_chosen).cloned().collect()
    }

    fn heavy(&self) -> Vec<String> {
        let World { catalogue, facts, memory_known, .. } = self.world;
        let mut said = self.before.clone();
        said.put("stacks.all", Value::Yes(true));
        let Some(seed) = parse(&said).filter(|_| *memory_known) else { return Vec::new() };
        let plenty = Facts { memory: u64::MAX, ..facts.clone() };
        let there = plan::left_out(&seed, catalogue, &plenty);
        let mut here = plan::left_out(&seed, catalogue, facts);
        here.retain(|name| !there.contains(name));
        here
    }

    /// As many of the stacks as fit, by leaving out the largest first.
    fn most(&self, all: &[String]) -> Vec<String> {
        let mut chosen = all.to_vec();
        while self.world.memory_known && !chosen.is_empty() {
            let Some(weighed) = self.weigh(&chosen) else { break };
            if weighed.fits(self.world).is_ok() {
                break;
            }
            let largest = (0..chosen.len()).max_by_key(|at| weighed.of(&chosen[*at]));
            chosen.remove(largest.unwrap_or_default());
        }
        chosen
    }

    /// None while what was said before is not complete.
    fn weigh(&self, chosen: &[String]) -> Option<Weighed> {
        let mut said = self.before.clone();
        let too_heavy = self.too_heavy(chosen);
        said.put("stacks", Value::Texts(chosen.to_vec()));
        said.put("stacks.too_heavy", Value::Texts(too_heavy.clone()));
        let seed = parse(&said)?;
        let budget = plan::budget(&seed, self.world.catalogue, &self.world.facts).ok()?;
        Some(Weighed { seed, budget, too_heavy })
    }
}

fn parse(said: &Said) -> Option<Seed> {
    seed::parse("seed.toml", seed_text(said, None).reveal()).ok()
}

/// A selection on the scales of the planner.
struct Weighed {
    seed: Seed,
    budget: Budget,
    too_heavy: Vec<String>,
}

impl Weighed {
    /// What a stack of it needs.
    fn of(&self, stack: &str) -> u64 {
        let shares = self.budget.services.iter().filter(|share| share.stack == stack);
        shares.map(|share| share.tier).sum()
    }

    fn words(&self, world: &World<'_>) -> String {
        let services: u64 = self.budget.services.iter().map(|share| share.tier).sum();
        let needed = Memory(services + self.budget.system);
        let mut words = if world.memory_known {
            format!("Needs {needed} of memory; the box has {}.", Memory(self.budget.total))
        } else {
            format!("Needs {needed} of memory.")
        };
        if !self.too_heavy.is_empty() {
            words += &format!(" Left out for want of it: {}.", self.too_heavy.join(", "));
        }
        words
    }

    /// The planner's own check.
    fn fits(&self, world: &World<'_>) -> Result<(), Refused> {
        plan::fits(&self.seed, world.catalogue, &world.facts).map_err(|problems| {
            let first = problems.list.into_iter().next();
            first.map_or_else(
                || Refused::new("this does not fit", "take fewer"),
                |problem| Refused::new(problem.message, problem.hint),
            )
        })
    }
}
