//! The page of one service.

use super::{
    super::{backup, protocol_word},
    NOTE, data, heading, link, stack_title,
    words::{self, Reach},
};
use crate::catalogue::{
    CORE, Catalogue, Service, Stack,
    wish::{Access, LazyWait, PublishKind},
};

/// The whole page.
pub(super) fn page(catalogue: &Catalogue, stack: &Stack, service: &Service) -> String {
    let wish = &service.wish;
    let parts = stack.parts(service);
    let mut text = format!("{NOTE}\n\n# {}\n", heading(service));
    let mut add = |title: &str, body: String| {
        let title = if title.is_empty() { String::new() } else { format!("\n## {title}\n") };
        if !body.is_empty() {
            text += &format!("{title}\n{body}\n");
        }
    };
    add("", wish.about.as_deref().map(words::sentence).unwrap_or_default());
    add("", end_of_life(service));
    add("", facts(stack, service));
    add("Who gets in", who(service));
    add("First login", wish.first_login.as_deref().map(words::sentence).unwrap_or_default());
    add("Where its data lies", data::table(stack, service, &parts));
    add("Backup", backups(stack, service, &parts));
    add("When it runs", runs(catalogue, stack, service));
    add("Memory and processors", needs(stack, service, &parts));
    add("Known limits", limits(service));
    text
}

/// Nobody should find out from a breach.
fn end_of_life(service: &Service) -> String {
    let end = service.wish.end_of_life.as_ref();
    end.map(|end| words::sentence(&format!("**End of life** {end}"))).unwrap_or_default()
}

/// What somebody looks for in a hurry.
fn facts(stack: &Stack, service: &Service) -> String {
    let mut rows = vec![format!("| Stack | {} (`{}`) |", stack_title(stack), stack.name)];
    match words::address(service) {
        Some(address) => rows.push(format!("| Address | {address} |")),
        None => rows.push("| Address | none |".to_owned()),
    }
    rows.push(format!("| Container | `{}` |", service.name));
    rows.push(format!("| Image | `{}` |", service.image));
    format!("| | |\n|---|---|\n{}", rows.join("\n"))
}

fn who(service: &Service) -> String {
    let mut text = Vec::new();
    match (&service.wish.url, service.wish.access) {
        (Some(_), Some(access)) => {
            text.push(admitted(service, access));
            text.extend(exceptions(service));
        }
        _ => text.push("It has no page, so nobody needs to get in.".to_owned()),
    }
    text.extend(ports(service));
    text.join("\n\n")
}

/// Whom the proxy lets through, and what the service asks then.
fn admitted(service: &Service, access: Access) -> String {
    let login = words::login(service);
    if login.is_portal {
        return "Everybody who reaches the box. It is the portal: here people log in for all other \
                services too."
            .to_owned();
    }
    let front = match access {
        Access::Bypass => {
            "Everybody who reaches the box. The [portal](authelia.md) does not stand in front; the \
             service asks for a login itself where one is needed."
        }
        Access::OneFactor => {
            "Everybody who has logged in at the [portal](authelia.md). The proxy asks the portal \
             before it hands anything on (forward-auth)."
        }
        Access::TwoFactor => {
            "Members of the group `admins` who have logged in at the [portal](authelia.md) with a \
             second factor, and nobody else. The proxy asks the portal before it hands anything on \
             (forward-auth)."
        }
    };
    let inner = match (login.openid, login.own, login.forward_auth) {
        (true, true, _) => {
            " It takes your account from the portal (OpenID Connect), and has one of its own for \
             the day when the portal does not work."
        }
        (true, false, _) => " It takes your account from the portal (OpenID Connect).",
        (false, true, Reach::Most) => " After that the service asks for an account of its own.",
        (false, true, _) => " Its accounts are its own.",
        (false, false, _) => "",
    };
    format!("{front}{inner}")
}

/// Paths that another rule holds for.
fn exceptions(service: &Service) -> Option<String> {
    let exceptions = &service.wish.access_exceptions;
    let row = |exception: &crate::catalogue::wish::AccessException| {
        let paths: Vec<String> = exception.paths.iter().map(|path| format!("`{path}`")).collect();
        let reason = words::sentence(&exception.reason);
        format!("- {}: {}. Why: {reason}", words::and(&paths), words::access(exception.access))
    };
    let rows: Vec<String> = exceptions.iter().map(row).collect();
    (!rows.is_empty()).then(|| {
        format!(
            "Other rules hold for these paths, which are written as patterns (regular \
             expressions):\n\n{}",
            rows.join("\n")
        )
    })
}

/// Ports of the box itself that lead to it.
fn ports(service: &Service) -> Option<String> {
    let row = |publish: &crate::catalogue::wish::Publish| {
        let from = match publish.kind {
            PublishKind::Dns => "from the box's own networks",
            PublishKind::Proxy | PublishKind::Media => "from everywhere",
        };
        let protocol = protocol_word(publish.protocol);
        format!("- {}/{protocol}, open {from}: {}", publish.port, words::sentence(&publish.purpose))
    };
    let rows: Vec<String> = service.wish.publishes.iter().map(row).collect();
    (!rows.is_empty()).then(|| format!("Ports of the box that lead to it:\n\n{}", rows.join("\n")))
}

