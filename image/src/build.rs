//! The pipeline: from a recipe, Debian's packages and our own files to a finished image.
//!
//! ```text
//! recipe -> base.tar (Debian) --\
//!           overlays, installer, catalogue, artefacts --> tree -> ext4 --\
//!           tools tree (mke2fs, GRUB, shim)                FAT, GPT, GRUB --> checks -> .raw
//! ```
//! What comes from Debian is kept in a cache; everything else is made anew each time, which takes
//! seconds. The image has a temporary name until it is whole and has passed its checks.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use host::{
    command::Runner,
    fat::{self, FatType, FixedClock, Format},
    window::Window,
};
use model::{Digest, Problems, catalogue::Catalogue, paths, paths::partition};
use sha2::{Digest as _, Sha256};

use crate::{
    artefact,
    cache::{Cache, State},
    check,
    debian::{Source, Tools},
    error::{At as _, ImageError, Result},
    ext4,
    grub::{self, BiosBoot},
    identifiers::{Identifiers, serial_number},
    layout::Layout,
    leftovers,
    manifest::{self, ArtefactState, CARD, Card, FORMAT, Manifest, SchemaRange},
    map::{self, to_bmap},
    pack, prerequisites,
    progress::{Progress, bytes},
    recipe::{self, Recipe},
    tree::{Content, Node, Tree, base, clean, overlay},
};

/// What the SEED partition's `README.TXT` says.
const SEED_README: &str = include_str!("../seed-readme.txt");
/// Where the installer lies in the image.
const INSTALLER: &str = "usr/bin/homelab";

/// What to build, and from what.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The folder with `overlays/` and `stacks/`.
    pub source: PathBuf,
    /// The recipe.
    pub recipe: PathBuf,
    /// The installer's binary.
    pub installer: PathBuf,
    /// Where the image goes.
    pub output: PathBuf,
    /// Results of stages that are kept.
    pub cache: PathBuf,
    /// Mirrors as `mmdebstrap` takes them; none: its default.
    pub mirrors: Vec<String>,
    /// Artefacts that are taken from this machine instead of their URL.
    pub artefacts: BTreeMap<String, PathBuf>,
    /// What is written besides the raw image.
    pub formats: Vec<pack::Format>,
}

/// What was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The image.
    pub image: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// Builds an image.
///
/// # Errors
/// An input is wrong, this machine lacks something, a stage failed, or the image fails its checks.
/// What was there under the image's name before is then still there.
pub fn build(inputs: &Inputs, runner: &dyn Runner, progress: &Progress) -> Result<Built> {
    let recipe = read_recipe(&inputs.recipe)?;
    let catalogue = read_catalogue(&inputs.source.join("stacks"))?;
    prerequisites::check(inputs, runner)?;
    let cache = Cache::new(&inputs.cache);
    fs::create_dir_all(&inputs.cache).at("create", &inputs.cache)?;
    fs::create_dir_all(&inputs.output).at("create", &inputs.output)?;
    let _in_use = (leftovers::enter(&inputs.cache)?, leftovers::enter(&inputs.output)?);
    // The users of a namespace must be able to reach it.
    let scratch = prerequisites::scratch_folder();
    let scratch = tempfile::Builder::new()
        .prefix("homelab-image-")
        .tempdir_in(&scratch)
        .at("create", &scratch)?;
    let reachable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(scratch.path(), reachable).at("open", scratch.path())?;

    let source = Source { recipe: &recipe, mirrors: &inputs.mirrors, scratch: scratch.path() };
    let base = {
        let make = |folder: &Path, note: &mut (dyn FnMut(&str) + Send)| {
            source.make_base(runner, folder, note)
        };
        kept(progress, &cache, "base", &source.base_inputs(), make)?.join("base.tar")
    };
    let tools = {
        let make = |folder: &Path, note: &mut (dyn FnMut(&str) + Send)| {
            source.make_tools(runner, folder, note)
        };
        Tools::new(&kept(progress, &cache, "tools", &source.tools_inputs(), make)?)
    };
    tools.check()?;
    tools.start(runner, &inputs.installer)?;

    let phase = progress.phase("merge");
    let artefacts = artefacts(inputs, &catalogue, &cache, progress)?;
    let (tree, manifest) = merge(inputs, &recipe, &catalogue, &base, &artefacts)?;
    let need = tree.need();
    phase.done(&format!(
        "{} paths, {}, {} packages",
        tree.iter().count(),
        bytes(need.bytes),
        manifest.packages.len()
    ));

    let stem = recipe.image.file_stem();
    let unfinished = tempfile::Builder::new()
        .prefix(&format!(".{stem}-"))
        .suffix(".unfinished")
        .tempfile_in(&inputs.output)
        .at("create", &inputs.output)?;
    write(unfinished.path(), runner, &recipe, &tools, (&tree, &base), &manifest, progress)?;

    let phase = progress.phase("checks");
    let count = check::run(unfinished.path(), &manifest, runner, &tools)?;
    phase.done(&format!("{count} passed"));
    let phase = progress.phase("digest");
    let digest = hash(unfinished.path())?;
    phase.done(digest.short());
    let phase = progress.phase("map");
    let map = map::make(unfinished.path(), &digest, runner, &tools)?;
    let (data, zeros) = map.sums();
    phase.done(&format!("{} of data, {} must be zero", bytes(data), bytes(zeros)));
    let beside = [
        (format!("{stem}.manifest.json"), manifest.to_text()),
        (format!("{stem}.raw.sha256"), format!("{}  {stem}.raw\n", digest.hex())),
        (format!("{stem}{}", map::SUFFIX), map.to_text()),
        (format!("{stem}.raw.bmap"), to_bmap(&map)),
    ];
    let (image, size) = put_in_place(inputs, &stem, unfinished, &beside)?;
    progress.line(&format!("  {}: {size}", image.display()));
    for format in &inputs.formats {
        pack::pack(*format, &image, runner, progress)?;
    }
    Ok(Built { image, digest })
}

