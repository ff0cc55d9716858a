//! Looks at machine and network before a plan is carried out. Changes nothing: what was seen is
//! judged by `model::preflight`, one finding for each check.

use std::{collections::BTreeMap, net::IpAddr};

use host::{
    Host, network,
    web::{Answer as Page, Question},
};
use model::{
    Secret,
    facts::{Facts, NetworkPort},
    paths,
    plan::{Action, ImagePull, Plan},
    preflight::{
        Check, Finding, Verdict, Wanted, host as host_of,
        network::{self as judge, Clock},
        outside::{self, Answer},
        room::{self, Room},
    },
    secret::SecretRef,
};

use crate::steps::{clock, images};

/// What is asked for and does not answer is tried at this many of its addresses.
const ADDRESSES: usize = 2;
/// Unpartitioned space below this is rounding.
const ROUNDING: u64 = 64 << 20;

/// Checks of somebody on the network.
const OUTSIDE: [Check; 3] = [Check::Registry, Check::CertificateAuthority, Check::DnsProvider];

/// What is looked at.
pub struct Preflight<'a> {
    /// The machine.
    pub host: &'a Host,
    /// What it has.
    pub facts: &'a Facts,
    /// What the seed asks for.
    pub wanted: &'a Wanted,
    /// When the image was built, in seconds since the epoch.
    pub built: Option<i64>,
    /// The seed's secrets: root certificates may be among them.
    pub secrets: &'a BTreeMap<SecretRef, Secret>,
}

/// The images of a plan that are not on the box; all of them while Docker does not answer.
pub fn missing_images<'p>(host: &Host, plan: &'p Plan) -> Vec<&'p ImagePull> {
    let pulls = plan.steps.iter().flat_map(|step| match &step.action {
        Action::Images(images) => images.pulls.as_slice(),
        _ => &[],
    });
    let there = |pull: &&ImagePull| matches!(host.containers.image(&pull.reference), Ok(Some(_)));
    pulls.filter(|pull| !there(pull)).collect()
}

