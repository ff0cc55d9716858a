use std::{collections::BTreeMap, fs};

use engine::Folder;

use super::*;

/// Places made of folders and texts.
#[derive(Default)]
pub struct Shelf {
    /// The credential.
    pub credential: Option<String>,
    /// What a URL gives.
    pub web: BTreeMap<String, String>,
    /// The SEED partition.
    pub partition: Option<Folder>,
    /// Removable volumes.
    pub removable: Vec<(String, Folder)>,
}

impl Places for Shelf {
    fn credential(&self) -> Result<Option<String>, String> {
        Ok(self.credential.clone())
    }
    fn fetch(&self, url: &str) -> Result<String, String> {
        self.web.get(url).cloned().ok_or_else(|| "no route to host".to_owned())
    }
    fn seed_partition(&self) -> Option<Arc<dyn Medium>> {
        self.partition.clone().map(|folder| Arc::new(folder) as Arc<dyn Medium>)
    }
    fn removable(&self) -> Vec<(String, Arc<dyn Medium>)> {
        let share = |folder: &Folder| Arc::new(folder.clone()) as Arc<dyn Medium>;
        self.removable.iter().map(|(name, folder)| (name.clone(), share(folder))).collect()
    }
}

/// A folder with a seed in it, or without.
fn medium(seed: Option<&str>) -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(text) = seed {
        fs::write(folder.path().join("seed.toml"), text).unwrap();
    }
    let medium = Folder(folder.path().to_owned());
    (folder, medium)
}

fn sources(search: &Search) -> Vec<&str> {
    match search {
        Search::Nothing(_) => Vec::new(),
        Search::One(found) => vec![&found.source],
        Search::Two(one, other) => vec![&one.source, &other.source],
    }
}

fn trouble(search: Search) -> Vec<String> {
    match search {
        Search::Nothing(trouble) => trouble,
        other => panic!("found {:?}", sources(&other)),
    }
}

const PARTITION: &str = "the SEED partition of the box's own disk";
const CREDENTIAL: &str = "the credential `homelab.seed` of this machine";

#[test]
fn nothing_anywhere() {
    let (_folder, empty) = medium(None);
    let shelf = Shelf { partition: Some(empty), ..Shelf::default() };
    assert_eq!(trouble(search(&shelf, &KernelLine::default())), Vec::<String>::new());
}

#[test]
fn the_partition_hides_the_stick_and_an_empty_one_does_not() {
    let (_a, full) = medium(Some("a"));
    let (_b, empty) = medium(None);
    let (_c, stick) = medium(Some("b"));
    let mut shelf = Shelf {
        partition: Some(full),
        removable: vec![("sdb1".into(), stick)],
        ..Shelf::default()
    };
    assert_eq!(sources(&search(&shelf, &KernelLine::default())), [PARTITION]);
    shelf.partition = Some(empty);
    assert_eq!(
        sources(&search(&shelf, &KernelLine::default())),
        ["the removable volume sdb1 labelled HOMELAB-SEED"]
    );
}

#[test]
fn two_different_seeds_are_both_named_and_two_copies_are_one() {
    let (_a, full) = medium(Some("a"));
    let mut shelf =
        Shelf { credential: Some("b".into()), partition: Some(full), ..Shelf::default() };
    assert_eq!(sources(&search(&shelf, &KernelLine::default())), [CREDENTIAL, PARTITION]);
    shelf.credential = Some("a".into());
    assert_eq!(sources(&search(&shelf, &KernelLine::default())), [CREDENTIAL]);
}

#[test]
fn two_sticks_that_differ_are_an_error() {
    let (_a, one) = medium(Some("a"));
    let (_b, two) = medium(Some("b"));
    let removable = vec![("sdb1".into(), one), ("sdc".into(), two)];
    let shelf = Shelf { removable, ..Shelf::default() };
    assert_eq!(
        sources(&search(&shelf, &KernelLine::default())),
        [
            "the removable volume sdb1 labelled HOMELAB-SEED",
            "the removable volume sdc labelled HOMELAB-SEED"
        ]
    );
}

