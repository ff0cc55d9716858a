//! Finds the place of a key in a YAML text, for messages.
//!
//! The YAML reader keeps no places, so the text is searched again by indentation. Where the text
//! is too clever for that (flow style, anchors), the place of the nearest outer key is given: a
//! person finds the rest.

use std::ops::Range;

/// The place of the key at the end of `path`, or of the last key of it that could be found.
pub(super) fn place(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let mut found = None;
    let (mut from, mut end) = (0, text.len());
    let mut deeper_than = None;
    for (index, key) in path.iter().enumerate() {
        let Some((span, indent, block_end)) = key_in(text, from..end, deeper_than, key) else {
            return found.or_else(|| in_flow(text, from..end, key));
        };
        from = span.end;
        end = block_end;
        deeper_than = Some(indent);
        found = Some(span);
        // The value may stand on the key's own line, in flow style.
        let line_end = text[from..].find('\n').map_or(text.len(), |at| from + at);
        let rest = text[from..line_end].trim_start_matches(':').trim_start();
        if rest.starts_with(['{', '[']) {
            return path[index + 1..]
                .last()
                .and_then(|last| in_flow(text, from..line_end, last))
                .or(found);
        }
    }
    found
}

/// `key:` at the smallest indentation of the block that is deeper than `deeper_than`.
fn key_in(
    text: &str,
    range: Range<usize>,
    deeper_than: Option<usize>,
    key: &str,
) -> Option<(Range<usize>, usize, usize)> {
    let mut level = None;
    let mut found: Option<(Range<usize>, usize)> = None;
    let mut at = range.start;
    for line in text[range.clone()].split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim_start_matches(' ');
        let trimmed = content.trim_end();
        if trimmed.is_empty() || trimmed.starts_with('#') || start == range.start && start > 0 {
            continue;
        }
        let indent = line.len() - content.len();
        if deeper_than.is_some_and(|outer| indent <= outer) {
            continue;
        }
        if let Some((span, found_indent)) = &found {
            if indent <= *found_indent && !content.starts_with('-') {
                return Some((span.clone(), *found_indent, start));
            }
            continue;
        }
        let level = *level.get_or_insert(indent);
        if indent != level {
            continue;
        }
        for written in [key.to_owned(), format!("\"{key}\""), format!("'{key}'")] {
            if content.strip_prefix(&written).is_some_and(|rest| rest.starts_with(':')) {
                let begin = start + indent;
                found = Some((begin..begin + written.len(), indent));
            }
        }
    }
    found.map(|(span, indent)| (span, indent, range.end))
}

/// `key` as a word of its own in flow style.
fn in_flow(text: &str, range: Range<usize>, key: &str) -> Option<Range<usize>> {
    let hay = &text[range.clone()];
    hay.match_indices(key)
        .find(|(at, _)| {
            let before = hay[..*at].chars().next_back();
            let after = hay[at + key.len()..].chars().next();
            before.is_some_and(|c| "{[ ,\"'".contains(c))
                && after.is_none_or(|c| ":,]} \"'".contains(c))
        })
        .map(|(at, _)| range.start + at..range.start + at + key.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a:\n  b: 1\nservices:\n  # b:\n  one:\n    image: x\n    x-homelab: {memory: 1M, url: u}\n  two:\n    image: y\n    ports:\n      - \"80:80\"\n";

    fn at(path: &[&str]) -> Option<(usize, String)> {
        let span = place(TEXT, path)?;
        Some((TEXT[..span.start].matches('\n').count() + 1, TEXT[span].to_owned()))
    }

    #[test]
    fn keys_are_found_where_they_belong() {
        for (path, line, word) in [
            (&["services", "one", "image"][..], 6, "image"),
            (&["services", "two", "image"], 9, "image"),
            (&["services", "two", "ports"], 10, "ports"),
            (&["services", "one", "x-homelab", "url"], 7, "url"),
            (&["services", "two", "x-homelab", "url"], 8, "two"),
            (&["a", "b"], 2, "b"),
        ] {
            assert_eq!(at(path), Some((line, word.to_owned())), "{path:?}");
        }
        assert_eq!(at(&["nothing"]), None);
    }
}
