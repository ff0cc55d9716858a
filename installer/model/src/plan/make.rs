//! Seed, catalogue and facts to a plan.

use std::collections::BTreeMap;

use super::{
    Action, ArtefactWish, Certificates, FORMAT, Firewall, FolderFile, FolderWish, Handover,
    Identity, ImagePull, Images, Install, Network, PasswordWish, Plan, PortRule, Protocol, Render,
    Step, StepId, access, install, secrets::secrets, select, storage, system,
};
use crate::{
    Problems,
    catalogue::{Catalogue, lock::Reference, wish::PublishKind},
    disk,
    facts::Facts,
    paths,
    render::{self, Deployment, Rendered, SHARED_NETWORKS, stack_folder},
    secret::SecretRef,
    seed::{AdminPassword, Certificate, SecretSource, Seed},
};

/// What the seed is called in problems.
pub(super) const SEED: &str = "seed.toml";
/// Days that a certificate of the box's own authority is good for; browsers accept no more.
const CERTIFICATE_DAYS: u32 = 397;

/// Computes the plan.
///
/// # Errors
/// What the catalogue or the machine cannot give the seed.
pub fn plan(seed: &Seed, catalogue: &Catalogue, facts: &Facts) -> Result<Plan, Problems> {
    let mut problems = Problems::new(SEED, "");
    let install = seed.install.as_ref().and_then(|wish| {
        let refused = match install::install(wish, facts) {
            Ok(install) => return install,
            Err(refused) => refused,
        };
        problems.push(None, format!("`[install]`: {}", refused.what), refused.hint);
        None
    });
    // What would be refused there is refused before the copy is made.
    let there = install.as_ref().map(|install| install::afterwards(install, facts));
    let facts = there.as_ref().unwrap_or(facts);
    let (deployment, left_out) = select::deployment(seed, catalogue, facts, &mut problems);
    select::check_memory(&deployment, &mut problems);
    check_schedule(seed, &mut problems);
    let storage = storage::storage(&deployment, &mut problems);
    let rendered = match render::render(&deployment) {
        Ok(rendered) => rendered,
        Err(error) => {
            problems.push(None, error.to_string(), "this is a mistake in the catalogue");
            return problems.into_result(None);
        }
    };
    let steps = match install {
        Some(install) => vec![copy(install)],
        None => steps(&deployment, catalogue, storage, rendered, &left_out),
    };
    problems.into_result(Some(Plan {
        format: FORMAT,
        seed: seed.digest.clone(),
        catalogue: catalogue.digest.clone(),
        steps,
    }))
}

/// The one step of a plan that only moves the system: the copy makes the plan for the rest.
fn copy(install: Install) -> Step {
    let victim = install.consent.victim();
    let title = format!("Install: copy the system onto {victim} ({})", disk::size(victim.size));
    Step { id: StepId::new("install"), title, action: Action::Install(install) }
}

/// The backup service knows cron only. Another moment than the one asked for would be a lie.
fn check_schedule(seed: &Seed, problems: &mut Problems) {
    let schedule = &seed.backup.schedule;
    if render::schedule::cron(schedule).is_none() {
        problems.push(
            None,
            format!(
                "`[backup] schedule`: `{schedule}` cannot be said in cron, which backups run by"
            ),
            "leave out seconds, years and time zones, and do not join days of the week with a date",
        );
    }
}

