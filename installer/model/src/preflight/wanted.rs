//! What a seed asks of machine and network.

use ipnet::IpNet;

use crate::{
    account,
    memory::Budget,
    plan::{Action, ImagePull, Plan, PortRule},
    secret::SecretRef,
    seed::{Certificate, ImageSource, Seed},
};

/// What a seed asks of machine and network. [`Default`]: there is no seed yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// There is a seed.
    pub seed: bool,
    /// Static addresses.
    pub addresses: Vec<IpNet>,
    /// Where images come from; none if all of them are on the box.
    pub registries: Vec<Registry>,
    /// The authority that certificates come from; none: the box's own.
    pub authority: Option<Authority>,
    /// The DNS provider.
    pub provider: Option<Provider>,
    /// What memory the services are counted with.
    pub budget: Option<Budget>,
    /// Images that are not on the box; none: there is no plan to count them in.
    pub missing_images: Option<usize>,
    /// Ports that containers publish; none: there is no plan.
    pub ports: Option<Vec<PortRule>>,
}

/// A registry that images are pulled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// `registry-1.docker.io`, or `registry.lan:5000`
    pub host: String,
    /// Its root certificate is the secret of this name.
    pub root: Option<SecretRef>,
    /// How many images come from it.
    pub images: usize,
}

/// An authority that speaks ACME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Directory URL.
    pub directory: String,
    /// Its root certificate is the secret of this name.
    pub root: Option<SecretRef>,
}

/// A DNS provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// As the seed names it.
    pub name: String,
    /// Where its programming interface answers; none: nothing is known about it.
    pub url: Option<&'static str>,
}

impl Wanted {
    /// Of a seed; `missing` are those of the plan's images that are not on the box.
    pub fn of(seed: &Seed, plan: Option<&Plan>, missing: &[&ImagePull]) -> Self {
        let provider = seed.domain.dns.as_ref().map(|dns| Provider {
            name: dns.provider.clone(),
            // Asked without any credentials it refuses, which is an answer too.
            url: account::url(&dns.provider),
        });
        let authority = match &seed.domain.certificate {
            Certificate::Local => None,
            Certificate::Acme { directory, root_ca, .. } => Some(Authority {
                directory: directory.clone(),
                root: root_ca.as_ref().map(|_| SecretRef::new("acme-root-ca")),
            }),
        };
        let firewall = plan.and_then(|plan| {
            plan.steps.iter().find_map(|step| match &step.action {
                Action::Firewall(firewall) => Some(firewall.published.clone()),
                _ => None,
            })
        });
        Self {
            seed: true,
            addresses: seed.interfaces.iter().flat_map(|i| i.address.iter().copied()).collect(),
            registries: match seed.images.source {
                ImageSource::Bundle => Vec::new(),
                ImageSource::Auto | ImageSource::Registry => registries(seed, missing),
            },
            authority,
            provider,
            budget: None,
            missing_images: plan.map(|_| missing.len()),
            ports: firewall,
        }
    }

    /// Something of the seed cannot be had without the network.
    pub fn needs_network(&self) -> bool {
        !self.registries.is_empty() || self.authority.is_some()
    }

    /// Host names that must be found, without those that are addresses already.
    pub fn names(&self) -> Vec<String> {
        let registries = self.registries.iter().map(|registry| host(&registry.host));
        let urls = self.authority.iter().map(|authority| authority.directory.as_str());
        let urls = urls.chain(self.provider.iter().filter_map(|provider| provider.url));
        let mut names: Vec<String> = registries
            .chain(urls.map(|url| host(authority_part(url))))
            .filter(|name| name.parse::<std::net::IpAddr>().is_err())
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

fn registries(seed: &Seed, missing: &[&ImagePull]) -> Vec<Registry> {
    let mut found: Vec<Registry> = Vec::new();
    for pull in missing {
        let first = pull.repository.split('/').next().unwrap_or_default();
        let mirrored = seed.images.mirror.as_deref() == Some(first);
        let host = match first {
            // The name that people write is not the one that answers.
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        match found.iter_mut().find(|registry| registry.host == host) {
            Some(registry) => registry.images += 1,
            None => found.push(Registry {
                host: host.to_owned(),
                root: seed
                    .images
                    .mirror_ca
                    .as_ref()
                    .filter(|_| mirrored)
                    .map(|_| SecretRef::new("mirror-ca")),
                images: 1,
            }),
        }
    }
    found
}

/// `host:port` of a URL.
fn authority_part(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// The host of a URL or of `host:port`, without brackets.
pub fn host(text: &str) -> &str {
    let text = authority_part(text);
    if let Some(inside) = text.strip_prefix('[') {
        return inside.split(']').next().unwrap_or(inside);
    }
    text.split(':').next().unwrap_or(text)
}
