//! The systemd unit of a stack that needs volumes.
//!
//! It is bound to their mounts: started when they are there, and stopped, with its containers, before
//! one of them goes. Nothing of ours runs meanwhile.

use host::systemd::escape_path;
use model::{
    plan::{FileWish, MountWish, StackWish},
    render::stack_mark,
};

use crate::steps::storage::unit::{FOLDER, HEAD};

/// Name of a stack's unit.
pub(crate) fn name(stack: &str) -> String {
    format!("homelab-stack-{stack}.service")
}

/// Where it lies.
pub(crate) fn path(stack: &str) -> String {
    format!("{FOLDER}/{}", name(stack))
}

/// Is it the name of such a unit?
pub(crate) fn is_one(name: &str) -> bool {
    name.starts_with("homelab-stack-") && name.ends_with(".service")
}

/// The unit of a stack that needs these mounts.
pub(super) fn file(stack: &StackWish, mounts: &[&MountWish]) -> FileWish {
    let unit = |mount: &&MountWish| format!("{}.mount", escape_path(&mount.at));
    let (shares, disks): (Vec<&MountWish>, Vec<&MountWish>) =
        mounts.iter().partition(|mount| mount.automount);
    let disks: Vec<String> = disks.iter().map(unit).collect();
    let shares: Vec<String> = shares.iter().map(unit).collect();
    let places: Vec<&str> = mounts.iter().map(|mount| mount.at.as_str()).collect();
    let mut relations = String::new();
    let mut wanted_by = disks.clone();
    if !disks.is_empty() {
        relations += &format!("BindsTo={}\n", disks.join(" "));
    }
    if !shares.is_empty() {
        // Another machine comes and goes unheard: what is on its share is looked for once a minute.
        relations += &format!("PartOf={}\n", shares.join(" "));
        wanted_by.push("multi-user.target".to_owned());
    }
    let (name, folder) = (&stack.name, &stack.folder);
    let text = format!(
        "{HEAD}[Unit]\n\
         Description=Homelab: the stack {name}, as long as {places} is there\n\
         After=docker.service {all}\n\
         {relations}\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         ExecStart=/usr/bin/homelab stack start {name}\n\
         ExecStop=/usr/bin/docker compose --project-name {name} --project-directory {folder} \
         --file {folder}/compose.yaml stop\n\
         ExecStopPost=/usr/bin/rm --force {mark}\n\
         TimeoutStartSec=infinity\n\
         TimeoutStopSec=180\n\
         Restart=on-failure\n\
         RestartSec=60\n\
         \n\
         [Install]\n\
         WantedBy={wanted_by}\n",
        places = places.join(" and "),
        all = [disks, shares].concat().join(" "),
        mark = stack_mark(name),
        wanted_by = wanted_by.join(" "),
    );
    FileWish { path: path(name), mode: 0o644, owner: (0, 0), text }
}

#[cfg(test)]
mod tests {
    use host::{Command, Runner as _, SystemRunner};
    use model::Digest;

    use super::*;
    use crate::steps::storage::unit;

    fn stack() -> StackWish {
        StackWish {
            name: "media".into(),
            folder: "/opt/stacks/media".into(),
            services: Vec::new(),
            digest: Digest::of(""),
            needs: Vec::new(),
        }
    }

    fn mount(at: &str, automount: bool) -> MountWish {
        let what = if automount { "nas.lan:/x" } else { "UUID=0b1e-99" };
        let kind = if automount { "nfs" } else { "ext4" };
        MountWish {
            at: at.into(),
            what: what.into(),
            kind: kind.into(),
            automount,
            ..MountWish::default()
        }
    }

    #[test]
    fn a_stack_is_bound_to_its_disks() {
        let wish = file(&stack(), &[&mount("/mnt/downloads", false), &mount("/mnt/media", false)]);
        assert_eq!(wish.path, "/etc/systemd/system/homelab-stack-media.service");
        assert!(is_one(&name("media")) && !is_one("homelab-install.service"));
        assert_eq!(
            wish.text,
            "# Written by homelab.\n\
             [Unit]\n\
             Description=Homelab: the stack media, as long as /mnt/downloads and /mnt/media is there\n\
             After=docker.service mnt-downloads.mount mnt-media.mount\n\
             BindsTo=mnt-downloads.mount mnt-media.mount\n\
             StartLimitIntervalSec=0\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             RemainAfterExit=yes\n\
             ExecStart=/usr/bin/homelab stack start media\n\
             ExecStop=/usr/bin/docker compose --project-name media --project-directory \
             /opt/stacks/media --file /opt/stacks/media/compose.yaml stop\n\
             ExecStopPost=/usr/bin/rm --force /run/homelab/stacks/media\n\
             TimeoutStartSec=infinity\n\
             TimeoutStopSec=180\n\
             Restart=on-failure\n\
             RestartSec=60\n\
             \n\
             [Install]\n\
             WantedBy=mnt-downloads.mount mnt-media.mount\n"
        );
    }

    #[test]
    fn a_share_is_looked_for_again_and_again() {
        let text = file(&stack(), &[&mount("/mnt/backups", true)]).text;
        assert!(text.contains("\nPartOf=mnt-backups.mount\nStartLimitIntervalSec=0\n"), "{text}");
        assert!(text.ends_with("\nWantedBy=multi-user.target\n") && !text.contains("BindsTo"));
    }

    /// The programs that the units start need not be there for the check, so it complains of them.
    #[test]
    fn systemd_understands_the_units() {
        let folder = tempfile::tempdir().unwrap();
        let mounts = [mount("/mnt/downloads", false), mount("/mnt/backups", true)];
        let mut files: Vec<FileWish> = mounts.iter().flat_map(unit::files).collect();
        files.push(file(&stack(), &mounts.iter().collect::<Vec<_>>()));
        let mut paths = Vec::new();
        let overlay = "../../overlays/homelab/etc/systemd/system/homelab-remount@.service";
        let again = std::fs::read_to_string(overlay).unwrap();
        let path = "/homelab-remount@mnt-downloads.service".to_owned();
        files.push(FileWish { path, mode: 0o644, owner: (0, 0), text: again });
        for wish in files.iter().filter(|file| !file.path.ends_with(".conf")) {
            let path = folder.path().join(wish.path.rsplit('/').next().unwrap());
            // Whichever programs are there: only what stands around them is checked.
            std::fs::write(&path, wish.text.replace("/usr/bin/homelab", "/bin/true")).unwrap();
            paths.push(path);
        }
        let verify = ["verify", "--man=no", "--recursive-errors=no"];
        let command = Command::new("systemd-analyze").args(verify).args(&paths);
        let said = match SystemRunner.run(&command) {
            Ok(output) => output.stderr,
            Err(error) if error.status.is_some() => error.tail,
            Err(_) => {
                println!("not tested: there is no systemd-analyze here");
                return;
            }
        };
        let of_ours = |line: &&str| {
            let ours = line.contains(&*folder.path().to_string_lossy());
            let docker = line.contains("/usr/bin/docker is not executable");
            (ours || line.contains("homelab-stack") || line.contains("mnt-")) && !docker
        };
        let wrong: Vec<&str> = said.lines().filter(of_ours).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
