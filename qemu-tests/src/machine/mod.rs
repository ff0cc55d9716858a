//! One virtual machine: a QEMU process of ours, always emulated, judged from outside.
//!
//! [`Machine::start`] runs QEMU; [`Machine::wait`] follows what the guest says on its event port
//! until a scenario has heard what it waits for. The serial console is only watched for badness
//! ([`console`]); nothing passes because of it. Time is no judge: a guest may take as long as it
//! likes while it says something new ([`Patience`]).

pub mod console;
pub mod disk;
pub mod firmware;
mod keyboard;
pub mod qmp;
pub mod stream;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use model::{paths::EVENT_PORT_NAME, report::Event};
use serde_json::{Value, json};

use self::{
    console::Watch,
    disk::{Bus, Disk},
    firmware::Firmware,
    keyboard::SerialKeyboard,
    qmp::Qmp,
    stream::{Lines, Tail, parse_event},
};
use crate::{
    program::{Program, Service},
    world::Port,
};

/// What a machine is made of.
#[derive(Clone)]
pub struct Spec {
    /// What starts it.
    pub firmware: Firmware,
    /// Its disks; it boots from the one at `boot_from`. The guest counts them in this order.
    pub disks: Vec<Disk>,
    /// Index of the boot disk.
    pub boot_from: usize,
    /// MiB of RAM.
    pub memory: u32,
    /// Where it is plugged in.
    pub port: Port,
    /// Names of badness ([`console`]) that this scenario provokes.
    pub exempt: Vec<&'static str>,
    /// Console log, events and pictures go here.
    pub folder: PathBuf,
    /// What most scenarios do without.
    pub extras: Extras,
}

/// What a machine may have besides.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// Somebody types on its serial console.
    pub typed: bool,
    /// Sticks can be plugged in.
    pub usb: bool,
    /// Credentials of systemd, handed in by the monitor: name and file.
    pub credentials: Vec<(&'static str, PathBuf)>,
}

/// How long a guest may be silent, and how long it may take in all.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Neither an event nor a console line for so long is a failure.
    pub stall: Duration,
    /// More than this is a failure although it still speaks.
    pub ceiling: Duration,
}

impl Patience {
    /// For whatever emulation makes of a whole installation.
    pub const INSTALL: Self =
        Self { stall: Duration::from_secs(420), ceiling: Duration::from_secs(2400) };
    /// For the installation of all stacks.
    pub const EVERYTHING: Self =
        Self { stall: Duration::from_secs(900), ceiling: Duration::from_secs(7200) };
    /// For a boot.
    pub const BOOT: Self =
        Self { stall: Duration::from_secs(240), ceiling: Duration::from_secs(900) };
}

/// Name of the socket of a serial console that is typed on.
const SERIAL: &str = "serial";

/// How often the power button is pressed, a minute apart.
const POWER_BUTTON: u32 = 8;

/// A running machine. Dropping it is a power cut.
pub struct Machine {
    spec: Spec,
    qemu: Service,
    qmp: Qmp,
    events: Tail,
    event_lines: Lines,
    serial: Tail,
    serial_lines: Lines,
    watch: Watch,
    said: Vec<String>,
    heard: Vec<Event>,
    keyboard: Option<SerialKeyboard>,
    // QEMU's control socket; paths of Unix sockets are short, artefact folders need not be.
    _socket: tempfile::TempDir,
}

impl Machine {
    /// Switches a machine on.
    ///
    /// # Errors
    /// QEMU does not start.
    pub fn start(spec: Spec) -> Result<Self> {
        Self::start_at(spec, None)
    }

    /// Continues a machine at a snapshot.
    ///
    /// # Errors
    /// QEMU does not start, or knows no such snapshot.
    pub fn resume(spec: Spec, snapshot: &str) -> Result<Self> {
        Self::start_at(spec, Some(snapshot))
    }

