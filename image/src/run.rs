//! An image in QEMU, with this terminal as its console.

use std::{
    convert::Infallible,
    ffi::CString,
    fs,
    net::TcpListener,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use host::{
    SystemRunner,
    command::{Command, Runner},
};

use crate::error::{At as _, ImageError, Lack, Result};

pub const QEMU: &str = "qemu-system-x86_64";
/// Where Debian keeps the UEFI firmware.
const OVMF: &str = "/usr/share/OVMF";
/// Ports of the box that are led through: its own, the first one tried on this PC.
const PORTS: [(u16, u16); 3] = [(22, 2222), (80, 8080), (443, 8443)];
/// A boot sector that ends its machine through `isa-debug-exit`: `mov al, 0x10; out 0xf4, al; hlt`.
const PROBE: [u8; 5] = [0xb0, 0x10, 0xe6, 0xf4, 0xf4];
/// What QEMU exits with then.
const PROBE_EXIT: i32 = (0x10 << 1) | 1;

/// What the machine is like.
#[derive(Debug, Args)]
pub struct Options {
    /// The image; it is not changed, a disk that grows lies over it
    pub image: PathBuf,
    /// A seed for an unattended install
    #[arg(long)]
    pub seed: Option<PathBuf>,
    /// Keep the disk in this file, and go on with it the next time
    #[arg(long)]
    pub disk: Option<PathBuf>,
    /// Size of the disk in GiB
    #[arg(long, default_value_t = 64)]
    pub size: u32,
    /// Memory in MiB
    #[arg(long, default_value_t = 4096)]
    pub memory: u32,
    /// How it starts
    #[arg(long, value_enum, default_value_t = Firmware::Bios)]
    pub firmware: Firmware,
}

/// How a machine starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// SeaBIOS
    Bios,
    /// OVMF
    Uefi,
    /// OVMF that starts only what Microsoft's keys have signed
    SecureBoot,
}

impl Firmware {
    /// The end of the names of OVMF's files; none: SeaBIOS, which QEMU brings along.
    fn ovmf(self) -> Option<&'static str> {
        match self {
            Self::Bios => None,
            Self::Uefi => Some("4M.fd"),
            Self::SecureBoot => Some("4M.ms.fd"),
        }
    }
}

/// Starts the machine in place of this program.
///
/// # Errors
/// A program or a file is missing; the seed is wrong.
pub fn run(options: &Options) -> Result<Infallible> {
    prerequisites(options.firmware)?;
    if let Some(seed) = &options.seed {
        crate::seed::check(seed, None, None)?;
    }
    let folder = options.image.parent().unwrap_or(Path::new(".")).join("run");
    fs::create_dir_all(&folder).at("create", &folder)?;
    let disk = options.disk.clone().unwrap_or_else(|| folder.join("disk.qcow2"));
    if options.disk.is_none() || !disk.exists() {
        lay_over(&SystemRunner, &options.image, &disk, options.size)?;
    }
    let acceleration = acceleration(&SystemRunner, &folder)?;
    let ports = PORTS.map(|(inside, wanted)| (inside, free_port(wanted)));
    for (inside, outside) in ports {
        let what = match inside {
            22 => format!("ssh -p {outside} ADMIN@127.0.0.1"),
            80 => format!("http://127.0.0.1:{outside}"),
            _ => format!("https, as 127.0.0.1:{outside}"),
        };
        println!("port {inside:<4} {what}");
    }
    println!(
        "accel     {acceleration}{}",
        if acceleration == "tcg" { ", slow: no KVM here" } else { "" }
    );
    println!("disk      {}\nleave     Ctrl-A X", disk.display());
    let mut words = vec![QEMU.to_owned()];
    words.extend(arguments(options, &disk, acceleration, &ports));
    words.push("-nographic".to_owned());
    if let Some(end) = options.firmware.ovmf() {
        let variables = folder.join("OVMF_VARS.fd");
        let empty = format!("{OVMF}/OVMF_VARS_{end}");
        fs::copy(&empty, &variables).at("copy", empty)?;
        words.extend(flash(&format!("{OVMF}/OVMF_CODE_{end}"), "on"));
        words.extend(flash(&escaped(&variables), "off"));
    }
    become_program(&words)
}