fn backups(stack: &Stack, service: &Service, parts: &[&Service]) -> String {
    let all = std::iter::once(service).chain(parts.iter().copied());
    let paths: Vec<String> = all
        .flat_map(|service| backup::paths_of(stack, service))
        .map(|path| format!("- `{path}`"))
        .collect();
    match paths.is_empty() {
        true => "Nothing of it is part of a backup.".to_owned(),
        false => format!(
            "[Backrest](backrest.md) copies these folders. When, and where to, stands under `[backup]` \
             of the seed.\n\n{}",
            paths.join("\n")
        ),
    }
}

fn runs(catalogue: &Catalogue, stack: &Stack, service: &Service) -> String {
    let wish = &service.wish;
    let mut text = vec![match &wish.lazy.0 {
        None => "All the time.".to_owned(),
        Some(lazy) => {
            let wait = match lazy.wait {
                LazyWait::Page => "A page asks for patience until it is awake",
                LazyWait::Request => "The answer waits until it is awake",
            };
            format!(
                "It sleeps until somebody opens its address. {wait}. It goes back to sleep {} after \
                 the last request. A box without Sablier's part for the proxy lets it run all the \
                 time.",
                words::duration(&lazy.after)
            )
        }
    }];
    text.extend(wish.when.as_ref().map(words::condition));
    text.extend(other_choice(stack, service));
    if let Some(host) = service.network_of() {
        let host = catalogue.services().find(|(_, other)| other.name == host).map(|(_, s)| s);
        let host = host.map(link).unwrap_or_default();
        text.push(format!(
            "All its traffic goes through {host}. A box without that one leaves it out too, unless \
             the seed says `without_vpn = [\"{}\"]` under `[stacks]`.",
            service.name
        ));
    }
    if let Some(least) = wish.from_memory {
        text.push(format!(
            "A box with less than {} of memory leaves it out, unless `[stacks] enable` of the seed \
             names `{}`.",
            words::memory(least),
            stack.name
        ));
    }
    if stack.name != CORE && wish.instead_of.is_none() {
        let names: Vec<String> =
            stack.with_dependents(service).iter().map(|name| format!("\"{name}\"")).collect();
        text.push(format!(
            "To do without it, write into the seed:\n\n```toml\n[stacks]\ndisable = [{}]\n```",
            names.join(", ")
        ));
    }
    text.join("\n\n")
}

/// What can take its place, or whose place it takes.
fn other_choice(stack: &Stack, service: &Service) -> Option<String> {
    let choose = |name: &str| format!("```toml\n[stacks]\nprefer = [\"{name}\"]\n```");
    if let Some(replaced) = &service.wish.instead_of {
        let replaced = stack.service(replaced).map(link).unwrap_or_default();
        return Some(format!(
            "It is there only instead of {replaced}, which a box has otherwise, and only if the seed \
             says so:\n\n{}",
            choose(&service.name)
        ));
    }
    let others: Vec<&Service> = stack
        .services
        .iter()
        .filter(|other| other.wish.instead_of.as_ref() == Some(&service.name))
        .collect();
    let links: Vec<String> = others.iter().map(|other| link(other)).collect();
    let blocks: Vec<String> = others.iter().map(|other| choose(&other.name)).collect();
    (!others.is_empty()).then(|| {
        format!(
            "To have {} instead of it, write into the seed:\n\n{}",
            links.join(" or "),
            blocks.join("\n\nor\n\n")
        )
    })
}

fn needs(stack: &Stack, service: &Service, parts: &[&Service]) -> String {
    let mut rows = Vec::new();
    for one in std::iter::once(service).chain(parts.iter().copied()) {
        let others: Vec<String> = stack
            .served(one)
            .into_iter()
            .filter(|other| other.name != service.name && one.name != service.name)
            .map(link)
            .collect();
        let shared = match others.is_empty() {
            true => String::new(),
            false => format!(", shared with {}", words::and(&others)),
        };
        let name = match one.name == service.name {
            true => one.title().to_owned(),
            false => format!("{} (`{}`){shared}", one.title(), one.name),
        };
        rows.push(format!(
            "| {name} | {} | {} | {} |",
            words::memory_or_dash(one.wish.memory),
            words::memory_or_dash(one.memory_limit()),
            words::processors(one)
        ));
    }
    let graphics = match service.wish.transcodes {
        true => "\n\nIt gets the box's graphics device, where there is one.",
        false => "",
    };
    format!(
        "| | memory expected | memory at most | processors at most |\n|---|---|---|---|\n{}{graphics}",
        rows.join("\n")
    )
}

fn limits(service: &Service) -> String {
    let row = |limit: &String| format!("- {}", words::sentence(limit));
    service.wish.limits.iter().map(row).collect::<Vec<_>>().join("\n")
}
