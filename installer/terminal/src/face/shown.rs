//! What a question looks like.

use model::questions::{Choice, Kind, Offer, Value};

use super::{
    dialog::Dialog,
    page::{Page, Row},
};

impl Dialog<'_, '_> {
    /// A page that is only read.
    pub(super) fn pause(&self, title: &str, text: Vec<String>) -> Page {
        let footer = "Enter: go on".to_owned();
        Page { place: self.place(), title: title.to_owned(), text, footer, ..Page::default() }
    }

    fn place(&self) -> String {
        format!("{} of {}", self.asked.number, self.asked.of)
    }

    pub(super) fn page(&self) -> Page {
        let question = self.question();
        let mut page = Page {
            place: self.place(),
            title: question.title.clone(),
            text: vec![question.text.clone()],
            message: self.message.clone(),
            default: self.default(),
            hidden: matches!(question.kind, Kind::Secret { .. }),
            footer: self.footer(),
            ..Page::default()
        };
        match &question.kind {
            Kind::Choice { options, .. } => {
                page.moves = true;
                page.cursor = self.cursor;
                page.rows = options.iter().map(|option| row(None, option)).collect();
            }
            Kind::Several(options) => {
                (page.moves, page.marks) = (true, true);
                page.cursor = self.cursor;
                let marks = options.iter().zip(&self.marks);
                page.rows = marks.map(|(option, mark)| row(Some(*mark), option)).collect();
                let remark = question.remark(&self.marked());
                page.below.extend(Some(remark).filter(|remark| !remark.is_empty()));
            }
            Kind::YesNo => {
                page.moves = true;
                page.cursor = self.cursor;
                let row = |text: &str| Row { marked: None, text: text.to_owned() };
                page.rows = vec![row("yes"), row("no")];
            }
            Kind::List(_) => {
                let row = |text: &String| Row { marked: None, text: text.clone() };
                page.rows = self.list.iter().map(row).collect();
            }
            Kind::Text | Kind::Secret { .. } => {}
        }
        page.below.extend(refusals(question.kind.options()));
        if !self.cursor_is_shown() {
            // On paper the cursor marks the default.
            let default = matches!(question.kind, Kind::Choice { .. } | Kind::YesNo);
            page.cursor = page.cursor.filter(|_| default && question.default.is_some());
        }
        page
    }

    /// What Enter alone means.
    fn default(&self) -> String {
        let question = self.question();
        match (&question.kind, &question.default) {
            (Kind::Several(_), _) => "as marked".to_owned(),
            (Kind::List(_), _) if self.list.is_empty() => "none".to_owned(),
            (Kind::List(_), _) => "no more".to_owned(),
            (_, None) => String::new(),
            (Kind::Choice { .. } | Kind::YesNo, _)
                if self.cursor.is_some() && self.cursor_is_shown() =>
            {
                String::new()
            }
            (Kind::Choice { .. }, Some(Value::Text(text))) => text.clone(),
            (Kind::Secret { .. }, Some(Value::Secret(secret))) if secret.reveal().is_empty() => {
                "none".to_owned()
            }
            (Kind::Secret { .. }, _) => "as before".to_owned(),
            (_, Some(value)) => question.shown(value),
        }
    }

    fn footer(&self) -> String {
        let own = match self.question().kind {
            Kind::Choice { .. } | Kind::YesNo if self.cursor_is_shown() => {
                "arrows or number, Enter"
            }
            Kind::Choice { .. } => "number or name",
            Kind::YesNo => "y or n",
            Kind::Several(_) if self.cursor_is_shown() => "Space or number marks, Enter takes",
            Kind::Several(_) => "numbers mark, Enter alone takes",
            Kind::List(_) => "one a line, -1 removes",
            Kind::Text | Kind::Secret { .. } => "Enter",
        };
        let mut footer = own.to_owned();
        for offer in &self.offers {
            let what = match offer {
                Offer::KeysFromFile => "f file",
                Offer::KeysOfAccount => "a account",
            };
            footer = format!("{footer} | {what}");
        }
        format!("{footer} | ? help | < back | << leave")
    }
}

fn row(marked: Option<bool>, option: &Choice) -> Row {
    Row { marked, text: option.label.clone() }
}

/// What cannot be chosen, by its number. A reason has no room behind the label of a disk.
fn refusals(options: &[Choice]) -> impl Iterator<Item = String> {
    let numbered = (1..).zip(options);
    numbered.filter_map(|(number, option)| {
        option.refused.as_ref().map(|why| format!("{number} cannot be chosen: {why}."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_stands_below_by_its_number_and_is_not_cut() {
        let label = "WDC WD40EFRX (serial WD-WX12A345, 4000 GB, ext4 \"films\")";
        let mut refused = Choice::new("disk:sdb", label);
        refused.refused = Some("another disk has the same serial".to_owned());
        let options = [Choice::new("serial:A", "A"), refused];
        let page = Page {
            rows: options.iter().map(|option| row(Some(false), option)).collect(),
            below: refusals(&options).collect(),
            ..Page::default()
        };
        let (lines, _) = page.lines();
        assert_eq!(
            lines[6..],
            [
                "   [ ] 1  A".to_owned(),
                format!("   [ ] 2  {label}"),
                String::new(),
                "   2 cannot be chosen: another disk has the same serial.".to_owned(),
                " ()".to_owned(),
            ]
        );
    }
}
