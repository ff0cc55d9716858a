//! Accounts, as `/etc/passwd`, `/etc/shadow` and `/etc/group` have them.

use std::path::PathBuf;

use crate::{Host, Result, files};

/// A line of `/etc/passwd` with its password field of `/etc/shadow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Number.
    pub user: u32,
    /// Number of the primary group.
    pub group: u32,
    /// Home folder.
    pub home: PathBuf,
    /// Login shell.
    pub shell: String,
    /// crypt(5) hash; `!` or `*` at its beginning: no password opens it. Empty: none is asked.
    pub hash: String,
    /// Names of further groups, sorted.
    pub groups: Vec<String>,
}

impl Account {
    /// Can anybody log in with a password?
    pub fn has_password(&self) -> bool {
        !self.hash.is_empty() && !self.hash.starts_with(['!', '*'])
    }
}

/// The account of this name, if there is one.
///
/// # Errors
/// `/etc/passwd`, `/etc/shadow` or `/etc/group` cannot be read.
pub fn account(host: &Host, name: &str) -> Result<Option<Account>> {
    let passwd = files::read_text(host.path("/etc/passwd"))?;
    let shadow = files::read_text_optional(host.path("/etc/shadow"))?.unwrap_or_default();
    let group = files::read_text_optional(host.path("/etc/group"))?.unwrap_or_default();
    Ok(find(name, &passwd, &shadow, &group))
}

fn find(name: &str, passwd: &str, shadow: &str, group: &str) -> Option<Account> {
    let fields = fields_of(name, passwd)?;
    let [_, _, user, primary, _, home, shell] = fields[..] else { return None };
    let hash = fields_of(name, shadow).and_then(|fields| fields.get(1).copied());
    let mut groups: Vec<String> = group
        .lines()
        .filter_map(|line| {
            let (group, rest) = line.split_once(':')?;
            let members = rest.rsplit(':').next()?;
            members.split(',').any(|member| member == name).then(|| group.to_owned())
        })
        .collect();
    groups.sort_unstable();
    Some(Account {
        name: name.to_owned(),
        user: user.parse().ok()?,
        group: primary.parse().ok()?,
        home: home.into(),
        shell: shell.to_owned(),
        hash: hash.unwrap_or("!").to_owned(),
        groups,
    })
}

fn fields_of<'t>(name: &str, text: &'t str) -> Option<Vec<&'t str>> {
    text.lines().map(|line| line.split(':').collect()).find(|fields: &Vec<_>| fields[0] == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          alex:x:1000:1001:Alex,,,:/home/alex:/bin/bash\n\
                          broken:x:one:2:::\n";
    const SHADOW: &str = "root:*:20000:0:99999:7:::\nalex:$y$j9T$salt$hash:20000:0:99999:7:::\n";
    const GROUP: &str = "root:x:0:\nsudo:x:27:alex\nadm:x:4:syslog,alex\nalex:x:1001:\n\
                         alexandra:x:5:alexandra\n";

    #[test]
    fn an_account_has_hash_and_groups() {
        let alex = find("alex", PASSWD, SHADOW, GROUP).unwrap();
        assert_eq!((alex.user, alex.group), (1000, 1001));
        assert_eq!(alex.home, PathBuf::from("/home/alex"));
        assert_eq!(alex.hash, "$y$j9T$salt$hash");
        assert_eq!(alex.groups, ["adm", "sudo"]);
        assert!(alex.has_password());
    }

    #[test]
    fn locked_missing_and_broken_accounts() {
        assert!(!find("root", PASSWD, SHADOW, GROUP).unwrap().has_password());
        assert_eq!(find("root", PASSWD, "", "").unwrap().hash, "!", "no shadow line: locked");
        assert_eq!(find("ale", PASSWD, SHADOW, GROUP), None);
        assert_eq!(find("broken", PASSWD, SHADOW, GROUP), None);
    }
}
