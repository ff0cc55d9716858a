//! A seed in a virtual machine that is thrown away: what the box would say at the end.
//!
//! The image is only read: a disk that grows lies over it, and is removed afterwards. What the box
//! does is heard on its event port, as the tests hear it; its final page is taken from its serial
//! console.

mod watch;

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use host::{SystemRunner, command::Command, interrupt::Interrupt};
use model::{
    paths::EVENT_PORT_NAME,
    seed::{SecretSource, Seed},
};

use crate::{
    error::{At as _, ImageError, Result},
    run::{self, Firmware, escaped},
    seed::{self, Beside},
};
use watch::{Ending, Watch, final_page};

/// Where `homelab-image build` puts images.
const IMAGES: &str = "build";

/// What is simulated, and on what machine.
#[derive(Debug, Args)]
pub struct Options {
    /// The seed
    file: PathBuf,
    /// The image; it is not changed [default: the newest of build/homelab-*.raw]
    #[arg(long)]
    image: Option<PathBuf>,
    /// Size of the disk in GiB
    #[arg(long, default_value_t = 64)]
    size: u32,
    /// Memory in MiB
    #[arg(long, default_value_t = 4096)]
    memory: u32,
    /// Give up after so many minutes
    #[arg(long, default_value_t = 60)]
    minutes: u64,
}

/// Installs with the seed, tells on standard error what happens, and returns the final page.
///
/// # Errors
/// The seed is wrong, or the box refused it; QEMU is missing; the install failed, or took longer.
pub fn simulate(options: &Options) -> Result<String> {
    let (text, read, beside) = seed::read(&options.file)?;
    nobody_is_asked(&options.file, &read)?;
    let image = match &options.image {
        Some(image) => image.clone(),
        None => newest(Path::new(IMAGES))?,
    };
    run::prerequisites(Firmware::Bios)?;
    let place = image.parent().unwrap_or(Path::new(".")).join("run");
    fs::create_dir_all(&place).at("create", &place)?;
    // Not in /tmp, which often lies in memory: the disk grows to what all images take.
    let folder = tempfile::Builder::new().prefix("simulate-").tempdir_in(&place);
    let folder = folder.at("create a folder in", &place)?;
    let inside = |name: &str| folder.path().join(name);
    write_private(&inside("seed.toml"), &self_contained(&text, &read, &beside))?;
    run::lay_over(&SystemRunner, &image, &inside("disk.qcow2"), options.size)?;
    let acceleration = run::acceleration(&SystemRunner, folder.path())?;
    let console = place.join("simulate-console.log");
    let _ = fs::remove_file(&console);
    let machine = run::Options {
        image: image.clone(),
        seed: Some(inside("seed.toml")),
        disk: None,
        size: options.size,
        memory: options.memory,
        firmware: Firmware::Bios,
    };
    let mut words = run::arguments(&machine, &inside("disk.qcow2"), acceleration, &[]);
    words.extend(shown(&console, &inside("control")));
    let slow = if acceleration == "tcg" { ", slow: no KVM here" } else { "" };
    eprintln!("image     {}, only read", image.display());
    eprintln!("accel     {acceleration}{slow}");
    eprintln!("console   {}\nleave     Ctrl-C\n", console.display());
    let interrupt = Interrupt::watch()?;
    let watch = Watch {
        runner: &SystemRunner,
        command: &Command::new(run::QEMU).args(&words),
        control: &inside("control"),
        console: &console,
        at_most: Duration::from_secs(60 * options.minutes),
        interrupt: &interrupt,
    };
    told(watch.watch(&mut |line| eprintln!("{line}")), &console)
}

