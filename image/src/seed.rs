//! Seeds on the PC: asked for, checked, and put into an image.

pub mod new;
mod online;

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, Write},
    path::{Component, Path},
};

use host::{
    fat::{self, FixedClock},
    table::{self, Extent},
    window::Window,
};
use model::{
    Problems,
    catalogue::{Catalogue, wish::Memory},
    facts::Facts,
    paths::partition,
    plan,
    seed::{SecretSource, Seed},
};

use crate::{
    error::{At as _, ImageError, Result},
    manifest::{CARD, Card},
};

pub use online::Network;

/// Finds every mistake of a seed; what to say if there is none, with warnings. `on`: a machine with
/// so much memory, and what can be deployed on it. `online`: the account at the DNS provider is tried,
/// and the domain looked up.
///
/// # Errors
/// Every problem with its place; a file that the seed names cannot be read; the provider refuses the
/// account.
pub fn check(
    file: &Path,
    on: Option<(Memory, &Catalogue)>,
    online: Option<&Network<'_>>,
) -> Result<String> {
    let (source, seed, beside) = read(file)?;
    if let Some((memory, catalogue)) = on {
        plan::fits(&seed, catalogue, &Facts::of_memory(memory.0)).map_err(|problems| Problems {
            file: file.to_string_lossy().into_owned(),
            ..problems
        })?;
    }
    let mut text = format!("{}: good, schema {}", file.display(), model::seed::SCHEMA);
    text.push_str(&format!("\n  box    {}, at {}", seed.system.hostname, seed.domain.name));
    text.push_str(&format!("\n  admin  {}", seed.admin.name));
    for (name, _) in &beside {
        text.push_str(&format!("\n  file   {name}"));
    }
    if let Some((memory, _)) = on {
        text.push_str(&format!("\n  memory {memory} are enough"));
    }
    if let Some(network) = online {
        text.push_str(&network.look(file, &seed, &beside)?);
    }
    let warnings = model::seed::warnings(&file.to_string_lossy(), &source, &seed);
    if !warnings.list.is_empty() {
        text.push_str(&format!("\n\nwarning: {warnings}"));
        text.truncate(text.trim_end().len());
    }
    Ok(text)
}

/// Files that a seed names: relative path, content.
pub type Beside = Vec<(String, Vec<u8>)>;

/// The text of a seed, the seed itself, and the files beside it that it names.
///
/// # Errors
/// Those of [`check`].
pub fn read(file: &Path) -> Result<(String, Seed, Beside)> {
    let text = fs::read_to_string(file).at("read", file)?;
    let seed = model::seed::parse(&file.to_string_lossy(), &text)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut beside = Beside::new();
    for (_, source) in seed.secrets() {
        let SecretSource::File(path) = source else { continue };
        // An absolute path is one of the box, where somebody must have put it.
        if path.is_absolute() {
            continue;
        }
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(ImageError::Usage(format!(
                "{}: `{}` leaves the folder of the seed; put the file beside the seed",
                file.display(),
                path.display()
            )));
        }
        let name = path.to_string_lossy().into_owned();
        if !beside.iter().any(|(other, _)| *other == name) {
            let place = folder.join(path);
            beside.push((name, fs::read(&place).at("read", place)?));
        }
    }
    Ok((text, seed, beside))
}

/// What goes onto a SEED partition: the seed, and the files beside it that it names. The seed comes
/// last.
///
/// # Errors
/// Those of [`check`].
pub fn files(file: &Path) -> Result<Beside> {
    let (text, _, mut files) = read(file)?;
    files.push((partition::SEED_FILE.to_owned(), text.into_bytes()));
    Ok(files)
}

/// Writes a seed, and the files beside it that it names, to the SEED partition inside an image;
/// reads all of it back. Nothing is mounted, no root is needed.
///
/// # Errors
/// The seed is wrong, the image is none of ours or reads no such seed, or it cannot be written.
pub fn inject(image: &Path, file: &Path) -> Result<String> {
    let files = files(file)?;
    let disk = OpenOptions::new().read(true).write(true).open(image).at("open", image)?;
    put(&disk, image, place(&mut &disk, image)?, &files)?;
    Ok(format!("{}: the seed lies in it, {} file(s) read back", image.display(), files.len()))
}

fn not_ours(image: &Path, why: &str) -> ImageError {
    ImageError::Usage(format!("`{}` is no image of homelab-image: {why}", image.display()))
}

