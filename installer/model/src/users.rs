//! The login service's users file, read and changed without losing what others wrote into it.
//!
//! The login service writes the file too, whenever somebody changes a password in the portal, so
//! what we do not know about a user is kept as it is, in its order.

use std::fmt::Write as _;

use serde::Serialize;
use serde_yaml_ng::{Mapping, Value};

use crate::{
    Secret,
    catalogue::nearest,
    seed::rules::{self, Refused},
};

/// Where it lies on the box. The login service notices when it changes.
pub const FILE: &str = "/opt/stacks/core/authelia/data/users_database.yml";
/// Its owner: the user and group of the login service.
pub const OWNER: (u32, u32) = (4002, 4002);
/// Its permission bits.
pub const MODE: u32 = 0o600;
/// The group of those who may see admin pages.
pub const ADMINS: &str = "admins";
/// How names of accounts begin that `homelab access` makes for as long as it measures.
pub const PASSING: &str = "homelab-access-";

/// What is told of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Name that they log in with.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Groups.
    pub groups: Vec<String>,
    /// They cannot log in.
    pub disabled: bool,
}

/// The users file.
#[derive(Debug, Clone)]
pub struct Users {
    /// Its comment at the beginning.
    head: String,
    root: Mapping,
}

impl Users {
    /// Reads the file's text.
    ///
    /// # Errors
    /// It is no users file.
    pub fn parse(text: &Secret) -> Result<Self, Refused> {
        let text = text.reveal();
        let is_head = |line: &&str| line.starts_with('#') || line.trim().is_empty();
        let head = text.lines().take_while(is_head).map(|line| format!("{line}\n")).collect();
        // The parser's own message could repeat a hash.
        let wrong = || {
            let hint = "correct it by hand, or put a copy from a backup in its place";
            Refused::new(format!("`{FILE}` is no list of users"), hint)
        };
        let root: Mapping = serde_yaml_ng::from_str(text).map_err(|_| wrong())?;
        match root.get("users") {
            Some(Value::Mapping(users)) if users.values().all(Value::is_mapping) => {
                Ok(Self { head, root })
            }
            _ => Err(wrong()),
        }
    }

    /// The file's text.
    ///
    /// # Errors
    /// It cannot be written as YAML, which is a bug.
    pub fn text(&self) -> Result<Secret, Refused> {
        let body = serde_yaml_ng::to_string(&self.root);
        let body = body.map_err(|error| Refused::new(format!("no YAML: {error}"), ""))?;
        Ok(Secret::new(format!("{}{body}", self.head)))
    }

    /// All users, in the order of the file.
    pub fn list(&self) -> Vec<User> {
        let entries = self.entries().into_iter().flatten();
        entries.map(|(name, about)| user(&text_of(Some(name)), about)).collect()
    }

