//! What can be asked of this program.

#[cfg(test)]
#[path = "../../installer/cli/src/command_line/page.rs"]
mod page;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use host::{Host, SystemRunner};
use model::catalogue::{Catalogue, wish::Memory};

use crate::{
    bench,
    build::{self, Inputs},
    error::{ImageError, Result},
    flash, lock, pack,
    progress::Progress,
    run, seed, simulate,
};

#[derive(Parser)]
#[command(name = "homelab-image", about = "Builds, seeds and runs the disk image", version)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the image
    Build(Build),
    /// Build twice, from nothing and from the cache, and show the times of the phases
    Bench(Build),
    /// Flash an image to a file and a loop device, by turns with bmaptool, and show the times
    BenchFlash {
        /// The image, NAME.raw
        image: PathBuf,
    },
    /// Fill in and refresh the digests of stacks/images.lock from the registries
    Lock(lock::Options),
    /// Write an image to a disk, and read it back from there
    Flash(flash::Options),
    /// Make a seed, check one, try it out, or put one into an image
    #[command(subcommand)]
    Seed(Seed),
    /// Start an image in QEMU; the console is this terminal
    Run(run::Options),
}

#[derive(Args)]
struct Build {
    /// What to build
    #[arg(long, default_value = "image/recipe.toml")]
    recipe: PathBuf,
    /// The folder with overlays/ and stacks/
    #[arg(long, default_value = ".")]
    source: PathBuf,
    /// The installer that is baked in
    #[arg(long, default_value = "target/release/homelab")]
    installer: PathBuf,
    /// Where the image goes
    #[arg(long, default_value = "build")]
    output: PathBuf,
    /// Where what comes from Debian is kept between builds
    #[arg(long, default_value = "build/cache")]
    cache: PathBuf,
    /// A mirror as mmdebstrap takes it; may be given several times
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// Also pack the image, beside the raw one; may be given several times
    #[arg(long = "format", value_name = "FORMAT")]
    formats: Vec<pack::Format>,
    /// Take an artefact of stacks/images.lock from a folder or .tar.gz of this machine
    #[arg(long = "artefact", value_name = "NAME=PATH", value_parser = artefact)]
    artefacts: Vec<(String, PathBuf)>,
}

#[derive(Subcommand)]
enum Seed {
    /// Ask what the box shall be, and write the seed
    New(seed::new::Options),
    /// Find every mistake of a seed
    Check {
        /// The seed
        file: PathBuf,
        /// Memory of the box, such as 4G: refuse what does not fit into it
        #[arg(long, value_name = "SIZE")]
        ram: Option<Memory>,
        /// Try the account at the DNS provider, and look the domain up
        #[arg(long)]
        online: bool,
        /// The folder with stacks/, for --ram
        #[arg(long, default_value = ".")]
        source: PathBuf,
    },
    /// Print the JSON schema of a seed, for editors
    Schema,
    /// Tell what a key of the seed means and takes
    Explain {
        /// The key, such as admin.password, or a table, such as storage.mount
        key: String,
    },
    /// Install with a seed in a virtual machine that is thrown away, and show its final page
    Simulate(simulate::Options),
    /// Write a seed to the SEED partition inside an image, and read it back
    Inject {
        /// The image
        image: PathBuf,
        /// The seed
        file: PathBuf,
    },
}

fn artefact(text: &str) -> std::result::Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(path)))
        }
        _ => Err("write it as NAME=PATH".to_owned()),
    }
}

impl Build {
    fn inputs(self) -> Inputs {
        Inputs {
            source: self.source,
            recipe: self.recipe,
            installer: self.installer,
            output: self.output,
            cache: self.cache,
            mirrors: self.mirrors,
            artefacts: self.artefacts.into_iter().collect(),
            formats: self.formats,
        }
    }
}

impl Seed {
    /// What is to be said afterwards.
    fn run(self) -> Result<String> {
        match self {
            Self::New(options) => seed::new::new(&options, &catalogue(&options.source)?),
            Self::Check { file, ram, online, source } => {
                let catalogue = ram.map(|_| catalogue(&source)).transpose()?;
                let on = ram.zip(catalogue.as_ref());
                seed::check(&file, on, online.then_some(&seed::Network::of_this_pc()))
            }
            Self::Schema => serde_json::to_string_pretty(&model::seed::schema())
                .map_err(|error| ImageError::Other(error.to_string())),
            Self::Explain { key } => match model::seed::explain(&key) {
                Ok(text) => Ok(text.trim_end().to_owned()),
                Err(refused) => {
                    Err(ImageError::Usage(format!("{}\n    = {}", refused.what, refused.hint)))
                }
            },
            Self::Simulate(options) => {
                Ok(simulate::simulate(&options)?.trim_end_matches('\n').to_owned())
            }
            Self::Inject { image, file } => seed::inject(&image, &file),
        }
    }
}

fn catalogue(source: &Path) -> Result<Catalogue> {
    let folder = source.join("stacks");
    if !folder.is_dir() {
        return Err(ImageError::Usage(format!(
            "there is no `{}`, which says what can run on a box\n    = run this in the folder of the \
             project, or name that by --source",
            folder.display()
        )));
    }
    build::read_catalogue(&folder)
}

/// Reads the command line and does what it says.
///
/// # Errors
/// What the verb's module says.
pub fn main() -> Result<()> {
    match CommandLine::parse().verb {
        Verb::Build(options) => {
            let built = build::build(&options.inputs(), &SystemRunner, &Progress::stderr())?;
            println!("{}\n{}", built.image.display(), built.digest);
            Ok(())
        }
        Verb::Bench(options) => {
            print!("{}", bench::bench(&options.inputs(), &SystemRunner, &Progress::stderr())?);
            Ok(())
        }
        Verb::Lock(options) => {
            println!("{}", lock::lock(&options, &Progress::stderr())?);
            Ok(())
        }
        Verb::BenchFlash { image } => {
            print!("{}", bench::flash(&image, &SystemRunner, &Progress::stderr())?);
            Ok(())
        }
        Verb::Flash(options) => {
            println!("{}", flash::flash(&options, &Host::system()?, &Progress::stderr())?);
            Ok(())
        }
        Verb::Seed(verb) => {
            println!("{}", verb.run()?);
            Ok(())
        }
        Verb::Run(options) => match run::run(&options)? {},
    }
}

impl From<host::HostError> for ImageError {
    fn from(error: host::HostError) -> Self {
        match error {
            host::HostError::Command(error) => error.into(),
            host::HostError::File { action, path, source } => Self::File { action, path, source },
            other => Self::Other(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_page_tells_every_command_and_option() {
        let differences = page::differences(&CommandLine::command());
        assert!(differences.is_empty(), "docs/src/reference/cli.md:\n{}", differences.join("\n"));
    }
}