impl Preflight<'_> {
    /// Every check, in order.
    pub fn findings(&self) -> Vec<Finding> {
        let (ports, wanted) = (&self.facts.interfaces, self.wanted);
        let mut findings = vec![judge::link(ports, wanted), judge::address(ports, wanted)];
        if judge::global(ports).is_empty() {
            let skipped = |check| Finding::not_asked(check, "no address");
            findings.extend([Check::Gateway, Check::Dns].map(skipped));
            findings.push(self.clock());
            // What the seed does not need is said as such, with or without an address.
            findings.extend(OUTSIDE.map(|check| match self.outside(check, None) {
                Some(finding) if finding.verdict == Verdict::NotAsked => finding,
                _ => skipped(check),
            }));
        } else {
            findings.push(self.gateway(ports));
            let names = self.names();
            findings.push(self.dns(&names));
            findings.push(self.clock());
            let names = names.unwrap_or_default().into_iter().collect();
            findings.extend(OUTSIDE.iter().filter_map(|c| self.outside(*c, Some(&names))));
        }
        findings.extend([room::memory(self.facts.memory, wanted), self.disk(), self.ports()]);
        findings
    }

    fn gateway(&self, ports: &[NetworkPort]) -> Finding {
        let mut seen = Vec::new();
        for port in ports {
            for gateway in &port.gateways {
                match network::gateway_is_there(self.host, *gateway, &port.name) {
                    Ok(there) => seen.push((*gateway, there)),
                    Err(error) => return unknown(Check::Gateway, &error),
                }
            }
        }
        judge::gateway(&seen, self.wanted)
    }

    /// The names that are needed, each with its addresses. If the seed needs none, the box still
    /// wants its own updates.
    fn names(&self) -> host::Result<Vec<(String, Vec<IpAddr>)>> {
        let mut names = self.wanted.names();
        if names.is_empty() {
            names.extend(network::update_servers(self.host)?.into_iter().next());
        }
        let found = names.into_iter().map(|name| {
            let addresses = network::resolve(self.host, &name)?;
            Ok((name, addresses))
        });
        found.collect()
    }

    fn dns(&self, names: &host::Result<Vec<(String, Vec<IpAddr>)>>) -> Finding {
        match (network::resolvers(self.host), names) {
            (Ok(servers), Ok(names)) => judge::dns(&servers, names, self.wanted),
            (Err(error), _) => unknown(Check::Dns, &error),
            (_, Err(error)) => unknown(Check::Dns, error),
        }
    }

    fn clock(&self) -> Finding {
        let (now, shown) = (self.host.clock.epoch(), self.host.clock.now());
        // A box without `timedatectl` has no program that sets the clock either.
        let state = clock::State::of(self.host).ok();
        let clock = Clock {
            now,
            shown: &shown,
            built: self.built,
            possible: state.as_ref().is_some_and(|state| state.possible),
            synchronised: state.is_some_and(|state| state.synchronised),
        };
        judge::clock(&clock, self.wanted)
    }

    /// A check of somebody on the network; `names`: none are asked, there is no address.
    fn outside(
        &self,
        check: Check,
        names: Option<&BTreeMap<String, Vec<IpAddr>>>,
    ) -> Option<Finding> {
        let ask = |url: &str, root: Option<&SecretRef>| match names {
            Some(names) => self.ask(url, root, names),
            None => Answer::Nothing(String::new()),
        };
        let wanted = self.wanted;
        match check {
            Check::Registry => {
                let answers: Vec<_> = wanted
                    .registries
                    .iter()
                    .map(|registry| {
                        let url = format!("https://{}/v2/", registry.host);
                        (registry, ask(&url, registry.root.as_ref()))
                    })
                    .collect();
                Some(outside::registry(&answers, wanted))
            }
            Check::CertificateAuthority => {
                let answer = wanted.authority.as_ref().map(|authority| {
                    (authority, ask(&authority.directory, authority.root.as_ref()))
                });
                Some(outside::authority(answer, wanted))
            }
            Check::DnsProvider => {
                let provider = wanted.provider.as_ref();
                let answer =
                    provider.and_then(|provider| Some((provider, ask(provider.url?, None))));
                Some(outside::provider(answer, wanted))
            }
            _ => None,
        }
    }

    fn ask(
        &self,
        url: &str,
        root: Option<&SecretRef>,
        names: &BTreeMap<String, Vec<IpAddr>>,
    ) -> Answer {
        let authority = match root.map(|name| self.secrets.get(name)) {
            Some(None) => {
                return Answer::Nothing("its root certificate cannot be had".to_owned());
            }
            found => found.flatten().map(|pem| pem.reveal().to_owned()),
        };
        let name = host_of(url);
        let addresses = match name.parse() {
            Ok(address) => vec![address],
            Err(_) => names.get(name).cloned().unwrap_or_default(),
        };
        let mut last = Answer::NameUnknown;
        for connect in addresses.into_iter().take(ADDRESSES) {
            let connect = Some(connect);
            let question = Question { connect, ..Question::local(url, authority.as_deref()) };
            match self.host.web.ask(&question) {
                Ok(Page { status, body, .. }) => return Answer::Status(status, body),
                Err(host::HostError::Web { message, .. }) => last = Answer::Nothing(message),
                Err(error) => last = Answer::Nothing(error.to_string()),
            }
        }
        last
    }

    fn disk(&self) -> Finding {
        let store = match self.host.path(images::STORE).is_dir() {
            true => images::STORE,
            false => "/",
        };
        let partitions = self.facts.boot_disk().map(|disk| {
            let taken = disk.contents.iter().filter(|volume| volume.number.is_some());
            disk.size.saturating_sub(taken.map(|volume| volume.size).sum())
        });
        let grows = partitions.filter(|grows| *grows >= ROUNDING).unwrap_or(0);
        match network::free_bytes(self.host, store) {
            Ok(free) => room::disk(Room { free, grows }, self.wanted),
            Err(error) => unknown(Check::Disk, &error),
        }
    }

    fn ports(&self) -> Finding {
        match network::listeners(self.host) {
            Ok(listeners) => room::ports(&listeners, self.wanted),
            Err(error) => unknown(Check::Ports, &error),
        }
    }
}

/// A look that failed says nothing about what was looked at.
fn unknown(check: Check, error: &host::HostError) -> Finding {
    Finding::bad(
        check,
        Verdict::Warning,
        format!("it cannot be found out: {error}"),
        "it may be well all the same",
        format!("is this an image of ours, with all its programs? See `{}`", paths::MANIFEST),
    )
}
