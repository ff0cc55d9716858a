//! Masks the secrets in a seed's text, also where the text is broken.

use std::ops::Range;

use toml_parser::{
    Source,
    parser::{Event, EventKind, RecursionGuard, parse_document},
};

use super::keys::{self, Kind};

/// Nesting that is looked into; what lies deeper stays masked.
const DEPTH: u32 = 16;

/// Secrets shorter than this are not searched for in comments: they could be any word.
const SEARCHED: usize = 4;

/// The text with every secret replaced by `*`, byte for byte as long as before and with the same
/// lines, so that places in it stay true and a copy can be written over the original.
///
/// Everything is masked that is not known to be harmless: what cannot be read, values of unknown
/// keys (a misspelt `password` is one), what stands after `=` in comments, and wherever a comment
/// repeats a secret. Of the rest nothing changes.
pub fn redact(text: &str) -> String {
    let mut keep = vec![false; text.len()];
    let mut whole = Scan::new(text, 0, &mut keep, Vec::new());
    whole.run();
    let secrets = whole.secrets;
    // A list or a string that is never closed swallows the lines that follow. So each line that
    // sets a key is looked at by itself too, and shows only what both views would show.
    let mut header = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut alone = vec![false; line.len()];
        let mut scan = Scan::new(line, start, &mut alone, std::mem::take(&mut header));
        scan.run();
        let sets_key = scan.sets_key;
        header = scan.header;
        if sets_key {
            keep[start..].iter_mut().zip(&alone).for_each(|(keep, alone)| *keep &= alone);
        }
        start += line.len();
    }
    for secret in secrets.iter().map(|span| &text[span.clone()]) {
        if secret.len() >= SEARCHED {
            for (at, _) in text.match_indices(secret) {
                if text[..at].rsplit('\n').next().is_some_and(|line| line.contains('#')) {
                    keep[at..at + secret.len()].fill(false);
                }
            }
        }
    }
    let mut masked = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let bytes = at..at + letter.len_utf8();
        let byte_order_mark = at == 0 && letter == '\u{feff}';
        if matches!(letter, '\n' | '\r') || byte_order_mark || keep[bytes].iter().all(|keep| *keep)
        {
            masked.push(letter);
        } else {
            masked.extend(std::iter::repeat_n('*', letter.len_utf8()));
        }
    }
    masked
}

