//! The real machine behind the first boot.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use engine::{Context, Medium, Silence, Sink};
use host::{
    BootDisk, Command, Host, boot_loader, disks, files, probe,
    volume::{self, Use},
};
use model::{
    catalogue::Catalogue,
    facts::{Facts, NetworkPort, Volume},
    paths::partition,
    plan::{Install, Plan, afterwards},
    preflight::Finding,
    report::Report,
    seed::Seed,
};

use crate::{
    failure::Failure,
    first_boot::Machine,
    inputs,
    kernel_line::KernelLine,
    preflight,
    sources::{LARGEST, Places},
};

/// The credential's name.
const CREDENTIAL: &str = "homelab.seed";
/// Labels of a removable volume with a seed. FAT has room for eleven characters.
const REMOVABLE: [&str; 2] = [partition::REMOVABLE_SEED_LABEL, "HOMELABSEED"];

/// This machine.
pub struct System {
    host: Host,
}

impl System {
    /// This machine.
    pub fn new(host: Host) -> Self {
        Self { host }
    }

    /// Volumes that can be pulled out, each with its name, to be read only.
    fn pulled_out(&self, wanted: impl Fn(&Volume) -> bool) -> Vec<(String, Arc<dyn Medium>)> {
        let disks = disks::disks(&self.host).unwrap_or_default();
        let volumes = disks.into_iter().filter(|d| d.removable && !d.boot).flat_map(|d| d.contents);
        volumes
            .filter(|volume| wanted(volume))
            .map(|found| {
                let device = Path::new("/dev").join(&found.name);
                let medium = Partition { host: self.host.clone(), device, what_for: Use::Read };
                (found.name, Arc::new(medium) as Arc<dyn Medium>)
            })
            .collect()
    }
}

/// A FAT file system of this machine, mounted for as long as it is used.
pub struct Partition {
    host: Host,
    device: PathBuf,
    what_for: Use,
}

impl Medium for Partition {
    fn with(&self, work: &mut dyn FnMut(&Path) -> host::Result<()>) -> host::Result<()> {
        volume::with_fat(&self.host, &self.device, self.what_for, work)
    }
}

/// The SEED partition of the boot disk; none: this machine was not started from our image.
pub fn seed_partition(host: &Host, what_for: Use) -> Option<Arc<dyn Medium>> {
    let device = BootDisk::find(host).ok()?.partition(partition::SEED);
    host.path(&device)
        .exists()
        .then(|| Arc::new(Partition { host: host.clone(), device, what_for }) as Arc<dyn Medium>)
}

impl Places for System {
    fn credential(&self) -> Result<Option<String>, String> {
        let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(None) };
        files::read_text_optional(Path::new(&folder).join(CREDENTIAL)).map_err(|e| e.to_string())
    }

    fn fetch(&self, url: &str) -> Result<String, String> {
        host::web::fetch(url, LARGEST).map_err(|error| error.to_string())
    }

    fn seed_partition(&self) -> Option<Arc<dyn Medium>> {
        seed_partition(&self.host, Use::Read)
    }

    fn removable(&self) -> Vec<(String, Arc<dyn Medium>)> {
        self.pulled_out(|v| v.label.as_deref().is_some_and(|label| REMOVABLE.contains(&label)))
    }
}

impl Machine for System {
    fn host(&self) -> &Host {
        &self.host
    }

    fn kernel_line(&self) -> KernelLine {
        let text = files::read_text_optional(self.host.path("/proc/cmdline")).ok().flatten();
        KernelLine::parse(&text.unwrap_or_default())
    }

    fn addresses(&self) -> Vec<IpAddr> {
        probe::addresses(&self.host).unwrap_or_default()
    }

    fn ports(&self) -> Vec<NetworkPort> {
        probe::interfaces(&self.host).unwrap_or_default()
    }

    fn world(&self) -> Result<(Catalogue, Facts), Failure> {
        let catalogue = inputs::catalogue(&self.host)?;
        let mut facts = probe::facts(&self.host)?;
        let none = BTreeMap::new();
        inputs::add_artefacts(&mut facts, &self.host, &catalogue.lock.artefacts, &none);
        Ok((catalogue, facts))
    }

    fn findings(&self, seed: &Seed) -> Vec<Finding> {
        // Whatever keeps the look from being made is found again by the steps themselves.
        preflight::look(&self.host, Some(seed), None).map(|(found, _)| found).unwrap_or_default()
    }

    fn sticks(&self) -> Vec<(String, Arc<dyn Medium>)> {
        self.pulled_out(|volume| volume.signature.as_deref() == Some("vfat"))
    }

    fn plan(&self, seed: &Seed) -> Result<Plan, Failure> {
        // The firewall lets the box's own subnets in.
        probe::wait_for_addresses(&self.host);
        inputs::plan(&self.host, seed, probe::facts(&self.host)?)
    }

    fn plan_after(&self, install: &Install, seed: &Seed) -> Result<Plan, Failure> {
        inputs::plan(&self.host, seed, afterwards(install, &probe::facts(&self.host)?))
    }

    fn medium(&self) -> Option<Arc<dyn Medium>> {
        seed_partition(&self.host, Use::Write)
    }

    fn built(&self) -> Option<i64> {
        inputs::built(&self.host)
    }

    fn run(&self, plan: &Plan, context: &Context, sink: &mut dyn Sink) -> Report {
        engine::run(plan, context, sink)
    }

    fn start_stacks(&self, plan: &Plan, context: &Context) {
        engine::start_stacks(plan, context, &mut Silence);
    }

    fn verify(&self, plan: &Plan, context: &Context, sink: &mut dyn Sink) -> Report {
        engine::verify(plan, context, sink)
    }

    fn publish(&self, report: &Report, context: &Context) -> Result<(), String> {
        engine::publish(context, report, &terminal::sheet::text(report))
            .map_err(|error| error.causes().join(": "))
    }

    fn rest_attempts(&self) -> Result<(), String> {
        boot_loader::forgive_attempts(&self.host).map_err(|error| error.to_string())
    }

    fn on_a_stick(&self) -> bool {
        let disks = disks::disks(&self.host).unwrap_or_default();
        disks.iter().any(|disk| disk.boot && disk.is_portable())
    }

    fn restart(&self) -> Result<(), String> {
        let command = Command::new("systemctl").arg("reboot");
        self.host.runner.run(&command).map(drop).map_err(|error| error.to_string())
    }

    fn shell(&self, console: &str) -> Result<(), String> {
        let unit = format!("homelab-shell@{console}.service");
        let command = Command::new("systemctl").args(["start", "--wait", &unit]);
        self.host.runner.run(&command).map(drop).map_err(|error| error.to_string())
    }
}
