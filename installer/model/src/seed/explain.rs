//! What a key means, from the table of keys.

use super::{
    keys::{self, KEYS, Key, Kind, Need, Origins},
    rules::Refused,
};

/// The documentation of a key, such as `admin.password`; of a table, with its keys. The brackets of
/// a header may be there.
///
/// # Errors
/// There is no such key; the nearest ones are named.
pub fn explain(path: &str) -> Result<String, Refused> {
    let path = path.trim().trim_matches(['[', ']']);
    let Some(key) = keys::find(path) else { return Err(unknown(path)) };
    let mut text = format!("{}\n  {}\n\n", key.path, key.about);
    text.push_str(&format!("  takes    {}\n", takes(key)));
    text.push_str(&format!("  needed   {}\n", needed(key)));
    text.push_str(&format!("  written  {}\n", written(key).replace('\n', "\n           ")));
    let below: Vec<&Key> = keys::children(key.path).collect();
    if !below.is_empty() {
        text.push_str("\n  keys\n");
        let width = below.iter().map(|key| key.name().len()).max().unwrap_or_default();
        for key in below {
            text.push_str(&format!("    {:width$}  {}\n", key.name(), key.about));
        }
    }
    Ok(text)
}

fn unknown(path: &str) -> Refused {
    let what = format!("`{path}` is no key of the seed");
    let last = path.rsplit('.').next().unwrap_or(path);
    let named: Vec<&Key> = KEYS.iter().filter(|key| key.name() == last).collect();
    if !named.is_empty() {
        let names = super::conform::quoted(named.iter().map(|key| key.path));
        return Refused::new(what, format!("did you mean {names}?"));
    }
    let table = path.rsplit_once('.').map_or("", |(table, _)| table);
    if let Some(near) = keys::nearest(table, last) {
        return Refused::new(what, format!("did you mean `{}`?", near.path));
    }
    let distance = |key: &&Key| {
        let whole = strsim::osa_distance(path, key.path);
        whole.min(strsim::osa_distance(last, key.name()) + 1)
    };
    match KEYS.iter().min_by_key(distance).filter(|key| distance(key) <= 3.min(1 + path.len() / 3))
    {
        Some(near) => Refused::new(what, format!("did you mean `{}`?", near.path)),
        None => {
            let tables = super::conform::quoted(keys::children("").map(|key| key.path));
            Refused::new(what, format!("at the top there are {tables}"))
        }
    }
}

fn takes(key: &Key) -> String {
    let words = |words: &[&str]| super::conform::quoted(words.iter().copied());
    match key.kind {
        Kind::Number => "a number".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Texts => "a list of texts".to_owned(),
        Kind::Choice(known) => format!("one of {}", words(known)),
        Kind::Choices(known) => format!("a list of {}", words(known)),
        Kind::Secret(origins) => secret(origins),
        Kind::TextMap => "a table of names with texts".to_owned(),
        Kind::SecretMap(origins) => format!("a table of names, each with {}", secret(origins)),
        Kind::Table => "a table".to_owned(),
        Kind::Tables => "any number of tables".to_owned(),
    }
}

fn secret(origins: Origins) -> String {
    let mut forms = vec!["text", "`{ file = \"...\" }`"];
    forms.extend(origins.generate.then_some("`{ generate = true }`"));
    forms.extend(origins.ask.then_some("`{ ask = true }`"));
    format!("a secret: {}", forms.join(", "))
}

fn needed(key: &Key) -> String {
    match key.need {
        Need::Required if key.parent().is_empty() => "always".to_owned(),
        Need::Required => format!("if there is {}", keys::header(key.parent())),
        Need::Optional => "no".to_owned(),
        Need::Default(default) => format!("no; default: {default}"),
    }
}

/// An example that can be copied.
fn written(key: &Key) -> String {
    let value = match key.kind {
        Kind::Table | Kind::Tables => {
            return keys::header(key.path).trim_matches('`').to_owned();
        }
        Kind::Number => "1".to_owned(),
        Kind::Text | Kind::Secret(_) => "\"...\"".to_owned(),
        Kind::Texts => "[\"...\"]".to_owned(),
        Kind::Choice(known) => format!("\"{}\"", known[0]),
        Kind::Choices(known) => format!("[\"{}\"]", known[0]),
        Kind::TextMap | Kind::SecretMap(_) => "{ NAME = \"...\" }".to_owned(),
    };
    let line = format!("{} = {value}", key.name());
    match key.parent() {
        "" => line,
        table => format!("{}\n{line}", keys::header(table).trim_matches('`')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_a_table() {
        assert_eq!(
            explain("backup.password").unwrap(),
            "backup.password\n  Password of the repository\n\n  takes    a secret: text, `{ file = \
             \"...\" }`, `{ generate = true }`, `{ ask = true }`\n  needed   no; default: \
             generated\n  written  [backup]\n           password = \"...\"\n"
        );
        let table = explain("[[storage.mount]]").unwrap();
        assert!(table.contains("  written  [[storage.mount]]\n"), "{table}");
        assert!(table.contains("\n    filesystem  File system of the disk\n"), "{table}");
    }

    #[test]
    fn every_key_is_explained() {
        for key in KEYS {
            let text = explain(key.path).unwrap();
            assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        }
    }

    #[test]
    fn the_nearest_key_is_named() {
        for (path, hint) in [
            ("admin.pasword", "did you mean `admin.password`?"),
            ("system.host", "did you mean `system.hostname`?"),
            ("timezone", "did you mean `system.timezone`?"),
            ("repository", "did you mean `backup.repository`?"),
            ("schedul", "did you mean `backup.schedule`?"),
        ] {
            assert_eq!(explain(path).unwrap_err().hint, hint, "{path}");
        }
        let provider = explain("provider").unwrap_err();
        assert_eq!(provider.what, "`provider` is no key of the seed");
        assert_eq!(provider.hint, "did you mean `domain.dns.provider`, `vpn.provider`?");
        let far = explain("nothing.of.the.kind.is.there").unwrap_err();
        assert!(far.hint.starts_with("at the top there are `schema`, `system`"), "{far:?}");
    }
}