fn read_recipe(path: &Path) -> Result<Recipe> {
    let text = fs::read_to_string(path).at("read", path)?;
    Ok(recipe::parse(&path.to_string_lossy(), &text)?)
}

/// The catalogue that goes into the image: one with a mistake is found here, not on the box.
///
/// # Errors
/// It is not there, or wrong.
pub fn read_catalogue(folder: &Path) -> Result<Catalogue> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1) {
        let entry = entry.map_err(|error| {
            ImageError::Usage(format!("cannot read the catalogue `{}`: {error}", folder.display()))
        })?;
        if entry.file_type().is_file() {
            let text = fs::read_to_string(entry.path()).at("read", entry.path())?;
            let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            files.insert(relative.to_string_lossy().into_owned(), text);
        }
    }
    Catalogue::parse(&files).map_err(|wrong| {
        let text: Vec<String> = wrong.iter().map(Problems::to_string).collect();
        ImageError::Other(format!("the catalogue is wrong:\n{}", text.join("\n")))
    })
}

/// A stage of the cache, with its line of progress.
fn kept(
    progress: &Progress,
    cache: &Cache,
    stage: &str,
    inputs: &crate::cache::Inputs,
    make: impl FnOnce(&Path, &mut (dyn FnMut(&str) + Send)) -> Result<()>,
) -> Result<PathBuf> {
    let phase = progress.phase(stage);
    let result = match cache.state(stage, inputs) {
        State::Kept => "kept from an earlier build".to_owned(),
        State::Due(reasons) => format!("made: {}", reasons.join("; ")),
    };
    let folder = cache.stage(stage, inputs, |folder| make(folder, &mut |line| phase.note(line)))?;
    phase.done(&result);
    Ok(folder)
}

type Artefacts = BTreeMap<String, (ArtefactState, artefact::Files)>;

fn artefacts(
    inputs: &Inputs,
    catalogue: &Catalogue,
    cache: &Cache,
    progress: &Progress,
) -> Result<Artefacts> {
    let known = |name: &String| catalogue.lock.artefacts.iter().any(|a| a.name == *name);
    if let Some(name) = inputs.artefacts.keys().find(|name| !known(name)) {
        return Err(ImageError::Usage(format!("stacks/images.lock knows no artefact `{name}`")));
    }
    let mut all = Artefacts::new();
    for artefact in &catalogue.lock.artefacts {
        let given = inputs.artefacts.get(&artefact.name).map(PathBuf::as_path);
        let (state, files) = artefact::get(artefact, given, cache)?;
        match &state {
            ArtefactState::Missing { reason, .. } => progress.line(&format!(
                "warning: the image will lack `{name}`: {reason}\n    = services that need it do \
                 without; give it with --artefact {name}=FOLDER, or put it into \
                 {own}/{name} on the box",
                name = artefact.name,
                own = paths::OWN_ARTEFACTS,
            )),
            ArtefactState::Present { digest, locked: false, .. } => progress.line(&format!(
                "note: `{}` has the digest {digest}; stacks/images.lock names none yet",
                artefact.name
            )),
            ArtefactState::Present { .. } => {}
        }
        all.insert(artefact.name.clone(), (state, files));
    }
    Ok(all)
}

