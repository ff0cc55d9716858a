//! One question after the other, until all is confirmed or somebody leaves.

use std::io;

use model::{
    Secret,
    questions::{Asked, Interview, Kind, Offer, Question, Value},
    seed::rules::Refused,
};

use super::{
    Face, Helper, Input,
    page::Page,
    reply::{self, Reply},
    summary::{self, Last},
};

/// Title of the pages before the confirmation.
const PLAN: &str = "What will happen";

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything is answered and confirmed.
    Confirmed,
    /// Somebody wants to go on later; the answers so far are in the interview.
    Left,
    /// The caller wanted to stop; the answers so far are in the interview.
    Stopped,
}

/// What came of one question.
enum Outcome {
    Answer(Value),
    Back,
    Leave,
    Stop,
}

/// Asks what is not answered yet, shows the summary and has it confirmed.
///
/// # Errors
/// The console is gone.
pub fn interview(
    face: &mut Face,
    interview: &mut Interview<'_>,
    helper: &mut dyn Helper,
) -> io::Result<End> {
    let mut message = Vec::new();
    let mut told = Vec::new();
    let end = loop {
        let Some(asked) = interview.next() else {
            if !helper.working().is_empty() {
                let text = vec![helper.working().to_owned()];
                face.show(&Page { title: PLAN.to_owned(), text, ..Page::default() })?;
            }
            let ending = helper.ending(interview);
            // What will happen is told before it is asked for, and again when it has changed.
            if ending.text != told {
                if let Some(end) = summary::tell(face, PLAN, &ending.text, helper)? {
                    break end;
                }
            }
            let last =
                summary::summary(face, interview, &ending, std::mem::take(&mut message), helper)?;
            told = ending.text;
            match last {
                Last::Confirmed => break End::Confirmed,
                Last::Leave => break End::Left,
                Last::Stop => break End::Stopped,
                Last::Open => {}
            }
            message = changed(interview, helper);
            continue;
        };
        helper.asks(&asked);
        let mut dialog = Dialog::new(face, helper, &asked, std::mem::take(&mut message));
        match dialog.run()? {
            Outcome::Leave => break End::Left,
            Outcome::Stop => break End::Stopped,
            Outcome::Back => {
                if !interview.back() {
                    message =
                        said(&Refused::new("this is the first question", "type `<<` to leave"));
                    continue;
                }
            }
            Outcome::Answer(value) => {
                if let Err(refused) = interview.answer(&value) {
                    message = said(&refused);
                    continue;
                }
            }
        }
        message = changed(interview, helper);
    };
    face.clear()?;
    Ok(end)
}

/// Has the answers saved; what to say if they cannot be.
fn changed(interview: &Interview<'_>, helper: &mut dyn Helper) -> Vec<String> {
    match helper.changed(interview.answers()) {
        Ok(()) => Vec::new(),
        Err(why) => vec![format!("the answers cannot be saved: {why}")],
    }
}

pub(super) fn said(refused: &Refused) -> Vec<String> {
    let mut lines = vec![refused.what.clone()];
    lines.extend(Some(refused.hint.clone()).filter(|hint| !hint.is_empty()));
    lines
}

/// One question at one console.
pub(super) struct Dialog<'a, 'q> {
    pub(super) face: &'a mut Face,
    helper: &'a mut dyn Helper,
    pub(super) asked: &'a Asked<'q>,
    pub(super) offers: Vec<Offer>,
    pub(super) message: Vec<String>,
    /// The row that Enter takes; none before somebody went to one, where there is no default.
    pub(super) cursor: Option<usize>,
    pub(super) marks: Vec<bool>,
    pub(super) list: Vec<String>,
}

