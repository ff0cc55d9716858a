//! `export-seed`: the seed that rebuilds this box.

use std::{collections::BTreeMap, path::Path};

use host::Host;
use model::{
    Secret,
    paths::partition::SEED_FILE,
    secret::SecretRef,
    seed::{self, MountSource, SecretSource, Seed},
};

use crate::{
    command_line::say,
    day_two::{Desk, need_root, read_seed},
    failure::Failure,
    secrets,
};

/// The folder beside the seed that its secrets are read from.
const FOLDER: &str = "secrets";

/// A seed and what it is read with.
pub struct Export {
    /// The seed, without any secret.
    pub text: String,
    /// Files beside it: relative path, content.
    pub beside: Vec<(String, Secret)>,
}

/// Says the seed, or saves it; with its secrets only if that is asked for.
///
/// # Errors
/// This box has no seed, or the place cannot be written.
pub fn export(host: &Host, to: Option<&Path>, with_secrets: bool) -> Result<u8, Failure> {
    need_root("export-seed")?;
    let (seed, _) = read_seed(host, None)?;
    let Export { text, beside } = of(host, &seed);
    let names: Vec<&str> = beside.iter().map(|(name, _)| name.as_str()).collect();
    let Some(to) = to else {
        say(&text);
        if !names.is_empty() {
            eprintln!("note: these files belong beside it: {}", names.join(", "));
            eprintln!("note: `sudo homelab export-seed --to PLACE --with-secrets` saves them too");
        }
        return Ok(0);
    };
    let mut files = vec![(SEED_FILE.to_owned(), Secret::new(text))];
    if with_secrets {
        files.extend(beside.iter().cloned());
    }
    let place = host::stick::save(host, to, &files)?;
    say(&format!("{SEED_FILE} was saved to {place}\n"));
    match with_secrets {
        true => say("its secrets lie beside it in clear: keep it as you keep a password\n"),
        false if names.is_empty() => {}
        false => say(&format!("its secrets do not: put them beside it: {}\n", names.join(", "))),
    }
    Ok(0)
}

/// The seed of this box with its secrets by reference.
pub fn of(host: &Host, seed: &Seed) -> Export {
    let known = secrets::known(seed, &mut Desk { host, seed: None });
    let now = host.clock.now();
    let (seed, wiped) = without_consents(seed);
    let text = seed::write(&seed, &comment(&now, &known, wiped), |name, source| {
        match known.contains_key(name) {
            true => SecretSource::File(path(name).into()),
            // The next box makes its own, or asks.
            false => source.clone(),
        }
    });
    let beside = known.into_iter().map(|(name, secret)| (path(&name), secret)).collect();
    Export { text: text.reveal().to_owned(), beside }
}

fn path(name: &SecretRef) -> String {
    format!("{FOLDER}/{name}")
}

/// What was formatted once holds data now, so the leave to do it again is taken out.
fn without_consents(seed: &Seed) -> (Seed, bool) {
    let mut seed = seed.clone();
    let mut wiped = seed.install.take().is_some();
    for mount in &mut seed.mounts {
        if let MountSource::Disks { members, .. } = &mut mount.source {
            for member in members {
                wiped |= member.wipe.take().is_some();
            }
        }
    }
    (seed, wiped)
}

fn comment(now: &str, known: &BTreeMap<SecretRef, Secret>, wiped: bool) -> String {
    let mut text = format!("Made by `homelab export-seed` at {now}. It rebuilds this box.\n");
    if !known.is_empty() {
        text.push_str(
            "Its secrets are not in it: they are read from the files named below, which lie\n\
             beside it.\n",
        );
    }
    if wiped {
        text.push_str("The leave to format disks was taken out: they hold data now.\n");
    }
    text.push_str(
        "Not in any seed: the services' data, and users made by `homelab auth`. They come back\n\
         from the backup.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host_in;

    const SEED: &str = "schema = 1\n[admin]\nname = \"alex\"\npassword = { ask = true }\n\
        [[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"serial:WD-1\"\nwipe = \"WD-1\"\n\
        [domain]\nname = \"alex.duckdns.org\"\n[domain.dns]\nprovider = \"duckdns\"\n\
        credentials = { DUCKDNS_TOKEN = \"a-token-of-the-test\" }\n\
        [notifications.ntfy]\nurl = \"https://ntfy.sh/cellar-7c1\"\ntoken = { file = \"gone\" }\n";

    /// A box on which the password was asked for and the backup's was generated.
    fn box_in(folder: &Path) -> (Host, Seed) {
        let host = host_in(folder);
        let kept = [("admin-password", "correct horse battery"), ("backup-password", "made here")];
        let kept = kept.map(|(name, text)| (SecretRef::new(name), Secret::new(text)));
        crate::sealing::seal(&host, SEED, "a stick", &kept.into()).unwrap();
        let seed = read_seed(&host, None).unwrap().0;
        (host, seed)
    }

    #[test]
    fn secrets_are_by_reference_and_consents_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (host, seed) = box_in(folder.path());
        let export = of(&host, &seed);
        let names: Vec<&str> = export.beside.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["secrets/admin-password", "secrets/backup-password", "secrets/dns-duckdns-token"]
        );
        for (_, secret) in &export.beside {
            assert!(!export.text.contains(secret.reveal()), "{}", export.text);
        }
        assert!(!export.text.contains("wipe"), "{}", export.text);
        assert!(export.text.contains("# The leave to format disks was taken out"));
        // What is nowhere to be had stays as the seed said it.
        assert!(export.text.contains("token = { file = \"gone\" }\n"), "{}", export.text);
    }

    #[test]
    fn a_saved_seed_gives_the_next_box_the_same_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let (host, seed) = box_in(folder.path());
        let export = of(&host, &seed);
        std::fs::create_dir(folder.path().join("stick")).unwrap();
        let mut files = vec![(SEED_FILE.to_owned(), Secret::new(&*export.text))];
        files.extend(export.beside.iter().cloned());
        host::stick::save(&host, Path::new("/stick"), &files).unwrap();
        let next = tempfile::tempdir().unwrap();
        let next = host_in(next.path());
        let place = folder.path().join("stick").join(SEED_FILE);
        let (read, _) = read_seed(&next, Some(&place)).unwrap();
        let there = secrets::known(&read, &mut Desk { host: &next, seed: Some(&place) });
        assert_eq!(there, secrets::known(&seed, &mut Desk { host: &host, seed: None }));
        assert_eq!(there[&SecretRef::new("backup-password")].reveal(), "made here");
    }
}