/// Where the SEED partition lies; `head` has at least the partition table in it.
///
/// # Errors
/// There is none.
pub fn place<R: Read + Seek>(head: &mut R, image: &Path) -> Result<Extent> {
    let (_, partitions) = table::read(head).map_err(|error| not_ours(image, &error.to_string()))?;
    let found =
        partitions.iter().find(|found| found.number == partition::SEED && found.name == "seed");
    Ok(found.ok_or_else(|| not_ours(image, "it has no SEED partition"))?.extent)
}

/// Writes files to the SEED partition of a disk or an image and reads them back.
///
/// # Errors
/// It is none of ours, or one that reads no such seed, or it cannot be written.
pub fn put(disk: &File, image: &Path, place: Extent, files: &Beside) -> Result<()> {
    let volume = || -> Result<Window<File>> {
        Ok(Window::new(disk.try_clone().at("open", image)?, place.start, place.length))
    };
    let card = fat::get(volume()?, CARD)
        .ok()
        .flatten()
        .and_then(|bytes| serde_json::from_slice::<Card>(&bytes).ok())
        .ok_or_else(|| not_ours(image, &format!("its SEED partition has no {CARD}")))?;
    let range = card.seed_schema;
    if !(range.from..=range.to).contains(&model::seed::SCHEMA) {
        return Err(ImageError::Usage(format!(
            "{} reads seeds of schema {} to {}, this one has schema {}\n    = use the \
             homelab-image that built the image",
            card.image,
            range.from,
            range.to,
            model::seed::SCHEMA
        )));
    }
    write_and_read_back(volume, files).at("write", image)?;
    disk.sync_all().at("write", image)
}

