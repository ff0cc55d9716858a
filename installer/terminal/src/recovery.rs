//! The recovery sheet: what is needed after a total loss, on one page to be kept elsewhere.

use std::fmt::Write as _;

use model::Secret;

use crate::wrap;

/// What stands on the sheet.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Name of the box.
    pub hostname: String,
    /// The name that every service stands under.
    pub domain: String,
    /// Version of the installer.
    pub version: String,
    /// When the sheet was made, RFC 3339.
    pub made: String,
    /// Where to log in.
    pub portal: Option<String>,
    /// Whoever logs in first.
    pub admin: String,
    /// SHA-256 fingerprint of the box's own authority.
    pub fingerprint: Option<String>,
    /// The restic repository that data comes back from; none: nothing makes backups.
    pub repository: Option<String>,
    /// When it is written.
    pub schedule: String,
    /// Place, and what is mounted there.
    pub mounts: Vec<(String, String)>,
    /// Secrets that were made on the box: nobody else knows them.
    pub made_here: Vec<(String, Secret)>,
    /// File and key of each encrypted disk.
    pub disk_keys: Vec<(String, Secret)>,
    /// Names of the secrets that their owner gave.
    pub given: Vec<String>,
    /// The seed that rebuilds the box, without any secret.
    pub seed: String,
}

/// The sheet as text. It holds secrets.
pub fn text(sheet: &Sheet) -> Secret {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, sheet);
    Secret::new(out)
}

fn write(out: &mut String, sheet: &Sheet) -> std::fmt::Result {
    writeln!(out, "RECOVERY SHEET of {}, {}", sheet.hostname, sheet.domain)?;
    writeln!(out, "made at {} by homelab {}\n", sheet.made, sheet.version)?;
    writeln!(out, "Keep it away from the box, as you keep a password: it holds secrets.")?;
    writeln!(out, "\nAfter a total loss\n")?;
    let mut steps = vec![
        "Write an image of homelab to a disk: `homelab-image build`, then `dd`.".to_owned(),
        "Save the seed at the end of this sheet as `seed.toml`, and beside it each secret that it \
         names as a file."
            .to_owned(),
        "Check it and put it into the image: `homelab-image seed check seed.toml`, \
         `homelab-image seed inject IMAGE seed.toml`. Start the machine from the disk."
            .to_owned(),
    ];
    steps.push(match &sheet.repository {
        Some(_) => {
            "When the box is ready, bring the data back from the backup: in Backrest, or by \
                    `restic restore` with the password below."
                .to_owned()
        }
        None => "No backup was made of the services' data: it is lost with the box.".to_owned(),
    });
    for (index, step) in steps.iter().enumerate() {
        for (line, text) in wrap(step, 70).iter().enumerate() {
            let number = if line == 0 { format!("{}.", index + 1) } else { String::new() };
            writeln!(out, "  {number:<4}{text}")?;
        }
    }
    if let Some(repository) = &sheet.repository {
        writeln!(out, "\nBackup\n")?;
        writeln!(out, "  repository  {repository}")?;
        writeln!(out, "  written     {}", sheet.schedule)?;
        writeln!(out, "  look        restic --repo {repository} snapshots")?;
    }
    if !sheet.made_here.is_empty() {
        writeln!(out, "\nSecrets that were made on the box, and that nobody else knows\n")?;
        for (name, secret) in &sheet.made_here {
            writeln!(out, "  secrets/{name:<24}  {}", secret.reveal())?;
        }
    }
    if !sheet.disk_keys.is_empty() {
        writeln!(
            out,
            "\nKeys of encrypted disks, each the whole of its file without a line's end\n"
        )?;
        for (file, key) in &sheet.disk_keys {
            writeln!(out, "  {file}\n    {}", key.reveal())?;
        }
    }
    if !sheet.given.is_empty() {
        writeln!(out, "\nSecrets that came from you\n")?;
        for name in &sheet.given {
            writeln!(out, "  secrets/{name}")?;
        }
    }
    writeln!(out, "\nThe box as it was\n")?;
    if let Some(portal) = &sheet.portal {
        writeln!(out, "  log in      {portal} as {}", sheet.admin)?;
    }
    for (at, what) in &sheet.mounts {
        writeln!(out, "  {at:<12}{what}")?;
    }
    if let Some(print) = &sheet.fingerprint {
        let pairs: Vec<&str> = print.split(':').collect();
        for (index, half) in pairs.chunks(16).enumerate() {
            let label = if index == 0 { "authority" } else { "" };
            writeln!(out, "  {label:<12}{}", half.join(":"))?;
        }
        writeln!(out, "  {:<12}A new box has a new authority, to be trusted anew.", "")?;
    }
    writeln!(out, "\nThe seed\n\n{}", sheet.seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_what_a_new_box_needs() {
        let sheet = Sheet {
            hostname: "cellar".into(),
            domain: "cellar.home.arpa".into(),
            version: "0.1.0".into(),
            made: "2026-11-22T20:33:00Z".into(),
            portal: Some("https://auth.cellar.home.arpa".into()),
            admin: "alex".into(),
            fingerprint: Some(["AB"; 32].join(":")),
            repository: Some("/mnt/backups/restic".into()),
            schedule: "*-*-* 03:00:00".into(),
            mounts: vec![("/mnt/media".into(), "UUID=1-2 (ext4)".into())],
            made_here: vec![("backup-password".into(), Secret::new("abc"))],
            disk_keys: vec![("/etc/homelab/keys/1-2.key".into(), Secret::new("turned"))],
            given: vec!["admin-password".into()],
            seed: "schema = 1\n".into(),
        };
        let half = ["AB"; 16].join(":");
        assert_eq!(
            text(&sheet).reveal(),
            format!(
                "RECOVERY SHEET of cellar, cellar.home.arpa
made at 2026-11-22T20:33:00Z by homelab 0.1.0

Keep it away from the box, as you keep a password: it holds secrets.

After a total loss

  1.  Write an image of homelab to a disk: `homelab-image build`, then `dd`.
  2.  Save the seed at the end of this sheet as `seed.toml`, and beside it
      each secret that it names as a file.
  3.  Check it and put it into the image: `homelab-image seed check
      seed.toml`, `homelab-image seed inject IMAGE seed.toml`. Start the
      machine from the disk.
  4.  When the box is ready, bring the data back from the backup: in
      Backrest, or by `restic restore` with the password below.

Backup

  repository  /mnt/backups/restic
  written     *-*-* 03:00:00
  look        restic --repo /mnt/backups/restic snapshots

Secrets that were made on the box, and that nobody else knows

  secrets/backup-password           abc

Keys of encrypted disks, each the whole of its file without a line's end

  /etc/homelab/keys/1-2.key
    turned

Secrets that came from you

  secrets/admin-password

The box as it was

  log in      https://auth.cellar.home.arpa as alex
  /mnt/media  UUID=1-2 (ext4)
  authority   {half}
              {half}
              A new box has a new authority, to be trusted anew.

The seed

schema = 1

"
            )
        );
    }

    #[test]
    fn a_box_without_backups_says_that_its_data_is_lost() {
        let text = text(&Sheet::default());
        assert!(text.reveal().contains(
            "  4.  No backup was made of the services' data: it is lost with the box.\n"
        ));
        assert!(!text.reveal().contains("restic"));
    }
}
