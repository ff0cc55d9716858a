//! Labels of a container, and the proxy's routes of lazy services.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Deployment, PROXY_NETWORK};
use crate::catalogue::{
    Service,
    wish::{Access, LazyWait},
};

/// The proxy's middleware that asks the login service.
const LOGIN: &str = "authelia@file";

/// Labels of a service's container, by name.
///
/// A lazy service has no routes here: the proxy forgets the labels of a container that has never
/// run, so its routes are in a file ([`lazy_routes`]).
pub(super) fn labels(deployment: &Deployment<'_>, service: &Service) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut set = |key: String, value: &str| labels.insert(key, value.to_owned());
    let (name, wish) = (&service.name, &service.wish);
    if deployment.is_lazy(service) {
        set("sablier.enable".to_owned(), "true");
        set("sablier.group".to_owned(), name);
        return labels;
    }
    let Some(host) = deployment.host(service) else { return labels };
    set("traefik.enable".to_owned(), "true");
    set("traefik.docker.network".to_owned(), PROXY_NETWORK);
    let router = format!("traefik.http.routers.{name}");
    set(format!("{router}.rule"), &rule(&host));
    set(format!("{router}.entrypoints"), "websecure");
    if needs_login(service) {
        set(format!("{router}.middlewares"), LOGIN);
    }
    if let Some(inner) = &wish.serves {
        set(format!("{router}.service"), inner);
        // Only the proxy serves a page of its own. That it leads somewhere by a label of its own is
        // how its health check knows that it has read the labels of all containers.
        let ready = "traefik.http.routers.ready";
        set(format!("{ready}.rule"), "Path(`/ready`)");
        set(format!("{ready}.entrypoints"), "internal");
        set(format!("{ready}.service"), "ping@internal");
    }
    if let Some(port) = wish.port {
        set(format!("{router}.service"), name);
        let key = format!("traefik.http.services.{name}.loadbalancer.server.port");
        set(key, &port.to_string());
    }
    labels
}

/// The route of a lazy service, for the proxy's template.
#[derive(Debug, Serialize)]
pub(super) struct LazyRoute {
    name: String,
    title: String,
    rule: String,
    /// In this order: who may not see it cannot wake it.
    middlewares: Vec<String>,
    url: String,
    after: String,
    /// A page that waits; else the request waits.
    page: bool,
}

/// Routes of all services that sleep on this box.
pub(super) fn lazy_routes(deployment: &Deployment<'_>) -> Vec<LazyRoute> {
    let mut routes: Vec<LazyRoute> = deployment
        .services()
        .filter(|(_, service)| deployment.is_lazy(service))
        .filter_map(|(_, service)| {
            let (host, port) = (deployment.host(service)?, service.wish.port?);
            let lazy = service.wish.lazy.0.as_ref()?;
            let login = needs_login(service).then(|| LOGIN.to_owned());
            Some(LazyRoute {
                name: service.name.clone(),
                title: service.title().to_owned(),
                rule: rule(&host),
                middlewares: login
                    .into_iter()
                    .chain([format!("sablier-{}", service.name)])
                    .collect(),
                url: format!("http://{}:{port}", service.name),
                after: lazy.after.clone(),
                page: lazy.wait == LazyWait::Page,
            })
        })
        .collect();
    routes.sort_by(|a, b| a.name.cmp(&b.name));
    routes
}

fn rule(host: &str) -> String {
    format!("Host(`{host}`)")
}

/// Is there a path of it that not everybody may see?
fn needs_login(service: &Service) -> bool {
    let levels = service.wish.access_exceptions.iter().map(|exception| exception.access);
    service.wish.access.into_iter().chain(levels).any(|access| access != Access::Bypass)
}
