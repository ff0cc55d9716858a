//! Compares a command line with the page of the book that tells its commands. `homelab-image`
//! includes this file, too, since its command line stands on the same page.

use std::path::Path;

use clap::Command;

/// What the page of the repository says otherwise than the command line, a line each.
pub fn differences(program: &Command) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(|folder| {
        let page = folder.join("docs/src/reference/cli.md");
        page.is_file().then_some(page)
    });
    let page = path.map(std::fs::read_to_string).expect("the page").expect("a readable page");
    compare(&page, program)
}

/// Commands and long options that the page lacks, and such as there are none.
///
/// A command stands there as `program command`. An option counts if it stands in a row, a paragraph
/// or a table of options that names the command in code: with the program, without it, or by its
/// last two words.
fn compare(page: &str, program: &Command) -> Vec<String> {
    let parts = parts(page);
    let mut found = Vec::new();
    lacks(&parts, program, &[], &mut found);
    for words in parts.iter().flatten() {
        if words.first() == Some(&program.get_name()) {
            found.extend(unknown(program, words));
        }
    }
    found
}

/// A row of a table of commands, a paragraph, or any other table: all its code, in words.
type Part<'a> = Vec<Vec<&'a str>>;

fn parts(page: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<&str> = Vec::new();
    for block in page.split("\n\n") {
        match block.starts_with("| command ") {
            true => parts.extend(block.lines()),
            false => parts.push(block),
        }
    }
    parts.into_iter().map(|part| part.split('`').skip(1).step_by(2).map(words).collect()).collect()
}

/// `homelab plan [--seed FILE]` in its words, without what only shows how they are written.
fn words(code: &str) -> Vec<&str> {
    code.split([' ', '\n', '[', ']', '=']).filter(|word| !word.is_empty()).collect()
}

fn lacks(parts: &[Part<'_>], command: &Command, above: &[&str], found: &mut Vec<String>) {
    let path = [above, &[command.get_name()]].concat();
    let name = path.join(" ");
    let mut names = vec![&path[..], &path[1..]];
    names.extend((path.len() > 3).then(|| &path[path.len() - 2..]));
    let tells = |part: &&Part<'_>| {
        path.len() > 1 && part.iter().any(|code| names.iter().any(|name| code.starts_with(name)))
    };
    let mine: Vec<&Part<'_>> = parts.iter().filter(tells).collect();
    let named = mine.iter().any(|part| part.iter().any(|code| code.starts_with(&path)));
    if path.len() > 1 && !command.has_subcommands() && !named {
        found.push(format!("the page lacks `{name}`"));
    }
    for long in command.get_arguments().filter_map(clap::Arg::get_long) {
        let option = format!("--{long}");
        let told = mine.iter().any(|part| part.iter().flatten().any(|word| *word == option));
        if !told {
            found.push(format!("the page lacks `{option}` of `{name}`"));
        }
    }
    for below in command.get_subcommands() {
        lacks(parts, below, &path, found);
    }
}

/// What these words call that there is not. A word that is no command ends the search for one: it
/// is an argument.
fn unknown(program: &Command, words: &[&str]) -> Option<String> {
    let mut command = program;
    let mut words = words[1..].iter().peekable();
    while let Some(below) = words.peek().and_then(|word| command.find_subcommand(word)) {
        command = below;
        words.next();
    }
    let stranger = match words.peek() {
        // clap's own.
        Some(&&"help") => None,
        Some(word) if command.has_subcommands() => Some(*word),
        _ => words.find(|word| {
            let known = |arg: &clap::Arg| arg.get_long() == word.strip_prefix("--");
            word.starts_with("--") && !command.get_arguments().any(known)
        }),
    };
    stranger.map(|word| format!("`{}` has no `{word}`", command.get_name()))
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn flag(name: &'static str) -> Arg {
        Arg::new(name).long(name).action(ArgAction::SetTrue)
    }

    fn program() -> Command {
        let add = Command::new("add").arg(flag("force")).arg(Arg::new("name"));
        Command::new("tool")
            .subcommand(Command::new("look").arg(flag("json")).arg(flag("memory")))
            .subcommand(Command::new("user").subcommand(Command::new("role").subcommand(add)))
            .subcommand(Command::new("hidden").hide(true))
    }

    const PAGE: &str = "# Page\n\n\
        | command | does |\n|---|---|\n\
        | `tool look [--memory]` | looks |\n\
        | `tool user role add NAME` | adds |\n\n\
        `look` and others take `--json`.\n\n\
        ## Add\n\n\
        | option of `role add` | means |\n|---|---|\n| `--force` | does it |\n\n\
        `tool hidden` is run by a timer; see `tool help` and `other --wrong`.\n";

    #[test]
    fn a_page_that_tells_all_has_no_differences() {
        assert_eq!(compare(PAGE, &program()), Vec::<String>::new());
    }

    #[test]
    fn what_a_page_lacks_is_named() {
        for (told, instead, lacks) in [
            ("`tool look [--memory]`", "`tool look`", "the page lacks `--memory` of `tool look`"),
            ("`--json`", "`--jsonl`", "the page lacks `--json` of `tool look`"),
            ("`look` and", "All", "the page lacks `--json` of `tool look`"),
            ("`tool user role add NAME`", "", "the page lacks `tool user role add`"),
            ("option of `role add`", "option", "the page lacks `--force` of `tool user role add`"),
            ("`tool hidden`", "it", "the page lacks `tool hidden`"),
        ] {
            assert!(PAGE.contains(told));
            assert_eq!(compare(&PAGE.replace(told, instead), &program()), [lacks]);
        }
    }

    #[test]
    fn what_a_page_tells_that_there_is_not_is_named() {
        for (told, instead, wrong) in [
            ("and `other", "and `tool lok` `other", "`tool` has no `lok`"),
            ("and `other", "and `tool user add` `other", "`user` has no `add`"),
            ("look [--memory]", "look [--memory] [--disk]", "`look` has no `--disk`"),
        ] {
            assert_eq!(compare(&PAGE.replace(told, instead), &program()), [wrong]);
        }
    }
}
