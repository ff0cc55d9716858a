//! Host name, time zone, locale, keyboard.

use std::{fs, io::ErrorKind, os::unix::fs::symlink, path::Path};

use host::{Command, files};
use model::plan::Identity;

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::{Progress, Scene},
    steps::Holding,
};

const HOSTNAME: &str = "/etc/hostname";
const HOSTS: &str = "/etc/hosts";
const LOCALTIME: &str = "/etc/localtime";
const TIMEZONE: &str = "/etc/timezone";
const ZONES: &str = "/usr/share/zoneinfo";
const LOCALE: &str = "/etc/locale.conf";
const LOCALES: &str = "/etc/locale.gen";
/// The console's `/etc/vconsole.conf` is a link to it, which Debian makes anew at every boot.
const KEYBOARD: &str = "/etc/default/keyboard";

pub(super) fn check(identity: &Identity, scene: &Scene<'_>) -> Result<()> {
    if scene.host().path(zone(identity)).is_file() {
        return Ok(());
    }
    Err(Trouble::new(
        format!("this system knows no time zone `{}`", identity.timezone),
        "write one of `timedatectl list-timezones` into `[system] timezone`",
    ))
}

pub(super) fn look(identity: &Identity, scene: &Scene<'_>, holding: &mut Holding) -> Result<()> {
    for (path, text) in texts(identity) {
        let same = files::same(scene.host().path(&path), text, 0o644, (0, 0))?;
        holding.need(same, || format!("`{path}` is not as planned"));
    }
    let hosts = scene.read(HOSTS)?.unwrap_or_default();
    holding.need(hosts.lines().any(|line| line == own_line(identity)), || {
        format!("`{HOSTS}` does not name this box")
    });
    let zone_set = fs::read_link(scene.host().path(LOCALTIME))
        .is_ok_and(|target| Path::new("/etc").join(&target) == Path::new(&linked(identity)));
    holding.need(zone_set, || format!("the time zone is not {}", identity.timezone));
    holding.need(locale_exists(identity, scene)?, || {
        format!("the locale {} is not generated", identity.locale)
    });
    Ok(())
}

pub(super) fn make(
    identity: &Identity,
    scene: &Scene<'_>,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let host = scene.host();
    let renamed = scene.read(HOSTNAME)?.is_none_or(|name| name.trim() != identity.hostname);
    for (path, text) in texts(identity) {
        let path = host.path(&path);
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            files::ensure_folder(folder, 0o755, (0, 0))?;
        }
        files::ensure(path, text, 0o644, (0, 0))?;
    }
    let hosts = scene.read(HOSTS)?.unwrap_or_default();
    files::ensure(host.path(HOSTS), with_own_line(&hosts, identity), 0o644, (0, 0))?;
    if renamed {
        // The running kernel's name too; the files alone count from the next boot.
        scene
            .run(Command::new("hostnamectl").args(["hostname", &identity.hostname]))
            .because("the host name cannot be set", "")?;
    }
    link(&host.path(LOCALTIME), &format!("..{}", zone(identity)))?;
    if !locale_exists(identity, scene)? {
        progress.note(format!("generating the locale {}", identity.locale));
        let line = format!("{} UTF-8", identity.locale);
        let list = scene.read(LOCALES)?.unwrap_or_default();
        if !list.lines().any(|found| found == line) {
            files::ensure(host.path(LOCALES), format!("{list}{line}\n"), 0o644, (0, 0))?;
        }
        let long = std::time::Duration::from_secs(600);
        scene.run(Command::new("locale-gen").timeout(long)).because(
            format!("the locale {} cannot be generated", identity.locale),
            "choose one of `/usr/share/i18n/SUPPORTED` for `[system] locale`",
        )?;
    }
    Ok(())
}

