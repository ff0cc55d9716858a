//! Two accounts that exist for as long as something is measured.

use std::time::Duration;

use host::{Command, Host, login_users, password, random};
use model::{
    Secret,
    secret::Notation,
    users::{self, User, Users},
};

use crate::failure::{Result, Trouble};

/// The login service's container, and its configuration inside.
const CONTAINER: &str = "authelia";
const CONFIGURATION: &str = "/etc/authelia/configuration.yml";
/// Characters of their passwords.
const LENGTH: usize = 32;

/// An account.
pub(super) struct Account {
    pub name: String,
    pub password: Secret,
}

/// Both. They are taken out of the users file when this is dropped, whatever the reason.
pub(super) struct Accounts<'a> {
    host: &'a Host,
    pub user: Account,
    pub admin: Account,
    removed: bool,
}

impl<'a> Accounts<'a> {
    /// Puts them into the users file.
    pub(super) fn make(host: &'a Host) -> Result<Self> {
        // Another name each time: the login service remembers which codes a name has used.
        let run = random::hexadecimal(8)?;
        let account = |kind: &str| -> Result<Account> {
            let name = format!("{}{kind}-{}", users::PASSING, run.reveal());
            Ok(Account { name, password: random::alphanumeric(LENGTH)? })
        };
        let (user, admin) = (account("user")?, account("admin")?);
        let mut file = read(host)?;
        forget(host, &file.remove_passing());
        for (account, groups) in [(&user, vec![]), (&admin, vec![users::ADMINS.to_owned()])] {
            let hash = password::digest(&account.password, Notation::Argon2id)?;
            let name = account.name.clone();
            let email = format!("{name}@homelab.invalid");
            file.add(&User { name, email, groups, disabled: false }, &hash);
        }
        // There before the file is written, so that whatever happens then is undone.
        let accounts = Self { host, user, admin, removed: false };
        login_users::write(host, &file)?;
        Ok(accounts)
    }

    /// Takes them out.
    pub(super) fn remove(mut self) -> Result<()> {
        self.removed = true;
        take_out(self.host)
    }
}

impl Drop for Accounts<'_> {
    fn drop(&mut self) {
        if !self.removed {
            // The next run tries again.
            let _ = take_out(self.host);
        }
    }
}

/// The URI of a second factor that the login service has just made for this name.
pub(super) fn second_factor(host: &Host, name: &str) -> Result<Secret, String> {
    let said = host.runner.run(&authelia("generate", name)).map_err(|error| error.to_string())?;
    let uri = said.stdout.split('\'').find(|part| part.starts_with("otpauth://"));
    uri.map(Secret::new).ok_or_else(|| "Authelia made one, but did not tell it".to_owned())
}

fn take_out(host: &Host) -> Result<()> {
    let mut file = read(host)?;
    let names = file.remove_passing();
    if !names.is_empty() {
        login_users::write(host, &file)?;
        forget(host, &names);
    }
    Ok(())
}

/// Takes the second factors of these names away. Without its account one opens nothing, so
/// a failure is none.
fn forget(host: &Host, names: &[String]) {
    for name in names {
        let _ = host.runner.run(&authelia("delete", name));
    }
}

/// The secret is the service's own and comes back on its output: an argument could be seen by
/// every user of the box.
fn authelia(verb: &str, name: &str) -> Command {
    Command::new("docker")
        .args(["exec", CONTAINER, "authelia", "storage", "user", "totp", verb, name])
        .args(["--config", CONFIGURATION])
        .timeout(Duration::from_secs(120))
}

fn read(host: &Host) -> Result<Users> {
    login_users::read(host)?.ok_or_else(|| {
        let hint = "`homelab apply` writes it";
        Trouble::new(format!("there is no users file `{}`", users::FILE), hint)
    })
}
