//! What is wrong with a text that a person wrote, with its place and the way out.

use std::{fmt, ops::Range};

use serde::{Deserialize, Serialize};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Bytes of the text that are at fault; none when something is missing altogether.
    pub span: Option<Range<usize>>,
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// The way out, in one line; empty if the message says it.
    pub hint: String,
}

/// Where the lines of a text begin: found once, for texts with many problems.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The number of the line, from 1, that a byte lies in.
    pub(crate) fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    /// The first byte of a line.
    fn start(&self, number: usize) -> usize {
        self.0[number - 1]
    }
}

/// All problems of one text, in the order of their places. Never empty when it is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// What the text is called, usually a file name.
    pub file: String,
    /// The text that the spans belong to.
    pub text: String,
    /// What is wrong with it.
    pub list: Vec<Problem>,
}

impl Problems {
    /// Starts a collection for one text.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into(), list: Vec::new() }
    }

    /// Adds a problem.
    pub fn push(
        &mut self,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.list.push(Problem { span, message: message.into(), hint: hint.into() });
    }

    /// `value` if nothing was found, all problems sorted by place otherwise.
    ///
    /// # Errors
    /// The problems themselves.
    pub fn into_result<T>(mut self, value: Option<T>) -> Result<T, Self> {
        self.list.sort_by_key(|p| p.span.as_ref().map_or(usize::MAX, |s| s.start));
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        self.place(&Lines::of(&self.text), offset)
    }

    fn place(&self, lines: &Lines, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = lines.number(offset);
        (line, self.text[lines.start(line)..offset].chars().count() + 1)
    }

    /// One line a problem: `file:line:column: what`.
    pub fn summary_lines(&self) -> Vec<String> {
        let lines = Lines::of(&self.text);
        self.list
            .iter()
            .map(|problem| match &problem.span {
                Some(span) => {
                    let (line, column) = self.place(&lines, span.start);
                    format!("{}:{line}:{column}: {}", self.file, problem.message)
                }
                None => format!("{}: {}", self.file, problem.message),
            })
            .collect()
    }
}

/// Each problem as `file:line:column: what`, the offending line underlined, and the way out.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = Lines::of(&self.text);
        for (index, (problem, summary)) in self.list.iter().zip(self.summary_lines()).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{summary}")?;
            if let Some(span) = &problem.span {
                let (line, column) = self.place(&lines, span.start);
                let text = self.text[lines.start(line)..].lines().next().unwrap_or_default();
                let left = text.chars().count() + 1 - column.min(text.chars().count() + 1);
                let end = span.end.clamp(span.start, self.text.len());
                let width = self.text[span.start.min(end)..end].lines().next().unwrap_or_default();
                let width = width.chars().count().clamp(1, left.max(1));
                let margin = " ".repeat(line.to_string().len());
                writeln!(f, " {line} | {}", text.replace('\t', " "))?;
                writeln!(f, " {margin} | {}{}", " ".repeat(column - 1), "^".repeat(width))?;
            }
            if !problem.hint.is_empty() {
                writeln!(f, "   = {}", problem.hint)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_place_underline_and_way_out() {
        let mut problems = Problems::new("seed.toml", "a = 1\nbé = \"x\"\n");
        problems.push(Some(12..15), "`x` is no number", "write digits");
        problems.push(None, "`[admin]` is missing", "");
        assert_eq!(
            problems.to_string(),
            "seed.toml:2:6: `x` is no number\n 2 | bé = \"x\"\n   |      ^^^\n   = write digits\n\n\
             seed.toml: `[admin]` is missing\n"
        );
    }
}
