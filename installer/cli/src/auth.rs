//! `auth`: the login service's users, and what it would mail.

use clap::{Args, Subcommand};
use host::{Host, files, login_users, password, random};
use model::{
    Secret,
    notification::{self, Notification},
    secret::Notation,
    seed::rules::{self, Refused},
    users::{self, User, Users},
};

use crate::{
    command_line::say,
    day_two::{need_root, pretty, read_seed},
    failure::Failure,
    lock,
};

/// Characters of a password that is made for somebody: 119 bits.
const LENGTH: usize = 20;

/// What can be asked of `auth`.
#[derive(Debug, Subcommand)]
pub enum Auth {
    /// Show the one-time code or link that the login service has written for somebody
    Code,
    /// Give a user a new password
    Reset {
        /// Who
        user: String,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Who can log in
    #[command(subcommand)]
    User(UserVerb),
}

/// What can be asked of `auth user`.
#[derive(Debug, Subcommand)]
pub enum UserVerb {
    /// Make a user
    Add {
        /// Name to log in with
        name: String,
        /// Mail address
        #[arg(long)]
        email: String,
        /// Group, such as `admins`; may be given several times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Show all users
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a user
    Remove {
        /// Who
        name: String,
    },
}

/// Where a new password comes from.
#[derive(Debug, Args)]
pub struct NewPassword {
    /// Make a password and print it, in place of asking for one
    #[arg(long)]
    generate: bool,
}

/// Does what is asked.
///
/// # Errors
/// It cannot be done; the users are as they were.
pub fn auth(host: &Host, asked: Auth) -> Result<u8, Failure> {
    need_root(match &asked {
        Auth::Code => "auth code",
        Auth::Reset { .. } => "auth reset",
        Auth::User(UserVerb::Add { .. }) => "auth user add",
        Auth::User(UserVerb::List { .. }) => "auth user list",
        Auth::User(UserVerb::Remove { .. }) => "auth user remove",
    })?;
    carry_out(host, asked)
}

fn carry_out(host: &Host, asked: Auth) -> Result<u8, Failure> {
    match asked {
        Auth::Code => code(host),
        Auth::Reset { user, password } => reset(host, &user, &password),
        Auth::User(UserVerb::List { json }) => list(host, json),
        Auth::User(UserVerb::Remove { name }) => remove(host, &name),
        Auth::User(UserVerb::Add { name, email, groups, password }) => {
            add(host, &User { name, email, groups, disabled: false }, &password)
        }
    }
}

fn code(host: &Host) -> Result<u8, Failure> {
    let (seed, _) = read_seed(host, None)?;
    if let Some(smtp) = &seed.notifications.smtp {
        say(&format!("codes are sent by mail, through {}\n", smtp.server));
        return Ok(0);
    }
    let text = files::read_text_optional(host.path(notification::FILE))?.unwrap_or_default();
    let told = Notification::parse(&text);
    say(&terminal::people::notification(told.as_ref(), host.clock.epoch()));
    Ok(0)
}

fn reset(host: &Host, name: &str, wanted: &NewPassword) -> Result<u8, Failure> {
    let _lock = lock::take_users(host, "auth reset")?;
    // Before anybody is asked anything.
    read(host)?.user(name).map_err(failure)?;
    let secret = new_password(name, wanted)?;
    let hash = password::digest(&secret, Notation::Argon2id)?;
    // Read again: a person may have typed for long.
    let mut users = read(host)?;
    users.set_password(name, &hash).map_err(failure)?;
    login_users::write(host, &users)?;
    told(&format!("`{name}` has a new password"), &secret, wanted);
    Ok(0)
}

fn add(host: &Host, user: &User, wanted: &NewPassword) -> Result<u8, Failure> {
    let _lock = lock::take_users(host, "auth user add")?;
    read(host)?.check_new(user).map_err(failure)?;
    let secret = new_password(&user.name, wanted)?;
    let hash = password::digest(&secret, Notation::Argon2id)?;
    let mut users = read(host)?;
    users.check_new(user).map_err(failure)?;
    users.add(user, &hash);
    login_users::write(host, &users)?;
    told(&format!("`{}` can log in now", user.name), &secret, wanted);
    Ok(0)
}

fn list(host: &Host, json: bool) -> Result<u8, Failure> {
    let list = read(host)?.list();
    say(&if json { pretty(&list)? } else { terminal::people::users(&list) });
    Ok(0)
}

fn remove(host: &Host, name: &str) -> Result<u8, Failure> {
    let _lock = lock::take_users(host, "auth user remove")?;
    let mut users = read(host)?;
    users.remove(name).map_err(failure)?;
    login_users::write(host, &users)?;
    say(&format!("`{name}` cannot log in any more\n"));
    Ok(0)
}

fn new_password(name: &str, wanted: &NewPassword) -> Result<Secret, Failure> {
    if wanted.generate {
        return Ok(random::alphanumeric(LENGTH)?);
    }
    if !terminal::prompt::possible() {
        let hint = "add `--generate` to have one made and printed";
        return Err(Failure::machine("there is no terminal to ask for a password", hint));
    }
    let check = |secret: &Secret| {
        rules::password(secret).map_err(|refused| format!("{}: {}", refused.what, refused.hint))
    };
    terminal::prompt::new_password(&format!("New password of {name}"), check)
        .map_err(|error| Failure::machine(format!("no password was given: {error}"), ""))
}

fn told(what: &str, secret: &Secret, wanted: &NewPassword) {
    match wanted.generate {
        true => say(&format!("{what}: {}\n", secret.reveal())),
        false => say(&format!("{what}\n")),
    }
}

fn read(host: &Host) -> Result<Users, Failure> {
    login_users::read(host)?.ok_or_else(|| {
        let hint = "`sudo homelab apply` writes it";
        Failure::machine(format!("there is no users file `{}`", users::FILE), hint)
    })
}

fn failure(refused: Refused) -> Failure {
    Failure::machine(refused.what, refused.hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host_in;

    const GENERATE: NewPassword = NewPassword { generate: true };

    fn add(name: &str, groups: &[&str]) -> Auth {
        Auth::User(UserVerb::Add {
            name: name.into(),
            email: format!("{name}@example.org"),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            password: GENERATE,
        })
    }

    #[test]
    fn a_user_comes_gets_another_password_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        let path = host.path(users::FILE);
        let text = || std::fs::read_to_string(&path).unwrap();
        let told = carry_out(&host, add("cleo", &[])).unwrap_err().text();
        assert!(told.starts_with("error: there is no users file `/opt/stacks/core/"), "{told}");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "users: {}\n").unwrap();
        carry_out(&host, add("alex", &["admins"])).unwrap();
        carry_out(&host, add("cleo", &["family"])).unwrap();
        let before = text();
        carry_out(&host, Auth::Reset { user: "cleo".into(), password: GENERATE }).unwrap();
        let after = text();
        let differ = before.lines().zip(after.lines()).filter(|(before, after)| before != after);
        let differ: Vec<_> = differ.map(|(_, after)| after.split('=').next().unwrap()).collect();
        assert_eq!(differ, ["    password: $argon2id$v"]);
        let told = carry_out(&host, add("cleo", &[])).unwrap_err().text();
        assert_eq!(
            told,
            "error: there is a user `cleo` already\n\
             hint: choose another name; `homelab auth reset cleo` gives `cleo` a new password\n"
        );
        let remove =
            |name: &str| carry_out(&host, Auth::User(UserVerb::Remove { name: name.into() }));
        remove("cleo").unwrap();
        assert_eq!(remove("alex").unwrap_err().exit(), 3);
        let names: Vec<String> = read(&host).unwrap().list().into_iter().map(|u| u.name).collect();
        assert_eq!(names, ["alex"]);
    }

    #[test]
    fn two_changes_at_once_do_not_undo_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let host = host_in(folder.path());
        let _lock = lock::take_users(&host, "access").unwrap();
        let told = carry_out(&host, add("cleo", &[])).unwrap_err().text();
        let me = std::process::id();
        assert_eq!(
            told,
            format!(
                "error: `homelab access` (process {me}) is at work on this box\n\
                 hint: wait until it is done\n"
            )
        );
    }
}