impl<'a, 'q> Dialog<'a, 'q> {
    fn new(
        face: &'a mut Face,
        helper: &'a mut dyn Helper,
        asked: &'a Asked<'q>,
        message: Vec<String>,
    ) -> Self {
        let question = &asked.question;
        let able = helper.offers();
        let offers = question.offers.iter().copied().filter(|offer| able.contains(offer));
        let offers = offers.collect();
        let options = question.kind.options();
        let is_default = |value: &str| match &question.default {
            Some(Value::Text(text)) => text == value,
            Some(Value::Texts(list)) => list.iter().any(|text| text == value),
            _ => false,
        };
        let marks: Vec<bool> = options.iter().map(|option| is_default(&option.value)).collect();
        let cursor = match (&question.kind, &question.default) {
            (Kind::YesNo, Some(Value::Yes(yes))) => Some(usize::from(!yes)),
            (Kind::Choice { .. }, _) => marks.iter().position(|mark| *mark),
            (Kind::Several(_), _) => Some(0),
            _ => None,
        };
        let list = match (&question.kind, &question.default) {
            (Kind::List(_), Some(Value::Texts(list))) => list.clone(),
            _ => Vec::new(),
        };
        Self { face, helper, asked, offers, message, cursor, marks, list }
    }

    pub(super) fn question(&self) -> &'a Question<'q> {
        &self.asked.question
    }

