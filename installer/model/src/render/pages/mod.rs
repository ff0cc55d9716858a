//! The pages of the book about the services, made from the catalogue.
//!
//! A service that people know by name has a page of its own. Its parts (databases, caches, filters
//! before Docker's socket) say no `about` and have no address; they stand on the page of the service
//! that they work for.

mod data;
mod overview;
mod service;
mod words;

use std::collections::BTreeMap;

use crate::catalogue::{Catalogue, Service, Stack};

/// First line of the services' block in the book's table of contents.
pub const SUMMARY_HEAD: &str = "- [Services](services/README.md)";

/// At the top of each page, for who opens its file.
const NOTE: &str = "<!-- Made from the catalogue (stacks/*/compose.yaml). Change it there, then run\n     \
                    `UPDATE_GOLDEN=1 cargo test -p homelab-model --test services`. -->";

/// All pages by their name in the folder `services`: `README.md`, and one for each service.
pub fn pages(catalogue: &Catalogue) -> BTreeMap<String, String> {
    let mut pages: BTreeMap<String, String> = with_page(catalogue)
        .map(|(stack, service)| {
            (format!("{}.md", service.name), service::page(catalogue, stack, service))
        })
        .collect();
    pages.insert("README.md".to_owned(), overview::page(catalogue));
    pages
}

/// The services' block in the book's table of contents, with [`SUMMARY_HEAD`] and without a line
/// break at the end.
pub fn summary(catalogue: &Catalogue) -> String {
    let mut lines = vec![SUMMARY_HEAD.to_owned()];
    for stack in stacks(catalogue) {
        lines.push(format!("  - [{}]()", stack_title(stack)));
        let services = stack.services.iter().filter(|service| service.stands_for_itself());
        lines.extend(services.map(|s| format!("    - [{}](services/{}.md)", heading(s), s.name)));
    }
    lines.join("\n")
}

/// The catalogue's own stacks; those of an owner have no page in the book.
fn stacks(catalogue: &Catalogue) -> impl Iterator<Item = &Stack> {
    catalogue.stacks.iter().filter(|stack| !stack.own)
}

fn with_page(catalogue: &Catalogue) -> impl Iterator<Item = (&Stack, &Service)> {
    stacks(catalogue).flat_map(|stack| {
        stack.services.iter().filter(|service| service.stands_for_itself()).map(move |s| (stack, s))
    })
}

/// Name for people; with the container's own name where nobody would guess that one.
fn heading(service: &Service) -> String {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    };
    match plain(service.title()) == plain(&service.name) {
        true => service.title().to_owned(),
        false => format!("{} ({})", service.title(), service.name),
    }
}

fn stack_title(stack: &Stack) -> &str {
    stack.wish.title.as_deref().unwrap_or(&stack.name)
}

/// A link to the page of a service, from another page of the folder.
fn link(service: &Service) -> String {
    format!("[{}]({}.md)", service.title(), service.name)
}