/// Makes a disk of so many GiB that begins as the image and grows beside it.
///
/// # Errors
/// The image cannot be opened, or `qemu-img` failed.
pub fn lay_over(runner: &dyn Runner, image: &Path, disk: &Path, size: u32) -> Result<()> {
    let image = image.canonicalize().at("open", image)?;
    let command = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(&image)
        .arg(disk)
        .arg(format!("{size}G"));
    runner.run(&command)?;
    Ok(())
}

/// `kvm` if a guest starts with it, else `tcg`.
///
/// # Errors
/// The probe cannot be written to the folder.
pub fn acceleration(runner: &dyn Runner, folder: &Path) -> Result<&'static str> {
    let kvm = Path::new("/dev/kvm").exists() && guest_starts(runner, folder)?;
    Ok(if kvm { "kvm" } else { "tcg" })
}

/// A flash chip of the firmware.
fn flash(file: &str, readonly: &str) -> [String; 2] {
    ["-drive".to_owned(), format!("if=pflash,format=raw,readonly={readonly},file={file}")]
}

/// Looks whether this machine has what a virtual machine needs.
///
/// # Errors
/// Everything that is missing, each with its remedy.
pub fn prerequisites(firmware: Firmware) -> Result<()> {
    let lacks = lacks(&std::env::var("PATH").unwrap_or_default(), firmware);
    if lacks.is_empty() { Ok(()) } else { Err(ImageError::Machine(lacks)) }
}

fn lacks(path: &str, firmware: Firmware) -> Vec<Lack> {
    let there = |name: &str| std::env::split_paths(path).any(|folder| folder.join(name).is_file());
    let mut needed = vec![(QEMU, "qemu-system-x86"), ("qemu-img", "qemu-utils")];
    needed.retain(|(program, _)| !there(program));
    if firmware
        .ovmf()
        .is_some_and(|end| !Path::new(OVMF).join(format!("OVMF_CODE_{end}")).is_file())
    {
        needed.push(("OVMF", "ovmf"));
    }
    needed
        .into_iter()
        .map(|(what, package)| Lack {
            what: format!("`{what}` is missing"),
            remedy: format!("sudo apt-get install --no-install-recommends {package}"),
        })
        .collect()
}

/// The machine, without what shows it.
pub fn arguments(
    options: &Options,
    disk: &Path,
    acceleration: &str,
    ports: &[(u16, u16)],
) -> Vec<String> {
    let accel = match acceleration {
        "tcg" => "tcg,thread=multi",
        other => other,
    };
    // Only firmware that runs in system management mode can keep its keys from the guest.
    let machine = match options.firmware {
        Firmware::SecureBoot => "q35,smm=on",
        Firmware::Bios | Firmware::Uefi => "q35",
    };
    let forwards: String = ports
        .iter()
        .map(|(inside, outside)| format!(",hostfwd=tcp:127.0.0.1:{outside}-:{inside}"))
        .collect();
    let mut words: Vec<String> = [
        "-machine",
        machine,
        "-accel",
        accel,
        "-cpu",
        "max",
        "-smp",
        "2",
        "-device",
        "virtio-rng-pci",
        "-device",
        "virtio-net-pci,netdev=net0",
    ]
    .map(str::to_owned)
    .into();
    if options.firmware == Firmware::SecureBoot {
        words
            .extend(["-global", "driver=cfi.pflash01,property=secure,value=on"].map(str::to_owned));
    }
    words.extend(["-m".to_owned(), options.memory.to_string()]);
    words.extend(["-netdev".to_owned(), format!("user,id=net0{forwards}")]);
    words.extend([
        "-drive".to_owned(),
        format!("if=virtio,format=qcow2,discard=unmap,file={}", escaped(disk)),
    ]);
    if let Some(seed) = &options.seed {
        words.extend([
            "-fw_cfg".to_owned(),
            format!("name=opt/io.systemd.credentials/homelab.seed,file={}", escaped(seed)),
        ]);
    }
    words
}