#[test]
fn a_url_wants_https_or_a_hash_that_fits() {
    let mut shelf = Shelf::default();
    shelf.web.insert("http://a.lan/s".into(), "abc".into());
    shelf.web.insert("https://a.lan/s".into(), "abc".into());
    let line = |url: &str, hash: Option<&str>| KernelLine {
        seed: Some(url.into()),
        seed_sha256: hash.map(str::to_owned),
        rescue: false,
    };
    let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let found = ["https://a.lan/s, named on the kernel command line"];
    assert_eq!(sources(&search(&shelf, &line("https://a.lan/s", None))), found);
    assert_eq!(search_count(&shelf, &line("http://a.lan/s", Some(good))), 1);
    assert_eq!(
        trouble(search(&shelf, &line("http://a.lan/s", None))),
        ["the kernel command line names http://a.lan/s: only https is taken without \
          `homelab.seed_sha256=`"]
    );
    assert_eq!(
        trouble(search(&shelf, &line("https://a.lan/s", Some("00")))),
        [format!(
            "what https://a.lan/s gave has the SHA-256 {good}, the kernel command line asks for 00"
        )]
    );
}

fn search_count(shelf: &Shelf, line: &KernelLine) -> usize {
    sources(&search(shelf, line)).len()
}

#[test]
fn a_named_place_that_cannot_be_read_is_waited_for() {
    let (_a, full) = medium(Some("a"));
    let shelf = Shelf { partition: Some(full), ..Shelf::default() };
    let line = KernelLine { seed: Some("https://a.lan/s".into()), ..KernelLine::default() };
    assert_eq!(
        trouble(search(&shelf, &line)),
        ["https://a.lan/s cannot be fetched: no route to host"]
    );
}

#[test]
fn what_is_no_seed_by_its_form_is_trouble() {
    let (folder, place) = medium(None);
    let shelf = Shelf { partition: Some(place), ..Shelf::default() };
    let seed = folder.path().join("seed.toml");
    fs::write(&seed, b"\xff\xfe").unwrap();
    let told = || trouble(search(&shelf, &KernelLine::default()));
    assert_eq!(told(), ["the SEED partition cannot be read: `seed.toml` is not UTF-8 text"]);
    fs::write(&seed, vec![b'a'; LARGEST as usize + 1]).unwrap();
    assert_eq!(told(), ["the SEED partition cannot be read: `seed.toml` is larger than 1 MiB"]);
    fs::remove_file(&seed).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &seed).unwrap();
    assert_eq!(told(), ["the SEED partition cannot be read: `seed.toml` is not a plain file"]);
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_seed() {
    let (_a, place) = medium(Some("\u{feff}schema = 1\n"));
    let shelf = Shelf { partition: Some(place), ..Shelf::default() };
    match search(&shelf, &KernelLine::default()) {
        Search::One(found) => assert_eq!(found.text, "schema = 1\n"),
        other => panic!("{:?}", sources(&other)),
    }
}

#[test]
fn files_beside_the_seed_stay_in_its_folder() {
    let (folder, place) = medium(Some("x"));
    fs::write(folder.path().join("vpn.key"), "key\n").unwrap();
    let mut found = Found {
        text: "x".into(),
        source: "a stick".into(),
        medium: Some(Arc::new(place) as Arc<dyn Medium>),
    };
    assert_eq!(found.beside(Path::new("vpn.key")), Ok("key\n".into()));
    assert_eq!(
        found.beside(Path::new("nothing")),
        Err("`nothing` is not there beside the seed".into())
    );
    assert_eq!(
        found.beside(Path::new("../etc/shadow")),
        Err("`../etc/shadow` leaves the folder of the seed".into())
    );
    found.medium = None;
    assert_eq!(
        found.beside(Path::new("vpn.key")),
        Err("`vpn.key` cannot be had: a seed from a stick has no files beside it".into())
    );
}
