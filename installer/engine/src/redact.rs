//! Takes secrets out of texts that a foreign program wrote.

use host::files;
use model::{Secret, paths, report::Outcome};

use crate::Context;

/// What stands in a secret's place.
const MARK: &str = "[secret]";
/// Shorter texts are no secret worth the name, and taking them out would garble every message.
const SHORT: usize = 4;
/// Shorter lines of a secret of many lines are too common to be taken out.
const LINE: usize = 16;

/// Knows the texts that must not get out.
#[derive(Default)]
pub(crate) struct Redactor(Vec<String>);

impl Redactor {
    /// Everything secret that the box has: the seed's secrets and the store.
    pub(crate) fn of(context: &Context) -> Self {
        let mut redactor = Self::default();
        for secret in context.secrets.values() {
            redactor.add(secret);
        }
        // A store that cannot be read has its own failure; what is redacted is then less.
        for name in files::list(context.host.path(paths::SECRETS)).unwrap_or_default() {
            let path = context.host.path(format!("{}/{name}", paths::SECRETS));
            if let Ok(Some(text)) = files::read_text_optional(path) {
                redactor.add(&Secret::new(text));
            }
        }
        redactor.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
        redactor.0.dedup();
        redactor
    }

    fn add(&mut self, secret: &Secret) {
        let text = secret.reveal().trim();
        if text.len() < SHORT {
            return;
        }
        self.0.push(text.to_owned());
        if text.contains('\n') {
            self.0.extend(text.lines().filter(|line| line.len() >= LINE).map(str::to_owned));
        }
    }

    /// The text without any secret.
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MARK))
    }

    /// The outcome without any secret.
    pub(crate) fn outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Warned { message } => Outcome::Warned { message: self.text(&message) },
            Outcome::Skipped { reason } => Outcome::Skipped { reason: self.text(&reason) },
            Outcome::Held { reason } => Outcome::Held { reason: self.text(&reason) },
            Outcome::Failed { causes, hint } => Outcome::Failed {
                causes: causes.iter().map(|cause| self.text(cause)).collect(),
                hint: self.text(&hint),
            },
            Outcome::Changed | Outcome::AlreadySo => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_secrets_go_before_those_they_contain() {
        let mut redactor = Redactor::default();
        for text in
            ["hunter2", "hunter2-and-more", "-----BEGIN KEY-----\nAAAABBBBCCCCDDDDEEEE\nxy\n"]
        {
            redactor.add(&Secret::new(text));
        }
        redactor.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
        assert_eq!(
            redactor.text("a hunter2-and-more b hunter2 c AAAABBBBCCCCDDDDEEEE d xy"),
            "a [secret] b [secret] c [secret] d xy"
        );
    }
}
