//! Stacks as they will lie below `/opt/stacks`: ordinary Compose files and configuration.
//!
//! ```text
//! Stack + ServiceWish --compose--> compose.yaml     without x-homelab, with labels and secrets
//!                     --labels---> proxy labels
//!                     --login----> rules and clients of the login service
//!                     --files----> configuration files from templates
//! ```
//!
//! The result depends on its inputs only, so two runs give the same bytes. Secrets stand in it as
//! placeholders.

mod backup;
mod compose;
mod context;
mod files;
mod labels;
mod login;
mod needs;
pub mod pages;
pub(crate) mod schedule;
pub mod variables;

pub(crate) use compose::holds;
pub(crate) use login::access_at;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    Digest,
    catalogue::{Service, Stack, wish::SecretSourceWish},
    facts::Facts,
    paths,
    plan::{FileWish, FolderWish, Protocol, ServiceWish, StackWish},
    secret::SecretRef,
    seed::{Certificate, Seed},
};

/// The network that the proxy reaches services on.
pub const PROXY_NETWORK: &str = "traefik-network";
/// Networks that stacks share; the box makes them before the first stack.
pub const SHARED_NETWORKS: [&str; 3] = [PROXY_NETWORK, "homelab-network", "media-network"];
/// The artefact without which no service can be lazy.
pub const LAZY_ARTEFACT: &str = "sablier-traefik-plugin";
/// The service that the plugin asks to wake others.
const WAKER: &str = "sablier";
/// Label of the container that changes when a file does that the service reads at its start.
pub const CONFIGURATION_LABEL: &str = "homelab.configuration";
/// In place of a DNS label: the domain itself.
pub const APEX: &str = "@";
/// DNS label of the login portal.
pub const PORTAL: &str = "auth";

/// Seconds that a service has to become healthy if it does not say otherwise.
pub const DEADLINE: u64 = 300;

/// What is deployed on a box: the input of all rendering.
#[derive(Debug)]
pub struct Deployment<'a> {
    /// The wish.
    pub seed: &'a Seed,
    /// The machine.
    pub facts: &'a Facts,
    /// Stacks in the order in which they start, each with the services that are deployed.
    pub stacks: Vec<(&'a Stack, Vec<&'a Service>)>,
}

/// All stacks, rendered.
#[derive(Debug, Default)]
pub struct Rendered {
    /// Folders, parents first.
    pub folders: Vec<FolderWish>,
    /// Files.
    pub files: Vec<FileWish>,
    /// Files that are written only when there are none.
    pub initial: Vec<FileWish>,
    /// What the engine starts and waits for, in order.
    pub stacks: Vec<StackWish>,
}

/// A text cannot be rendered: a template uses something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}` cannot be rendered: {reason}")]
pub struct RenderError {
    /// Path below the catalogue's folder.
    pub file: String,
    /// What the renderer says.
    pub reason: String,
}

impl<'a> Deployment<'a> {
    /// All deployed services, each with its stack.
    pub fn services(&self) -> impl Iterator<Item = (&'a Stack, &'a Service)> + '_ {
        self.stacks.iter().flat_map(|(stack, list)| list.iter().map(|service| (*stack, *service)))
    }

    /// Are the artefact and the service there that wake what sleeps?
    pub fn can_be_lazy(&self) -> bool {
        self.facts.artefacts.iter().any(|name| name == LAZY_ARTEFACT) && self.has(WAKER)
    }

    /// Does this service sleep on this box?
    pub fn is_lazy(&self, service: &Service) -> bool {
        service.wish.lazy.0.is_some() && self.can_be_lazy()
    }

    /// Public host name of a service, if it has one.
    pub fn host(&self, service: &Service) -> Option<String> {
        let domain = &self.seed.domain.name;
        service.wish.url.as_ref().map(|label| match label.as_str() {
            APEX => domain.clone(),
            label => format!("{label}.{domain}"),
        })
    }

    /// Is a service of this name deployed?
    pub fn has(&self, name: &str) -> bool {
        self.services().any(|(_, service)| service.name == name)
    }

    /// Does it keep to its own network although it would share another's? Only a service that may
    /// do without the VPN, by the seed's own word.
    pub fn is_detached(&self, service: &Service) -> bool {
        service.network_of().is_some_and(|host| !self.has(host))
    }

    /// Name under which other containers find it: what shares another's network is found there.
    pub fn found_at<'b>(&self, service: &'b Service) -> &'b str {
        service.network_of().filter(|host| self.has(host)).unwrap_or(&service.name)
    }

    /// The box's first IPv4 address on the LAN.
    pub fn lan_address(&self) -> Option<IpAddr> {
        let wanted = self.seed.interfaces.iter().flat_map(|interface| &interface.address);
        let found = self.facts.interfaces.iter().flat_map(|port| &port.addresses);
        let usable = |net: &&IpNet| match net.addr() {
            IpAddr::V4(address) => !address.is_link_local() && !address.is_loopback(),
            IpAddr::V6(_) => false,
        };
        wanted.chain(found).find(usable).map(IpNet::addr)
    }

    /// What media services see as `/data`. One mount, since hard links do not cross mounts.
    pub fn data(&self) -> &'static str {
        let on_one = self.seed.mounts.iter().any(|mount| {
            ["media", "downloads"].iter().all(|place| mount.holds.iter().any(|h| h == place))
        });
        if on_one { "/mnt/storage" } else { "/mnt" }
    }

    /// File of the box with the authorities that vouch for the portal's certificate. It is always
    /// there, so that it can be mounted whoever the issuer is.
    pub fn authorities(&self) -> String {
        match self.seed.domain.certificate {
            Certificate::Local => format!("{}/ca.pem", paths::AUTHORITY),
            Certificate::Acme { .. } => paths::PUBLIC_AUTHORITIES.to_owned(),
        }
    }

    /// Host name of the login portal.
    pub fn portal(&self) -> String {
        format!("{PORTAL}.{}", self.seed.domain.name)
    }

    /// The secret behind a secret file of a stack; none if the seed has none.
    pub fn secret(&self, stack: &Stack, file: &str) -> Option<SecretRef> {
        match stack.wish.secrets.get(file) {
            Some(SecretSourceWish::Seed(name)) => {
                self.seed.secrets().into_iter().map(|(known, _)| known).find(|known| known == name)
            }
            Some(SecretSourceWish::Same(other)) => Some(SecretRef::new(other)),
            _ => Some(SecretRef::new(file)),
        }
    }

    /// Credentials for DNS-01: variable and secret.
    pub fn dns_credentials(&self) -> Vec<(String, SecretRef)> {
        let acme = matches!(self.seed.domain.certificate, Certificate::Acme { .. });
        let dns = self.seed.domain.dns.iter().filter(|_| acme);
        dns.flat_map(|dns| dns.credentials.keys())
            .map(|variable| {
                let name = variable.to_lowercase().replace('_', "-");
                (variable.clone(), SecretRef::new(format!("dns-{name}")))
            })
            .collect()
    }

    /// Deployed clients of the OpenID Connect provider.
    pub fn oidc_clients(&self) -> impl Iterator<Item = &'a Service> + '_ {
        self.services().map(|(_, service)| service).filter(|service| service.wish.oidc.is_some())
    }

    /// Where an artefact lies on the box; none if it is not there.
    pub fn artefact(&self, name: &str) -> Option<String> {
        let has = |list: &[String]| list.iter().any(|known| known == name);
        match (has(&self.facts.artefacts), has(&self.facts.own_artefacts)) {
            (_, true) => Some(format!("{}/{name}", paths::OWN_ARTEFACTS)),
            (true, false) => Some(format!("{}/{name}", paths::ARTEFACTS)),
            (false, false) => None,
        }
    }
}