fn steps(
    deployment: &Deployment<'_>,
    catalogue: &Catalogue,
    storage: super::Storage,
    rendered: Rendered,
    left_out: &[String],
) -> Vec<Step> {
    let seed = deployment.seed;
    let mut steps: Vec<Step> = Vec::new();
    let mut step = |id: &str, title: String, action: Action| {
        steps.push(Step { id: StepId::new(id), title, action });
    };
    step("clock", "Clock: set from the network".to_owned(), Action::Clock);
    let identity = identity(seed);
    step(
        "identity",
        format!("Identity: {}, admin {}", identity.fqdn, identity.admin),
        Action::Identity(identity),
    );
    let (title, network) = system::network(seed);
    step("network", title, Action::Network(network));
    let title = storage::title(&storage);
    step("storage", title, Action::Storage(storage));
    let firewall = firewall(deployment);
    let mut ports: Vec<String> = firewall.host.iter().map(port_word).collect();
    ports.dedup();
    step("firewall", format!("Firewall: {}", ports.join(", ")), Action::Firewall(firewall));
    step("docker", "Docker: daemon".to_owned(), Action::Docker(system::docker(deployment)));
    let networks = networks();
    step(
        "networks",
        format!("Networks: {}", SHARED_NETWORKS.join(", ")),
        Action::Networks { networks },
    );
    let wishes = secrets(seed, deployment, &rendered, &steps_texts(seed));
    step(
        "secrets",
        format!("Secrets: {}", wishes.len()),
        Action::Secrets { wishes: wishes.clone() },
    );
    if let Some(certificates) = certificates(deployment) {
        let title = format!("Certificate: {}", certificates.names.join(", "));
        step("certificates", title, Action::Certificates(certificates));
    }
    let count = rendered.files.len() + rendered.initial.len();
    step(
        "render",
        format!("Files: {count} below {}", paths::STACKS),
        Action::Render(Render {
            folders: rendered.folders,
            files: rendered.files,
            initial: rendered.initial,
        }),
    );
    let images = images(deployment, catalogue);
    step("images", format!("Images: {}", images.pulls.len()), Action::Images(images));
    for wish in rendered.stacks {
        let names: Vec<&str> = wish.services.iter().map(|service| service.name.as_str()).collect();
        let id = format!("stacks/{}", wish.name);
        let title = format!("Stack {}: {}", wish.name, names.join(", "));
        step(&id, title, Action::Stack(wish));
    }
    let probes = access::probes(deployment);
    step("access", format!("Access: {} addresses", probes.len()), Action::Access { probes });
    let mut title = "Handover: addresses, links, seed scrubbed".to_owned();
    if !left_out.is_empty() {
        title += &format!(" (not deployed: {})", left_out.join(", "));
    }
    let handover = handover(deployment, &wishes);
    step("handover", title, Action::Handover(handover));
    steps
}

/// Secrets that steps outside of the stacks name.
fn steps_texts(seed: &Seed) -> Vec<SecretRef> {
    let mut named = Vec::new();
    match identity(seed).password {
        PasswordWish::Plain(name) | PasswordWish::Hash(name) => named.push(name),
    }
    named.extend(seed.images.mirror_ca.as_ref().map(|_| SecretRef::new("mirror-ca")));
    named.extend(storage::passwords(seed));
    named
}

fn identity(seed: &Seed) -> Identity {
    let (hostname, domain) = (&seed.system.hostname, &seed.domain.name);
    let first = domain.split('.').next().unwrap_or_default();
    Identity {
        hostname: hostname.clone(),
        fqdn: match first == hostname {
            true => domain.clone(),
            false => format!("{hostname}.{domain}"),
        },
        timezone: seed.system.timezone.clone(),
        locale: seed.system.locale.clone(),
        keyboard: seed.system.keyboard.clone(),
        admin: seed.admin.name.clone(),
        ssh_keys: seed.admin.ssh_keys.clone(),
        password: match seed.admin.password {
            AdminPassword::Plain(_) => PasswordWish::Plain(SecretRef::new("admin-password")),
            AdminPassword::Hashes { .. } => PasswordWish::Hash(SecretRef::new("admin-linux-hash")),
        },
    }
}

/// The declared ports of the deployed services, and SSH.
fn firewall(deployment: &Deployment<'_>) -> Firewall {
    let mut published: Vec<PortRule> = deployment
        .services()
        .flat_map(|(_, service)| service.wish.publishes.iter().map(move |p| (service, p)))
        .map(|(service, publish)| PortRule {
            port: publish.port,
            protocol: publish.protocol,
            // A resolver that answers the whole Internet is a weapon in foreign hands.
            from: match publish.kind {
                PublishKind::Dns => system::neighbours(deployment.seed, deployment.facts),
                PublishKind::Proxy | PublishKind::Media => Vec::new(),
            },
            comment: format!("{}: {}", service.name, publish.purpose),
        })
        .collect();
    published.sort();
    let mut host = vec![PortRule {
        port: 22,
        protocol: Protocol::Tcp,
        from: system::ssh_from(deployment.seed, deployment.facts),
        comment: "SSH".to_owned(),
    }];
    // IPv6 to a published port ends at Docker's proxy on the box itself.
    host.extend(published.iter().cloned());
    Firewall { host, published }
}

fn port_word(rule: &PortRule) -> String {
    format!("{}/{}", rule.port, render::protocol_word(rule.protocol))
}

fn networks() -> Vec<Network> {
    let network = |name: &&str| Network { name: (*name).to_owned(), internal: false, subnet: None };
    SHARED_NETWORKS.iter().map(network).collect()
}