    /// The user of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn user(&self, name: &str) -> Result<User, Refused> {
        self.list().into_iter().find(|user| user.name == name).ok_or_else(|| self.unknown(name))
    }

    /// Is a user of this name free to be made, by the rules of the seed?
    ///
    /// # Errors
    /// Why not.
    pub fn check_new(&self, user: &User) -> Result<(), Refused> {
        rules::user_name(&user.name)?;
        rules::email(&user.email)?;
        for group in &user.groups {
            check_group(group)?;
        }
        if user.name.starts_with(PASSING) {
            let what = format!("names that begin with `{PASSING}` are those of `homelab access`");
            return Err(Refused::new(what, "choose another"));
        }
        if self.list().iter().any(|known| known.name == user.name) {
            let hint = format!(
                "choose another name; `homelab auth reset {0}` gives `{0}` a new password",
                user.name
            );
            return Err(Refused::new(format!("there is a user `{}` already", user.name), hint));
        }
        Ok(())
    }

    /// Adds a user with the argon2id hash of a password; nothing is checked.
    pub fn add(&mut self, user: &User, hash: &Secret) {
        let mut about = Mapping::new();
        about.insert("disabled".into(), user.disabled.into());
        about.insert("displayname".into(), user.name.clone().into());
        about.insert("email".into(), user.email.clone().into());
        about.insert("password".into(), hash.reveal().into());
        let groups = user.groups.iter().map(|group| Value::from(group.clone())).collect();
        about.insert("groups".into(), Value::Sequence(groups));
        if let Some(users) = self.entries_mut() {
            users.insert(user.name.clone().into(), Value::Mapping(about));
        }
    }

    /// Gives a user another password, by its argon2id hash.
    ///
    /// # Errors
    /// There is no such user.
    pub fn set_password(&mut self, name: &str, hash: &Secret) -> Result<(), Refused> {
        let unknown = self.unknown(name);
        let about = self.entries_mut().and_then(|users| users.get_mut(name));
        let about = about.and_then(Value::as_mapping_mut).ok_or(unknown)?;
        about.insert("password".into(), hash.reveal().into());
        Ok(())
    }

    /// Removes a user.
    ///
    /// # Errors
    /// There is no such user, or it is the last admin.
    pub fn remove(&mut self, name: &str) -> Result<(), Refused> {
        let gone = self.user(name)?;
        let others = self.list();
        let others = others.iter().filter(|user| user.name != name);
        if is_admin(&gone) && !others.into_iter().any(is_admin) {
            let what = format!("`{name}` is the last admin, and nobody else could see admin pages");
            let hint = format!(
                "make another one first: `homelab auth user add NAME --email … --group {ADMINS}`"
            );
            return Err(Refused::new(what, hint));
        }
        if let Some(users) = self.entries_mut() {
            users.shift_remove(name);
        }
        Ok(())
    }

    /// Removes the accounts that `homelab access` makes; their names.
    pub fn remove_passing(&mut self) -> Vec<String> {
        let names: Vec<String> = self.list().into_iter().map(|user| user.name).collect();
        let names: Vec<String> =
            names.into_iter().filter(|name| name.starts_with(PASSING)).collect();
        if let Some(users) = self.entries_mut() {
            users.retain(|name, _| !names.contains(&text_of(Some(name))));
        }
        names
    }

    fn entries(&self) -> Option<&Mapping> {
        self.root.get("users")?.as_mapping()
    }

    fn entries_mut(&mut self) -> Option<&mut Mapping> {
        self.root.get_mut("users")?.as_mapping_mut()
    }

    fn unknown(&self, name: &str) -> Refused {
        let known: Vec<String> = self.list().into_iter().map(|user| user.name).collect();
        let mut hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", known.join(", ")),
        };
        if known.is_empty() {
            hint.clear();
            let _ = write!(hint, "`homelab auth user add {name} --email …` makes one");
        }
        Refused::new(format!("there is no user `{name}`"), hint)
    }
}

/// Somebody who can log in and see admin pages, today and tomorrow.
fn is_admin(user: &User) -> bool {
    !user.disabled
        && !user.name.starts_with(PASSING)
        && user.groups.iter().any(|group| group == ADMINS)
}

fn user(name: &str, about: &Value) -> User {
    let groups = about.get("groups").and_then(Value::as_sequence);
    User {
        name: name.to_owned(),
        email: text_of(about.get("email")),
        groups: groups.into_iter().flatten().map(|group| text_of(Some(group))).collect(),
        disabled: about.get("disabled").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// YAML reads a name such as `123` as a number.
fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(yes)) => yes.to_string(),
        _ => String::new(),
    }
}

fn check_group(group: &str) -> Result<(), Refused> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if (1..=32).contains(&group.len()) && group.bytes().all(plain) {
        return Ok(());
    }
    let hint = "write 1 to 32 of `a`-`z`, `0`-`9`, `_`, `-`, such as `admins` or `family`";
    Err(Refused::new(format!("`{group}` is no name of a group"), hint))
}

#[cfg(test)]
mod tests;
