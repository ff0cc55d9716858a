//! Typed access to the spanned tree of a seed.
//!
//! [`super::conform`] has already said what is unknown, missing or of the wrong type, so the
//! readers here keep quiet about that: they hand out values with their place, and record only
//! what a check says about a value.
//!
//! Results are `None` when something is wrong with the value (it has been recorded), so that a
//! section can try all its keys first and give up at the end with `?`.

use std::{cell::RefCell, ops::Range};

use toml::de::{DeTable, DeValue};

use crate::{Problem, Secret, seed::SecretSource};

/// Bytes of the seed's text.
pub(crate) type Place = Range<usize>;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// What is wrong with a value, and the way out; the place is added by the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) way_out: String,
}

impl Wrong {
    pub(crate) fn new(what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { what: what.into(), way_out: way_out.into() }
    }
}

/// Collects problems from everywhere in the tree. Each is marked whether it is about something
/// that lacks: in a text with syntax errors that may stand in the part that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Sink(RefCell<Vec<(bool, Problem)>>);

impl Sink {
    pub(crate) fn push(
        &self,
        place: Option<Place>,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) {
        let (message, hint) = (what.into(), way_out.into());
        self.0.borrow_mut().push((false, Problem { span: place, message, hint }));
    }

    /// Something lacks; `place` is what needs it.
    pub(crate) fn missing(
        &self,
        place: Option<Place>,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) {
        let (message, hint) = (what.into(), way_out.into());
        self.0.borrow_mut().push((true, Problem { span: place, message, hint }));
    }

    /// The problems; without those about what lacks if the text is `broken`.
    pub(crate) fn into_list(self, broken: bool) -> Vec<Problem> {
        let list = self.0.into_inner().into_iter();
        list.filter(|(missing, _)| !(broken && *missing)).map(|(_, problem)| problem).collect()
    }
}

/// A table of the seed, or the lack of one.
#[derive(Clone)]
pub(crate) struct Table<'a> {
    entries: Option<&'a DeTable<'a>>,
    place: Option<Place>,
    sink: &'a Sink,
}

impl<'a> Table<'a> {
    pub(crate) fn root(entries: &'a DeTable<'a>, sink: &'a Sink) -> Self {
        Self { entries: Some(entries), place: None, sink }
    }

    pub(crate) fn sink(&self) -> &'a Sink {
        self.sink
    }

    /// Where its header stands.
    pub(crate) fn place(&self) -> Option<Place> {
        self.place.clone()
    }

    pub(crate) fn is_there(&self) -> bool {
        self.entries.is_some()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Where the key itself stands, not its value.
    pub(crate) fn key_place(&self, key: &str) -> Option<Place> {
        self.entries?.get_key_value(key).map(|(key, _)| key.span())
    }

    fn get(&self, key: &str) -> Option<(&'a DeValue<'a>, Place)> {
        self.entries?.get(key).map(|value| (value.get_ref(), value.span()))
    }

    /// A table inside this one; it may lack.
    pub(crate) fn table(&self, key: &str) -> Self {
        let found = self.get(key).and_then(|(value, place)| Some((value.as_table()?, place)));
        Self {
            entries: found.as_ref().map(|(entries, _)| *entries),
            place: found.map(|(_, place)| place),
            sink: self.sink,
        }
    }

    /// The tables of a list of tables.
    pub(crate) fn tables(&self, key: &str) -> Vec<Self> {
        let list = self.get(key).and_then(|(value, _)| value.as_array());
        list.into_iter()
            .flat_map(|list| list.iter())
            .filter_map(|item| {
                let entries = item.get_ref().as_table()?;
                Some(Self { entries: Some(entries), place: Some(item.span()), sink: self.sink })
            })
            .collect()
    }

    /// Its keys and text values, for tables with names of the owner's choice.
    pub(crate) fn names(&self) -> Vec<At<&'a str>> {
        let entries = self.entries.into_iter().flat_map(|entries| entries.iter());
        entries.map(|(key, _)| At { value: key.get_ref().as_ref(), place: key.span() }).collect()
    }

    /// The text as it stands there.
    pub(crate) fn text(&self, key: &str) -> Option<At<&'a str>> {
        let (value, place) = self.get(key)?;
        Some(At { value: value.as_str()?, place })
    }

    fn judge<T>(&self, place: &Place, outcome: Result<T, Wrong>) -> Option<T> {
        outcome.map_err(|wrong| self.sink.push(Some(place.clone()), wrong.what, wrong.way_out)).ok()
    }

    /// A text that a check turns into a value; `None` too when the key lacks.
    pub(crate) fn required<T>(
        &self,
        key: &str,
        check: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<At<T>> {
        let text = self.text(key)?;
        Some(At { value: self.judge(&text.place, check(text.value))?, place: text.place })
    }

    /// As [`Self::required`], but a key that lacks is `Some(None)`.
    pub(crate) fn optional<T>(
        &self,
        key: &str,
        check: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Option<At<T>>> {
        if self.has(key) { self.required(key, check).map(Some) } else { Some(None) }
    }

    /// As [`Self::required`], but a key that lacks has a default.
    pub(crate) fn or<T>(
        &self,
        key: &str,
        default: impl Into<T>,
        check: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        Some(self.optional(key, check)?.map_or_else(|| default.into(), |at| at.value))
    }

    /// A list of texts; empty when the key lacks.
    pub(crate) fn list<T>(
        &self,
        key: &str,
        check: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<At<T>>> {
        let Some((value, _)) = self.get(key) else { return Some(Vec::new()) };
        let items: Vec<Option<At<T>>> = value
            .as_array()?
            .iter()
            .map(|item| {
                let (text, place) = (item.get_ref().as_str()?, item.span());
                Some(At { value: self.judge(&place, check(text))?, place })
            })
            .collect();
        items.into_iter().collect()
    }

    /// The texts of a list as they stand there.
    pub(crate) fn texts(&self, key: &str) -> Vec<At<String>> {
        self.list(key, |text| Ok(text.to_owned())).unwrap_or_default()
    }

    /// A secret; the check sees its text if it is given as text. A key that lacks is `Some(None)`.
    pub(crate) fn secret(
        &self,
        key: &str,
        check: impl Fn(&str) -> Result<(), Wrong>,
    ) -> Option<Option<SecretSource>> {
        let Some((value, place)) = self.get(key) else { return Some(None) };
        if let Some(text) = value.as_str() {
            self.judge(&place, check(text))?;
            return Some(Some(SecretSource::Text(Secret::new(text))));
        }
        let origin = Self { entries: value.as_table(), place: Some(place), sink: self.sink };
        if let Some(path) = origin.text("file") {
            return Some(Some(SecretSource::File(path.value.into())));
        }
        let wanted = |key| origin.get(key).and_then(|(value, _)| value.as_bool()) == Some(true);
        match (wanted("generate"), wanted("ask")) {
            (true, false) => Some(Some(SecretSource::Generate)),
            (false, true) => Some(Some(SecretSource::Ask)),
            _ => None,
        }
    }
}