/// The file that is there as long as a stack may run; see [`paths::STACK_MARKS`].
pub fn stack_mark(stack: &str) -> String {
    format!("{}/{stack}", paths::STACK_MARKS)
}

/// Folder of a stack on the box.
pub fn stack_folder(name: &str) -> String {
    format!("{}/{name}", paths::STACKS)
}

/// Name of the secret that an OpenID Connect client shows to the provider.
pub fn oidc_secret(service: &str) -> SecretRef {
    SecretRef::new(format!("oidc-{service}"))
}

/// Name of the digest of [`oidc_secret`] that the provider knows.
pub fn oidc_secret_hash(service: &str) -> SecretRef {
    SecretRef::new(format!("oidc-{service}-hash"))
}

/// `tcp` or `udp`.
pub(crate) fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Renders all stacks.
///
/// # Errors
/// The first template that uses something that is not there.
pub fn render(deployment: &Deployment<'_>) -> Result<Rendered, RenderError> {
    let context = context::context(deployment);
    let mut rendered = Rendered::default();
    rendered.folders.push(folder(paths::STACKS.to_owned(), 0o755, (0, 0)));
    for (stack, services) in &deployment.stacks {
        let made = files::files(deployment, stack, services, &context)?;
        let mut wishes = Vec::new();
        let mut listing = String::new();
        for service in services {
            let configuration = made.configuration(&service.name);
            listing += &format!("{} {configuration}\n", service.name);
            wishes.push(ServiceWish {
                name: service.name.clone(),
                deadline: service.wish.deadline.unwrap_or(DEADLINE),
                lazy: deployment.is_lazy(service),
                configuration,
                end_of_life: service.wish.end_of_life.clone(),
                after: comes_after(services, service),
                network_of: service
                    .network_of()
                    .filter(|_| !deployment.is_detached(service))
                    .map(str::to_owned),
                setup: service.wish.setup.clone(),
            });
        }
        let text = compose::compose(deployment, stack, services, &made);
        listing += &text;
        let at = stack_folder(&stack.name);
        rendered.folders.extend(made.folders);
        rendered.files.push(file(format!("{at}/compose.yaml"), 0o644, (0, 0), text));
        rendered.files.extend(made.files.into_iter().map(|file| file.wish));
        rendered.initial.extend(made.initial);
        rendered.stacks.push(StackWish {
            name: stack.name.clone(),
            folder: at,
            services: wishes,
            digest: Digest::of(listing),
            needs: needs::of(deployment, services),
        });
    }
    rendered.folders.dedup_by(|a, b| a.path == b.path);
    Ok(rendered)
}

/// Of what it waits for, that which is deployed with it.
fn comes_after(services: &[&Service], service: &Service) -> Vec<String> {
    let deployed = |name: &String| services.iter().any(|other| other.name == *name);
    let mut needs: Vec<String> = service.needs().filter(deployed).collect();
    needs.sort();
    needs.dedup();
    needs
}

fn folder(path: String, mode: u32, owner: (u32, u32)) -> FolderWish {
    FolderWish { path, mode, owner }
}

fn file(path: String, mode: u32, owner: (u32, u32), text: String) -> FileWish {
    FileWish { path, mode, owner, text }
}
