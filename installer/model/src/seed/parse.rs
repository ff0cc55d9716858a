//! Text to [`Seed`].

use toml::de::{DeTable, DeValue};

use super::{Seed, reader::Sink, redact, v1};
use crate::{Digest, Problems};

/// The schema that this installer writes; it reads all up to it.
pub const SCHEMA: u32 = 1;

/// Parses and checks a seed. `file` is what the problems call it.
///
/// The problems carry the text with its secrets masked ([`redact`]), so they may be shown on any
/// screen and written to any medium.
///
/// # Errors
/// Every problem of the text, in the order of their places.
pub fn parse(file: &str, text: &str) -> Result<Seed, Problems> {
    let mut problems = Problems::new(file, redact(text));
    let sink = Sink::default();
    let (tree, errors) = DeTable::parse_recoverable(text);
    let broken = !errors.is_empty();
    super::syntax::record(text, &errors, &mut problems);
    let tree = tree.get_ref();
    let seed =
        if speaks_ours(tree, &sink) { v1::parse(tree, Digest::of(text), &sink) } else { None };
    let torn: Vec<usize> = problems
        .list
        .iter()
        .filter_map(|p| p.span.as_ref())
        .map(|s| problems.position(s.start).0)
        .collect();
    for problem in sink.into_list(broken) {
        // What is said about a line that could not even be read is about our guess at it.
        let line = problem.span.as_ref().map(|span| problems.position(span.start).0);
        if !line.is_some_and(|line| torn.contains(&line)) {
            problems.list.push(problem);
        }
    }
    problems.into_result(seed)
}

/// Whether the rest can be read as a schema that we know. A seed without `schema` is read as the
/// newest, so that all its problems come at once; that it lacks is said with them.
fn speaks_ours(tree: &DeTable<'_>, sink: &Sink) -> bool {
    let Some(schema) = tree.get("schema") else { return true };
    let DeValue::Integer(number) = schema.get_ref() else { return true };
    let place = Some(schema.span());
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) if number == i64::from(SCHEMA) => true,
        Ok(number) if number < 1 => {
            sink.push(place, format!("there is no schema {number}"), "write `schema = 1`");
            true
        }
        _ => {
            sink.push(
                place,
                format!("schema {number} is newer than this installer, which knows 1 to {SCHEMA}"),
                "take a newer image, or write the seed for `schema = 1`",
            );
            false
        }
    }
}