    fn start_at(spec: Spec, snapshot: Option<&str>) -> Result<Self> {
        fs::create_dir_all(&spec.folder)
            .with_context(|| format!("cannot create {}", spec.folder.display()))?;
        let socket = tempfile::tempdir().context("cannot make a folder for QEMU's socket")?;
        let control = socket.path().join("qmp");
        let mut program = Program::new("qemu-system-x86_64").args(arguments(&spec, &control)?);
        if let Some(snapshot) = snapshot {
            program = program.args(["-loadvm", snapshot]);
        }
        let events = Tail::from_end(&spec.folder.join("events.jsonl"));
        let serial = Tail::from_end(&spec.folder.join("serial.log"));
        let mut qemu = program.service(&spec.folder.join("qemu.log"))?;
        let qmp = match Qmp::connect(&control, Duration::from_secs(30)) {
            Ok(qmp) => qmp,
            Err(error) => {
                qemu.must_run()?;
                return Err(error);
            }
        };
        let keyboard = match spec.extras.typed {
            true => {
                let log = spec.folder.join("serial.log");
                Some(SerialKeyboard::connect(&socket.path().join(SERIAL), &log)?)
            }
            false => None,
        };
        Ok(Self {
            keyboard,
            watch: Watch::new(&spec.exempt).context("console patterns")?,
            spec,
            qemu,
            qmp,
            events,
            event_lines: Lines::default(),
            serial,
            serial_lines: Lines::default(),
            said: Vec::new(),
            heard: Vec::new(),
            _socket: socket,
        })
    }

    /// Where it is plugged in.
    pub fn port(&self) -> &Port {
        &self.spec.port
    }

    /// MiB of RAM.
    pub fn memory(&self) -> u32 {
        self.spec.memory
    }

    /// Everything that was heard on the event port since the start.
    pub fn heard(&self) -> &[Event] {
        &self.heard
    }

    /// Follows events until `judge` returns something.
    ///
    /// # Errors
    /// `judge` failed, badness on the console, the machine went off, or patience is at its end.
    pub fn wait<T>(
        &mut self,
        what: &str,
        patience: Patience,
        mut judge: impl FnMut(&Event) -> Result<Option<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        let mut last_word = begun;
        loop {
            let (events, lines) = self.listen()?;
            if !events.is_empty() || lines > 0 {
                last_word = Instant::now();
            }
            for event in &events {
                if let Some(value) = judge(event)? {
                    return Ok(value);
                }
            }
            let problem = if let Some(status) = self.qemu.ended() {
                format!("the machine went off (QEMU ended with {status})")
            } else if last_word.elapsed() > patience.stall {
                format!("the machine said nothing for {} s", patience.stall.as_secs())
            } else if begun.elapsed() > patience.ceiling {
                format!("it is not over after {} s", patience.ceiling.as_secs())
            } else {
                thread::sleep(Duration::from_millis(200));
                continue;
            };
            self.picture("stalled");
            bail!("waiting for {what}: {problem}{}", self.last_words());
        }
    }

