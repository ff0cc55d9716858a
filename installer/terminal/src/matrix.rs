//! Who may see what, as a table.

use std::fmt::Write as _;

use model::access::{Cell, Measured, State, Visitor};

/// Columns of a URL and of a visitor: together they are those of every console.
const URL: usize = 39;
const VISITOR: usize = 10;

/// What was measured, for a person: each cell is what came back, and what did not come as expected
/// has a mark and is explained below.
pub fn text(measured: &Measured) -> String {
    let mut out = String::new();
    let head: String = Visitor::ALL.iter().map(|v| format!("{:<VISITOR$}", v.name())).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{:<URL$}{}", "", head.trim_end());
    for row in &measured.rows {
        let url = row.row.url.trim_start_matches("https://");
        let cells: String = row.cells.iter().map(|c| format!("{:<VISITOR$}", shown(c))).collect();
        // A long one has a line of its own.
        let url = if url.len() < URL { url } else { &format!("{url}\n{:URL$}", "") };
        let _ = writeln!(out, "{url:<URL$}{}", cells.trim_end());
    }
    let cells = || measured.rows.iter().flat_map(|row| &row.cells);
    let differing: Vec<_> = measured
        .rows
        .iter()
        .flat_map(|row| row.cells.iter().map(move |cell| (row, cell)))
        .filter(|(_, cell)| cell.state == State::Differs)
        .collect();
    if !differing.is_empty() {
        out.push('\n');
    }
    for (row, cell) in differing {
        let told = cell.detail.as_deref().unwrap_or(&row.row.url);
        let _ = writeln!(out, "! as {}: {told}", cell.visitor.name());
    }
    if !measured.notes.is_empty() {
        out.push('\n');
    }
    for note in &measured.notes {
        let _ = writeln!(out, "not measured: {note}");
    }
    let count = |state| cells().filter(|cell| cell.state == state).count();
    let parts = [
        (count(State::Holds), "as expected"),
        (count(State::Differs), "not as expected"),
        (count(State::Asleep), "asleep"),
        (count(State::NotMeasured), "not measured"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    let _ = writeln!(out, "\n{} questions: {}", cells().count(), parts.join(", "));
    if count(State::Asleep) > 0 {
        let _ = writeln!(out, "`sudo homelab access --wake` wakes what is asleep and asks it too");
    }
    out
}

fn shown(cell: &Cell) -> String {
    match cell.state {
        State::Holds | State::Asleep => cell.measured.clone(),
        State::Differs => format!("!{}", cell.measured),
        State::NotMeasured => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use model::{
        access::{MeasuredRow, Row},
        catalogue::wish::Access,
    };

    use super::*;

    #[test]
    fn a_table_marks_what_differs_and_says_what_is_missing() {
        let cell = |visitor, measured: &str, state, detail: Option<&str>| Cell {
            visitor,
            expected: "app",
            measured: measured.into(),
            state,
            detail: detail.map(str::to_owned),
        };
        let row = |url: &str, cells: Vec<Cell>| MeasuredRow {
            row: Row {
                stack: "core".into(),
                service: "x".into(),
                url: url.into(),
                exception: None,
                access: Access::TwoFactor,
                lazy: false,
            },
            cells,
        };
        let wrong = "https://traefik.home.arpa/: expected the login's refusal, got 200";
        let rows = vec![
            row(
                "https://traefik.home.arpa/",
                vec![
                    cell(Visitor::Anonymous, "portal", State::Holds, None),
                    cell(Visitor::User, "app", State::Differs, Some(wrong)),
                    cell(Visitor::Admin, "not measured", State::NotMeasured, Some("x")),
                    cell(Visitor::Client, "portal", State::Holds, None),
                ],
            ),
            row(
                "https://a-service-of-a-long-name.homelab.home.arpa/api",
                vec![
                    cell(Visitor::Anonymous, "asleep", State::Asleep, None),
                    cell(Visitor::User, "asleep", State::Asleep, None),
                    cell(Visitor::Admin, "asleep", State::Asleep, None),
                    cell(Visitor::Client, "app", State::Holds, None),
                ],
            ),
        ];
        let notes = vec!["no second factor for the admin: x".to_owned()];
        let measured = Measured::new("https://auth.home.arpa".into(), rows, notes);
        assert!(!measured.holds);
        assert_eq!(
            text(&measured),
            "                                       anonymous user      admin     client
traefik.home.arpa/                     portal    !app      -         portal
a-service-of-a-long-name.homelab.home.arpa/api
                                       asleep    asleep    asleep    app

! as user: https://traefik.home.arpa/: expected the login's refusal, got 200

not measured: no second factor for the admin: x

8 questions: 3 as expected, 1 not as expected, 3 asleep, 1 not measured
`sudo homelab access --wake` wakes what is asleep and asks it too
"
        );
    }
}
