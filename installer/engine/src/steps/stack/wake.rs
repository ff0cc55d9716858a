//! A service that sleeps is woken for as long as its setup takes.

use std::time::Duration;

use model::plan::{ServiceWish, StackWish};

use crate::{
    failure::Result,
    scene::{Progress, Scene},
    steps::stack::{COMPOSE, Doer, setup, start},
};

impl Doer<'_> {
    /// Wakes each service that sleeps and was not set up yet, sets it up, and puts it to sleep
    /// again: whoever visits it first must not find it without its account.
    pub(super) fn set_up_asleep(
        &self,
        scene: &Scene<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        for service in setup::asleep_without(self.0, scene)? {
            progress.note(format!("waking {} to set it up", service.name));
            let asleep = self.asleep(scene)?;
            let awake = self.wake(service, scene, progress);
            let alone = StackWish { services: vec![service.clone()], ..self.0.clone() };
            let done = awake.and_then(|()| setup::bring_about(&alone, scene, progress));
            // In any case, since nobody else would: Sablier stops only what it has started.
            let slept = self.put_to_sleep(&asleep, scene);
            done.and(slept)?;
        }
        Ok(())
    }

    /// Starts a service that sleeps, with those that it depends on, and waits for its health.
    fn wake(
        &self,
        service: &ServiceWish,
        scene: &Scene<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let mut names = vec![&*service.name];
        let mut awake: Vec<ServiceWish> = Vec::new();
        while let Some(name) = names.pop() {
            let found = self.0.services.iter().find(|service| service.name == name);
            let Some(found) = found.filter(|_| !awake.iter().any(|known| known.name == name))
            else {
                continue;
            };
            names.extend(found.after.iter().map(String::as_str));
            awake.push(ServiceWish { lazy: false, ..found.clone() });
        }
        start::all(&StackWish { services: awake, ..self.0.clone() }, scene, progress)
    }

    /// Services that sleep at the moment.
    fn asleep(&self, scene: &Scene<'_>) -> Result<Vec<&str>> {
        let containers = scene.host().containers.project(&self.0.name)?;
        let sleeps = |service: &&ServiceWish| {
            service.lazy && containers.iter().any(|c| c.service == service.name && !c.running)
        };
        Ok(self.0.services.iter().filter(sleeps).map(|service| &*service.name).collect())
    }

    /// Stops those of `names` that run by now.
    fn put_to_sleep(&self, names: &[&str], scene: &Scene<'_>) -> Result<()> {
        let still = self.asleep(scene)?;
        let awake: Vec<&&str> = names.iter().filter(|name| !still.contains(name)).collect();
        if awake.is_empty() {
            return Ok(());
        }
        let stop = self.compose().arg("stop").args(&awake);
        let stop = stop.timeout(Duration::from_secs(COMPOSE));
        scene.run(stop).map(drop)
    }
}