fn write_and_read_back<V: Read + Write + Seek>(
    volume: impl Fn() -> Result<V>,
    files: &[(String, Vec<u8>)],
) -> std::io::Result<()> {
    let volume = || volume().map_err(|error| std::io::Error::other(error.to_string()));
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (name, content) in files {
        fat::put(volume()?, FixedClock::at(now), name, content)?;
    }
    for (name, content) in files {
        if fat::get(volume()?, name)?.as_deref() != Some(content.as_slice()) {
            return Err(std::io::Error::other(format!("`{name}` reads back otherwise")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, os::unix::fs::FileExt as _};

    use host::{
        fat::{FatType, Format},
        table::Guids,
    };

    use super::*;
    use crate::{
        identifiers::Identifiers,
        layout::{Layout, MIB},
        manifest::{FORMAT, SchemaRange},
    };

    const GOOD: &str = "schema = 1\n[admin]\nname = \"alex\"\nemail = \"alex@example.org\"\n\
                        password = { file = \"password.txt\" }\n";

    /// A folder with a seed, its password file and an image that has nothing but partitions.
    fn folder(seed: &str, schemas: SchemaRange) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("seed.toml"), seed).unwrap();
        fs::write(path("password.txt"), "correct horse battery\n").unwrap();
        let layout = Layout::new(MIB, 16 * MIB, MIB);
        let mut disk = File::create_new(path("image.raw")).unwrap();
        disk.set_len(layout.disk).unwrap();
        drop(disk);
        disk = OpenOptions::new().read(true).write(true).open(path("image.raw")).unwrap();
        layout.write(&mut disk, &Identifiers::derive("test")).unwrap();
        let card = Card { format: FORMAT, image: "homelab-1-amd64".into(), seed_schema: schemas };
        let files = [(CARD.to_owned(), serde_json::to_vec(&card).unwrap())];
        let format =
            Format { label: "SEED", serial: 1, kind: FatType::Fat16, sector: 512, cluster: 2048 };
        let window = Window::new(disk, layout.seed.start, layout.seed.length);
        fat::make(window, format, FixedClock::at(0), &files).unwrap();
        folder
    }

    #[test]
    fn a_good_seed_is_described_and_lies_in_the_image_with_its_files() {
        let folder = folder(GOOD, SchemaRange::ours());
        let path = |name: &str| folder.path().join(name);
        let said = check(&path("seed.toml"), None, None).unwrap();
        assert!(
            said.ends_with(
                "\n  box    homelab, at homelab.home.arpa\n  admin  alex\n  file   password.txt"
            ),
            "{said}"
        );
        let said = inject(&path("image.raw"), &path("seed.toml")).unwrap();
        assert!(said.ends_with("image.raw: the seed lies in it, 2 file(s) read back"), "{said}");
        let mut disk = File::open(path("image.raw")).unwrap();
        let (_, partitions) = table::read(&mut disk).unwrap();
        let seed = partitions.iter().find(|p| p.number == partition::SEED).unwrap().extent;
        let volume = fat::ReadOnly(Window::new(disk, seed.start, seed.length));
        assert_eq!(fat::get(volume, "seed.toml").unwrap().unwrap(), GOOD.as_bytes());
    }

    #[test]
    fn a_seed_goes_onto_a_disk_with_sectors_of_4096_bytes_too() {
        let folder = folder(GOOD, SchemaRange::ours());
        let path = |name: &str| folder.path().join(name);
        let image = path("image.raw");
        let disk = OpenOptions::new().read(true).write(true).open(&image).unwrap();
        let seed = place(&mut &disk, &image).unwrap();
        let volume = || Window::new(disk.try_clone().unwrap(), seed.start, seed.length);
        let mut large = Cursor::new(vec![0; usize::try_from(seed.length).unwrap()]);
        fat::again(volume(), &mut large, 4096, FixedClock::at(0)).unwrap();
        disk.write_all_at(large.get_ref(), seed.start).unwrap();
        table::fit(&mut &disk, 4096, Guids::Kept).unwrap();
        inject(&image, &path("seed.toml")).unwrap();
        assert_eq!(place(&mut &disk, &image).unwrap(), seed);
        assert_eq!(fat::sector(&mut volume()).unwrap(), 4096);
        let found = fat::get(fat::ReadOnly(volume()), "seed.toml").unwrap();
        assert_eq!(found.unwrap(), GOOD.as_bytes());
    }

    #[test]
    fn a_weak_password_is_warned_of_and_a_choice_that_cannot_fit_is_refused() {
        let seed = format!("{GOOD}[stacks]\nenable = [\"core\", \"productivity\"]\n")
            .replace("{ file = \"password.txt\" }", "\"P@ssw0rd2024\"");
        let folder = folder(&seed, SchemaRange::ours());
        let file = folder.path().join("seed.toml");
        let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stacks");
        let catalogue = crate::build::read_catalogue(&stacks).unwrap();
        let on = |memory: &str| check(&file, Some((memory.parse().unwrap(), &catalogue)), None);
        let said = on("8G").unwrap();
        assert!(said.contains("\n  memory 8192 MiB are enough\n\nwarning: "), "{said}");
        assert!(said.contains("seed.toml:5:12: the password is made of words"), "{said}");
        assert!(said.ends_with("random words are strong and easy to type"), "{said}");
        assert!(!said.contains("P@ssw0rd"), "{said}");
        let error = on("1G").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let (first, hint) =
            error.to_string().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(first.contains("seed.toml: the services need "), "{first}");
        assert!(
            hint.contains("the largest are ") && hint.contains("it fits with `[stacks] disable = "),
            "{hint}"
        );
    }

    #[test]
    fn a_wrong_seed_and_a_missing_file_leave_the_image_alone() {
        let folder = folder("schema = 1\n[admn]\n", SchemaRange::ours());
        let path = |name: &str| folder.path().join(name);
        let before = fs::read(path("image.raw")).unwrap();
        let error = inject(&path("image.raw"), &path("seed.toml")).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("seed.toml:2:2"), "{error}");
        fs::write(path("seed.toml"), GOOD).unwrap();
        fs::remove_file(path("password.txt")).unwrap();
        let error = inject(&path("image.raw"), &path("seed.toml")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read `") && error.contains("password.txt"), "{error}");
        assert!(fs::read(path("image.raw")).unwrap() == before);
    }

    #[test]
    fn an_image_that_reads_other_seeds_or_is_none_of_ours_is_refused() {
        let other = folder(GOOD, SchemaRange { from: 7, to: 8 });
        let path = |name: &str| other.path().join(name);
        let error = inject(&path("image.raw"), &path("seed.toml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "homelab-1-amd64 reads seeds of schema 7 to 8, this one has schema 1\n    = use the \
             homelab-image that built the image"
        );
        let error = inject(&path("password.txt"), &path("seed.toml")).unwrap_err().to_string();
        assert!(
            error.contains("password.txt` is no image of homelab-image: no partition table"),
            "{error}"
        );
    }
}
