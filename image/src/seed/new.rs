//! A new seed: the questions of the setup, asked on the PC.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use host::{Host, SystemWeb, public_keys, time_zones};
use model::{
    account::Account,
    catalogue::{Catalogue, wish::Memory},
    questions::{Answers, Interview, Offer, Question, Value, World, prefill},
    seed::rules::Refused,
};
use tempfile::NamedTempFile;
use terminal::face::{self, End, Ending, Face, Helper, Looks};

use crate::{
    artefact,
    error::{At as _, ImageError, Result},
};

/// Added to the name of the seed while not all is answered.
const DRAFT: &str = ".answers";

#[derive(Args)]
pub struct Options {
    /// Where the seed goes; what is there already fills in the answers
    #[arg(long, short, default_value = "seed.toml")]
    pub output: PathBuf,
    /// Memory of the box, such as 4G: what does not fit is not taken
    #[arg(long, value_name = "SIZE")]
    pub ram: Option<Memory>,
    /// The folder with stacks/
    #[arg(long, default_value = ".")]
    pub source: PathBuf,
}

/// Asks, and writes the seed.
///
/// # Errors
/// The catalogue is not there or wrong, nobody is at the terminal, or the seed cannot be written.
pub fn new(options: &Options, catalogue: &Catalogue) -> Result<String> {
    let world = World {
        timezones: Host::system().map(|pc| time_zones::all(&pc)).unwrap_or_default(),
        timezone: timezone(),
        keyboard: keyboard(),
        ..World::of_pc(catalogue, options.ram.map(|memory| memory.0))
    };
    let mut pc = Pc::begin(&options.output)?;
    pc.answers = pc.earlier()?;
    let mut interview = Interview::new(&world, pc.answers.clone());
    let terminal = "the terminal";
    let looks = Looks::of(std::env::var("TERM").ok().as_deref());
    let mut face = Face::of_process(looks).at("talk at", terminal)?;
    let end = face::interview(&mut face, &mut interview, &mut pc).at("talk at", terminal)?;
    drop(face);
    if end != End::Confirmed {
        return Err(ImageError::Unfinished(pc.left(&interview)));
    }
    let (text, _) = interview.seed()?;
    pc.write(text.reveal())?;
    Ok(pc.next_steps())
}

/// What the questions need of the PC.
struct Pc {
    output: PathBuf,
    draft: PathBuf,
    /// There was a file when we began.
    there: bool,
    /// What was answered so far.
    answers: Answers,
}

impl Pc {
    fn begin(output: &Path) -> Result<Self> {
        let mut draft = output.to_owned().into_os_string();
        draft.push(DRAFT);
        let there = output.try_exists().at("look at", output)?;
        let (output, answers) = (output.to_owned(), Answers::none());
        Ok(Self { output, draft: draft.into(), there, answers })
    }

    /// Answers of a run that was left, or else of the seed that is there.
    fn earlier(&self) -> Result<Answers> {
        match fs::read_to_string(&self.draft) {
            Ok(text) => {
                return Answers::unseal(&text).map_err(|error| {
                    ImageError::Usage(format!(
                        "{}: {error}\n    = remove the file to begin anew",
                        self.draft.display()
                    ))
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).at("read", &self.draft),
        }
        match self.there {
            true => Ok(prefill(&fs::read_to_string(&self.output).at("read", &self.output)?)),
            false => Ok(Answers::none()),
        }
    }

    fn left(&self, interview: &Interview<'_>) -> String {
        if interview.answers().is_empty() || !self.draft.exists() {
            return "left; nothing was written".to_owned();
        }
        format!(
            "left; no seed was written\n    = the same command goes on where you were: the answers \
             lie in {}, readable for you alone",
            self.draft.display()
        )
    }

    /// The seed, whole or not at all, for nobody but its owner.
    fn write(&self, text: &str) -> Result<()> {
        let file = written(&self.output, text).at("write", &self.output)?;
        let put = match self.there {
            true => file.persist(&self.output),
            // Nobody was asked about a file that came to be in the meantime.
            false => file.persist_noclobber(&self.output),
        };
        if let Err(error) = put {
            if error.error.kind() == io::ErrorKind::AlreadyExists {
                return Err(ImageError::Usage(format!(
                    "`{}` came to be while you answered, and was left alone\n    = run the same \
                     command again: your answers lie in {}",
                    self.output.display(),
                    self.draft.display()
                )));
            }
            return Err(error.error).at("write", &self.output);
        }
        sync_folder(&self.output).at("write", &self.output)?;
        match fs::remove_file(&self.draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).at("remove", &self.draft)
            }
            _ => Ok(()),
        }
    }

