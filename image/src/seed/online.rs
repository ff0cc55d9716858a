//! What only somebody outside can say about a seed.

use std::{
    io,
    net::{IpAddr, ToSocketAddrs as _},
    path::Path,
};

use host::{SystemWeb, Web};
use model::{
    Secret,
    account::{Account, Verdict},
    seed::{DnsProvider, SecretSource, Seed},
};

use super::Beside;
use crate::error::{ImageError, Result};

/// Below this everything is the box's own business.
const LAN: &str = ".home.arpa";

/// The network as this PC sees it.
pub struct Network<'a> {
    /// Asks URLs.
    pub web: &'a dyn Web,
    /// Looks a name up.
    pub addresses: fn(&str) -> io::Result<Vec<IpAddr>>,
}

impl Network<'_> {
    /// The real one.
    pub fn of_this_pc() -> Self {
        let addresses = |name: &str| {
            // Any port: only the addresses are wanted.
            Ok((name, 443).to_socket_addrs()?.map(|found| found.ip()).collect())
        };
        Self { web: &SystemWeb, addresses }
    }

    /// Tries the account at the DNS provider, and looks the domain up; a line for each, after a line
    /// break.
    ///
    /// # Errors
    /// The provider refuses the account.
    pub(super) fn look(&self, file: &Path, seed: &Seed, beside: &Beside) -> Result<String> {
        let name = &seed.domain.name;
        let mut lines = Vec::new();
        if let Some(dns) = &seed.domain.dns {
            lines.push(format!("dns    {}", self.account(file, dns, name, beside)?));
        }
        if !name.ends_with(LAN) {
            lines.push(match (self.addresses)(name) {
                Ok(mut found) => {
                    found.sort();
                    found.dedup();
                    let found: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                    format!("domain {name} stands for {}", found.join(", "))
                }
                Err(why) => format!("domain {name} stands for no address yet ({why})"),
            });
        }
        Ok(lines.iter().map(|line| format!("\n  {line}")).collect())
    }

    fn account(
        &self,
        file: &Path,
        dns: &DnsProvider,
        domain: &str,
        beside: &Beside,
    ) -> Result<String> {
        let Some(account) = Account::of_seed(dns, domain, |source| revealed(source, beside)) else {
            return Ok(format!(
                "`{}` was not asked: the seed does not have the account itself",
                dns.provider
            ));
        };
        match host::account::tried(self.web, &account) {
            Verdict::Good(said) | Verdict::Unknown(said) => Ok(said),
            Verdict::Refused(refused) => Err(ImageError::Usage(format!(
                "{}: {}\n    = {}",
                file.display(),
                refused.what,
                refused.hint
            ))),
        }
    }
}

/// A secret as far as it is known on this PC.
fn revealed(source: &SecretSource, beside: &Beside) -> Option<Secret> {
    match source {
        SecretSource::Text(secret) => Some(secret.clone()),
        SecretSource::File(path) => {
            let name = path.to_string_lossy();
            let (_, bytes) = beside.iter().find(|(other, _)| *other == name)?;
            Some(Secret::new(String::from_utf8_lossy(bytes).trim_end()))
        }
        SecretSource::Generate | SecretSource::Ask => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use host::fake::FakeWeb;

    use super::*;

    const DUCKDNS: &str = "https://www.duckdns.org/update";

    fn seed(token: &str) -> String {
        format!(
            "schema = 1\n[admin]\nname = \"alex\"\nemail = \"alex@example.org\"\n\
             password = \"correct horse battery staple\"\n[domain]\nname = \"alex.duckdns.org\"\n\
             [domain.dns]\nprovider = \"duckdns\"\ncredentials = {{ DUCKDNS_TOKEN = {token} }}\n"
        )
    }

    fn check(text: &str, web: &FakeWeb, found: bool) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seed.toml");
        fs::write(&file, text).unwrap();
        fs::write(folder.path().join("token.txt"), "t0ken\n").unwrap();
        let addresses: fn(&str) -> io::Result<Vec<IpAddr>> = match found {
            true => |_| Ok(vec!["203.0.113.7".parse().unwrap(), "203.0.113.7".parse().unwrap()]),
            false => |_| Err(io::Error::other("no such name")),
        };
        super::super::check(&file, None, Some(&Network { web, addresses }))
    }

    #[test]
    fn the_account_is_tried_and_the_name_looked_up() {
        let web = FakeWeb::default();
        web.answer(DUCKDNS, 200, None, "OK");
        let said = check(&seed("{ file = \"token.txt\" }"), &web, true).unwrap();
        let wanted = "\n  dns    DuckDNS takes the token for `alex.duckdns.org`\n  domain \
                      alex.duckdns.org stands for 203.0.113.7";
        assert!(said.contains(wanted), "{said}");
        let asked = web.asked();
        let query = asked[0].query.as_ref().unwrap().reveal();
        assert_eq!(query, "domains=alex&token=t0ken&txt=&clear=true");
    }

    #[test]
    fn a_refused_account_is_an_error_of_the_seed_and_shows_no_token() {
        let web = FakeWeb::default();
        web.answer(DUCKDNS, 200, None, "KO");
        let error = check(&seed("\"t0ken\""), &web, true).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        let wanted = "seed.toml: DuckDNS does not take this token for `alex.duckdns.org`\n    = copy \
                      the token from the top of duckdns.org, and see that the name is in the list \
                      there";
        assert!(text.ends_with(wanted) && !text.contains("t0ken"), "{text}");
    }

    #[test]
    fn who_cannot_be_asked_is_no_error() {
        let web = FakeWeb::default();
        let said = check(&seed("\"t0ken\""), &web, false).unwrap();
        let wanted = "DuckDNS could not be asked whether the account is good: connection refused\n  \
                      domain alex.duckdns.org stands for no address yet (no such name)";
        assert!(said.contains(wanted), "{said}");
        let said = check(&seed("{ ask = true }"), &web, false).unwrap();
        assert!(
            said.contains("`duckdns` was not asked: the seed does not have the account itself")
        );
    }
}