/// One pass over a text: says which bytes may be shown.
struct Scan<'a> {
    text: &'a str,
    /// Where the text begins in the whole, for `secrets`.
    base: usize,
    keep: &'a mut [bool],
    /// The table that the lines belong to.
    header: Vec<String>,
    /// The key that is being read, and its pieces.
    key: Vec<String>,
    pieces: Vec<Range<usize>>,
    in_header: bool,
    /// Path of the value that comes next.
    path: Vec<String>,
    /// Paths of the inline tables and lists that are open, with whether it is a table.
    open: Vec<(Vec<String>, bool)>,
    /// What was masked in quotes, in bytes of the whole.
    secrets: Vec<Range<usize>>,
    /// A key with `=` was seen.
    sets_key: bool,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, base: usize, keep: &'a mut [bool], header: Vec<String>) -> Self {
        Self {
            text,
            base,
            keep,
            header,
            key: Vec::new(),
            pieces: Vec::new(),
            in_header: false,
            path: Vec::new(),
            open: Vec::new(),
            secrets: Vec::new(),
            sets_key: false,
        }
    }

    fn run(&mut self) {
        let source = Source::new(self.text);
        let tokens = source.lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        let mut guard = RecursionGuard::new(&mut events, DEPTH);
        parse_document(&tokens, &mut guard, &mut ());
        for event in &events {
            let span = event.span();
            self.event(event.kind(), span.start()..span.end());
        }
        self.end_of_line();
    }

    fn show(&mut self, span: Range<usize>) {
        self.keep[span].fill(true);
    }

    fn event(&mut self, kind: EventKind, span: Range<usize>) {
        match kind {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                self.end_of_line();
                self.open.clear();
                self.in_header = true;
                self.show(span);
            }
            EventKind::StdTableClose | EventKind::ArrayTableClose => {
                self.end_of_line();
                self.show(span);
            }
            EventKind::SimpleKey => {
                let name = self.text[span.clone()].trim_matches(['"', '\'']);
                self.key.push(name.to_owned());
                self.pieces.push(span);
            }
            EventKind::KeyValSep => {
                self.sets_key = true;
                self.show(span);
                for piece in std::mem::take(&mut self.pieces) {
                    self.show(piece);
                }
                let table = self.open.iter().rev().find(|(_, table)| *table);
                let table = table.map_or(&self.header, |(path, _)| path);
                self.path = table.iter().chain(&self.key).cloned().collect();
                self.key.clear();
            }
            EventKind::InlineTableOpen | EventKind::ArrayOpen => {
                self.open.push((self.path.clone(), kind == EventKind::InlineTableOpen));
                self.show(span);
            }
            EventKind::InlineTableClose | EventKind::ArrayClose => {
                if let Some((path, _)) = self.open.pop() {
                    self.path = path;
                }
                self.show(span);
            }
            EventKind::Scalar => self.scalar(span),
            EventKind::Comment => self.comment(span),
            EventKind::Newline => {
                if self.open.is_empty() {
                    self.end_of_line();
                }
            }
            EventKind::KeySep | EventKind::ValueSep | EventKind::Whitespace => self.show(span),
            EventKind::Error => {
                let harmless = |c: char| "=[]{},.:".contains(c) || c.is_whitespace();
                if self.text[span.clone()].chars().all(harmless) {
                    self.show(span);
                }
            }
        }
    }

    /// What is left of a key that got no value: a header, or words that are masked unless they
    /// are keys that we know.
    fn end_of_line(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        let key = std::mem::take(&mut self.key);
        for (piece, name) in pieces.into_iter().zip(&key) {
            if self.in_header || keys::KEYS.iter().any(|known| known.name() == name) {
                self.show(piece);
            }
        }
        if self.in_header {
            self.header = key;
        }
        self.in_header = false;
        self.path.clear();
    }

    fn scalar(&mut self, span: Range<usize>) {
        let raw = &self.text[span.clone()];
        let one_line = !raw.contains('\n');
        if matches!(raw, "true" | "false") || (one_line && is_public(&self.path)) {
            self.show(span.clone());
            if let Some(password) = password_of_address(raw) {
                let hidden = span.start + password.start..span.start + password.end;
                self.keep[hidden.clone()].fill(false);
                self.secrets.push(self.base + hidden.start..self.base + hidden.end);
            }
            return;
        }
        let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| raw.starts_with(quote));
        let Some(quote) = quotes else { return };
        let start = span.start + quote.len();
        let closed = raw.len() >= 2 * quote.len() && raw.ends_with(quote);
        let end = if closed { span.end - quote.len() } else { span.end };
        self.show(span.start..start);
        self.show(end..span.end);
        self.secrets.push(self.base + start..self.base + end);
    }

    /// Prose is kept; what follows `=` is kept only behind the name of a harmless key.
    fn comment(&mut self, span: Range<usize>) {
        let comment = &self.text[span.clone()];
        let word = |c: char| !c.is_alphanumeric() && c != '_' && c != '-';
        let suspect = comment.match_indices('=').find(|(at, _)| {
            let name = comment[..*at].trim_end().rsplit(word).next().unwrap_or_default();
            let mut known = keys::KEYS.iter().filter(|key| key.name() == name).peekable();
            known.peek().is_none() || known.any(|key| !is_shown(key.kind))
        });
        let end = suspect.map_or(span.end, |(at, _)| span.start + at + 1);
        self.show(span.start..end);
    }
}

