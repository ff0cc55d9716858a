//! All answers on one page, and the one confirmation.

use std::io;

use model::{
    questions::{Interview, SummaryLine},
    seed::rules::Refused,
};

use super::{
    End, Ending, Face, Helper, Input, Looks,
    dialog::said,
    page::{Page, Row},
};
use crate::{COLUMNS, wrap};

/// What came of the summary.
pub(super) enum Last {
    Confirmed,
    /// A question is open again.
    Open,
    Leave,
    Stop,
}

/// Lines of text that a page has room for.
const ROOM: usize = 16;

/// Tells something on as many pages as it needs, one paragraph each. None: it was read to its end.
///
/// # Errors
/// The console is gone.
pub fn tell(
    face: &mut Face,
    title: &str,
    text: &[String],
    helper: &mut dyn Helper,
) -> io::Result<Option<End>> {
    let mut lines: Vec<String> = Vec::new();
    for text in text {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(wrap(text, COLUMNS - 3));
    }
    let room = if face.looks == Looks::Full { ROOM } else { usize::MAX };
    let pages = lines.len().div_ceil(room);
    for (index, lines) in lines.chunks(room).enumerate() {
        let page = Page {
            place: format!("page {} of {pages}", index + 1),
            title: title.to_owned(),
            text: vec![lines.join("\n")],
            footer: "Enter: go on | << leave".to_owned(),
            ..Page::default()
        };
        match face.prompt(&page, helper)? {
            Input::Leave => return Ok(Some(End::Left)),
            Input::Stop => return Ok(Some(End::Stopped)),
            Input::Line(typed) if typed.trim() == "<<" => return Ok(Some(End::Left)),
            _ => {}
        }
    }
    Ok(None)
}

/// Shows all answers. Confirmed by the word `yes` alone: a key that is held down confirms nothing.
pub(super) fn summary(
    face: &mut Face,
    interview: &mut Interview<'_>,
    ending: &Ending,
    mut message: Vec<String>,
    helper: &mut dyn Helper,
) -> io::Result<Last> {
    if message.is_empty() {
        message = ending.refused.as_ref().map(said).unwrap_or_default();
    }
    let mut cursor = 0;
    loop {
        let lines = interview.summary();
        let row = |line: &SummaryLine| Row {
            marked: None,
            text: format!("{:<17} {}", line.title, line.answer),
        };
        let text =
            format!("{} Type `yes`, or the number of an answer to change it.", ending.question);
        let page = Page {
            place: "summary".to_owned(),
            title: "All is answered".to_owned(),
            text: vec![text],
            rows: lines.iter().map(row).collect(),
            cursor: Some(cursor).filter(|_| face.looks == Looks::Full),
            moves: true,
            message: std::mem::take(&mut message),
            footer: "yes | number changes an answer | < back | << leave".to_owned(),
            ..Page::default()
        };
        let typed = match face.prompt(&page, helper)? {
            Input::Line(typed) => typed.trim().to_lowercase(),
            Input::Up => {
                cursor = cursor.saturating_sub(1);
                continue;
            }
            Input::Down => {
                cursor = (cursor + 1).min(lines.len().saturating_sub(1));
                continue;
            }
            Input::Back => "<".to_owned(),
            Input::Leave => return Ok(Last::Leave),
            Input::Stop => return Ok(Last::Stop),
            Input::Mark => continue,
        };
        let number = typed.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match typed.as_str() {
            "yes" => match &ending.refused {
                None => return Ok(Last::Confirmed),
                Some(refused) => {
                    message = said(refused);
                    continue;
                }
            },
            "<<" => return Ok(Last::Leave),
            "<" => {
                interview.back();
                return Ok(Last::Open);
            }
            _ => {}
        }
        match number.and_then(|index| lines.get(index)) {
            Some(line) => {
                interview.reopen(&line.id);
                return Ok(Last::Open);
            }
            None => {
                message = said(&Refused::new(
                    format!("`{typed}` is neither `yes` nor the number of an answer"),
                    "nothing was done so far; type `<<` to leave",
                ));
            }
        }
    }
}