    /// Waits until a console line matches, for what only the console can show: the words that a
    /// person reads. Looks at what was said before, too.
    ///
    /// # Errors
    /// As [`Machine::wait`].
    pub fn wait_for_line(&mut self, words: &str, patience: Patience) -> Result<String> {
        let begun = Instant::now();
        let mut last_word = begun;
        let mut looked = 0;
        loop {
            let (events, lines) = self.listen()?;
            if !events.is_empty() || lines > 0 {
                last_word = Instant::now();
            }
            if let Some(line) = self.said[looked..].iter().find(|line| line.contains(words)) {
                return Ok(line.clone());
            }
            looked = self.said.len();
            if self.qemu.ended().is_some()
                || last_word.elapsed() > patience.stall
                || begun.elapsed() > patience.ceiling
            {
                self.picture("stalled");
                bail!("the console never said `{words}`{}", self.last_words());
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Takes in what was said; new events and the number of new console lines.
    fn listen(&mut self) -> Result<(Vec<Event>, usize)> {
        let fresh = self.event_lines.feed(&self.events.more()?);
        let events: Vec<Event> = fresh.iter().filter_map(|line| parse_event(line)).collect();
        self.heard.extend(events.iter().cloned());
        let lines = self.serial_lines.feed(&self.serial.more()?);
        for line in &lines {
            let line = self.watch.plain(line);
            let badness = self.watch.badness(&line);
            self.said.push(line);
            if let Some(name) = badness {
                self.picture("badness");
                let found = self.said.len();
                // What it says next is the reason.
                thread::sleep(Duration::from_secs(3));
                let more = self.serial_lines.feed(&self.serial.more()?);
                self.said.extend(more.iter().map(|line| self.watch.plain(line)));
                self.said.truncate(found + 8);
                return Err(console::error(name, &self.last_words()));
            }
        }
        Ok((events, lines.len()))
    }

    /// Fails if there was badness on the console since the last look.
    ///
    /// # Errors
    /// There was.
    pub fn look_for_badness(&mut self) -> Result<()> {
        self.listen().map(drop)
    }

    /// The last event and the last console lines, for an error message.
    fn last_words(&self) -> String {
        let mut text = String::new();
        if let Some(event) = self.heard.last() {
            let shown = serde_json::to_string(event).unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  last event: {shown}");
        }
        let lines: Vec<&String> = self.said.iter().filter(|line| !line.is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(12)..] {
            let _ = write!(text, "\n  console: {line}");
        }
        text
    }

    /// A picture of the screen beside the logs. It is for people, so its failure is no failure.
    pub fn picture(&mut self, name: &str) {
        let file = self.spec.folder.join(format!("{name}.png"));
        drop(self.qmp.execute("screendump", json!({"filename": file, "format": "png"})));
    }

    /// Types on the serial console; a line ends with `\n`.
    ///
    /// # Errors
    /// This machine has nobody who types there, or is off.
    pub fn type_on_serial(&mut self, text: &str) -> Result<()> {
        let keyboard = self.keyboard.as_mut().context("nobody types on this serial console")?;
        keyboard.type_text(text)
    }

    /// Types on the keyboard of the screen.
    ///
    /// # Errors
    /// There is no such key, or QEMU is gone.
    pub fn type_on_screen(&mut self, text: &str) -> Result<()> {
        for letter in text.chars() {
            let codes: Vec<_> = keyboard::keys(letter)
                .with_context(|| format!("no key for {letter:?}"))?
                .into_iter()
                .map(|code| json!({"type": "qcode", "data": code}))
                .collect();
            self.qmp.execute("send-key", json!({"keys": codes, "hold-time": 60}))?;
            // A guest that is emulated reads its keyboard controller slowly.
            thread::sleep(Duration::from_millis(150));
        }
        Ok(())
    }

    /// What the screen shows, as the bytes of a picture: to see that it changed.
    ///
    /// # Errors
    /// QEMU cannot make a picture.
    pub fn screen(&mut self, name: &str) -> Result<Vec<u8>> {
        let file = self.spec.folder.join(format!("{name}.png"));
        self.qmp.execute("screendump", json!({"filename": file, "format": "png"}))?;
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// Plugs a disk by USB into a running machine that has [`Extras::usb`].
    ///
    /// # Errors
    /// QEMU refused.
    pub fn plug_in(&mut self, disk: Disk) -> Result<()> {
        self.qmp.monitor(&format!("drive_add 0 \"{}\"", drive(&disk)))?;
        let device = json!({
            "driver": "usb-storage", "id": plug(&disk), "bus": "usb.0", "drive": disk.name(),
            "removable": true, "serial": disk.serial,
        });
        self.qmp.execute("device_add", device)?;
        self.spec.disks.push(disk);
        Ok(())
    }

    /// Pulls a disk out of a running machine, and hands it back. One at PCI is given up by the guest
    /// first.
    ///
    /// # Errors
    /// There is no such disk, QEMU refused, or the guest does not give it up.
    pub fn pull_out(&mut self, serial: &str) -> Result<Disk> {
        let place = self.spec.disks.iter().position(|disk| disk.serial == serial);
        let disk = self.spec.disks.remove(place.with_context(|| format!("no disk {serial}"))?);
        self.qmp.execute("device_del", json!({"id": plug(&disk)}))?;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let drives = self.qmp.execute("query-block", json!({}))?;
            let name = disk.name();
            let there = |list: &Vec<_>| list.iter().any(|drive: &Value| drive["device"] == *name);
            if !drives.as_array().is_some_and(there) {
                return Ok(disk);
            }
            if Instant::now() > deadline {
                bail!("the guest does not give up the disk {serial}");
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// From now on a disk takes no more than so many bytes a second.
    ///
    /// # Errors
    /// QEMU refused.
    pub fn slow_down(&mut self, serial: &str, bytes: u64) -> Result<()> {
        let disk = self.spec.disks.iter().find(|disk| disk.serial == serial);
        // By the host's side: the guest's side of a virtio disk has its backend in a child.
        let device = disk.with_context(|| format!("no disk {serial}"))?.name();
        let limits = json!({
            "device": device, "bps": 0, "bps_rd": 0, "bps_wr": bytes, "iops": 0, "iops_rd": 0, "iops_wr": 0,
        });
        self.qmp.execute("block_set_io_throttle", limits).map(drop)
    }

    /// Keeps RAM and disks of this moment under a name.
    ///
    /// # Errors
    /// QEMU refused, such as for a raw disk.
    pub fn save(&mut self, snapshot: &str) -> Result<()> {
        self.qmp.monitor(&format!("savevm {snapshot}"))
    }

    /// The power goes: nothing is flushed, QEMU is killed.
    pub fn cut(mut self) -> Spec {
        self.qemu.kill();
        self.spec.clone()
    }

    /// The plug is pulled, but all that the guest has written so far is on its disks, flushed or not.
    ///
    /// # Errors
    /// QEMU does not end.
    pub fn unplug(mut self) -> Result<Spec> {
        // It may go before it has answered.
        drop(self.qmp.execute("quit", json!({})));
        self.qemu.wait(Duration::from_secs(60))?;
        Ok(self.spec.clone())
    }

    /// Presses the power button and waits until the machine is off. As a person would, it presses
    /// again when nothing happens: one press may come while nobody in the guest listens.
    ///
    /// # Errors
    /// It stays on.
    pub fn power_off(mut self) -> Result<Spec> {
        let mut presses = 0;
        loop {
            // QEMU may go while it is asked.
            let pressed = self.qmp.execute("system_powerdown", json!({}));
            if self.qemu.wait(Duration::from_secs(60)).is_ok() {
                break;
            }
            pressed?;
            presses += 1;
            self.look_for_badness()?;
            if presses == POWER_BUTTON {
                self.picture("still-on");
                bail!("it is on after {presses} presses of the power button{}", self.last_words());
            }
        }
        self.look_for_badness()?;
        Ok(self.spec.clone())
    }
}

/// The host's side of a disk, for `-drive` and for `drive_add`.
fn drive(disk: &Disk) -> String {
    let (name, path, Disk { format, cache, .. }) = (disk.name(), disk.path.display(), disk);
    format!("if=none,id={name},file={path},format={format},cache={cache}")
}

/// QEMU's name for the guest's side of a disk.
fn plug(disk: &Disk) -> String {
    format!("plug-{}", disk.name())
}

/// The command line of QEMU.
fn arguments(spec: &Spec, control: &Path) -> Result<Vec<String>> {
    let mut list = spec.firmware.arguments(&spec.folder)?;
    let mut add = |words: &[&str]| list.extend(words.iter().map(|word| (*word).to_owned()));
    let file = |name: &str| spec.folder.join(name).display().to_string();
    add(&["-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"]);
    // Pinned, so that a run on a machine with KVM is the run everywhere. Five-level paging only
    // makes emulated page walks longer.
    add(&["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,la57=off", "-smp", "2"]);
    add(&["-m", &spec.memory.to_string(), "-rtc", "base=utc", "-device", "virtio-rng-pci"]);
    if spec.extras.usb || spec.disks.iter().any(|disk| disk.bus == Bus::Usb) {
        add(&["-device", "qemu-xhci,id=usb"]);
    }
    for (index, disk) in spec.disks.iter().enumerate() {
        add(&["-drive", &drive(disk)]);
        // The others come after it, in their order: what is pulled out leaves the next one.
        let boot = if index == spec.boot_from { 1 } else { index + 2 };
        let (device, plug, name, serial) =
            (disk.bus.device(), plug(disk), disk.name(), &disk.serial);
        add(&[
            "-device",
            &format!(
                "{device},id={plug},drive={name},serial={serial},bootindex={boot},\
                 logical_block_size={sector},physical_block_size={sector}",
                sector = disk.sector
            ),
        ]);
    }
    let Port { tap, mac, .. } = &spec.port;
    add(&["-netdev", &format!("tap,id=net0,ifname={tap},script=no,downscript=no")]);
    // Without a ROM the firmware does not try to boot from the network.
    add(&["-device", &format!("virtio-net-pci,netdev=net0,mac={mac},romfile=")]);
    // Who types needs a line in both directions, and writes down what is said.
    let serial = match spec.extras.typed {
        true => format!(
            "socket,id=serial0,server=on,wait=off,path={}",
            control.with_file_name(SERIAL).display()
        ),
        false => format!("file,id=serial0,append=on,path={}", file("serial.log")),
    };
    add(&["-chardev", &serial]);
    for (name, path) in &spec.extras.credentials {
        let name = format!("opt/io.systemd.credentials/{name}");
        add(&["-fw_cfg", &format!("name={name},file={}", path.display())]);
    }
    add(&["-serial", "chardev:serial0", "-device", "virtio-serial-pci"]);
    add(&["-chardev", &format!("file,id=events,append=on,path={}", file("events.jsonl"))]);
    add(&["-device", &format!("virtserialport,chardev=events,name={EVENT_PORT_NAME}")]);
    add(&["-qmp", &format!("unix:{},server=on,wait=off", control.display())]);
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(folder: &Path, extras: Extras) -> Spec {
        Spec {
            firmware: Firmware::SeaBios,
            disks: Vec::new(),
            boot_from: 0,
            memory: 1024,
            port: Port {
                tap: "tap1".into(),
                mac: "52:54:00:99:00:01".into(),
                ipv4: [10, 99, 0, 101].into(),
                ipv6: std::net::Ipv6Addr::LOCALHOST,
            },
            exempt: Vec::new(),
            folder: folder.to_owned(),
            extras,
        }
    }

    #[test]
    fn what_most_scenarios_do_without_is_on_the_command_line_of_those_that_have_it() {
        let folder = Path::new("/results");
        let line =
            |extras| arguments(&spec(folder, extras), Path::new("/run/qmp")).unwrap().join(" ");
        let plain = line(Extras::default());
        assert!(plain.contains("-chardev file,id=serial0,append=on,path=/results/serial.log"));
        assert!(!plain.contains("xhci") && !plain.contains("fw_cfg"), "{plain}");
        let credentials = vec![("homelab.seed", PathBuf::from("/results/seed.toml"))];
        let full = line(Extras { typed: true, usb: true, credentials });
        for words in [
            "-chardev socket,id=serial0,server=on,wait=off,path=/run/serial",
            "-device qemu-xhci,id=usb",
            "-fw_cfg name=opt/io.systemd.credentials/homelab.seed,file=/results/seed.toml",
        ] {
            assert!(full.contains(words), "{words}: {full}");
        }
    }
}
