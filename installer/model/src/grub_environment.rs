//! GRUB's environment block: 1024 bytes that GRUB reads and overwrites in place (GRUB manual,
//! "The GRUB environment block"). It never changes its size, because GRUB knows no file system
//! well enough to make a file longer.

use std::collections::BTreeMap;

/// Bytes of a block.
pub const SIZE: usize = 1024;
/// How every block begins.
const HEAD: &str = "# GRUB Environment Block\n";

/// The variables of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrubEnvironment(BTreeMap<String, String>);

impl GrubEnvironment {
    /// Reads a block; none if it is none.
    pub fn parse(block: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(block);
        let variables = text.strip_prefix(HEAD)?.lines().filter(|line| !line.starts_with('#'));
        let pairs = variables.filter_map(|line| line.split_once('='));
        Some(Self(pairs.map(|(name, value)| (name.to_owned(), unescaped(value))).collect()))
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// With a variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// As the block holds it; none if that is too long.
    pub fn to_block(&self) -> Option<Vec<u8>> {
        let mut block = HEAD.to_owned();
        for (name, value) in &self.0 {
            let value = value.replace('\\', "\\\\").replace('\n', "\\\n");
            block.push_str(&format!("{name}={value}\n"));
        }
        let mut block = block.into_bytes();
        (block.len() <= SIZE).then(|| {
            block.resize(SIZE, b'#');
            block
        })
    }
}

fn unescaped(value: &str) -> String {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reads_back_and_keeps_what_others_wrote() {
        let block = GrubEnvironment::default().with("attempts", "0").with("options", "a\\b");
        let bytes = block.to_block().unwrap();
        assert_eq!(bytes.len(), SIZE);
        assert!(bytes.starts_with(b"# GRUB Environment Block\nattempts=0\noptions=a\\\\b\n####"));
        let read = GrubEnvironment::parse(&bytes).unwrap();
        assert_eq!(read, block);
        assert_eq!(read.with("attempts", "2").get("options"), Some("a\\b"));
    }

    #[test]
    fn what_is_no_block_and_what_does_not_fit() {
        assert_eq!(GrubEnvironment::parse(&[0; SIZE]), None);
        assert_eq!(GrubEnvironment::default().with("x", &"y".repeat(1000)).to_block(), None);
    }
}