    fn run(&mut self) -> io::Result<Outcome> {
        loop {
            let page = self.page();
            self.message.clear();
            let typed = match self.face.prompt(&page, self.helper)? {
                Input::Line(typed) => typed,
                Input::Up => {
                    self.cursor = self.cursor.map(|at| at.saturating_sub(1)).or(Some(0));
                    continue;
                }
                Input::Down => {
                    let last = page.rows.len().saturating_sub(1);
                    self.cursor = Some(self.cursor.map_or(0, |at| (at + 1).min(last)));
                    continue;
                }
                Input::Mark => {
                    self.switch(&Vec::from_iter(self.cursor));
                    continue;
                }
                Input::Back => return Ok(Outcome::Back),
                Input::Leave => return Ok(Outcome::Leave),
                Input::Stop => return Ok(Outcome::Stop),
            };
            let reply = reply::read(self.question(), &typed, &self.offers, self.list.len());
            match reply {
                Err(refused) => self.message = said(&refused),
                Ok(Reply::Help) => self.help()?,
                Ok(Reply::Back) => return Ok(Outcome::Back),
                Ok(Reply::Leave) => return Ok(Outcome::Leave),
                Ok(Reply::Switch(which)) => self.switch(&which),
                Ok(Reply::Mark(on)) => self.marks.fill(on),
                Ok(Reply::Remove(index)) => drop(self.list.remove(index)),
                Ok(Reply::Add(text)) => self.add(vec![text]),
                Ok(Reply::Take(offer)) => self.take(offer)?,
                Ok(Reply::Enter) => {
                    if let Some(value) = self.on_enter() {
                        if let Some(outcome) = self.take_answer(value)? {
                            return Ok(outcome);
                        }
                    }
                }
                Ok(Reply::Answer(value)) => {
                    if let Some(outcome) = self.take_answer(value)? {
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    /// What Enter alone means; none, with a message, if it means nothing.
    fn on_enter(&mut self) -> Option<Value> {
        let question = self.question();
        // Arrow keys show what they have chosen; on paper the default is shown.
        let cursor = self.cursor.filter(|_| self.cursor_is_shown());
        let value = match (&question.kind, cursor) {
            (Kind::Choice { options, .. }, Some(at)) => {
                options.get(at).map(|option| Value::Text(option.value.clone()))
            }
            (Kind::YesNo, Some(at)) => Some(Value::Yes(at == 0)),
            (Kind::Several(_), _) => Some(self.marked()),
            (Kind::List(_), _) => Some(Value::Texts(self.list.clone())),
            _ => question.default.clone(),
        };
        if value.is_none() {
            self.message = said(&Refused::new("an answer is needed", "type `?` for help"));
        }
        value
    }

    pub(super) fn cursor_is_shown(&self) -> bool {
        self.face.looks == super::Looks::Full
    }

    /// Checks an answer, and has it tried; none: it is asked again.
    fn take_answer(&mut self, value: Value) -> io::Result<Option<Outcome>> {
        let question = self.question();
        let value = match question.check(&value) {
            Ok(value) => value,
            Err(refused) => {
                self.message = said(&refused);
                return Ok(None);
            }
        };
        let kept = question.default.as_ref() == Some(&value);
        if let (Kind::Secret { twice: true }, Value::Secret(first), false) =
            (&question.kind, &value, kept)
        {
            match self.again(first)? {
                None => {}
                Some(Outcome::Answer(_)) => return Ok(None),
                Some(other) => return Ok(Some(other)),
            }
        }
        let trying = self.helper.trying(question, &value);
        if !trying.is_empty() {
            let title = question.title.clone();
            self.face.show(&Page { title, text: vec![trying], ..Page::default() })?;
        }
        match self.helper.tried(question, &value) {
            Ok(note) if note.is_empty() => Ok(Some(Outcome::Answer(value))),
            Ok(note) => {
                let mut page = self.pause(&question.title, vec![note]);
                page.footer.push_str(" | < back");
                Ok(match self.face.prompt(&page, self.helper)? {
                    Input::Leave => Some(Outcome::Leave),
                    Input::Back => None,
                    Input::Line(typed) if typed.trim() == "<" => None,
                    _ => Some(Outcome::Answer(value)),
                })
            }
            Err(refused) => {
                self.message = said(&refused);
                Ok(None)
            }
        }
    }

    /// Has a secret typed again. None: it is the same; an answer: it is to be typed anew.
    fn again(&mut self, first: &Secret) -> io::Result<Option<Outcome>> {
        let question = self.question();
        let mut page = self.page();
        page.text = vec!["The same once more, to find slips.".to_owned()];
        page.default = String::new();
        let remark = question.remark(&Value::Secret(first.clone()));
        page.below = if remark.is_empty() { Vec::new() } else { vec![remark] };
        let anew = || Some(Outcome::Answer(Value::Secret(Secret::new(""))));
        Ok(match self.face.prompt(&page, self.helper)? {
            Input::Line(typed) if typed == first.reveal() => None,
            Input::Line(typed) if typed == "<<" => Some(Outcome::Leave),
            Input::Leave => Some(Outcome::Leave),
            Input::Line(typed) if typed == "<" || typed == "?" => anew(),
            Input::Line(_) => {
                self.message = vec![
                    "the two were not the same".to_owned(),
                    "type it again from the beginning".to_owned(),
                ];
                anew()
            }
            _ => anew(),
        })
    }

    fn switch(&mut self, which: &[usize]) {
        for index in which {
            if let Some(mark) = self.marks.get_mut(*index) {
                *mark = !*mark;
            }
        }
        if let [index] = which {
            self.cursor = Some(*index);
        }
    }

    pub(super) fn marked(&self) -> Value {
        let options = self.question().kind.options().iter().zip(&self.marks);
        let marked = options.filter(|(_, mark)| **mark).map(|(option, _)| option.value.clone());
        Value::Texts(marked.collect())
    }

    fn add(&mut self, texts: Vec<String>) {
        for text in texts {
            let mut with = self.list.clone();
            with.push(text);
            match self.question().check(&Value::Texts(with)) {
                Ok(Value::Texts(list)) => self.list = list,
                Ok(_) => {}
                Err(refused) => self.message = said(&refused),
            }
        }
    }

    /// Asks what an offer needs, and takes what it brings.
    fn take(&mut self, offer: Offer) -> io::Result<()> {
        let mut page = self.page();
        page.text = vec![self.helper.offer_text(offer).to_owned()];
        page.rows.clear();
        page.below.clear();
        page.default = String::new();
        page.footer = "Enter alone: back to the list".to_owned();
        let Input::Line(typed) = self.face.prompt(&page, self.helper)? else { return Ok(()) };
        let typed = typed.trim();
        if typed.is_empty() || typed == "<" {
            return Ok(());
        }
        match self.helper.fulfil(offer, typed) {
            Ok(texts) => {
                let new: Vec<String> =
                    texts.into_iter().filter(|text| !self.list.contains(text)).collect();
                if new.is_empty() {
                    self.message = vec!["there is nothing new in it".to_owned()];
                }
                self.add(new);
            }
            Err(refused) => self.message = said(&refused),
        }
        Ok(())
    }

    fn help(&mut self) -> io::Result<()> {
        let question = self.question();
        let mut text = vec![question.text.clone(), question.help.clone()];
        text.push(
            "`<` or Escape goes back to the question before, `<<` or Ctrl-C leaves; what is answered \
             stays. An answer in brackets is taken by Enter alone."
                .to_owned(),
        );
        let page = self.pause(&format!("{}: help", question.title), text);
        // Whatever is done there leads back to the question.
        self.face.prompt(&page, self.helper).map(drop)
    }
}
