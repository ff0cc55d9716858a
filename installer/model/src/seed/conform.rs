//! Holds the tree against the table of keys: unknown keys, wrong types, wrong choices, secrets
//! in a wrong form, and keys that lack.

use toml::de::{DeTable, DeValue};

use super::{
    keys::{self, Key, Kind, Need, Origins},
    reader::{Place, Sink},
};

/// What the whole tree must be like.
pub(super) struct Conform<'a> {
    pub(super) sink: &'a Sink,
}

impl Conform<'_> {
    /// Checks a table and everything below it. `path` is empty at the top.
    pub(super) fn table(&self, path: &str, entries: &DeTable<'_>, place: Option<&Place>) {
        for (name, value) in entries {
            match keys::children(path).find(|key| key.name() == name.get_ref()) {
                Some(key) => self.value(key, value.get_ref(), value.span()),
                None => self.unknown(path, name.get_ref(), name.span()),
            }
        }
        for key in keys::children(path) {
            if key.need == Need::Required && !entries.contains_key(key.name()) {
                self.lacking(path, key, place.cloned());
            }
        }
    }

    fn value(&self, key: &Key, value: &DeValue<'_>, place: Place) {
        match (key.kind, value) {
            (Kind::Number, DeValue::Integer(_)) | (Kind::Text, DeValue::String(_)) => {}
            (Kind::Choice(known), DeValue::String(text)) => self.choice(key, known, text, place),
            (Kind::Texts | Kind::Choices(_), DeValue::Array(items)) => {
                for item in items {
                    match (key.kind, item.get_ref()) {
                        (Kind::Choices(known), DeValue::String(text)) => {
                            self.choice(key, known, text, item.span());
                        }
                        (_, DeValue::String(_)) => {}
                        (_, other) => self.sink.push(
                            Some(item.span()),
                            format!("`{}` lists texts, this is {}", key.path, kind_of(other)),
                            "put it in quotes",
                        ),
                    }
                }
            }
            (Kind::Secret(origins), value) => {
                self.secret(key.path, wants(key), origins, value, place);
            }
            (Kind::Table, DeValue::Table(entries)) => {
                self.table(key.path, entries, Some(&place));
            }
            (Kind::Tables, DeValue::Array(items)) => {
                for item in items {
                    match item.get_ref() {
                        DeValue::Table(entries) => {
                            self.table(key.path, entries, Some(&item.span()));
                        }
                        other => self.wrong_type(key, other, item.span()),
                    }
                }
            }
            (Kind::TextMap, DeValue::Table(entries)) => {
                for (name, value) in entries {
                    if value.get_ref().as_str().is_none() {
                        let what = kind_of(value.get_ref());
                        self.sink.push(
                            Some(value.span()),
                            format!(
                                "`{}` in `{}` takes text, this is {what}",
                                name.get_ref(),
                                key.path
                            ),
                            "put it in quotes",
                        );
                    }
                }
            }
            (Kind::SecretMap(origins), DeValue::Table(entries)) => {
                for (name, value) in entries {
                    let path = format!("{}.{}", key.path, name.get_ref());
                    self.secret(&path, "text in quotes", origins, value.get_ref(), value.span());
                }
            }
            (_, other) => self.wrong_type(key, other, place),
        }
    }

    fn wrong_type(&self, key: &Key, value: &DeValue<'_>, place: Place) {
        let example = match key.kind {
            Kind::Number => format!("write `{} = 1`", key.name()),
            Kind::Text => format!("write `{} = \"…\"`", key.name()),
            Kind::Choice(known) => format!("write `{} = \"{}\"`", key.name(), known[0]),
            Kind::Texts | Kind::Choices(_) => format!("write `{} = [\"…\"]`", key.name()),
            Kind::Tables => format!("write `[[{}]]`, once for each", key.path),
            _ => format!("write `[{}]`, and its keys below it", key.path),
        };
        let what = format!("`{}` takes {}, this is {}", key.path, wants(key), kind_of(value));
        self.sink.push(Some(place), what, example);
    }

    fn choice(&self, key: &Key, known: &[&str], text: &str, place: Place) {
        if !known.contains(&text) {
            let near = known.iter().find(|known| strsim::osa_distance(known, text) <= 2);
            let way_out = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("choose from {}", quoted(known.iter().copied())),
            };
            self.sink.push(Some(place), format!("`{}` cannot be `{text}`", key.path), way_out);
        }
    }

    /// Text or a table with exactly one origin. Never shows what was written.
    fn secret(&self, path: &str, wants: &str, origins: Origins, value: &DeValue<'_>, place: Place) {
        let mut forms = vec!["`{ file = \"…\" }`"];
        forms.extend(origins.generate.then_some("`{ generate = true }`"));
        forms.extend(origins.ask.then_some("`{ ask = true }`"));
        let forms = format!("write it in quotes, or {}", forms.join(" or "));
        let entries = match value {
            DeValue::String(text) if text.is_empty() => {
                return self.sink.push(Some(place), format!("`{path}` is empty"), forms);
            }
            DeValue::String(text) if text.bytes().all(|byte| byte == b'*') => {
                return self.sink.push(
                    Some(place),
                    format!("`{path}` was masked when this seed was used before"),
                    "write the secret again",
                );
            }
            DeValue::String(text) if text.contains("@@secret:") => {
                return self.sink.push(
                    Some(place),
                    format!("`{path}` contains `@@secret:`, which is kept for the installer"),
                    "choose another secret",
                );
            }
            DeValue::String(_) => return,
            DeValue::Table(entries) => entries,
            other => {
                let what = format!("`{path}` takes {wants}, this is {}", kind_of(other));
                return self.sink.push(Some(place), what, forms);
            }
        };
        for (name, value) in entries {
            let at = value.span();
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("file", DeValue::String(text)) if text.is_empty() => {
                    self.sink.push(Some(at), format!("`{path}` names no file"), "write its path");
                }
                ("file", DeValue::String(_)) => {}
                ("file", other) => self.sink.push(
                    Some(at),
                    format!(
                        "`file` of `{path}` takes a path in quotes, this is {}",
                        kind_of(other)
                    ),
                    "write `{ file = \"…\" }`",
                ),
                ("generate" | "ask", DeValue::Boolean(false)) => self.sink.push(
                    Some(at),
                    format!("`{}` of `{path}` can only be `true`", name.get_ref()),
                    "leave it out if it is not wanted",
                ),
                ("generate", DeValue::Boolean(true)) if !origins.generate => self.sink.push(
                    Some(at),
                    format!("`{path}` cannot be generated: it comes from outside the box"),
                    forms.clone(),
                ),
                ("ask", DeValue::Boolean(true)) if !origins.ask => self.sink.push(
                    Some(at),
                    format!("`{path}` cannot be asked for: nobody could type it"),
                    forms.clone(),
                ),
                ("generate" | "ask", DeValue::Boolean(true)) => {}
                ("generate" | "ask", other) => self.sink.push(
                    Some(at),
                    format!(
                        "`{}` of `{path}` takes `true`, this is {}",
                        name.get_ref(),
                        kind_of(other)
                    ),
                    "write `true`",
                ),
                (other, _) => self.sink.push(
                    Some(name.span()),
                    format!("`{other}` is no origin of a secret"),
                    forms.clone(),
                ),
            }
        }
        if entries.len() != 1 {
            self.sink.push(Some(place), format!("`{path}` needs exactly one origin"), forms);
        }
    }

    fn unknown(&self, table: &str, name: &str, place: Place) {
        let elsewhere: Vec<String> = keys::KEYS
            .iter()
            .filter(|key| key.name() == name)
            .map(|key| keys::header(key.parent()))
            .collect();
        let way_out = match keys::nearest(table, name) {
            _ if elsewhere == [keys::header("")] => {
                format!("`{name}` stands at the top, before the first `[table]`")
            }
            Some(near) => format!("did you mean `{}`?", near.name()),
            None if !elsewhere.is_empty() => {
                format!("`{name}` belongs in {}", elsewhere.join(" or "))
            }
            None => format!("known here: {}", quoted(keys::children(table).map(Key::name))),
        };
        let what = match table {
            "" => format!("`{name}` is no key of the seed"),
            table => format!("`{name}` is no key of {}", keys::header(table)),
        };
        self.sink.push(Some(place), what, way_out);
    }

    fn lacking(&self, table: &str, key: &Key, place: Option<Place>) {
        let way_out = match (key.path, key.kind) {
            ("schema", _) => "write `schema = 1` in the first line".to_owned(),
            ("admin", _) => "add `[admin]` with `password` or `password_hash`".to_owned(),
            (_, Kind::Choice(known)) => {
                format!("add `{} = \"…\"`: {}", key.name(), quoted(known.iter().copied()))
            }
            (_, Kind::SecretMap(_)) => format!("add `{} = {{ NAME = \"…\" }}`", key.name()),
            _ => format!("add `{} = \"…\"`: {}", key.name(), lower_first(key.about)),
        };
        let what = match (table, key.kind) {
            ("", Kind::Table) => format!("`[{}]` is missing", key.path),
            ("", _) => format!("`{}` is missing", key.path),
            _ => format!("{} lacks `{}`", keys::header(table), key.name()),
        };
        self.sink.missing(place, what, way_out);
    }
}

/// `a`, `b`, `c`
pub(super) fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    // An abbreviation such as `DNS` stays as it is.
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

fn wants(key: &Key) -> &'static str {
    match key.kind {
        Kind::Number => "a number",
        Kind::Text | Kind::Choice(_) | Kind::Secret(_) => "text in quotes",
        Kind::Texts | Kind::Choices(_) => "a list of texts",
        Kind::TextMap | Kind::SecretMap(_) | Kind::Table => "a table",
        Kind::Tables => "a list of tables",
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
