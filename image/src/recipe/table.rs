//! Reads typed values out of a TOML table and notes what is wrong, with its place.

use std::ops::Range;

use model::Problems;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::layout::MIB;

/// A table that is being read.
#[derive(Debug)]
pub struct Table<'a> {
    name: &'a str,
    values: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// The document itself.
    pub fn root(
        document: &'a Spanned<DeTable<'a>>,
        known: &[&str],
        problems: &mut Problems,
    ) -> Self {
        Self { name: "", values: document.get_ref() }.known(known, problems)
    }

    fn known(self, known: &[&str], problems: &mut Problems) -> Self {
        for key in self.values.keys() {
            let text = key.get_ref().as_ref();
            if known.contains(&text) {
                continue;
            }
            let nearest = known
                .iter()
                .map(|k| (strsim::damerau_levenshtein(k, text), k))
                .min()
                .filter(|(distance, _)| *distance <= 2);
            let all = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            let hint = match nearest {
                Some((_, key)) => format!("did you mean `{key}`? known keys: {all}"),
                None => format!("known keys: {all}"),
            };
            let place = if self.name.is_empty() {
                "the recipe".to_owned()
            } else {
                format!("`[{}]`", self.name)
            };
            problems.push(Some(key.span()), format!("unknown key `{text}` in {place}"), hint);
        }
        self
    }

    fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn value(&self, key: &str, problems: &mut Problems) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.values.iter().find(|(k, _)| k.get_ref() == key).map(|(_, value)| value);
        if value.is_none() {
            problems.push(None, format!("`{}` is missing", self.full(key)), "");
        }
        value
    }

    fn wrong(&self, key: &str, span: Range<usize>, wanted: &str, problems: &mut Problems) {
        problems.push(Some(span), format!("`{}` must {wanted}", self.full(key)), "");
    }

    /// A table below.
    pub fn table(
        &mut self,
        key: &'a str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Table<'a>> {
        let value = self.value(key, problems)?;
        match value.get_ref() {
            DeValue::Table(values) => Some(Table { name: key, values }.known(known, problems)),
            _ => {
                self.wrong(key, value.span(), "be a table", problems);
                None
            }
        }
    }

    /// A whole number and its place.
    pub fn integer(&mut self, key: &str, problems: &mut Problems) -> Option<(i64, Range<usize>)> {
        let value = self.value(key, problems)?;
        let number = value.get_ref().as_integer().and_then(|i| i.as_str().parse().ok());
        if number.is_none() {
            self.wrong(key, value.span(), "be a whole number", problems);
        }
        Some((number?, value.span()))
    }

    /// A date and time as text, and its place.
    pub fn datetime(
        &mut self,
        key: &str,
        problems: &mut Problems,
    ) -> Option<(String, Range<usize>)> {
        let value = self.value(key, problems)?;
        match value.get_ref().as_datetime() {
            Some(datetime) => Some((datetime.to_string(), value.span())),
            None => {
                self.wrong(key, value.span(), "be a date and time", problems);
                None
            }
        }
    }

    /// A text that `good` accepts.
    pub fn text(
        &mut self,
        key: &str,
        good: impl Fn(&str) -> bool,
        hint: &str,
        problems: &mut Problems,
    ) -> Option<String> {
        let value = self.value(key, problems)?;
        match value.get_ref().as_str() {
            Some(text) if good(text) => Some(text.to_owned()),
            Some(text) => {
                let message = format!("`{text}` cannot stand in `{}`", self.full(key));
                problems.push(Some(value.span()), message, hint);
                None
            }
            None => {
                self.wrong(key, value.span(), "be a text", problems);
                None
            }
        }
    }

    /// A list of texts that `good` accepts.
    pub fn texts(
        &mut self,
        key: &str,
        good: impl Fn(&str) -> bool,
        hint: &str,
        problems: &mut Problems,
    ) -> Option<Vec<String>> {
        let value = self.value(key, problems)?;
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong(key, value.span(), "be a list", problems);
            return None;
        };
        let mut texts = Vec::new();
        for item in list.iter() {
            match item.get_ref().as_str() {
                Some(text) if good(text) => texts.push(text.to_owned()),
                Some(text) => {
                    let message = format!("`{text}` cannot stand in `{}`", self.full(key));
                    problems.push(Some(item.span()), message, hint);
                }
                None => self.wrong(key, item.span(), "hold texts only", problems),
            }
        }
        Some(texts)
    }

    /// A size as `N MiB` or `N GiB`, in bytes.
    pub fn size(
        &mut self,
        key: &str,
        least_mib: u64,
        most_mib: u64,
        problems: &mut Problems,
    ) -> Option<u64> {
        let value = self.value(key, problems)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(key, value.span(), "be a text such as \"256 MiB\"", problems);
            return None;
        };
        let mib = match text.split_once(' ') {
            Some((number, "MiB")) => number.parse::<u64>().ok(),
            Some((number, "GiB")) => number.parse::<u64>().ok().and_then(|n| n.checked_mul(1024)),
            _ => None,
        };
        let Some(mib) = mib else {
            problems.push(
                Some(value.span()),
                format!("`{text}` is no size"),
                "write it like `256 MiB` or `1 GiB`",
            );
            return None;
        };
        if !(least_mib..=most_mib).contains(&mib) {
            let message = format!("`{text}` is not between {least_mib} MiB and {most_mib} MiB");
            problems.push(Some(value.span()), message, "");
            return None;
        }
        Some(mib * MIB)
    }
}
