//! What can be asked of this program.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Mutex,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use libtest_mimic::Arguments;

use crate::{
    checkers::{self, Bench},
    fixtures::{self, Fixtures, authority::Authority, registry::Registry},
    guest::Key,
    run::{self, Story},
    scene::{Images, Setup},
    stories, suite, tools,
    world::{self, World},
};

#[derive(Parser)]
#[command(name = "qemu-tests", about = "Judges the built image from outside", version)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs scenarios on virtual machines
    Run(Run),
    /// Takes every rendered file to the checker of its owner
    Checkers(Checkers),
    /// Makes the container images that the boxes pull, and says which are real
    Fixtures,
    /// Makes one of these images as a registry's folder, to try it by hand
    #[command(hide = true)]
    Fixture {
        /// A reference of the lock, or any repository and tag
        name: String,
        /// The registry's folder
        #[arg(long)]
        out: PathBuf,
    },
    /// Runs every layer of tests and prints the sum
    Suite(suite::Options),
}

#[derive(Args)]
struct Run {
    /// The image under test [default: the newest build/homelab-*.raw]
    #[arg(long)]
    image: Option<PathBuf>,
    /// The builder, for `seed inject`
    #[arg(long, default_value = "target/release/homelab-image")]
    homelab_image: PathBuf,
    /// Where results go, one folder a scenario
    #[arg(long, default_value = "build/qemu-tests")]
    results: PathBuf,
    /// How many machines run at once
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// The slow scenarios, too
    #[arg(long)]
    all: bool,
    /// Keep the disks of the machines
    #[arg(long)]
    keep: bool,
    /// As for `cargo test`: a filter, --list, --exact, --skip NAME
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

#[derive(Args)]
struct Checkers {
    /// Where the image builder keeps Debian
    #[arg(long, default_value = "build/cache/base")]
    base: PathBuf,
    /// Where results go, one folder a check
    #[arg(long, default_value = "build/qemu-tests/checkers")]
    results: PathBuf,
    /// Those, too, whose programs take long to build
    #[arg(long)]
    all: bool,
    /// As for `cargo test`: a filter, --list, --exact, --skip NAME
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Reads the command line and does what it says; the exit status.
///
/// # Errors
/// Something that no test is about: a missing tool, an image that is not there.
pub fn main() -> Result<i32> {
    match CommandLine::parse().verb {
        Verb::Run(options) => machines(&options),
        Verb::Checkers(options) => checked(&options),
        Verb::Fixtures => {
            let made = fetched(&stories::all(true), &Arguments::default())?;
            made.truths.iter().for_each(|line| println!("{line}"));
            println!("{}", made.storage.display());
            Ok(0)
        }
        Verb::Fixture { name, out } => {
            println!("{}", fixtures::one(Path::new("."), &name, &out)?);
            Ok(0)
        }
        Verb::Suite(options) => suite::run(&options),
    }
}

/// Words as for `cargo test`.
fn arguments(rest: &[String]) -> Arguments {
    Arguments::from_iter(std::iter::once("qemu-tests".to_owned()).chain(rest.iter().cloned()))
}

/// All that the selected stories need: outside the enclosure, where there is a network to fetch from;
/// inside it is only found.
fn fetched(stories: &[Story], arguments: &Arguments) -> Result<Fixtures> {
    for packages in run::packages(stories, arguments) {
        fixtures::debian(packages)?;
    }
    fixtures::ensure(Path::new("."), &run::stacks(stories, arguments))
}

/// reqwest was built without a default.
fn provide_cryptography() -> Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        bail!("another provider of cryptography was installed before");
    }
    Ok(())
}

fn checked(options: &Checkers) -> Result<i32> {
    tools::must_be_there(tools::CHECKERS)?;
    // Outside the enclosure, where there is a network to fetch from; inside it is only found.
    let left_out = checkers::left_out(options.all);
    let bench = Bench::open(Path::new("."), &options.base, &options.results, left_out)?;
    if let Some(status) = world::enclosed()? {
        return Ok(status);
    }
    provide_cryptography()?;
    world::loopback()?;
    let conclusion = checkers::run(bench, &arguments(&options.rest))?;
    Ok(if conclusion.has_failed() { 1 } else { 0 })
}

fn machines(options: &Run) -> Result<i32> {
    let arguments = arguments(&options.rest);
    let stories = stories::all(options.all);
    if arguments.list {
        run::list(&stories, &arguments);
        return Ok(0);
    }
    tools::must_be_there(tools::MACHINES)?;
    let image = match &options.image {
        Some(image) => image.clone(),
        None => newest_image(Path::new("build"))?,
    };
    let made = fetched(&stories, &arguments)?;
    if let Some(status) = world::enclosed()? {
        return Ok(status);
    }
    made.truths.iter().for_each(|line| println!("{line}"));
    provide_cryptography()?;
    fs::create_dir_all(&options.results).context("cannot make the folder for results")?;
    let results = options.results.canonicalize().context("cannot find the results")?;
    let world = World::build(&results.join("world"))?;
    let registry_folder = world::fresh_folder(&results.join("registry"))?;
    let authority = Authority::make()?;
    let identity = authority.issue(&[world::GATEWAY.into()], &[], &registry_folder)?;
    let address: SocketAddr = (world::GATEWAY, 5000).into();
    let registry = Registry::start(&made.storage, address, &identity, &registry_folder)?;
    let setup = Setup {
        key: Key::make(&results.join("world"), "admin-key")?,
        world,
        image: image.canonicalize().with_context(|| format!("no image {}", image.display()))?,
        homelab_image: options
            .homelab_image
            .canonicalize()
            .with_context(|| format!("no {}", options.homelab_image.display()))?,
        results,
        images: Images {
            mirror: address.to_string(),
            authority: authority.certificate,
            pins: made.pins,
            plugin: made.plugin,
            registry,
        },
        keep: options.keep,
        identities: Mutex::new(BTreeMap::new()),
    };
    println!("image: {}", setup.image.display());
    let conclusion = run::run(&setup, &stories, &arguments, options.jobs);
    Ok(if conclusion.has_failed() { 1 } else { 0 })
}

/// The newest raw image in a folder.
fn newest_image(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("no folder {}; run `make image` first", folder.display()))?;
    let is_image = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("homelab-") && name.ends_with(".raw")
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_image)
        .max_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok())
        .with_context(|| format!("no image in {}; run `make image` first", folder.display()))
}
