//! The questions at a console that is no terminal: what the caller does for them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Seek as _, Write as _},
};

use model::{
    catalogue::Catalogue,
    questions::{Answers, Interview, Offer, Question, Value, World},
    seed::rules::Refused,
};
use terminal::face::{self, End, Ending, Face, Helper, Looks, Meanwhile};

const PASSWORD: &str = "violet pencil under seven rivers";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a";

/// Knows one account, refuses one host name, and has a full disk.
#[derive(Default)]
struct Caller {
    saved: usize,
    told: usize,
    refuses: bool,
}

impl Helper for Caller {
    fn changed(&mut self, answers: &Answers) -> Result<(), String> {
        assert!(!answers.is_empty());
        self.saved += 1;
        if self.saved == 1 { Err("no space left".to_owned()) } else { Ok(()) }
    }

    fn offers(&self) -> &[Offer] {
        &[Offer::KeysOfAccount]
    }

    fn fulfil(&mut self, offer: Offer, typed: &str) -> Result<Vec<String>, Refused> {
        assert_eq!(offer, Offer::KeysOfAccount);
        match typed {
            "alex" => Ok(vec![KEY.to_owned()]),
            other => Err(Refused::new(format!("nobody is called `{other}`"), "try another")),
        }
    }

    fn tried(&mut self, question: &Question<'_>, value: &Value) -> Result<String, Refused> {
        match (question.id.0.as_str(), value) {
            ("system.hostname", Value::Text(name)) if name == "taken" => {
                Err(Refused::new("another machine has this name", "choose another"))
            }
            ("system.hostname", _) => Ok("nobody else has this name".to_owned()),
            _ => Ok(String::new()),
        }
    }

    fn ending(&mut self, interview: &Interview<'_>) -> Ending {
        self.told += 1;
        let host = interview.summary()[2].answer.clone();
        let refused = self.refuses.then(|| Refused::new("it does not fit", "choose less"));
        Ending {
            text: vec![format!("{host} is installed.")],
            question: "Begin?".to_owned(),
            refused,
        }
    }
}

/// Types all lines at once; what was shown, and how it ended.
fn session(interview: &mut Interview<'_>, caller: &mut Caller, lines: &[&str]) -> (String, End) {
    let mut input = tempfile::tempfile().unwrap();
    writeln!(input, "{}", lines.join("\n")).unwrap();
    input.rewind().unwrap();
    let mut output = tempfile::tempfile().unwrap();
    let mut face = Face::new(input, output.try_clone().unwrap(), Looks::Full).unwrap();
    let end = face::interview(&mut face, interview, caller).unwrap();
    drop(face);
    (read(&mut output), end)
}

fn read(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

fn catalogue() -> Catalogue {
    let files = BTreeMap::from([("images.lock".to_owned(), "schema = 1\n".to_owned())]);
    Catalogue::parse(&files).unwrap()
}

#[test]
fn the_caller_saves_tries_and_brings_keys() {
    let catalogue = catalogue();
    let world = World::of_pc(&catalogue, None);
    let mut interview = Interview::new(&world, Answers::none());
    let mut caller = Caller::default();
    let lines = [
        "german", "", "taken", "cellar", "", "alex", PASSWORD, PASSWORD, "a", "bob", "a", "alex",
        "a", "alex", "", "", "", "", "", "", "",
    ];
    // The end of the input is somebody who leaves.
    let (said, end) = session(&mut interview, &mut caller, &lines);
    assert_eq!(end, End::Left, "{said}");
    for text in [
        "! the answers cannot be saved: no space left",
        "! another machine has this name\n = choose another",
        "nobody else has this name",
        "Strength: strong",
        "! nobody is called `bob`\n = try another",
        "   1  ssh-ed25519 AAAA",
        "! there is nothing new in it",
        "What will happen\n\n cellar is installed.",
        "Begin? Type `yes`",
    ] {
        assert!(said.contains(text), "{text}:\n{said}");
    }
    assert!(!said.contains(PASSWORD) && !said.contains('\x1b'), "{said}");

    // Somebody goes on elsewhere, from what was saved; changes an answer, and is told anew.
    let answers = Answers::unseal(interview.answers().sealed().reveal()).unwrap();
    let mut interview = Interview::new(&world, answers);
    let (told, lines) = (caller.told, ["", "3", "attic", "", "", "no", "yes"]);
    let (said, end) = session(&mut interview, &mut caller, &lines);
    assert_eq!(end, End::Confirmed, "{said}");
    assert!(
        said.contains("attic is installed.") && said.contains("`no` is neither `yes`"),
        "{said}"
    );
    assert_eq!(caller.told, told + 2);
    let (_, seed) = interview.seed().unwrap();
    assert_eq!((seed.system.keyboard.as_str(), seed.system.hostname.as_str()), ("de", "attic"));
    assert_eq!(seed.admin.ssh_keys, [KEY]);
}

#[test]
fn what_cannot_be_done_cannot_be_confirmed() {
    let catalogue = catalogue();
    let world = World::of_pc(&catalogue, None);
    let mut interview = Interview::new(&world, Answers::none());
    let mut caller = Caller { refuses: true, ..Caller::default() };
    let mut lines = vec!["", "", "", "", "alex", PASSWORD, PASSWORD];
    lines.extend([""; 7]);
    lines.extend(["yes", "yes", "<<"]);
    let (said, end) = session(&mut interview, &mut caller, &lines);
    assert_eq!(end, End::Left, "{said}");
    // When it is shown, and at each `yes`.
    assert_eq!(said.matches(" ! it does not fit\n = choose less\n").count(), 3, "{said}");
}

/// Says something once, and then wants to stop.
#[derive(Default)]
struct Impatient(usize);

impl Helper for Impatient {
    fn meanwhile(&mut self) -> Meanwhile {
        self.0 += 1;
        match self.0 {
            1 => Meanwhile::Wait,
            2 => Meanwhile::Say(vec!["a stick was found".to_owned(), "leave for it".to_owned()]),
            _ => Meanwhile::Stop,
        }
    }

    fn ending(&mut self, _: &Interview<'_>) -> Ending {
        Ending { text: Vec::new(), question: String::new(), refused: None }
    }
}

#[test]
fn what_comes_up_meanwhile_is_said_and_can_end_the_questions() {
    let catalogue = catalogue();
    let world = World::of_pc(&catalogue, None);
    let (silent, _nobody_types) = nix::unistd::pipe().unwrap();
    let mut output = tempfile::tempfile().unwrap();
    let mut interview = Interview::new(&world, Answers::none());
    let mut face = Face::new(silent.into(), output.try_clone().unwrap(), Looks::Full).unwrap();
    let end = face::interview(&mut face, &mut interview, &mut Impatient::default()).unwrap();
    assert_eq!(end, End::Stopped);
    drop(face);
    let said = read(&mut output);
    assert!(said.contains("\n ! a stick was found\n = leave for it\n"), "{said}");
    assert!(said.ends_with(" > "), "what is asked stands there again: {said}");
}