/// Where the box is heard: events on standard output, the console in a file, QEMU by a socket.
fn shown(console: &Path, control: &Path) -> Vec<String> {
    [
        "-display".to_owned(),
        "none".to_owned(),
        "-serial".to_owned(),
        format!("file:{}", console.display()),
        "-device".to_owned(),
        "virtio-serial-pci".to_owned(),
        "-chardev".to_owned(),
        // Not `stdio`: it would read as well, and at the end of a closed standard input it tells
        // the box that nobody listens on the port any more.
        "file,id=events,path=/dev/stdout".to_owned(),
        "-device".to_owned(),
        format!("virtserialport,chardev=events,name={EVENT_PORT_NAME}"),
        "-qmp".to_owned(),
        format!("unix:{},server=on,wait=off", escaped(control)),
    ]
    .into()
}

/// The final page, or what came instead of a finished box.
fn told(ending: Ending, console: &Path) -> Result<String> {
    let text = String::from_utf8_lossy(&fs::read(console).unwrap_or_default()).into_owned();
    let page = final_page(&text);
    let shown = |what: String| {
        let more = match &page {
            Some(page) => format!("\n{page}"),
            None => String::new(),
        };
        format!("{what}{more}\n    = the whole console lies in `{}`", console.display())
    };
    match ending {
        Ending::Ready => Ok(page.unwrap_or_else(|| {
            format!("the box is ready; its final page is not on `{}`\n", console.display())
        })),
        Ending::Refused(problems) => Err(ImageError::Usage(shown(format!(
            "the box refused the seed: {}",
            problems.join("; ")
        )))),
        Ending::Failed(verdict) => {
            Err(ImageError::Other(shown(format!("the box says: {verdict}"))))
        }
        Ending::TooLong(seconds) => Err(ImageError::Other(shown(format!(
            "the box did not come to an end in {} minutes; `--minutes` gives it more",
            seconds / 60
        )))),
        Ending::Stopped => Err(ImageError::Other("it was stopped".to_owned())),
        Ending::Gone(why) => Err(ImageError::Other(shown(format!(
            "the virtual machine ended before the box: {why}"
        )))),
    }
}

/// A simulation has no keyboard.
fn nobody_is_asked(file: &Path, seed: &Seed) -> Result<()> {
    let asked = seed.secrets().into_iter().filter(|(_, source)| **source == SecretSource::Ask);
    let asked: Vec<String> = asked.map(|(name, _)| format!("`{name}`")).collect();
    if asked.is_empty() {
        return Ok(());
    }
    Err(ImageError::Usage(format!(
        "{}: it wants to ask for {} at the console, where nobody types in a simulation\n    = \
         write them out in a copy of the seed, or type them in `homelab-image run --seed`",
        file.display(),
        asked.join(", ")
    )))
}

/// The seed with the files beside it written in: it is handed in as a credential, which has no
/// neighbours.
fn self_contained(text: &str, seed: &Seed, beside: &Beside) -> String {
    if beside.is_empty() {
        return text.to_owned();
    }
    let content = |path: &Path| {
        let name = path.to_string_lossy();
        let (_, content) = beside.iter().find(|(beside, _)| *beside == name)?;
        // Editors end a file with a line break, passwords do not.
        let text = String::from_utf8_lossy(content);
        Some(model::Secret::new(text.trim_end_matches(['\n', '\r'])))
    };
    let written = model::seed::write(seed, "", |_, source| match source {
        SecretSource::File(path) => content(path).map_or(source.clone(), SecretSource::Text),
        other => other.clone(),
    });
    written.reveal().to_owned()
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).at("write", path)
}

/// The image that was built last.
fn newest(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(std::result::Result::ok);
    let images = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("homelab-") && name.ends_with(".raw")
    });
    let newest =
        images.max_by_key(|entry| entry.metadata().and_then(|about| about.modified()).ok());
    newest.map(|entry| entry.path()).ok_or_else(|| {
        ImageError::Usage(format!(
            "`{}` has no image to simulate\n    = build one (`make image`), or name one with --image",
            folder.display()
        ))
    })
}

#[cfg(test)]
mod tests;
