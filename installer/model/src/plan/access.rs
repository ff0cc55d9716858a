//! Who may see what: the questions of the plan, and the whole matrix.

use super::{AccessExpectation, AccessProbe, make::SEED, select};
use crate::{
    Problems,
    access::{Matrix, Row, sample::sample},
    catalogue::{Catalogue, Service, wish::Access},
    facts::Facts,
    render::{Deployment, access_at},
    seed::Seed,
};

/// One question for each URL. A service that sleeps and asks for no login is left in peace: a
/// question would wake it.
pub(super) fn probes(deployment: &Deployment<'_>) -> Vec<AccessProbe> {
    let portal = format!("https://{}", deployment.portal());
    let probe = |service: &Service| {
        let host = deployment.host(service)?;
        let open = service.wish.access == Some(Access::Bypass);
        if open && deployment.is_lazy(service) {
            return None;
        }
        Some(AccessProbe {
            service: service.name.clone(),
            url: format!("https://{host}/"),
            expect: match open {
                true => AccessExpectation::Answers,
                false => AccessExpectation::Portal { url: portal.clone() },
            },
        })
    };
    deployment.services().filter_map(|(_, service)| probe(service)).collect()
}

/// Every URL of what is deployed, and one path for each pattern of an access exception.
///
/// # Errors
/// What the catalogue cannot give the seed.
pub fn matrix(seed: &Seed, catalogue: &Catalogue, facts: &Facts) -> Result<Matrix, Problems> {
    let mut problems = Problems::new(SEED, "");
    let (deployment, _) = select::deployment(seed, catalogue, facts, &mut problems);
    let mut rows = Vec::new();
    for (stack, service) in deployment.services() {
        let Some(host) = deployment.host(service) else { continue };
        let mut add = |path: &str, exception: Option<&str>| {
            let Some(access) = access_at(service, path) else { return };
            let url = format!("https://{host}{path}");
            // Two patterns may be shown by the same path.
            if rows.iter().any(|row: &Row| row.url == url) {
                return;
            }
            rows.push(Row {
                stack: stack.name.clone(),
                service: service.name.clone(),
                url,
                exception: exception.map(str::to_owned),
                access,
                lazy: deployment.is_lazy(service),
            });
        };
        add("/", None);
        for pattern in service.wish.access_exceptions.iter().flat_map(|except| &except.paths) {
            if let Some(path) = sample(pattern) {
                add(&path, Some(pattern));
            }
        }
    }
    let portal = format!("https://{}", deployment.portal());
    problems.into_result(Some(Matrix { portal, rows }))
}