/// Files that hold nothing but what we write.
fn texts(identity: &Identity) -> Vec<(String, String)> {
    let layout = &identity.keyboard;
    let keyboard = format!(
        "KEYMAP={layout}\nXKBMODEL=pc105\nXKBLAYOUT={layout}\nXKBVARIANT=\nXKBOPTIONS=\n\
         BACKSPACE=guess\n"
    );
    vec![
        (HOSTNAME.to_owned(), format!("{}\n", identity.hostname)),
        (TIMEZONE.to_owned(), format!("{}\n", identity.timezone)),
        (LOCALE.to_owned(), format!("LANG={}\n", identity.locale)),
        (KEYBOARD.to_owned(), keyboard),
    ]
}

fn zone(identity: &Identity) -> String {
    format!("{ZONES}/{}", identity.timezone)
}

/// What `/etc/localtime` points to, seen from `/etc`.
fn linked(identity: &Identity) -> String {
    format!("/etc/..{}", zone(identity))
}

/// Debian's way to give a box without a fixed address its full name.
fn own_line(identity: &Identity) -> String {
    if identity.fqdn == identity.hostname {
        format!("127.0.1.1\t{}", identity.hostname)
    } else {
        format!("127.0.1.1\t{} {}", identity.fqdn, identity.hostname)
    }
}

/// The owner's own lines stay.
fn with_own_line(hosts: &str, identity: &Identity) -> String {
    let mut lines: Vec<String> = hosts
        .lines()
        .filter(|line| line.split_whitespace().next() != Some("127.0.1.1"))
        .map(str::to_owned)
        .collect();
    let names = |line: &String, address: &str| line.split_whitespace().next() == Some(address);
    if !lines.iter().any(|line| names(line, "127.0.0.1")) {
        lines.insert(0, "127.0.0.1\tlocalhost".to_owned());
    }
    if !lines.iter().any(|line| names(line, "::1")) {
        lines.push("::1\tlocalhost ip6-localhost ip6-loopback".to_owned());
    }
    let at = lines.iter().position(|line| names(line, "127.0.0.1")).map_or(0, |at| at + 1);
    lines.insert(at, own_line(identity));
    lines.join("\n") + "\n"
}

/// `en_US.UTF-8` is `en_US.utf8` in the list.
fn locale_exists(identity: &Identity, scene: &Scene<'_>) -> Result<bool> {
    let plain = |name: &str| name.to_lowercase().replace("utf-8", "utf8");
    let list = scene.run(Command::new("locale").arg("--all-locales"))?.stdout;
    Ok(list.lines().any(|name| plain(name.trim()) == plain(&identity.locale)))
}

/// Replaces a symbolic link as a whole.
fn link(path: &Path, target: &str) -> Result<()> {
    if fs::read_link(path).is_ok_and(|found| found == Path::new(target)) {
        return Ok(());
    }
    let failed = || format!("`{}` cannot be made a link", path.display());
    let fresh = path.with_extension("homelab");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).because(failed(), "");
        }
        _ => {}
    }
    symlink(target, &fresh).because(failed(), "")?;
    fs::rename(&fresh, path).because(failed(), "")
}

#[cfg(test)]
mod tests {
    use model::{plan::PasswordWish, secret::SecretRef};

    use super::*;

    fn identity() -> Identity {
        Identity {
            hostname: "homelab".into(),
            fqdn: "homelab.home.arpa".into(),
            timezone: "Europe/Berlin".into(),
            locale: "en_US.UTF-8".into(),
            keyboard: "de".into(),
            admin: "alex".into(),
            ssh_keys: Vec::new(),
            password: PasswordWish::Plain(SecretRef::new("admin-password")),
        }
    }

    #[test]
    fn the_own_line_replaces_an_older_one_and_nothing_else() {
        let before = "127.0.0.1 localhost\n127.0.1.1 debian\n192.168.1.2 nas\n::1 localhost\n";
        let after = "127.0.0.1 localhost\n127.0.1.1\thomelab.home.arpa homelab\n\
                     192.168.1.2 nas\n::1 localhost\n";
        assert_eq!(with_own_line(before, &identity()), after);
        assert_eq!(with_own_line(after, &identity()), after);
        assert_eq!(
            with_own_line("", &identity()),
            "127.0.0.1\tlocalhost\n127.0.1.1\thomelab.home.arpa homelab\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\n"
        );
    }
}
