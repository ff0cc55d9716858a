//! A new seed: the questions of the setup, asked on the PC.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use model::{
    catalogue::{Catalogue, wish::Memory},
    questions::{Answers, Interview, Offer, World, prefill},
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
/// Files with public keys are shorter.
const LONGEST: u64 = 1 << 20;
/// Where accounts are looked up whose host is not named.
const HOST: &str = "github.com";

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
        timezones: timezones(),
        timezone: timezone(),
        keyboard: keyboard(),
        ..World::of_pc(catalogue, options.ram.map(|memory| memory.0))
    };
    let mut pc = Pc::begin(&options.output)?;
    let mut interview = Interview::new(&world, pc.earlier()?);
    let terminal = "the terminal";
    let looks = Looks::of(std::env::var("TERM").ok().as_deref());
    let mut face = Face::of_process(looks).at("talk at", terminal)?;
    let end = face::interview(&mut face, &mut interview, &mut pc).at("talk at", terminal)?;
    drop(face);
    if end == End::Left {
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
}

impl Pc {
    fn begin(output: &Path) -> Result<Self> {
        let mut draft = output.to_owned().into_os_string();
        draft.push(DRAFT);
        let there = output.try_exists().at("look at", output)?;
        Ok(Self { output: output.to_owned(), draft: draft.into(), there })
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
        let text = match offer {
            Offer::KeysFromFile => key_file(typed)?,
            Offer::KeysOfAccount => keys_of_account(typed)?,
        };
        let lines = text.lines().map(str::trim);
        let keys: Vec<String> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        match keys.is_empty() {
            true => Err(Refused::new(format!("there is no key at `{typed}`"), "type another one")),
            false => Ok(keys),
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
        }
    }
}

fn key_file(typed: &str) -> Result<String, Refused> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let path =
        typed.strip_prefix("~/").map_or_else(|| PathBuf::from(typed), |rest| home.join(rest));
    let read = || -> io::Result<String> {
        if fs::metadata(&path)?.len() > LONGEST {
            return Err(io::Error::other("it is too long for a file of keys"));
        }
        fs::read_to_string(&path)
    };
    let text = read().map_err(|error| {
        let what = format!("cannot read `{}`: {error}", path.display());
        Refused::new(what, "type the path of a file that ends in `.pub`")
    })?;
    if text.contains("PRIVATE KEY") {
        let what = "this is a private key; it must never leave your computer";
        return Err(Refused::new(what, "type the path of the file that ends in `.pub`"));
    }
    Ok(text)
}

/// The public keys that an account shows to everybody.
fn keys_of_account(typed: &str) -> Result<String, Refused> {
    let (host, account) = typed.split_once('/').unwrap_or((HOST, typed));
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let is_host = plain(host, b".-") && host.split('.').all(|label| !label.is_empty());
    if !is_host || !plain(account, b"._-") {
        let what = format!("`{typed}` is no name of an account");
        return Err(Refused::new(what, "write it as `alex` or `gitlab.com/alex`"));
    }
    let bytes = artefact::fetch(&format!("https://{host}/{account}.keys"))
        .map_err(|what| Refused::new(what, "type the keys, or go on without"))?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= LONGEST);
    text.ok_or_else(|| Refused::new(format!("`{host}` sent something else than keys"), "type them"))
}

/// All time zones, where this PC has a list.
fn timezones() -> Vec<String> {
    let text = fs::read_to_string("/usr/share/zoneinfo/tzdata.zi").unwrap_or_default();
    // `Z NAME …` is a zone, `L ZONE NAME` another name of one.
    let name = |line: &str| {
        let mut words = line.split(' ');
        match words.next()? {
            "Z" => words.next().map(str::to_owned),
            "L" => words.nth(1).map(str::to_owned),
            _ => None,
        }
    };
    text.lines().filter_map(name).collect()
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

    #[test]
    fn keys_of_a_file_and_names_of_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let mut pc = Pc::begin(&folder.path().join("seed.toml")).unwrap();
        let mut ask = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            pc.fulfil(Offer::KeysFromFile, path.to_str().unwrap())
        };
        assert_eq!(ask("a.pub", "# mine\n\n one \ntwo\n").unwrap(), ["one", "two"]);
        let refused = ask("id", "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap_err();
        assert_eq!(refused.what, "this is a private key; it must never leave your computer");
        assert!(ask("empty", "\n").unwrap_err().what.starts_with("there is no key at "));
        let refused = keys_of_account("../etc").unwrap_err();
        assert_eq!(refused.hint, "write it as `alex` or `gitlab.com/alex`");
    }
}