/// What of a text its masked copy does not show, run by run, the longest first.
///
/// Short runs could be any word, and what the copy shows elsewhere is known from there.
pub(super) fn hidden<'a>(text: &'a str, masked: &str) -> Vec<&'a str> {
    let star = |at: usize| masked.as_bytes()[at] == b'*' && text.as_bytes()[at] != b'*';
    let mut runs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = (at..text.len()).find(|&at| !star(at)).unwrap_or(text.len());
        let run = text[at..end].trim();
        if run.len() >= SEARCHED && !masked.contains(run) {
            runs.push(run);
        }
        at = (end..text.len()).find(|&at| star(at)).unwrap_or(text.len());
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs
}

/// A message that quotes a value: what is hidden elsewhere is masked in it, and the password of an
/// address.
pub(super) fn quoted(mut message: String, hidden: &[&str]) -> String {
    // A password may have any letter, also the one that ends a quotation.
    let Some((start, end)) = message.find('`').zip(message.rfind('`')) else { return message };
    let mut shown = message[start..end].to_owned();
    let stars = |count: usize| "*".repeat(count);
    for run in hidden {
        shown = shown.replace(run, &stars(run.len()));
    }
    if let Some(password) = password_of_address(&shown) {
        shown.replace_range(password.clone(), &stars(password.len()));
    }
    message.replace_range(start..end, &shown);
    message
}

/// Where the password of `//user:password@host` stands, which belongs into no address.
fn password_of_address(text: &str) -> Option<Range<usize>> {
    let start = text.find("//")? + 2;
    // A password may have a slash that should have been written as `%2F`.
    let end = start + text[start..].rfind('@')?;
    let colon = start + text[start..end].find(':')?;
    Some(colon + 1..end)
}

fn is_shown(kind: Kind) -> bool {
    !matches!(kind, Kind::Secret(_) | Kind::SecretMap(_) | Kind::Table | Kind::Tables)
}

/// Whether a value at this path may be shown.
fn is_public(path: &[String]) -> bool {
    let kind = |path: &[String]| keys::find(&path.join(".")).map(|key| key.kind);
    if let Some(kind) = kind(path) {
        return is_shown(kind);
    }
    let Some((last, parent)) = path.split_last() else { return false };
    match kind(parent) {
        Some(Kind::TextMap) => true,
        Some(Kind::Secret(_)) => last == "file",
        _ => {
            let grandparent = parent.split_last().and_then(|(_, path)| kind(path));
            matches!(grandparent, Some(Kind::SecretMap(_))) && last == "file"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_quotes_an_address_does_not_tell_its_password() {
        for (message, shown) in [
            ("`x:https://alex:a`b@c.lan/` is no place", "`x:https://alex:***@c.lan/` is no place"),
            ("`x:https://c.lan/` is no place, write @", "`x:https://c.lan/` is no place, write @"),
            ("//alex:hunter2@c.lan", "//alex:hunter2@c.lan"),
        ] {
            assert_eq!(quoted(message.to_owned(), &[]), shown);
        }
    }

    #[test]
    fn a_message_does_not_quote_what_its_text_hides() {
        let text = "key = \"hunter2\"\n[own]\nnote = \"own\"\npasswd = \"tiger€99\"\n";
        let hides = hidden(text, &redact(text));
        assert_eq!(hides, ["tiger€99", "hunter2"]);
        let message = "hunter2 was `x hunter2`, not hunter2";
        let shown = "hunter2 was `x *******`, not hunter2";
        assert_eq!(quoted(message.to_owned(), &hides), shown);
    }

    #[test]
    fn the_password_of_an_address_is_masked_and_the_rest_of_it_is_not() {
        for (text, masked) in [
            (
                "rest:https://alex:hunter2@backup.lan:8000/",
                "rest:https://alex:*******@backup.lan:8000/",
            ),
            ("//alex:a/b@c@nas.lan/x", "//alex:*****@nas.lan/x"),
            ("sftp://alex@nas.lan:22/x", "sftp://alex@nas.lan:22/x"),
            ("rest:https://backup.lan:8000/", "rest:https://backup.lan:8000/"),
        ] {
            let seed = |text| format!("[backup]\nrepository = \"{text}\"\n");
            assert_eq!(redact(&seed(text)), seed(masked));
        }
    }
}
