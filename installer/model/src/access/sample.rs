//! A path that stands for a pattern.

use regex::Regex;
use regex_syntax::{
    hir::{Class, Hir, HirKind},
    parse,
};

/// The shortest plain path that a pattern fits; none for a pattern that fits no path. Of several
/// branches it is the first one's.
pub(crate) fn sample(pattern: &str) -> Option<String> {
    let mut text = String::new();
    write(&parse(pattern).ok()?, &mut text)?;
    let path = if text.starts_with('/') { text } else { format!("/{text}") };
    Regex::new(pattern).ok()?.is_match(&path).then_some(path)
}

fn write(part: &Hir, text: &mut String) -> Option<()> {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(one_of(class)?),
        HirKind::Repetition(repeated) => {
            for _ in 0..repeated.min {
                write(&repeated.sub, text)?;
            }
        }
        HirKind::Capture(group) => write(&group.sub, text)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, text)?;
            }
        }
        HirKind::Alternation(branches) => write(branches.first()?, text)?,
    }
    Some(())
}

/// A character that a path may have as it is.
fn one_of(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else { return None };
    let has =
        |c: char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c));
    "a0/-_.~=&?".chars().find(|c| has(*c)).or_else(|| ('!'..='~').find(|c| has(*c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_its_sample() {
        for (pattern, path) in [
            ("^/api/", "/api/"),
            ("^/api([/?].*)?$", "/api"),
            ("^/wp-(admin|login\\.php)", "/wp-admin"),
            (".*\\.git/.*", "/.git/"),
            ("^/[0-9]+/feed", "/0/feed"),
            ("^/x[/?]", "/x/"),
            ("^/(?i)REST", "/rest"),
        ] {
            let found = sample(pattern);
            let found = found.as_deref().map(str::to_lowercase);
            assert_eq!(found.as_deref(), Some(path), "{pattern}");
        }
    }

    #[test]
    fn what_fits_no_path_has_no_sample() {
        assert_eq!(sample("^api"), None);
        assert_eq!(sample("("), None);
    }
}