/// The box's own certificate, unless a public authority gives one.
fn certificates(deployment: &Deployment<'_>) -> Option<Certificates> {
    let seed = deployment.seed;
    if seed.domain.certificate != Certificate::Local {
        return None;
    }
    let (stack, service, files) = deployment
        .services()
        .find_map(|(stack, service)| Some((stack, service, service.wish.certificate.as_ref()?)))?;
    let at = |path: &str| format!("{}/{path}", stack_folder(&stack.name));
    Some(Certificates {
        authority: format!("{} homelab authority", seed.system.hostname),
        names: vec![seed.domain.name.clone(), format!("*.{}", seed.domain.name)],
        days: CERTIFICATE_DAYS,
        chain: FolderFile { path: at(&files.chain), mode: 0o644, owner: (0, 0) },
        key: FolderFile { path: at(&files.key), mode: 0o400, owner: service.owner() },
    })
}

/// Folders that the certificate is written to before the stacks are rendered.
pub(super) fn certificate_folders(deployment: &Deployment<'_>) -> Vec<FolderWish> {
    let Some(certificates) = certificates(deployment) else { return Vec::new() };
    let mut folders = Vec::new();
    for path in [&certificates.chain.path, &certificates.key.path] {
        let parents: Vec<&str> =
            path.match_indices('/').skip(1).map(|(at, _)| &path[..at]).collect();
        for parent in parents.into_iter().filter(|parent| parent.starts_with(paths::STACKS)) {
            let folder = FolderWish { path: parent.to_owned(), mode: 0o755, owner: (0, 0) };
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }
    folders
}

fn images(deployment: &Deployment<'_>, catalogue: &Catalogue) -> Images {
    let wish = &deployment.seed.images;
    let mut references: Vec<&str> =
        deployment.services().map(|(_, service)| service.image.as_str()).collect();
    let place = |reference: &str| {
        catalogue.lock.images.iter().position(|image| image.reference == reference)
    };
    references.sort_by_key(|reference| (place(reference).unwrap_or(usize::MAX), *reference));
    references.dedup();
    let pulls = references
        .into_iter()
        .map(|reference| {
            let locked = catalogue.lock.image(reference);
            let parsed = Reference::parse(reference);
            let repository = locked.map_or(parsed.repository, |image| image.repository.clone());
            let tag = parsed.tag.unwrap_or_default();
            let pin = wish.pins.get(reference).cloned();
            ImagePull {
                reference: reference.to_owned(),
                repository: match &wish.mirror {
                    Some(mirror) => format!("{mirror}/{repository}"),
                    None => repository,
                },
                tag: locked.map_or(tag, |image| image.tag.clone()),
                digest: pin.or_else(|| locked.and_then(|image| image.digest.clone())),
            }
        })
        .collect();
    let mut artefacts: Vec<ArtefactWish> = Vec::new();
    for (_, service) in deployment.services() {
        for mount in &service.wish.artefacts {
            let Some(locked) = catalogue.lock.artefact(&mount.name) else { continue };
            let pin = wish.pins.get(&mount.name).cloned();
            artefacts.push(ArtefactWish {
                name: locked.name.clone(),
                version: locked.version.clone(),
                digest: pin.or_else(|| locked.digest.clone()),
                at: deployment
                    .artefact(&mount.name)
                    .unwrap_or_else(|| format!("{}/{}", paths::ARTEFACTS, locked.name)),
            });
        }
    }
    Images { source: wish.source, pulls, artefacts }
}

fn handover(deployment: &Deployment<'_>, wishes: &[super::SecretWish]) -> Handover {
    let seed = deployment.seed;
    let links: BTreeMap<String, String> = deployment
        .services()
        .filter_map(|(_, service)| {
            let host = deployment.host(service)?;
            Some((service.title().to_owned(), format!("https://{host}")))
        })
        .collect();
    let generated = |(name, source): (SecretRef, &SecretSource)| {
        let made = *source == SecretSource::Generate && wishes.iter().any(|w| w.name == name);
        made.then_some(name)
    };
    Handover {
        links,
        portal: format!("https://{}", deployment.portal()),
        admin: seed.admin.name.clone(),
        domain: seed.domain.name.clone(),
        local_authority: seed.domain.certificate == Certificate::Local,
        show_once: seed.secrets().into_iter().filter_map(generated).collect(),
        addresses: seed
            .interfaces
            .iter()
            .flat_map(|interface| interface.address.iter().map(ipnet::IpNet::addr))
            .collect(),
    }
}
