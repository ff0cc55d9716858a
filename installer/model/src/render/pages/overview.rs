//! The table of all services.

use super::{
    NOTE, heading, link, stack_title, stacks, with_page,
    words::{self, Reach},
};
use crate::catalogue::{
    Catalogue, Service,
    wish::{Access, Memory},
};

const INTRODUCTION: &str = "\
Everything that the image can deploy. A seed that says nothing about stacks gets all of it that fits on \
the box; `[stacks]` in the [seed](../reference/seed.md) chooses. `homelab status` lists what runs on \
your box, with its addresses.";

const WORDS: &str = "\
## How to read the table

- **Address**: `<domain>` is the name of `[domain]` in the seed, `homelab.home.arpa` if it says \
nothing.
- **Who gets in**: *everybody* who reaches the box, *who has logged in* at the portal, or only \
*admins with a second factor*. Some services have paths that another rule holds for; their pages say \
which and why.
- **Login**: with *forward-auth* the proxy asks the [portal](authelia.md) before it hands anything on. With \
*OpenID Connect* the service itself sends you there and takes your account. *Its own* is an account \
that only this service knows; how you come by its password stands on its page.
- **Sleeps**: it stops when nobody uses it, and starts when somebody opens its address.
- **Memory**: what is counted for it when a plan checks that everything fits, and what it can never \
exceed: the kernel ends it there, and Docker starts it anew.
- **Instead of**: it takes the place of that service, and only if `[stacks] prefer` of the seed names \
it. **End of life**: its makers fix nothing in it any more.
- **From**: a box with less memory leaves it out, unless the seed names its stack under `[stacks] \
enable`. What a box is sold with is always a little more than what the system sees.

Passwords that the box makes for a service lie in `/opt/stacks/<stack>/secrets`; only root reads them.";

/// `README.md` of the services.
pub(super) fn page(catalogue: &Catalogue) -> String {
    let rows: Vec<String> =
        with_page(catalogue).map(|(stack, service)| row(stack_title(stack), service)).collect();
    let sum = total(catalogue);
    format!(
        "{NOTE}\n\n# Services\n\n{INTRODUCTION}\n\n\
         | service | stack | address | who gets in | login | sleeps | memory | at most | from |\n\
         |---|---|---|---|---|---|---|---|---|\n{}\n\n\
         All services with their parts are counted with {} MiB.\n\n{WORDS}\n\n{}\n",
        rows.join("\n"),
        sum >> 20,
        parts(catalogue)
    )
}

fn row(stack: &str, service: &Service) -> String {
    let wish = &service.wish;
    let dash = || "–".to_owned();
    let (who, login) = match wish.access.filter(|_| wish.url.is_some()) {
        Some(access) => (who(service, access), words::login(service).cell()),
        None => (dash(), dash()),
    };
    let sleeps = if wish.lazy.0.is_some() { "yes" } else { "–" };
    format!(
        "| [{}]({}.md){} | {stack} | {} | {who} | {login} | {sleeps} | {} | {} | {} |",
        heading(service),
        service.name,
        marks(service),
        words::address(service).unwrap_or_else(dash),
        words::memory_or_dash(wish.memory),
        words::memory_or_dash(service.memory_limit()),
        words::memory_or_dash(wish.from_memory)
    )
}

/// What one must know before one wants it.
fn marks(service: &Service) -> String {
    let instead = service.wish.instead_of.as_ref().map(|other| format!(", instead of `{other}`"));
    let end = service.wish.end_of_life.as_ref().map(|_| ", end of life".to_owned());
    instead.into_iter().chain(end).collect()
}

fn who(service: &Service, access: Access) -> String {
    let other = match words::login(service).forward_auth {
        _ if service.wish.access_exceptions.is_empty() => "",
        Reach::Some => "; some paths are closed",
        Reach::Most | Reach::None => "; some paths are open",
    };
    format!("{}{other}", words::access(access))
}

/// Of two services that can stand in for each other only one is deployed.
fn total(catalogue: &Catalogue) -> u64 {
    let services = stacks(catalogue).flat_map(|stack| &stack.services);
    let services = services.filter(|service| service.wish.instead_of.is_none());
    services.filter_map(|service| service.wish.memory).map(|Memory(bytes)| bytes).sum()
}

/// What runs beside the services and has no page.
fn parts(catalogue: &Catalogue) -> String {
    let mut rows = Vec::new();
    for stack in stacks(catalogue) {
        for part in stack.services.iter().filter(|service| !service.stands_for_itself()) {
            let users: Vec<String> = stack.served(part).into_iter().map(link).collect();
            rows.push(format!(
                "| {} (`{}`) | {} | {} | {} | {} |",
                part.title(),
                part.name,
                stack_title(stack),
                words::and(&users),
                words::memory_or_dash(part.wish.memory),
                words::memory_or_dash(part.memory_limit())
            ));
        }
    }
    format!(
        "## Parts\n\nThey have no page and no address; each works for the services beside it.\n\n\
         | part | stack | works for | memory | at most |\n|---|---|---|---|---|\n{}",
        rows.join("\n")
    )
}
