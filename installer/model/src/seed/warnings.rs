//! What is allowed in a seed, and unwise.

use toml::de::DeTable;

use super::{AdminPassword, SecretSource, Seed, redact};
use crate::{Problems, questions::password};

/// What the owner of a good seed should know, with its place. The list may be empty.
pub fn warnings(file: &str, text: &str, seed: &Seed) -> Problems {
    let mut warnings = Problems::new(file, redact(text));
    if let AdminPassword::Plain(SecretSource::Text(secret)) = &seed.admin.password {
        if let Err(refused) = password::judge(secret, &[&seed.admin.name, &seed.system.hostname]) {
            let tree = DeTable::parse_recoverable(text).0;
            let admin = tree.get_ref().get("admin").and_then(|admin| admin.get_ref().as_table());
            let place = admin.and_then(|admin| admin.get("password")).map(toml::Spanned::span);
            warnings.push(place, refused.what, refused.hint);
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_password_is_pointed_at_and_not_shown() {
        let text = "schema = 1\n[admin]\nname = \"alex\"\npassword = \"P@ssw0rd2024\"\n";
        let seed = crate::seed::parse("seed.toml", text).unwrap();
        assert_eq!(
            warnings("seed.toml", text, &seed).to_string(),
            "seed.toml:4:12: the password is made of words that are in every list of breached \
             passwords\n 4 | password = \"************\"\n   |            ^^^^^^^^^^^^^^\n   = four \
             or five random words are strong and easy to type\n"
        );
        let good = text.replace("P@ssw0rd2024", "violet pencil under seven rivers");
        let seed = crate::seed::parse("seed.toml", &good).unwrap();
        assert!(warnings("seed.toml", &good, &seed).list.is_empty());
    }
}