/// A path inside an option of QEMU: a comma is written twice.
pub fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// Does a guest really start with KVM? A device that exists may still not work.
fn guest_starts(runner: &dyn Runner, folder: &Path) -> Result<bool> {
    let mut sector = [0; 512];
    sector[..PROBE.len()].copy_from_slice(&PROBE);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    let file = folder.join("kvm-probe.img");
    fs::write(&file, sector).at("write", &file)?;
    let command = Command::new(QEMU)
        .args(["-accel", "kvm", "-cpu", "host", "-m", "16", "-display", "none", "-nodefaults"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"])
        .args([
            "-drive".to_owned(),
            format!("if=ide,format=raw,readonly=off,file={}", escaped(&file)),
        ])
        .timeout(Duration::from_secs(10));
    let status = match runner.run(&command) {
        Ok(_) => Some(0),
        Err(error) => error.status,
    };
    Ok(status == Some(PROBE_EXIT))
}

/// The wanted port, or another one if somebody has it.
fn free_port(wanted: u16) -> u16 {
    let bound =
        TcpListener::bind(("127.0.0.1", wanted)).or_else(|_| TcpListener::bind("127.0.0.1:0"));
    bound.and_then(|socket| socket.local_addr()).map_or(wanted, |address| address.port())
}

fn become_program(words: &[String]) -> Result<Infallible> {
    let words: Vec<CString> = words
        .iter()
        .map(|word| CString::new(Path::new(word).as_os_str().as_bytes()))
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| ImageError::Usage("a path has a zero byte".to_owned()))?;
    nix::unistd::execvp(&words[0], &words)
        .map_err(|error| ImageError::Other(format!("cannot start {QEMU}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_gets_seed_disk_and_ports() {
        let options = Options {
            image: "i.raw".into(),
            seed: Some("my,seed.toml".into()),
            disk: None,
            size: 64,
            memory: 2048,
            firmware: Firmware::Bios,
        };
        let words = arguments(&options, Path::new("d.qcow2"), "tcg", &[(22, 1), (80, 2), (443, 3)]);
        let text = words.join(" ");
        for part in [
            "-accel tcg,thread=multi",
            "-m 2048",
            "hostfwd=tcp:127.0.0.1:1-:22,hostfwd=tcp:127.0.0.1:2-:80,hostfwd=tcp:127.0.0.1:3-:443",
            "file=d.qcow2",
            "-fw_cfg name=opt/io.systemd.credentials/homelab.seed,file=my,,seed.toml",
        ] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }

    #[test]
    fn a_machine_without_qemu_is_told_what_to_install() {
        let lacks = ImageError::Machine(lacks("/nowhere", Firmware::Bios));
        assert_eq!(lacks.exit_code(), 3);
        assert_eq!(
            lacks.to_string(),
            "this machine cannot do it yet:\n  \
             `qemu-system-x86_64` is missing\n    \
             = sudo apt-get install --no-install-recommends qemu-system-x86\n  \
             `qemu-img` is missing\n    \
             = sudo apt-get install --no-install-recommends qemu-utils"
        );
    }

    /// QEMU is a stand-in here: it ends as the probe makes it end, or as KVM that is refused does.
    #[test]
    fn kvm_counts_only_if_the_probe_ran_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let runner = host::fake::ScriptedRunner::default();
        let starts = || guest_starts(&runner, folder.path()).unwrap();
        runner.fail([QEMU], 33, "");
        assert!(starts());
        runner.fail([QEMU], 1, "Could not access KVM kernel module: Permission denied");
        assert!(!starts());
        runner.answer([QEMU], "");
        assert!(!starts());
    }

    #[test]
    fn a_taken_port_is_replaced() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(port), port);
    }
}