    fn next_steps(&self) -> String {
        let seed = self.output.display();
        format!(
            "{seed} is written, readable for you alone. There are passwords in it.\n\nNext:\n  \
             homelab-image seed check {seed}\n  homelab-image seed inject IMAGE {seed}\n\nor copy it \
             to the partition SEED of a written stick, as seed.toml."
        )
    }
}

/// A file of mode 0600 beside `path`, written and on the disk.
fn written(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl Helper for Pc {
    fn changed(&mut self, answers: &Answers) -> Result<(), String> {
        self.answers = answers.clone();
        let save = || -> io::Result<()> {
            written(&self.draft, answers.sealed().reveal())?.persist(&self.draft)?;
            Ok(())
        };
        save().map_err(|error| format!("{}: {error}", self.draft.display()))
    }

    fn offers(&self) -> &[Offer] {
        &[Offer::KeysFromFile, Offer::KeysOfAccount]
    }

    fn fulfil(&mut self, offer: Offer, typed: &str) -> Result<Vec<String>, Refused> {
        match offer {
            Offer::KeysFromFile => key_file(typed),
            Offer::KeysOfAccount => public_keys::of_account(typed, keys_at),
        }
    }

    fn trying(&self, question: &Question<'_>, value: &Value) -> String {
        Account::of_answers(&self.answers, &question.id, value)
            .map_or_else(String::new, |a| a.asking())
    }

    fn tried(&mut self, question: &Question<'_>, value: &Value) -> Result<String, Refused> {
        match Account::of_answers(&self.answers, &question.id, value) {
            Some(account) => host::account::tried(&SystemWeb, &account).told(),
            None => Ok(String::new()),
        }
    }

    fn ending(&mut self, _: &Interview<'_>) -> Ending {
        let seed = self.output.display();
        Ending {
            text: Vec::new(),
            question: match self.there {
                true => format!("Write the seed OVER {seed}, which is there already?"),
                false => format!("Write the seed to {seed}?"),
            },
            refused: None,
        }
    }
}

/// The keys of a file that is named as in a shell.
fn key_file(typed: &str) -> Result<Vec<String>, Refused> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let path =
        typed.strip_prefix("~/").map_or_else(|| PathBuf::from(typed), |rest| home.join(rest));
    public_keys::of_file(&path)
}

/// What an account shows, as text.
fn keys_at(url: &str) -> Result<String, String> {
    let bytes = artefact::fetch(url)?;
    let text = String::from_utf8(bytes).ok();
    text.filter(|text| text.len() as u64 <= public_keys::LONGEST)
        .ok_or_else(|| format!("{url} is something else than keys"))
}

/// The time zone of this PC: most boxes stand in the same one.
fn timezone() -> Option<String> {
    if let Ok(zone) = std::env::var("TZ") {
        return Some(zone.trim_start_matches(':').to_owned()).filter(|zone| !zone.is_empty());
    }
    let link = fs::read_link("/etc/localtime").ok()?;
    let (_, zone) = link.to_str()?.split_once("zoneinfo/")?;
    Some(zone.to_owned())
}

/// The keyboard of this PC, as libxkbcommon and Debian have it.
fn keyboard() -> Option<String> {
    let first = |layouts: &str| {
        let layout = layouts.trim_matches(['"', '\'']).split(',').next().unwrap_or_default();
        Some(layout.to_owned()).filter(|layout| !layout.is_empty())
    };
    if let Ok(layouts) = std::env::var("XKB_DEFAULT_LAYOUT") {
        return first(&layouts);
    }
    let text = fs::read_to_string("/etc/default/keyboard").ok()?;
    text.lines().find_map(|line| first(line.trim().strip_prefix("XKBLAYOUT=")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_owners_alone_and_never_lands_on_a_file_that_nobody_was_asked_about() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("seed.toml");
        let mut pc = Pc::begin(&output).unwrap();
        pc.changed(&Answers::none()).unwrap();
        assert_eq!(fs::metadata(&pc.draft).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&output, "mine").unwrap();
        let error = pc.write("schema = 1\n").unwrap_err().to_string();
        assert!(error.contains("came to be while you answered"), "{error}");
        assert_eq!(fs::read_to_string(&output).unwrap(), "mine");
        assert!(pc.draft.exists());

        let pc = Pc::begin(&output).unwrap();
        pc.write("schema = 1\n").unwrap();
        assert_eq!(fs::read_to_string(&output).unwrap(), "schema = 1\n");
        assert_eq!(fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!pc.draft.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
