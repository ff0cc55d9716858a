//! What to build: one TOML file, checked like a seed. Every mistake is reported at once with its
//! place, unknown keys are mistakes.

mod table;

use model::Problems;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use table::Table;

/// The schema that this builder reads.
pub const SCHEMA: u32 = 1;

/// A checked recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// What the image is called.
    pub image: Image,
    /// What comes from Debian.
    pub debian: Debian,
    /// How big the parts are.
    pub sizes: Sizes,
}

/// What the image is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// First part of the file name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Debian's name of the architecture.
    pub architecture: String,
    /// Seconds since 1970: no file of the image is younger, and two builds agree on it.
    pub epoch: i64,
}

/// What comes from Debian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Debian {
    /// `trixie`.
    pub suite: String,
    /// `main`, `non-free-firmware`…
    pub components: Vec<String>,
    /// Packages on top of the essential ones; what they depend on comes along.
    pub packages: Vec<String>,
    /// Locales that are made at build time; a box makes others when its seed asks for them.
    pub locales: Vec<String>,
    /// Paths that dpkg leaves out, as its `path-exclude` takes them.
    pub exclude: Vec<String>,
    /// Paths that dpkg keeps all the same.
    pub include: Vec<String>,
}

/// How big the parts are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// EFI partition.
    pub efi: u64,
    /// SEED partition.
    pub seed: u64,
    /// Room in the root file system beyond what the image holds, until the box grows it.
    pub root_free: u64,
}

impl Image {
    /// `homelab-0.1.0-amd64`.
    pub fn file_stem(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.architecture)
    }
}

/// Parses and checks a recipe.
///
/// # Errors
/// Every problem of the text.
pub fn parse(file: &str, text: &str) -> Result<Recipe, Problems> {
    let mut problems = Problems::new(file, text);
    let document = match toml::de::DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            problems.push(error.span(), message, "this is not TOML; see https://toml.io");
            return Err(problems);
        }
    };
    let mut root = Table::root(&document, &["schema", "image", "debian", "sizes"], &mut problems);
    let schema = root.integer("schema", &mut problems);
    if let Some((schema, span)) = schema {
        if schema != i64::from(SCHEMA) {
            problems.push(
                Some(span),
                format!("recipe schema {schema} is not known here"),
                format!("this builder reads schema {SCHEMA}"),
            );
            return Err(problems);
        }
    }
    let image = image(&mut root, &mut problems);
    let debian = debian(&mut root, &mut problems);
    let sizes = sizes(&mut root, &mut problems);
    let recipe = match (image, debian, sizes) {
        (Some(image), Some(debian), Some(sizes)) => Some(Recipe { image, debian, sizes }),
        _ => None,
    };
    problems.into_result(recipe)
}

fn image(root: &mut Table<'_>, problems: &mut Problems) -> Option<Image> {
    let keys = ["name", "version", "architecture", "epoch"];
    let mut table = root.table("image", &keys, problems)?;
    let name = table.text("name", word, "use a-z, 0-9 and hyphens", problems);
    let version = table.text("version", version, "use digits, letters, `.`, `~` and `+`", problems);
    let architecture = table.text(
        "architecture",
        |text| text == "amd64",
        "only `amd64` can be built yet",
        problems,
    );
    let epoch = table.datetime("epoch", problems).and_then(|(text, span)| {
        let parsed = time::OffsetDateTime::parse(&text, &Rfc3339).map(|t| t.unix_timestamp());
        match parsed {
            Ok(epoch) if epoch > 0 => Some(epoch),
            _ => {
                problems.push(
                    Some(span),
                    format!("`{text}` is no point in time after 1970"),
                    "write it as `2026-11-01T00:00:00Z`",
                );
                None
            }
        }
    });
    Some(Image { name: name?, version: version?, architecture: architecture?, epoch: epoch? })
}

fn debian(root: &mut Table<'_>, problems: &mut Problems) -> Option<Debian> {
    let keys = ["suite", "components", "packages", "locales", "exclude", "include"];
    let mut table = root.table("debian", &keys, problems)?;
    let suite =
        table.text("suite", |text| text == "trixie", "only `trixie` can be built yet", problems);
    let components = table.texts("components", word, "use a-z, 0-9 and hyphens", problems);
    let packages = table.texts("packages", package, "write a name as `apt-get` takes it", problems);
    let locales = table.texts("locales", locale, "write it like `en_US.UTF-8`", problems);
    let path = |text: &str| text.starts_with('/') && !text.contains([',', '\n', '\'']);
    let exclude =
        table.texts("exclude", path, "write an absolute path; `*` may stand in it", problems);
    let include =
        table.texts("include", path, "write an absolute path; `*` may stand in it", problems);
    Some(Debian {
        suite: suite?,
        components: components?,
        packages: packages?,
        locales: locales?,
        exclude: exclude?,
        include: include?,
    })
}

fn sizes(root: &mut Table<'_>, problems: &mut Problems) -> Option<Sizes> {
    let mut table = root.table("sizes", &["efi", "seed", "root_free"], problems)?;
    let efi = table.size("efi", 34, 2048, problems);
    let seed = table.size("seed", 16, 2048, problems);
    let root_free = table.size("root_free", 16, 1 << 20, problems);
    Some(Sizes { efi: efi?, seed: seed?, root_free: root_free? })
}

fn word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".~+".contains(c))
}

fn package(text: &str) -> bool {
    // Debian Policy 5.6.1.
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

fn locale(text: &str) -> bool {
    text.ends_with(".UTF-8")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../recipe.toml");

    #[test]
    fn the_default_recipe_is_good() {
        let recipe = parse("recipe.toml", GOOD).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(recipe.image.file_stem(), format!("homelab-{}-amd64", recipe.image.version));
        assert_eq!(recipe.sizes.efi, 260 << 20);
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_their_places() {
        let text = "schema = 1\n\
                    [image]\nname = \"Home Lab\"\nversion = \"1\"\narchitecture = \"amd64\"\n\
                    epoch = \"yesterday\"\n\
                    [debian]\nsuite = \"sid\"\ncomponents = [\"main\"]\npakages = []\n\
                    locales = [\"de\"]\nexclude = [7]\ninclude = []\n\
                    [sizes]\nefi = \"1 GB\"\nseed = \"1 MiB\"\n";
        let problems = parse("my.toml", text).unwrap_err();
        assert_eq!(
            problems.summary_lines(),
            [
                "my.toml:3:8: `Home Lab` cannot stand in `image.name`",
                "my.toml:6:9: `image.epoch` must be a date and time",
                "my.toml:8:9: `sid` cannot stand in `debian.suite`",
                "my.toml:10:1: unknown key `pakages` in `[debian]`",
                "my.toml:11:12: `de` cannot stand in `debian.locales`",
                "my.toml:12:12: `debian.exclude` must hold texts only",
                "my.toml:15:7: `1 GB` is no size",
                "my.toml:16:8: `1 MiB` is not between 16 MiB and 2048 MiB",
                "my.toml: `debian.packages` is missing",
                "my.toml: `sizes.root_free` is missing",
            ]
        );
        assert!(problems.to_string().contains("did you mean `packages`?"), "{problems}");
    }

    #[test]
    fn broken_toml_and_other_schemas_are_named() {
        let lines = |text| parse("r.toml", text).unwrap_err().summary_lines();
        assert_eq!(lines("schema = 9\n"), ["r.toml:1:10: recipe schema 9 is not known here"]);
        assert_eq!(lines("schema = \n").len(), 1);
    }
}
