//! One question, as a face needs it.

use std::fmt;

use super::{Id, Value};
use crate::{Secret, catalogue::nearest, seed::rules::Refused};

/// Judges an answer: as it is kept, or why it cannot be taken.
type Check<'a> = Box<dyn Fn(Value) -> Result<Value, Refused> + 'a>;

/// Says something about an answer.
type Remark<'a> = Box<dyn Fn(&Value) -> String + 'a>;

/// A question. Its texts are plain ASCII, in sentences, without line breaks of their own.
pub struct Question<'a> {
    /// Its name.
    pub id: Id,
    /// A few words, for headers and the summary.
    pub title: String,
    /// The question itself.
    pub text: String,
    /// More, for whoever asks for help.
    pub help: String,
    /// What an answer is.
    pub kind: Kind,
    /// What an empty answer means: the answer given before, or a sensible one. None: there must be
    /// an answer.
    pub default: Option<Value>,
    /// Other ways to an answer; whoever asks offers those that it can carry out.
    pub offers: Vec<Offer>,
    check: Check<'a>,
    remark: Option<Remark<'a>>,
}

/// What an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One of these ([`Value::Text`] with its value); `other`: or a text that is not among them.
    Choice {
        /// What can be chosen.
        options: Vec<Choice>,
        /// Something else may be typed.
        other: bool,
    },
    /// Any of these, also none ([`Value::Texts`]).
    Several(Vec<Choice>),
    /// A line ([`Value::Text`]).
    Text,
    /// A line that is not shown ([`Value::Secret`]); `twice`: typed twice.
    Secret {
        /// It is asked for again, to find slips.
        twice: bool,
    },
    /// Yes or no ([`Value::Yes`]).
    YesNo,
    /// Any number of lines, also none ([`Value::Texts`]); the text names one, such as `SSH key`.
    List(&'static str),
}

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// As the answer has it.
    pub value: String,
    /// For people.
    pub label: String,
    /// Why it cannot be chosen now; it is shown all the same.
    pub refused: Option<String>,
}

/// Another way to an answer than typing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Public keys from a file.
    KeysFromFile,
    /// The public keys of an account at a code host.
    KeysOfAccount,
}

impl Choice {
    /// Something that can be chosen.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), refused: None }
    }

    /// The same, unless there is something against it.
    pub(super) fn unless(mut self, refused: Option<String>) -> Self {
        self.refused = refused;
        self
    }
}

impl<'a> Question<'a> {
    pub(super) fn new(id: impl Into<String>, title: impl Into<String>, kind: Kind) -> Self {
        Self {
            id: Id::new(id),
            title: title.into(),
            text: String::new(),
            help: String::new(),
            kind,
            default: None,
            offers: Vec::new(),
            check: Box::new(Ok),
            remark: None,
        }
    }

    pub(super) fn asks(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    pub(super) fn or(mut self, default: &str) -> Self {
        self.default = Some(Value::Text(default.to_owned()));
        self
    }

    pub(super) fn or_value(mut self, default: Value) -> Self {
        self.default = Some(default);
        self
    }

    pub(super) fn offers(mut self, offers: &[Offer]) -> Self {
        self.offers = offers.to_vec();
        self
    }

    /// Holds a text, each text of a list, or a secret to a rule.
    pub(super) fn each(self, rule: impl Fn(&str) -> Result<String, Refused> + 'a) -> Self {
        self.whole(move |value| {
            Ok(match value {
                Value::Text(text) => Value::Text(rule(&text)?),
                Value::Texts(list) => {
                    Value::Texts(list.iter().map(|text| rule(text)).collect::<Result<_, _>>()?)
                }
                Value::Secret(secret) => Value::Secret(Secret::new(rule(secret.reveal())?)),
                Value::Yes(yes) => Value::Yes(yes),
            })
        })
    }

    /// Holds the answer as a whole to a rule, after those before.
    pub(super) fn whole(mut self, rule: impl Fn(Value) -> Result<Value, Refused> + 'a) -> Self {
        let before = self.check;
        self.check = Box::new(move |value| before(value).and_then(&rule));
        self
    }

    pub(super) fn remarks(mut self, remark: impl Fn(&Value) -> String + 'a) -> Self {
        self.remark = Some(Box::new(remark));
        self
    }

    /// Judges an answer: as it is kept, or what is wrong with it and the way out.
    ///
    /// # Errors
    /// Why it cannot be taken.
    pub fn check(&self, value: &Value) -> Result<Value, Refused> {
        (self.check)(self.kind.fits(value)?)
    }

    /// What is to be said about an answer that is being made: the strength of a password, the memory
    /// that a selection needs. One line; empty if there is nothing to say.
    pub fn remark(&self, value: &Value) -> String {
        self.remark.as_ref().map(|remark| remark(value)).unwrap_or_default()
    }

    /// An answer as it is shown; secrets are not.
    pub fn shown(&self, value: &Value) -> String {
        let label = |value: &String| {
            let options = self.kind.options();
            let found = options.iter().find(|option| option.value == *value);
            found.map_or_else(|| value.clone(), |option| option.label.clone())
        };
        match value {
            Value::Text(text) if text.is_empty() => "none".to_owned(),
            Value::Text(text) => label(text),
            Value::Texts(list) if list.is_empty() => "none".to_owned(),
            Value::Texts(list) if matches!(self.kind, Kind::Several(_)) => list.join(", "),
            Value::Texts(list) => list.join("; "),
            Value::Yes(true) => "yes".to_owned(),
            Value::Yes(false) => "no".to_owned(),
            Value::Secret(secret) if secret.reveal().is_empty() => "none".to_owned(),
            Value::Secret(_) => "(not shown)".to_owned(),
        }
    }
}

impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, title, text, help, kind, default, offers, .. } = self;
        f.debug_struct("Question")
            .field("id", id)
            .field("title", title)
            .field("text", text)
            .field("help", help)
            .field("kind", kind)
            .field("default", default)
            .field("offers", offers)
            .finish_non_exhaustive()
    }
}

