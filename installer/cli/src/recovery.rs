//! `recovery-sheet`: what is needed after a total loss.

use std::path::Path;

use engine::Journal;
use host::{Host, files};
use model::{
    Secret,
    plan::{Action, MountWish, Plan},
    seed::{SecretSource, Seed},
};
use terminal::recovery::{Sheet, text};

use crate::{
    command_line::{VERSION, say},
    day_two::{Desk, need_root, read_seed},
    export,
    failure::Failure,
    first_boot::handover,
    secrets,
    status::last_report,
};

/// The sheet that the install has left, with the secrets that it made.
const LEFT: &str = "/root/homelab-recovery.txt";

/// Says the sheet, or saves it.
///
/// # Errors
/// This box is not installed, or the place cannot be written.
pub fn recovery(host: &Host, to: Option<&Path>) -> Result<u8, Failure> {
    need_root("recovery-sheet")?;
    let (seed, _) = read_seed(host, None)?;
    let sheet = gather(host, &seed)?;
    let Some(to) = to else {
        say(text(&sheet).reveal());
        return Ok(0);
    };
    let name = format!("homelab-recovery-{}.txt", sheet.hostname);
    // Notepad of older Windows shows a text without carriage returns as one line.
    let content = Secret::new(text(&sheet).reveal().replace('\n', "\r\n"));
    let place = host::stick::save(host, to, &[(name.clone(), content)])?;
    say(&format!(
        "{name} was saved to {place}\nit holds secrets: keep it as you keep a password\n"
    ));
    if host.path(LEFT).exists() {
        say(&format!("`{LEFT}` is not needed any more: `sudo rm {LEFT}`\n"));
    }
    Ok(0)
}

fn gather(host: &Host, seed: &Seed) -> Result<Sheet, Failure> {
    let journal = Journal::load(host)
        .map_err(|trouble| Failure::machine(trouble.to_string(), trouble.hint()))?;
    let Some(plan) = journal.filter(|journal| journal.complete).map(|journal| journal.plan) else {
        return Err(Failure::machine(
            "this box is not installed to its end, so nobody knows yet what it will be",
            "`sudo homelab apply` brings it there",
        ));
    };
    let known = secrets::known(seed, &mut Desk { host, seed: None });
    let (mut made_here, mut given) = (Vec::new(), Vec::new());
    for (name, source) in seed.secrets() {
        match (source, known.get(&name)) {
            (SecretSource::Generate, Some(secret)) => {
                made_here.push((name.to_string(), secret.clone()));
            }
            // It was never needed, so nothing was made with it.
            (SecretSource::Generate, None) => {}
            _ => given.push(name.to_string()),
        }
    }
    Ok(Sheet {
        hostname: seed.system.hostname.clone(),
        domain: seed.domain.name.clone(),
        version: VERSION.to_owned(),
        made: host.clock.now(),
        portal: handover(&plan).map(|handover| handover.portal.clone()),
        admin: seed.admin.name.clone(),
        fingerprint: last_report(host)?.and_then(|report| report.authority_fingerprint),
        repository: backs_up(&plan).then(|| seed.backup.repository.clone()),
        schedule: seed.backup.schedule.clone(),
        mounts: mounts(&plan),
        made_here,
        disk_keys: disk_keys(host, &plan)?,
        given,
        seed: export::of(host, seed).text,
    })
}

/// The password of the repository is wanted by nobody but who writes it.
fn backs_up(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.action {
        Action::Secrets { wishes } => wishes.iter().any(|wish| wish.name.0 == "backup-password"),
        _ => false,
    })
}

fn mounts(plan: &Plan) -> Vec<(String, String)> {
    wishes(plan)
        .map(|mount| (mount.at.clone(), format!("{} ({})", mount.what, mount.kind)))
        .collect()
}

fn wishes(plan: &Plan) -> impl Iterator<Item = &MountWish> {
    let storage = plan.steps.iter().find_map(|step| match &step.action {
        Action::Storage(storage) => Some(storage),
        _ => None,
    });
    storage.into_iter().flat_map(|storage| &storage.mounts)
}

/// Keys of encrypted disks. One that was removed, so that only the TPM unlocks its disk, is on an
/// earlier sheet.
fn disk_keys(host: &Host, plan: &Plan) -> Result<Vec<(String, Secret)>, Failure> {
    let mut keys = Vec::new();
    for file in wishes(plan).filter_map(|mount| Some(mount.crypt.as_ref()?.key())) {
        if let Some(key) = files::read_text_optional(host.path(&file))? {
            keys.push((file, Secret::new(key)));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{
        Digest,
        disk::{Crypt, Unlock},
        plan::{FORMAT, SecretMaking, SecretWish, Step, StepId, Storage},
        secret::SecretRef,
    };

    use super::*;
    use crate::testing::host_in;

    const SEED: &str =
        "schema = 1\n[admin]\nname = \"alex\"\npassword = \"correct horse battery\"\n";

    fn plan() -> Plan {
        let step = |id: &str, action| Step { id: StepId::new(id), title: id.into(), action };
        let wish = SecretWish {
            name: SecretRef::new("backup-password"),
            source: SecretMaking::Random { length: 24 },
        };
        let mount = MountWish {
            at: "/mnt/media".into(),
            what: "UUID=1-2".into(),
            kind: "ext4".into(),
            options: String::new(),
            automount: false,
            credentials: None,
            crypt: Some(Crypt { uuid: "1-2".into(), unlock: Unlock::Key }),
            ..MountWish::default()
        };
        let storage = Storage { grow_root: true, folders: Vec::new(), mounts: vec![mount] };
        Plan {
            format: FORMAT,
            seed: Digest::of(SEED),
            catalogue: Digest::of("c"),
            steps: vec![
                step("storage", Action::Storage(storage)),
                step("secrets", Action::Secrets { wishes: vec![wish] }),
            ],
        }
    }

    #[test]
    fn the_sheet_has_what_the_box_made_and_names_what_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        let kept = [(SecretRef::new("backup-password"), Secret::new("made here"))];
        crate::sealing::seal(&host, SEED, "a stick", &BTreeMap::from(kept)).unwrap();
        let seed = read_seed(&host, None).unwrap().0;
        let failure = gather(&host, &seed).unwrap_err();
        assert_eq!(failure.exit(), 3);
        let mut journal = Journal::new(&plan(), host.clock.now());
        journal.complete = true;
        journal.save(&host).unwrap();
        std::fs::create_dir_all(host.path("/etc/homelab/keys")).unwrap();
        std::fs::write(host.path("/etc/homelab/keys/1-2.key"), "turned twice").unwrap();
        let sheet = gather(&host, &seed).unwrap_or_default();
        assert_eq!(sheet.given, ["admin-password"]);
        assert_eq!(sheet.mounts, [("/mnt/media".to_owned(), "UUID=1-2 (ext4)".to_owned())]);
        assert_eq!(sheet.repository.as_deref(), Some("/mnt/backups/restic"));
        let text = text(&sheet);
        assert!(text.reveal().contains("secrets/backup-password           made here\n"));
        assert!(text.reveal().contains("  /etc/homelab/keys/1-2.key\n    turned twice\n"));
        assert!(text.reveal().contains("password = { file = \"secrets/admin-password\" }\n"));
        assert!(!text.reveal().contains("correct horse battery"));
    }
}
