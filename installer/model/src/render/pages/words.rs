//! What the catalogue says in keys and numbers, in words.

use super::super::APEX;
use crate::catalogue::{
    Service, scalar,
    wish::{Access, Condition, Memory},
};

/// `https://shelf.<domain>`, as code; none if the service has no address.
pub(super) fn address(service: &Service) -> Option<String> {
    service.wish.url.as_ref().map(|label| match label.as_str() {
        APEX => "`https://<domain>`".to_owned(),
        label => format!("`https://{label}.<domain>`"),
    })
}

/// `2 GiB` or `384 MiB`.
pub(super) fn memory(amount: Memory) -> String {
    const GIB: u64 = 1 << 30;
    match amount.0 {
        bytes if bytes >= GIB && bytes % GIB == 0 => format!("{} GiB", bytes / GIB),
        _ => amount.to_string(),
    }
}

/// The same, with a dash for nothing.
pub(super) fn memory_or_dash(amount: Option<Memory>) -> String {
    amount.map_or("–".to_owned(), memory)
}

/// How many processors a service may keep busy: `4` or `0.5`.
pub(super) fn processors(service: &Service) -> String {
    let limits = || service.compose.get("deploy")?.get("resources")?.get("limits")?.get("cpus");
    let text = limits().map_or("–".to_owned(), scalar);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `15m` as `15 minutes`; what has another form stays as it is.
pub(super) fn duration(text: &str) -> String {
    let number = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let unit = match text.chars().next_back() {
        Some('s') => "second",
        Some('m') => "minute",
        Some('h') => "hour",
        _ => return text.to_owned(),
    };
    match number.parse::<u32>() {
        Ok(1) => format!("one {unit}"),
        Ok(_) => format!("{number} {unit}s"),
        Err(_) => text.to_owned(),
    }
}

/// Who may see it, for a cell of a table.
pub(super) fn access(access: Access) -> &'static str {
    match access {
        Access::Bypass => "everybody",
        Access::OneFactor => "who has logged in",
        Access::TwoFactor => "admins with a second factor",
    }
}

/// Why it is not deployed everywhere.
pub(super) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Vpn => "It is there only if the seed has `[vpn]`.".to_owned(),
        Condition::Dns(provider) => {
            format!("It is there only if `[domain.dns]` of the seed names `{provider}`.")
        }
    }
}

/// How people log in to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Login {
    /// It is the portal itself.
    pub(super) is_portal: bool,
    /// The proxy asks the portal before it hands on a request.
    pub(super) forward_auth: Reach,
    /// It sends people to the portal by OpenID Connect.
    pub(super) openid: bool,
    /// It has an account of its own.
    pub(super) own: bool,
}

/// Which paths of a service something is true of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// None.
    None,
    /// Those of some exceptions.
    Some,
    /// All that no exception names.
    Most,
}

/// How people log in to a service with an address. That it has an account of its own is known by
/// the password that the box makes for it, or by nothing else being there.
pub(super) fn login(service: &Service) -> Login {
    let wish = &service.wish;
    let asks = |access: Access| access != Access::Bypass;
    let forward_auth = match wish.access.is_some_and(asks) {
        true => Reach::Most,
        false if wish.access_exceptions.iter().any(|exception| asks(exception.access)) => {
            Reach::Some
        }
        false => Reach::None,
    };
    let is_portal = wish.oidc_provider.is_some();
    let openid = wish.oidc.is_some();
    let password = format!("{}-admin-password", service.name);
    let own = service.secrets().contains(&password)
        || !(is_portal || openid || forward_auth == Reach::Most);
    Login { is_portal, forward_auth, openid, own }
}

impl Login {
    /// For a cell of a table.
    pub(super) fn cell(self) -> String {
        if self.is_portal {
            return "it is the portal".to_owned();
        }
        let front = match self.forward_auth {
            Reach::Most => Some("portal (forward-auth)"),
            Reach::Some => Some("portal (forward-auth) on some paths"),
            Reach::None => None,
        };
        let inner = match (self.openid, self.own) {
            (true, true) => Some("OpenID Connect or its own"),
            (true, false) => Some("OpenID Connect"),
            (false, true) => Some("its own"),
            (false, false) => None,
        };
        front.into_iter().chain(inner).collect::<Vec<_>>().join(", then ")
    }
}

/// A list as people say it.
pub(super) fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A text as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    match text.ends_with(['.', '!', '?', ':']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_words() {
        for (text, words) in
            [("15m", "15 minutes"), ("1h", "one hour"), ("90s", "90 seconds"), ("1h30m", "1h30m")]
        {
            assert_eq!(duration(text), words);
        }
        for (amount, words) in [("384M", "384 MiB"), ("1536M", "1536 MiB"), ("2G", "2 GiB")] {
            assert_eq!(memory(amount.parse().unwrap()), words);
        }
    }

    #[test]
    fn lists_and_sentences() {
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            (and(&words[..1]), and(&words[..2]), and(&words)),
            ("a".into(), "a and b".into(), "a, b and c".into())
        );
        assert_eq!((sentence("a "), sentence("a.")), ("a.".into(), "a.".into()));
    }
}
