//! Public SSH keys from where people have them: a file, or the account at a code host.

use std::{fs, io, path::Path};

use model::seed::rules::Refused;

/// Bytes that a file with public keys has at most.
pub const LONGEST: u64 = 1 << 20;
/// Where accounts are looked up whose host is not named.
const HOST: &str = "github.com";

/// The keys of a file, one a line.
///
/// # Errors
/// It cannot be read, or holds no public key; or a private one.
pub fn of_file(path: &Path) -> Result<Vec<String>, Refused> {
    let read = || -> io::Result<String> {
        if fs::metadata(path)?.len() > LONGEST {
            return Err(io::Error::other("it is too long for a file of keys"));
        }
        fs::read_to_string(path)
    };
    let text = read().map_err(|error| {
        let what = format!("cannot read `{}`: {error}", path.display());
        Refused::new(what, "type the path of a file that ends in `.pub`")
    })?;
    of_text(&text, &path.display().to_string())
}

/// The keys of a text; `name` says where it comes from.
///
/// # Errors
/// There is none in it; or a private one.
pub fn of_text(text: &str, name: &str) -> Result<Vec<String>, Refused> {
    if text.contains("PRIVATE KEY") {
        let what = "this is a private key; it must never leave your computer";
        return Err(Refused::new(what, "type the path of the file that ends in `.pub`"));
    }
    let lines = text.lines().map(str::trim);
    let keys: Vec<String> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    match keys.is_empty() {
        true => Err(Refused::new(format!("there is no key at `{name}`"), "type another one")),
        false => Ok(keys),
    }
}

/// The keys that an account shows to everybody: `alex`, or `gitlab.com/alex`. `fetch` brings what
/// lies at an https address, or says why it cannot be had.
///
/// # Errors
/// This names no account, it cannot be fetched, or the account shows no keys.
pub fn of_account(
    typed: &str,
    fetch: impl FnOnce(&str) -> Result<String, String>,
) -> Result<Vec<String>, Refused> {
    let (host, account) = typed.split_once('/').unwrap_or((HOST, typed));
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let is_host = plain(host, b".-") && host.split('.').all(|label| !label.is_empty());
    if !is_host || !plain(account, b"._-") {
        let what = format!("`{typed}` is no name of an account");
        return Err(Refused::new(what, "write it as `alex` or `gitlab.com/alex`"));
    }
    let text = fetch(&format!("https://{host}/{account}.keys"))
        .map_err(|what| Refused::new(what, "type the keys, or go on without"))?;
    of_text(&text, typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_file_without_comments_and_never_a_private_one() {
        let folder = tempfile::tempdir().unwrap();
        let ask = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            of_file(&path)
        };
        assert_eq!(ask("a.pub", "# mine\n\n one \ntwo\n").unwrap(), ["one", "two"]);
        let refused = ask("id", "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap_err();
        assert_eq!(refused.what, "this is a private key; it must never leave your computer");
        assert!(ask("empty", "\n").unwrap_err().what.starts_with("there is no key at "));
        assert!(of_file(&folder.path().join("none")).unwrap_err().what.starts_with("cannot read"));
    }

    #[test]
    fn an_account_is_asked_for_at_its_own_host_only() {
        let asked = |typed: &str| of_account(typed, |url| Ok(format!("{url}\n")));
        assert_eq!(asked("alex").unwrap(), ["https://github.com/alex.keys"]);
        assert_eq!(asked("gitlab.com/alex").unwrap(), ["https://gitlab.com/alex.keys"]);
        for typed in ["../etc", "a b", "x@evil/alex", "evil.org/a/b", "/alex"] {
            let refused = asked(typed).unwrap_err();
            assert_eq!(refused.hint, "write it as `alex` or `gitlab.com/alex`", "{typed}");
        }
        let refused = of_account("alex", |_| Err("no network".to_owned())).unwrap_err();
        assert_eq!(refused, Refused::new("no network", "type the keys, or go on without"));
    }
}