/// The root file system, and what it is.
fn merge(
    inputs: &Inputs,
    recipe: &Recipe,
    catalogue: &Catalogue,
    base_tar: &Path,
    artefacts: &Artefacts,
) -> Result<(Tree, Manifest)> {
    let mut tree = base::read(File::open(base_tar).at("read", base_tar)?)?;
    let packages = manifest::packages(&dpkg_status(&tree, base_tar)?);
    clean::clean(&mut tree);
    let below = |path: &str| path.trim_start_matches('/').to_owned();
    let mut ours = Vec::new();
    for name in ["overlays/base", "overlays/homelab"] {
        ours.extend(overlay::lay(&mut tree, &inputs.source.join(name), "")?);
    }
    ours.extend(overlay::lay(&mut tree, &inputs.source.join("stacks"), &below(paths::CATALOGUE))?);
    for (name, (_, files)) in artefacts {
        for (file, content) in files {
            let path = format!("{}/{name}/{file}", below(paths::ARTEFACTS));
            tree.put(path.as_str(), Node::file(0o644, Content::Bytes(content.clone())));
            ours.push(path);
        }
    }
    tree.put(INSTALLER, Node { mode: 0o755, ..overlay::file(&inputs.installer)? });
    ours.push(INSTALLER.to_owned());
    let images = catalogue
        .lock
        .images
        .iter()
        .map(|image| (image.reference.clone(), image.digest.clone()))
        .collect();
    let manifest = Manifest {
        format: FORMAT,
        name: recipe.image.name.clone(),
        version: recipe.image.version.clone(),
        architecture: recipe.image.architecture.clone(),
        suite: recipe.debian.suite.clone(),
        epoch: recipe.image.epoch,
        seed_schema: SchemaRange::ours(),
        identifiers: Identifiers::derive(&recipe.image.file_stem()),
        packages,
        files: manifest::digests(&tree, &ours)?,
        images,
        artefacts: artefacts
            .iter()
            .map(|(name, (state, _))| (name.clone(), state.clone()))
            .collect(),
    };
    let text = Content::Bytes(manifest.to_text().into_bytes());
    tree.put(below(paths::MANIFEST), Node::file(0o644, text));
    tree.clamp_times(recipe.image.epoch.unsigned_abs());
    Ok((tree, manifest))
}

