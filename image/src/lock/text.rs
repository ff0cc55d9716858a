//! The text of the lock with other digests, and nothing else of it changed.

use std::{collections::BTreeMap, ops::Range};

use model::Digest;
use toml_edit::ImDocument;

/// Puts these digests, by reference, in place of `digest` or `digest_missing`. Comments, order and
/// white space stay.
///
/// # Errors
/// The text is no TOML, or an image has no entry in a form that can be edited.
pub(super) fn with_digests(
    text: &str,
    digests: &BTreeMap<String, Digest>,
) -> Result<String, String> {
    let document = ImDocument::parse(text).map_err(|error| error.to_string())?;
    let tables = document.get("image").and_then(|item| item.as_array_of_tables());
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    for (reference, digest) in digests {
        let is_it = |table: &&toml_edit::Table| {
            table.get("reference").and_then(|item| item.as_str()) == Some(reference)
        };
        let table = tables.and_then(|tables| tables.iter().find(is_it));
        let place = table.and_then(|table| {
            let (key, item) =
                table.get_key_value("digest").or_else(|| table.get_key_value("digest_missing"))?;
            Some(key.span()?.start..item.span()?.end)
        });
        let place = place.ok_or_else(|| {
            format!("the entry of `{reference}` is not written as `[[image]]` with a digest")
        })?;
        changes.push((place, format!("digest = \"{digest}\"")));
    }
    // From the end, so that the earlier places stay true.
    changes.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut text = text.to_owned();
    for (place, line) in changes {
        text.replace_range(place, &line);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# head\nschema = 1\n\n[[image]]\nreference = \"a:1\"\n# why\n\
                          digest_missing = \"not yet\" # so\nprograms = [\"a\"]\n\n\
                          [[image]]\nreference = \"b:1\"\ndigest   =   \"sha256:0\"\n\n\
                          [[artefact]]\nname = \"x\"\ndigest_missing = \"not yet\"\n";

    #[test]
    fn only_the_digests_change() {
        let (a, b) = (Digest::of("a"), Digest::of("b"));
        let digests =
            [("a:1".to_owned(), a.clone()), ("b:1".to_owned(), b.clone())].into_iter().collect();
        let expected = BEFORE
            .replacen("digest_missing = \"not yet\" #", &format!("digest = \"{a}\" #"), 1)
            .replace("digest   =   \"sha256:0\"", &format!("digest = \"{b}\""));
        assert_eq!(with_digests(BEFORE, &digests).unwrap(), expected);
    }

    #[test]
    fn an_entry_that_cannot_be_edited_is_told() {
        let digests = [("c:1".to_owned(), Digest::of("c"))].into_iter().collect();
        assert_eq!(
            with_digests(BEFORE, &digests).unwrap_err(),
            "the entry of `c:1` is not written as `[[image]]` with a digest"
        );
    }
}
