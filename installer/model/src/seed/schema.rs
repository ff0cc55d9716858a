//! The JSON schema of a seed, from the table of keys, for editors that complete and underline.

use serde_json::{Map, Value, json};

use super::{
    SCHEMA,
    keys::{self, Key, Kind, Need, Origins},
};

/// The schema, as JSON Schema 2020-12. It knows keys, types and choices; what a text must look
/// like and what fits together only the parser knows.
pub fn schema() -> Value {
    let mut schema = table("");
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(format!("Seed of a homelab box, schema {SCHEMA}"));
    schema["properties"]["schema"]["const"] = json!(SCHEMA);
    schema
}

fn table(path: &str) -> Value {
    let properties: Map<String, Value> =
        keys::children(path).map(|key| (key.name().to_owned(), property(key))).collect();
    let required: Vec<&str> =
        keys::children(path).filter(|key| key.need == Need::Required).map(Key::name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Value {
    let mut value = match key.kind {
        Kind::Number => json!({ "type": "integer" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Choice(known) => json!({ "enum": known }),
        Kind::Choices(known) => json!({ "type": "array", "items": { "enum": known } }),
        Kind::Secret(origins) => secret(origins),
        Kind::TextMap => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Kind::SecretMap(origins) => {
            json!({ "type": "object", "additionalProperties": secret(origins) })
        }
        Kind::Table => table(key.path),
        Kind::Tables => json!({ "type": "array", "items": table(key.path) }),
    };
    value["description"] = match key.need {
        Need::Default(default) => json!(format!("{}. Default: {default}", key.about)),
        _ => json!(key.about),
    };
    value
}

fn secret(origins: Origins) -> Value {
    let one = |name: &str, value: Value| {
        json!({
            "type": "object",
            "properties": { name: value },
            "required": [name],
            "additionalProperties": false,
        })
    };
    let mut forms = vec![json!({ "type": "string", "minLength": 1 })];
    forms.push(one("file", json!({ "type": "string", "minLength": 1 })));
    forms.extend(origins.generate.then(|| one("generate", json!({ "const": true }))));
    forms.extend(origins.ask.then(|| one("ask", json!({ "const": true }))));
    json!({ "oneOf": forms })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of JSON Schema that is used above.
    fn holds(schema: &Value, value: &Value) -> bool {
        if let Some(forms) = schema["oneOf"].as_array() {
            return forms.iter().filter(|form| holds(form, value)).count() == 1;
        }
        if let Some(known) = schema["enum"].as_array() {
            return known.contains(value);
        }
        if !schema["const"].is_null() {
            return schema["const"] == *value;
        }
        match (schema["type"].as_str(), value) {
            (Some("integer"), Value::Number(_)) | (Some("string"), Value::String(_)) => true,
            (Some("array"), Value::Array(items)) => {
                items.iter().all(|item| holds(&schema["items"], item))
            }
            (Some("object"), Value::Object(entries)) => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let there = |name: &Value| entries.contains_key(name.as_str().unwrap());
                let good = |(name, value): (&String, &Value)| {
                    let known = &schema["properties"][name.as_str()];
                    let other = &schema["additionalProperties"];
                    match known.is_null() {
                        true => other.is_object() && holds(other, value),
                        false => holds(known, value),
                    }
                };
                required.iter().all(there) && entries.iter().all(good)
            }
            _ => false,
        }
    }

    fn json_of(seed: &str) -> Value {
        serde_json::to_value(toml::from_str::<toml::Table>(seed).unwrap()).unwrap()
    }

    #[test]
    fn good_seeds_hold_and_wrong_ones_do_not() {
        let schema = schema();
        for good in [
            include_str!("../../tests/seeds/good/full.toml"),
            include_str!("../../tests/seeds/good/minimal.toml"),
            include_str!("../../tests/seeds/good/disks-and-shares.toml"),
            include_str!("../../tests/seeds/good/hashes-and-openvpn.toml"),
            include_str!("../../tests/seeds/good/public-certificate.toml"),
        ] {
            assert!(holds(&schema, &json_of(good)), "{good}");
        }
        for wrong in [
            include_str!("../../tests/seeds/bad/unknown-keys.toml"),
            include_str!("../../tests/seeds/bad/wrong-types.toml"),
            include_str!("../../tests/seeds/bad/wrong-choices.toml"),
            include_str!("../../tests/seeds/bad/admin-missing.toml"),
            include_str!("../../tests/seeds/bad/secret-two-origins.toml"),
            include_str!("../../tests/seeds/bad/secret-cannot-be-generated.toml"),
        ] {
            assert!(!holds(&schema, &json_of(wrong)), "{wrong}");
        }
    }
}
