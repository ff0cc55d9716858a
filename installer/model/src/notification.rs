//! What the login service would mail, and writes into a file where no mail is set up.
//!
//! It keeps one message only: the next one replaces it, and a start of the service empties it.

use time::{OffsetDateTime, macros::format_description};

/// Where it lies on the box.
pub const FILE: &str = "/opt/stacks/core/authelia/data/notification.txt";
/// Seconds that a code or a link is good for: the login service's default for codes, and what our
/// configuration says for links.
pub const GOOD_FOR: i64 = 300;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// When it was written, as the service says it: `2026-11-22 20:33:00 +0100`.
    pub at: String,
    /// The same in seconds since the epoch; none if it cannot be understood.
    pub epoch: Option<i64>,
    /// For whom: name and mail address.
    pub recipient: String,
    /// What for.
    pub subject: String,
    /// The one-time code or the link in it; none if it only tells something.
    pub code: Option<String>,
}

impl Notification {
    /// Reads the file's text; none if it has no message.
    pub fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        let date = field("Date:")?;
        let mut words = date.split_whitespace();
        let (day, time) = (words.next()?, words.next()?);
        let zone = words.next().unwrap_or_default();
        let whole = time.split('.').next().unwrap_or_default();
        let at = format!("{day} {whole} {zone}");
        let recipient = field("Recipient:").unwrap_or_default();
        let recipient = recipient.trim_matches(['{', '}']).to_owned();
        Some(Self {
            epoch: epoch(&at),
            at,
            recipient,
            subject: field("Subject:").unwrap_or_default(),
            code: code(text),
        })
    }

    /// The code in it is of no use any more.
    pub fn is_over(&self, now: i64) -> bool {
        self.epoch.is_some_and(|epoch| now - epoch > GOOD_FOR)
    }
}

fn epoch(at: &str) -> Option<i64> {
    let form = format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
    );
    OffsetDateTime::parse(at, form).ok().map(OffsetDateTime::unix_timestamp)
}

/// The first line between the first and the last ruler that is one word.
fn code(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_ruler = |line: &&str| line.len() >= 10 && line.bytes().all(|b| b == b'-');
    let first = lines.iter().position(is_ruler)?;
    let last = lines.iter().rposition(is_ruler)?;
    let is_word = |line: &&&str| line.split_whitespace().count() == 1 && !is_ruler(line);
    lines[first..last].iter().find(is_word).map(|word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "Date: 2026-11-22 21:33:07.123456789 +0100 CET m=+84.201538401
Recipient: {alex alex@example.org}
Subject: Confirm your identity
A ONE-TIME CODE HAS BEEN GENERATED TO COMPLETE A REQUESTED ACTION

Hi alex,

----------------------------------------

7FPQX2KD

----------------------------------------

To revoke the code, click the link below:

https://auth.homelab.home.arpa/revoke/one-time-code?id=x

----------------------------------------

This notification was intended for alex.

";

    #[test]
    fn a_code_is_told_with_time_and_recipient() {
        let told = Notification::parse(CODE).unwrap();
        assert_eq!(told.at, "2026-11-22 21:33:07 +0100");
        assert_eq!(told.epoch, Some(1_795_379_587));
        assert_eq!(told.recipient, "alex alex@example.org");
        assert_eq!(told.subject, "Confirm your identity");
        assert_eq!(told.code.as_deref(), Some("7FPQX2KD"));
        assert!(!told.is_over(1_795_379_587 + 300));
        assert!(told.is_over(1_795_379_587 + 301));
    }

    #[test]
    fn a_link_is_one_too() {
        let link = "https://auth.homelab.home.arpa/reset-password/step2?token=x";
        let part = format!("If you made this request, click the link below.\n\n{link}");
        let text = CODE.replace("7FPQX2KD", &part);
        assert_eq!(Notification::parse(&text).unwrap().code.as_deref(), Some(link));
    }

    #[test]
    fn news_have_no_code_and_nothing_is_nothing() {
        let news = "Date: 2026-11-22 20:33:00 +0000 UTC\nRecipient: {a b}\nSubject: Password \
                    changed\nHi a,\n\n----------------------------------------\n\nEvent \
                    Details:\n\nRemote IP: 192.168.1.5\n\n----------------------------------------\nx\n";
        let told = Notification::parse(news).unwrap();
        assert_eq!((told.code, told.epoch), (None, Some(1_795_379_580)));
        assert_eq!(Notification::parse(""), None);
        assert_eq!(Notification::parse("\n"), None);
    }
}
