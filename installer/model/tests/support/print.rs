//! Plans as texts for people: the whole one, or what is different from another.

use model::plan::{Action, Plan, Step};
use similar::{ChangeTag, DiffTag, TextDiff};

/// A heading and what stands below it.
type Page = (String, String);

/// Everything that a plan does and renders.
pub fn whole(plan: &Plan) -> String {
    let body: String = pages(plan).iter().map(|(heading, text)| page(heading, text)).collect();
    listing(plan) + &body
}

/// The list of all paths, and of everything else only what is not as in `base`: lines that are
/// gone with a `-`, new ones with a `+`.
pub fn beside(base: &Plan, plan: &Plan) -> String {
    let base = pages(base);
    let mut text = listing(plan);
    for (heading, new) in pages(plan) {
        match base.iter().find(|(known, _)| *known == heading) {
            Some((_, old)) if *old == new => {}
            Some((_, old)) => text += &page(&heading, &difference(old, &new)),
            None => text += &page(&heading, &new),
        }
    }
    text
}

/// Folders and files with mode and owner.
fn listing(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let Action::Render(render) = &step.action else { continue };
        for folder in &render.folders {
            text += &format!("{}/ {:o} {:?}\n", folder.path, folder.mode, folder.owner);
        }
        for file in render.files.iter().chain(&render.initial) {
            text += &format!("{} {:o} {:?}\n", file.path, file.mode, file.owner);
        }
    }
    text
}

fn pages(plan: &Plan) -> Vec<Page> {
    let mut pages = Vec::new();
    for step in &plan.steps {
        match &step.action {
            Action::Render(render) => {
                let files = render.files.iter().chain(&render.initial);
                pages.extend(files.map(|file| (file.path.clone(), file.text.clone())));
            }
            _ => pages.push((format!("step {}", step.id), told(step))),
        }
    }
    pages
}

/// A step without the digests of what is printed anyhow: they change with every word of it.
fn told(step: &Step) -> String {
    let text = serde_json::to_string_pretty(step).unwrap();
    let is_digest = |line: &str| {
        ["\"digest\": \"sha256:", "\"configuration\": \"sha256:"]
            .iter()
            .any(|key| line.trim_start().starts_with(key))
    };
    text.lines().filter(|line| !is_digest(line)).map(|line| format!("{line}\n")).collect()
}

fn page(heading: &str, text: &str) -> String {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("\n==> {heading}\n{text}{end}")
}

/// Each change with one line before and after; without line numbers, which would move with every
/// line above. Of many lines that are gone only the first is told: `old` has them.
fn difference(old: &str, new: &str) -> String {
    const TOLD: usize = 4;
    let diff = TextDiff::from_lines(old, new);
    let mut text = String::new();
    for group in diff.grouped_ops(1) {
        text += "...\n";
        for op in group {
            let gone = op.old_range().len();
            let many = op.tag() != DiffTag::Equal && gone > TOLD;
            let told = diff.iter_changes(&op).filter(|change| {
                !many
                    || change.tag() != ChangeTag::Delete
                    || change.old_index() == Some(op.old_range().start)
            });
            for change in told {
                text += &format!("{}{}\n", change.tag(), change.value().trim_end_matches('\n'));
                if many && change.tag() == ChangeTag::Delete {
                    text += &format!("-({} more lines)\n", gone - 1);
                }
            }
        }
    }
    text
}
