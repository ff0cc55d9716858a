//! The planted secrets are nowhere where they could be read.

use anyhow::{Result, bail, ensure};

use crate::{installed::Installed, scene::Scene};

fn none_in(what: &str, installed: &Installed, bytes: &[u8]) -> Result<()> {
    let found = installed.wish.canaries().found_in(bytes);
    ensure!(found.is_empty(), "{what} shows {}", found.join(", "));
    Ok(())
}

/// Journal, kernel log, console, events, reports.
pub fn not_in_logs(scene: &mut Scene<'_>) -> Result<()> {
    let folder = scene.folder.clone();
    let installed = scene.installed()?;
    let journal = installed.ssh.sudo("journalctl --no-pager -a -o export")?;
    ensure!(journal.contains("homelab"), "the journal arrived without a word of the installer");
    none_in("the journal", installed, journal.as_bytes())?;
    for name in ["serial.log", "events.jsonl"] {
        let bytes = std::fs::read(folder.join(name))?;
        ensure!(!bytes.is_empty(), "{name} is empty");
        none_in(name, installed, &bytes)?;
    }
    for command in ["homelab report", "homelab report --json", "homelab status", "homelab plan"] {
        // What it thinks of the box's health is not the question here.
        let said = installed.ssh.finish_as("root", command, b"")?;
        ensure!(!said.stdout.is_empty(), "`{command}` says nothing: {}", said.stderr);
        none_in(command, installed, format!("{}{}", said.stdout, said.stderr).as_bytes())?;
    }
    Ok(())
}

/// What Docker tells about containers, and what runs with which arguments and environment.
pub fn not_in_containers(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let said = installed
        .ssh
        .sudo("docker inspect $(docker ps -aq); docker image ls -q | xargs docker image inspect")?;
    ensure!(said.contains("authelia"), "docker inspect knows no authelia");
    none_in("docker inspect", installed, said.as_bytes())?;
    let said = installed.ssh.sudo(
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr \"\\0\" \"\\n\"; true",
    )?;
    ensure!(said.contains("dockerd"), "/proc tells nothing of dockerd");
    // A process's environment is its own business unless it is an argument; `docker inspect`
    // is where an environment becomes readable, so only arguments are searched here.
    let arguments =
        installed.ssh.run("cat /proc/[0-9]*/cmdline 2>/dev/null | tr \"\\0\" \"\\n\"; true")?;
    none_in("an argument list", installed, arguments.as_bytes())
}

/// Prints each file that a user without rights can read and that holds one of the patterns.
/// They come by standard input: sudo writes the command itself to the journal.
const SEARCH: &str = "umask 077; t=$(mktemp); cat > $t; \
    find / /run /tmp /boot/efi -xdev -type f -not -path \"$t\" -readable -print0 2>/dev/null | \
    xargs -0 -r grep -laF -f $t -- 2>/dev/null; rm -f $t; true";

/// Everything that an unprivileged user of the box can read.
pub fn not_in_readable_files(scene: &mut Scene<'_>) -> Result<()> {
    let installed = scene.installed()?;
    let control = "Zaun-control-0123456789";
    installed.ssh.write("/var/tmp/control", "0644", control.as_bytes())?;
    let mut patterns = format!("{control}\n");
    for (_, canary) in installed.wish.canaries().all() {
        patterns.push_str(canary);
        patterns.push('\n');
    }
    let said = installed.ssh.finish_as("nobody", SEARCH, patterns.as_bytes())?;
    installed.ssh.sudo("rm /var/tmp/control")?;
    let mut found: Vec<&str> = said.stdout.lines().collect();
    let before = found.len();
    found.retain(|path| *path != "/var/tmp/control");
    ensure!(found.len() < before, "the search does not even find its control: {said:?}");
    if !found.is_empty() {
        bail!("secrets are readable by everybody in {}", found.join(", "));
    }
    Ok(())
}

/// The raw bytes of the partition that carried the seed, read from outside, as whoever pulls the plug and
/// takes the disk does. It is the last check of its story.
pub fn not_on_the_seed_partition(scene: &mut Scene<'_>) -> Result<()> {
    let folder = scene.folder.clone();
    let Some(mut installed) = scene.installed.take() else { bail!("there is no box") };
    installed.write_down(&folder);
    installed.ssh.disconnect();
    let wish = installed.wish.clone();
    let spec = installed.machine.unplug()?;
    let bytes = spec.disks[spec.boot_from].seed_partition()?;
    // Control: the name of the admin is no secret, and the redacted seed still tells it.
    let told = bytes.windows(7).any(|window| window == b"[admin]");
    ensure!(told, "the SEED partition does not hold the redacted seed");
    let found = wish.canaries().found_in(&bytes);
    ensure!(found.is_empty(), "the SEED partition still shows {}", found.join(", "));
    Ok(())
}
