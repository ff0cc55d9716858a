//! Who the box is and who its admin is.

mod account;
mod places;
mod unique;

use model::plan::Identity;

use crate::{
    failure::Result,
    scene::{Progress, Scene},
    steps::{Doing, Holding},
};

pub(crate) struct Doer<'a>(pub &'a Identity);

impl Doing for Doer<'_> {
    fn check(&self, scene: &Scene<'_>) -> Result<Vec<String>> {
        places::check(self.0, scene)?;
        account::check(self.0, scene)?;
        Ok(Vec::new())
    }

    fn holds(&self, scene: &Scene<'_>) -> Result<Holding> {
        let mut holding = Holding::default();
        unique::look(scene, &mut holding)?;
        places::look(self.0, scene, &mut holding)?;
        account::look(self.0, scene, &mut holding)?;
        Ok(holding)
    }

    fn apply(&self, scene: &Scene<'_>, progress: &mut Progress<'_>) -> Result<()> {
        unique::make(scene, progress)?;
        places::make(self.0, scene, progress)?;
        account::make(self.0, scene)
    }
}
