//! The admin's account, and nobody else's: root is locked.

use std::collections::BTreeSet;

use host::{
    Command, files, password,
    users::{self, Account},
};
use model::{
    Digest, Secret,
    plan::{Identity, PasswordWish},
    secret::Notation,
};

use crate::{
    failure::{Context as _, Result, Trouble},
    scene::Scene,
    state::{Applied, Kept as _},
    steps::Holding,
};

/// Below are accounts of the system.
const FIRST_PERSON: u32 = 1000;
/// `sudo` alone: whoever is in `docker` is root without a password and without a trace.
const GROUP: &str = "sudo";

pub(super) fn check(identity: &Identity, scene: &Scene<'_>) -> Result<()> {
    let name = &identity.admin;
    if users::account(scene.host(), name)?.is_some_and(|account| account.user < FIRST_PERSON) {
        return Err(Trouble::new(
            format!("`{name}` is an account of the system and cannot be the admin"),
            "choose another `[admin] name`",
        ));
    }
    secret(identity, scene).map(drop)
}

pub(super) fn look(identity: &Identity, scene: &Scene<'_>, holding: &mut Holding) -> Result<()> {
    let name = &identity.admin;
    let Some(account) = users::account(scene.host(), name)? else {
        holding.lacks(format!("there is no user {name}"));
        return Ok(());
    };
    holding.need(in_group(&account), || format!("{name} is not in the group {GROUP}"));
    holding.need(root_is_locked(scene)?, || "root has a password".to_owned());
    let applied = Applied::load(scene.host())?;
    let wanted = keys(identity, &applied, &present_keys(&account, scene)?);
    let path = scene.host().path(keys_path(&account));
    let owner = (account.user, account.group);
    let good = files::same(path, wanted, 0o600, owner)? && applied.ssh_keys == identity.ssh_keys;
    holding.need(good, || format!("the SSH keys of {name} are not as planned"));
    let set = password_is_set(identity, scene, &applied)?;
    holding.need(set, || format!("the password of {name} is not the seed's"));
    Ok(())
}

pub(super) fn make(identity: &Identity, scene: &Scene<'_>) -> Result<()> {
    let name = &identity.admin;
    if users::account(scene.host(), name)?.is_none() {
        scene
            .run(Command::new("useradd").args([
                "--create-home",
                "--user-group",
                "--shell",
                "/bin/bash",
                name,
            ]))
            .because(format!("the user {name} cannot be made"), "")?;
    }
    let account = users::account(scene.host(), name)?
        .ok_or_else(|| Trouble::new(format!("`useradd` made no user {name}"), ""))?;
    if !in_group(&account) {
        scene.run(Command::new("usermod").args(["--append", "--groups", GROUP, name]))?;
    }
    let mut applied = Applied::load(scene.host())?;

    let owner = (account.user, account.group);
    let text = keys(identity, &applied, &present_keys(&account, scene)?);
    let path = scene.host().path(keys_path(&account));
    if let Some(folder) = path.parent() {
        files::ensure_folder(folder, 0o700, owner)?;
    }
    files::ensure(path, text, 0o600, owner)?;
    applied.ssh_keys.clone_from(&identity.ssh_keys);
    applied.save(scene.host())?;

    if !password_is_set(identity, scene, &applied)? {
        let secret = secret(identity, scene)?;
        let command = Command::new("chpasswd");
        let command = match identity.password {
            PasswordWish::Plain(_) => command,
            PasswordWish::Hash(_) => command.arg("--encrypted"),
        };
        scene
            .run(command.stdin(Secret::new(format!("{name}:{}\n", secret.reveal()))))
            .because(format!("the password of {name} cannot be set"), "")?;
        let trace = trace(identity, &secret)?;
        scene.remember(&secret, &Secret::new(&*trace));
        applied.admin_password = Some(trace);
        applied.save(scene.host())?;
    }
    if !root_is_locked(scene)? {
        scene.run(Command::new("passwd").args(["--quiet", "--lock", "root"]))?;
    }
    Ok(())
}

/// No password at all would let anybody in at the console.
fn root_is_locked(scene: &Scene<'_>) -> Result<bool> {
    let root = users::account(scene.host(), "root")?;
    Ok(root.is_none_or(|root| !root.hash.is_empty() && !root.has_password()))
}

fn in_group(account: &Account) -> bool {
    account.groups.iter().any(|group| group == GROUP)
}

fn keys_path(account: &Account) -> String {
    format!("{}/.ssh/authorized_keys", account.home.display())
}

fn present_keys(account: &Account, scene: &Scene<'_>) -> Result<String> {
    Ok(scene.read(&keys_path(account))?.unwrap_or_default())
}

/// The seed's keys, then those that the owner added by hand. A key that came from an earlier seed
/// and is not in this one is gone: that is how access is taken away.
fn keys(identity: &Identity, applied: &Applied, present: &str) -> String {
    let ours: BTreeSet<&str> =
        identity.ssh_keys.iter().chain(&applied.ssh_keys).map(|key| key.trim()).collect();
    let added = present.lines().filter(|line| !ours.contains(line.trim()) && !line.is_empty());
    let all = identity.ssh_keys.iter().map(|key| key.trim()).chain(added);
    all.map(|key| format!("{key}\n")).collect()
}

fn secret(identity: &Identity, scene: &Scene<'_>) -> Result<Secret> {
    let (PasswordWish::Plain(name) | PasswordWish::Hash(name)) = &identity.password;
    scene.secret(name)
}

/// Was this password of the seed set before? Then what `passwd` made of it since is the owner's.
fn password_is_set(identity: &Identity, scene: &Scene<'_>, applied: &Applied) -> Result<bool> {
    let Some(known) = &applied.admin_password else { return Ok(false) };
    let secret = secret(identity, scene)?;
    match identity.password {
        PasswordWish::Hash(_) => Ok(*known == trace(identity, &secret)?),
        PasswordWish::Plain(_) => {
            let known = Secret::new(known);
            Ok(scene.belong(&secret, &known, Notation::Argon2id))
        }
    }
}

/// What is remembered of a password: enough to know it again, not enough to use it.
fn trace(identity: &Identity, secret: &Secret) -> Result<String> {
    Ok(match identity.password {
        PasswordWish::Hash(_) => Digest::of(secret.reveal()).to_string(),
        PasswordWish::Plain(_) => password::digest(secret, Notation::Argon2id)?.reveal().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use model::secret::SecretRef;

    use super::*;

    #[test]
    fn keys_of_a_former_seed_go_and_those_of_the_owner_stay() {
        let identity = Identity {
            hostname: String::new(),
            fqdn: String::new(),
            timezone: String::new(),
            locale: String::new(),
            keyboard: String::new(),
            admin: "alex".into(),
            ssh_keys: vec!["ssh-ed25519 NEW laptop".into()],
            password: PasswordWish::Plain(SecretRef::new("admin-password")),
        };
        let applied = Applied { ssh_keys: vec!["ssh-ed25519 OLD".into()], ..Applied::default() };
        let present = "ssh-ed25519 OLD\n# by hand\nssh-ed25519 MINE phone\n";
        let after = keys(&identity, &applied, present);
        assert_eq!(after, "ssh-ed25519 NEW laptop\n# by hand\nssh-ed25519 MINE phone\n");
        assert_eq!(keys(&identity, &applied, &after), after);
    }
}
