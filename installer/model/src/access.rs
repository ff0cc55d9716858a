//! Who may see which URL: what the catalogue says, and what came back when it was asked.

pub(crate) mod sample;

use serde::Serialize;

use crate::{
    catalogue::wish::Access,
    plan::{AccessExpectation, AccessProbe},
};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Visitor {
    /// A browser without a session.
    Anonymous,
    /// A browser of somebody who has logged in with a password and is in no group.
    User,
    /// A browser of somebody of the group `admins` who has logged in with a second factor.
    Admin,
    /// A program that shows a token of its own and wants JSON.
    Client,
}

impl Visitor {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Anonymous, Self::User, Self::Admin, Self::Client];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User => "user",
            Self::Admin => "admin",
            Self::Client => "client",
        }
    }
}

/// Every URL, and who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Where people log in: `https://auth.<domain>`.
    pub portal: String,
    /// In the order of the catalogue.
    pub rows: Vec<Row>,
}

/// A URL, and who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Stack of the service.
    pub stack: String,
    /// The service behind it.
    pub service: String,
    /// What is asked for.
    pub url: String,
    /// The pattern of the access exception that it stands for; none: the rest of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// Who may see it.
    pub access: Access,
    /// The service sleeps when nobody asks for it.
    pub lazy: bool,
}

impl Row {
    /// What this visitor must get.
    pub fn expects(&self, visitor: Visitor, portal: &str) -> AccessExpectation {
        let to_portal = || AccessExpectation::Portal { url: portal.to_owned() };
        match (self.access, visitor) {
            (Access::Bypass, _) => AccessExpectation::Answers,
            (_, Visitor::Anonymous | Visitor::Client) => to_portal(),
            (Access::TwoFactor, Visitor::User) => AccessExpectation::Refused,
            (Access::OneFactor, Visitor::User) | (_, Visitor::Admin) => AccessExpectation::Passes,
        }
    }

    /// The question of this visitor.
    pub fn probe(&self, visitor: Visitor, portal: &str) -> AccessProbe {
        AccessProbe {
            service: self.service.clone(),
            url: self.url.clone(),
            expect: self.expects(visitor, portal),
        }
    }
}

/// An expectation in a word: `app`, `portal` or `refused`.
pub fn word(expectation: &AccessExpectation) -> &'static str {
    match expectation {
        AccessExpectation::Answers | AccessExpectation::Passes => "app",
        AccessExpectation::Portal { .. } => "portal",
        AccessExpectation::Refused => "refused",
    }
}

/// The matrix with what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// As in [`Matrix`].
    pub portal: String,
    /// Everything was asked, or sleeps, and is as expected.
    pub holds: bool,
    /// What a visitor could not do, and so was not asked.
    pub notes: Vec<String>,
    /// As in [`Matrix`].
    pub rows: Vec<MeasuredRow>,
}

impl Measured {
    /// Puts together what was measured.
    pub fn new(portal: String, rows: Vec<MeasuredRow>, notes: Vec<String>) -> Self {
        let bad = |cell: &Cell| matches!(cell.state, State::Differs | State::NotMeasured);
        let holds = !rows.iter().flat_map(|row| &row.cells).any(bad);
        Self { portal, holds, notes, rows }
    }
}

/// A row with what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeasuredRow {
    /// What was asked for.
    #[serde(flatten)]
    pub row: Row,
    /// One for each visitor.
    pub cells: Vec<Cell>,
}

/// What came back for one visitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Who asked.
    pub visitor: Visitor,
    /// See [`word`].
    pub expected: &'static str,
    /// See [`word`]; also `404` and `502` and the like, `nothing`, `asleep`, `not measured`.
    pub measured: String,
    /// How both stand to each other.
    pub state: State,
    /// What is wrong, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a measurement stands to what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As expected.
    Holds,
    /// Something else.
    Differs,
    /// Not asked: the question would have woken the service.
    Asleep,
    /// Not asked: this visitor could not be made.
    NotMeasured,
}
