//! What the kernel command line says to us.

/// Our words on the kernel command line; the last of several wins, as with the kernel's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelLine {
    /// `homelab.seed=URL`
    pub seed: Option<String>,
    /// `homelab.seed_sha256=` 64 hex digits
    pub seed_sha256: Option<String>,
    /// `homelab.rescue`: several starts did not finish the install.
    pub rescue: bool,
}

impl KernelLine {
    /// Reads the text of `/proc/cmdline`.
    pub fn parse(text: &str) -> Self {
        let mut line = Self::default();
        for word in words(text) {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (word.as_str(), None),
            };
            match (key, value) {
                ("homelab.seed", Some(url)) if !url.is_empty() => line.seed = Some(url.to_owned()),
                ("homelab.seed_sha256", Some(hash)) if !hash.is_empty() => {
                    line.seed_sha256 = Some(hash.to_ascii_lowercase());
                }
                ("homelab.rescue", value) => {
                    line.rescue = !matches!(value, Some("0" | "no" | "off"));
                }
                // What stands after `--` is for init, not for us.
                ("--", None) => break,
                _ => {}
            }
        }
        line
    }
}

/// Words as the kernel splits them: at white space, which double quotes protect; the quotes
/// themselves go away.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            c if c.is_ascii_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_words_are_found_among_others() {
        let text = "BOOT_IMAGE=/boot/vmlinuz root=PARTUUID=1-2 ro console=tty0 console=ttyS0 \
                    homelab.seed=https://a.lan/seed.toml homelab.seed_sha256=ABCD\n";
        assert_eq!(
            KernelLine::parse(text),
            KernelLine {
                seed: Some("https://a.lan/seed.toml".into()),
                seed_sha256: Some("abcd".into()),
                rescue: false,
            }
        );
    }

    #[test]
    fn quotes_last_one_wins_and_the_end_of_our_part() {
        let line =
            KernelLine::parse("\"homelab.seed=https://a/b c\" homelab.seed=x=y homelab.rescue");
        assert_eq!(line.seed.as_deref(), Some("x=y"));
        assert!(line.rescue);
        assert!(KernelLine::parse("homelab.seed=\"https://a/b c\"").seed.unwrap().ends_with("b c"));
        assert!(!KernelLine::parse("quiet -- homelab.rescue").rescue);
        assert!(!KernelLine::parse("homelab.rescue homelab.rescue=0").rescue);
        assert_eq!(KernelLine::parse("homelab.seed= nohomelab.rescue"), KernelLine::default());
    }
}