impl Kind {
    /// What can be chosen; empty where something is typed.
    pub fn options(&self) -> &[Choice] {
        match self {
            Self::Choice { options, .. } | Self::Several(options) => options,
            _ => &[],
        }
    }

    /// An answer that says nothing.
    pub(super) fn nothing(&self) -> Value {
        match self {
            Self::Choice { .. } | Self::Text => Value::Text(String::new()),
            Self::Several(_) | Self::List(_) => Value::Texts(Vec::new()),
            Self::Secret { .. } => Value::Secret(Secret::new("")),
            Self::YesNo => Value::Yes(false),
        }
    }

    /// Whether the answer is one of this kind, tidied up.
    fn fits(&self, value: &Value) -> Result<Value, Refused> {
        match (self, value) {
            (Self::Text, Value::Text(text)) => Ok(Value::Text(text.trim().to_owned())),
            (Self::Choice { options, other }, Value::Text(text)) => {
                let text = text.trim();
                match options.iter().find(|option| option.value == text) {
                    Some(option) => can_be_chosen(option)?,
                    None if *other => {}
                    None => return Err(unknown(options, text)),
                }
                Ok(Value::Text(text.to_owned()))
            }
            (Self::Several(options), Value::Texts(list)) => {
                for text in list {
                    match options.iter().find(|option| option.value == *text) {
                        Some(option) => can_be_chosen(option)?,
                        None => return Err(unknown(options, text)),
                    }
                }
                // In the order of the options, each once.
                let chosen = options.iter().filter(|option| list.contains(&option.value));
                Ok(Value::Texts(chosen.map(|option| option.value.clone()).collect()))
            }
            (Self::List(_), Value::Texts(list)) => {
                let mut tidy: Vec<String> = Vec::new();
                for text in list.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
                    if tidy.iter().any(|other| other == text) {
                        let what = format!("`{text}` is there twice");
                        return Err(Refused::new(what, "take one of them away"));
                    }
                    tidy.push(text.to_owned());
                }
                Ok(Value::Texts(tidy))
            }
            (Self::Secret { .. }, Value::Secret(_)) | (Self::YesNo, Value::Yes(_)) => {
                Ok(value.clone())
            }
            _ => Err(Refused::new("this is no answer to the question", "see the help")),
        }
    }
}

fn can_be_chosen(option: &Choice) -> Result<(), Refused> {
    match &option.refused {
        None => Ok(()),
        Some(why) => {
            let what = format!("`{}` cannot be chosen: {why}", option.value);
            Err(Refused::new(what, "choose another one"))
        }
    }
}

fn unknown(options: &[Choice], text: &str) -> Refused {
    let what = format!("`{text}` is none of those to choose from");
    match nearest(text, options.iter().map(|option| option.value.as_str())) {
        Some(near) => Refused::new(what, format!("did you mean `{near}`?")),
        None => Refused::new(what, format!("type a number from 1 to {}", options.len())),
    }
}
