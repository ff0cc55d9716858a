//! `[system]` and `[admin]`.

use super::{
    super::{Admin, AdminPassword, Domain, System, reader::Table, shape},
    twice,
};

pub(super) fn system(table: &Table<'_>) -> Option<System> {
    let hostname = table.or("hostname", "homelab", shape::host_label);
    let timezone = table.or("timezone", "Etc/UTC", shape::timezone);
    let locale = table.or("locale", "en_US.UTF-8", shape::locale);
    let keyboard = table.or("keyboard", "us", shape::keyboard);
    Some(System { hostname: hostname?, timezone: timezone?, locale: locale?, keyboard: keyboard? })
}

pub(super) fn admin(table: &Table<'_>, domain: Option<&Domain>) -> Option<Admin> {
    let name: Option<String> = table.or("name", "admin", shape::user_name);
    let email = table.optional("email", shape::email);
    let password = password(table);
    let ssh_keys = table.list("ssh_keys", shape::ssh_key);
    if let Some(keys) = &ssh_keys {
        twice(table, keys, |_| "this key".to_owned());
    }
    let name = name?;
    let email = match email? {
        Some(email) => email.value,
        None => format!("{name}@{}", domain?.name),
    };
    let ssh_keys = ssh_keys?.into_iter().map(|key| key.value).collect();
    Some(Admin { name, email, password: password?, ssh_keys })
}

fn password(table: &Table<'_>) -> Option<AdminPassword> {
    let plain = table.secret("password", shape::password);
    let hashes = table.table("password_hash");
    let linux = hashes.secret("linux", shape::crypt_hash);
    let sso = hashes.secret("sso", shape::argon2id);
    match (table.has("password"), table.has("password_hash")) {
        (true, true) => {
            table.sink().push(
                table.key_place("password_hash"),
                "`password` and `password_hash` are both given",
                "keep one: `password_hash` if the password shall not stand in the seed",
            );
            None
        }
        (true, false) => plain?.map(AdminPassword::Plain),
        (false, true) => Some(AdminPassword::Hashes { linux: linux??, sso: sso?? }),
        (false, false) => {
            if table.is_there() {
                table.sink().missing(
                    table.place(),
                    "`[admin]` needs `password` or `password_hash`",
                    "add `password = \"…\"`, or `password = { ask = true }` to be asked for it",
                );
            }
            None
        }
    }
}