fn dpkg_status(tree: &Tree, base: &Path) -> Result<String> {
    use crate::tree::Kind;
    let Some(Kind::File { content: Content::Slice { offset, length }, .. }) =
        tree.get("var/lib/dpkg/status").map(|node| &node.kind)
    else {
        return Err(ImageError::Other("the base has no list of its packages".into()));
    };
    let mut text = vec![0; usize::try_from(*length).unwrap_or_default()];
    File::open(base).and_then(|file| file.read_exact_at(&mut text, *offset)).at("read", base)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes all partitions into the file at `image`.
fn write(
    image: &Path,
    runner: &dyn Runner,
    recipe: &Recipe,
    tools: &Tools,
    (tree, base): (&Tree, &Path),
    manifest: &Manifest,
    progress: &Progress,
) -> Result<()> {
    let (sizes, ids) = (recipe.sizes, &manifest.identifiers);
    let layout = Layout::new(sizes.efi, sizes.seed, ext4::size(tree.need(), sizes.root_free));
    let mut disk = OpenOptions::new().read(true).write(true).open(image).at("open", image)?;
    disk.set_len(layout.disk).at("write", image)?;

    let phase = progress.phase("root");
    ext4::make(runner, tools, tree, base, (image, layout.root), ids, recipe.image.epoch)?;
    phase.done(&bytes(layout.root.length));

    let phase = progress.phase("boot");
    BiosBoot::make(runner, tools, layout.bios_boot)?
        .write(&mut disk, layout.bios_boot)
        .at("write", image)?;
    layout.write(&mut disk, ids)?;
    let clock = FixedClock::at(recipe.image.epoch);
    let volume = |place: host::table::Extent| -> Result<Window<File>> {
        Ok(Window::new(disk.try_clone().at("open", image)?, place.start, place.length))
    };
    let efi = Format {
        label: "EFI",
        serial: serial_number(&ids.efi_serial),
        kind: FatType::Fat32,
        sector: 512,
        cluster: 2048,
    };
    fat::make(volume(layout.efi)?, efi, clock, &grub::efi_files(tools)?).at("write", image)?;
    let seed = Format {
        label: partition::SEED_LABEL,
        serial: serial_number(&ids.seed_serial),
        kind: FatType::Fat16,
        sector: 512,
        cluster: 2048,
    };
    fat::make(volume(layout.seed)?, seed, clock, &seed_files(recipe, manifest))
        .at("write", image)?;
    disk.sync_all().at("write", image)?;
    phase.done("BIOS, UEFI, SEED");
    Ok(())
}

fn seed_files(recipe: &Recipe, manifest: &Manifest) -> Vec<(String, Vec<u8>)> {
    let card =
        Card { format: FORMAT, image: recipe.image.file_stem(), seed_schema: manifest.seed_schema };
    // Whoever reads it may sit at a PC whose editor knows nothing but CR LF.
    let readme = SEED_README.replace('\n', "\r\n").into_bytes();
    let card = serde_json::to_vec_pretty(&card).unwrap_or_default();
    vec![("README.TXT".to_owned(), readme), (CARD.to_owned(), card)]
}

/// SHA-256 of a sparse file: holes are not read.
fn hash(path: &Path) -> Result<Digest> {
    const BLOCK: usize = 1 << 20;
    let mut file = File::open(path).at("read", path)?;
    let length = file.metadata().at("read", path)?.len();
    let (mut block, zeros) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < length {
        let data = next_data(&file, at).at("read", path)?.unwrap_or(length).min(length);
        while at < data {
            let count = usize::try_from(data - at).unwrap_or(BLOCK).min(BLOCK);
            hash.update(&zeros[..count]);
            at += count as u64;
        }
        file.seek(SeekFrom::Start(at)).at("read", path)?;
        let count = file.read(&mut block).at("read", path)?;
        hash.update(&block[..count]);
        at += count as u64;
    }
    Ok(Digest::from_hash(&hash.finalize()))
}

/// Where the next byte lies that is not in a hole; none: there is no more.
fn next_data(file: &File, at: u64) -> std::io::Result<Option<u64>> {
    use nix::unistd::{Whence, lseek};
    let at = i64::try_from(at).map_err(std::io::Error::other)?;
    match lseek(file, at, Whence::SeekData) {
        Ok(data) => Ok(Some(data.unsigned_abs())),
        Err(nix::errno::Errno::ENXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives the image and the files beside it their names; the image last.
fn put_in_place(
    inputs: &Inputs,
    stem: &str,
    unfinished: tempfile::NamedTempFile,
    beside: &[(String, String)],
) -> Result<(PathBuf, String)> {
    let image = inputs.output.join(format!("{stem}.raw"));
    for (name, text) in beside {
        let path = inputs.output.join(name);
        let mut file = tempfile::NamedTempFile::new_in(&inputs.output).at("create", &path)?;
        file.write_all(text.as_bytes()).at("write", &path)?;
        finish(file, &path)?;
    }
    let data = unfinished.as_file().metadata().at("read", &image)?;
    let size = format!("{}, {} on this disk", bytes(data.len()), bytes(data.blocks() * 512));
    finish(unfinished, &image)?;
    return Ok((image, size));

    fn finish(file: tempfile::NamedTempFile, path: &Path) -> Result<()> {
        let readable = fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable).at("write", path)?;
        file.as_file().sync_all().at("write", path)?;
        file.persist(path).map_err(|error| error.error).at("write", path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_file_has_the_digest_of_its_bytes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(5 << 20).unwrap();
        file.seek(SeekFrom::Start(3 << 20)).unwrap();
        file.write_all(b"data").unwrap();
        let bytes = fs::read(file.path()).unwrap();
        assert_eq!(hash(file.path()).unwrap(), Digest::of(bytes));
    }

    #[test]
    fn the_catalogue_of_the_repository_is_read_and_a_wrong_one_is_named() {
        let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stacks");
        assert!(!read_catalogue(&stacks).unwrap().stacks.is_empty());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("images.lock"), "schema = 9\n").unwrap();
        let error = read_catalogue(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("the catalogue is wrong:\n"), "{error}");
    }
}
