//! Which services of a stack stand for themselves, and which only work for them.

use super::{Service, Stack};

impl Service {
    /// Whether people know it: others only work for one that they know.
    pub fn stands_for_itself(&self) -> bool {
        let wish = &self.wish;
        wish.about.is_some() || wish.url.is_some() || wish.first_login.is_some()
    }
}

impl Stack {
    /// The parts that work for a service: it waits for them, or they wait for it.
    pub fn parts(&self, service: &Service) -> Vec<&Service> {
        let works_for = |part: &&Service| {
            service.depends_on().contains(&part.name) || part.depends_on().contains(&service.name)
        };
        self.services.iter().filter(|other| !other.stands_for_itself()).filter(works_for).collect()
    }

    /// The services that a part works for.
    pub fn served(&self, part: &Service) -> Vec<&Service> {
        let serves =
            |service: &&Service| self.parts(service).iter().any(|other| other.name == part.name);
        self.services.iter().filter(|service| service.stands_for_itself()).filter(serves).collect()
    }

    /// Names of a service, of the parts that work for nothing else, and of what cannot run without
    /// any of them: what is left out together.
    pub fn with_dependents(&self, service: &Service) -> Vec<String> {
        let mut names = vec![service.name.clone()];
        let parts = self.parts(service);
        let own = parts.iter().filter(|part| self.served(part).len() == 1);
        names.extend(own.map(|part| part.name.clone()));
        loop {
            let stuck = self.services.iter().find(|other| {
                !names.contains(&other.name) && other.needs().any(|need| names.contains(&need))
            });
            let Some(stuck) = stuck else { return names };
            names.push(stuck.name.clone());
        }
    }
}
