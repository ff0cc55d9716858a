//! Docker networks that stacks share.

use model::plan::Network;

use crate::{
    failure::Result,
    scene::{Progress, Scene},
    steps::{Doing, Holding},
};

pub(crate) struct Networks<'a>(pub &'a [Network]);

impl Networks<'_> {
    fn missing(&self, scene: &Scene<'_>) -> Result<Vec<&Network>> {
        let there = scene.host().containers.networks()?;
        Ok(self.0.iter().filter(|network| !there.contains(&network.name)).collect())
    }
}

impl Doing for Networks<'_> {
    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        for network in self.missing(scene)? {
            holding.lacks(format!("the Docker network `{}` is missing", network.name));
        }
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, _: &mut Progress<'_>) -> Result<()> {
        for network in self.missing(scene)? {
            let subnet = network.subnet.map(|subnet| subnet.to_string());
            scene.host().containers.create_network(
                &network.name,
                network.internal,
                subnet.as_deref(),
            )?;
        }
        Ok(())
    }
}
