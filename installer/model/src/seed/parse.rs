//! Text to [`Seed`].

use std::{collections::BTreeSet, ops::Range};

use toml::de::{DeTable, DeValue};

use super::{
    Seed,
    reader::Sink,
    redact::{self, redact},
    v1,
};
use crate::{Digest, Problems, problem::Lines};

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
    let lines = Lines::of(text);
    let line = |span: &Option<Range<usize>>| span.as_ref().map(|span| lines.number(span.start));
    let torn: BTreeSet<usize> = problems.list.iter().filter_map(|p| line(&p.span)).collect();
    for problem in sink.into_list(broken) {
        // What is said about a line that could not even be read is about our guess at it.
        if !line(&problem.span).is_some_and(|line| torn.contains(&line)) {
            problems.list.push(problem);
        }
    }
    let hidden = redact::hidden(text, &problems.text);
    for problem in &mut problems.list {
        problem.message = redact::quoted(one_line(std::mem::take(&mut problem.message)), &hidden);
        problem.hint = one_line(std::mem::take(&mut problem.hint));
    }
    problems.into_result(seed)
}

/// A quotation of several lines has swallowed what comes below it, secrets too: it is left out.
/// Nothing that is told moves the cursor of a terminal.
fn one_line(told: String) -> String {
    let shown = match told.find('\n').zip(told.rfind('\n')) {
        None => told,
        Some((first, last)) => {
            let before = told[..first].find('`').unwrap_or(0);
            let after = told[last..].rfind('`').map_or(told.len(), |at| last + at + 1);
            format!("{}`…`{}", &told[..before], &told[after..])
        }
    };
    shown.replace(|letter: char| letter.is_control(), "\u{fffd}")
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
