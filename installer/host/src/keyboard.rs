//! The keyboard layout of a screen, until the next start: nothing is written to the disk.

use std::path::Path;

use crate::{Command, Host, Result};

/// What an XKB layout such as `de` means for the keys of a screen, as `setupcon` of Debian's
/// `console-setup` has it translated.
///
/// # Errors
/// There is no such layout: the program says so by its exit status; or the program is missing.
pub fn translate(host: &Host, layout: &str) -> Result<String> {
    let command = Command::new("ckbcomp").args(["-model", "pc105", layout]);
    Ok(host.runner.run(&command)?.stdout)
}

/// Gives the screen (`/dev/tty1`) what was translated. All screens share it.
///
/// # Errors
/// This is no screen.
pub fn load(host: &Host, screen: &Path, translated: &str) -> Result<()> {
    let command = Command::new("loadkeys").args(["--quiet", "-C"]).arg(screen);
    host.runner.run(&command.stdin_text(translated)).map(drop).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_translated_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let fake = crate::fake::host(folder.path());
        fake.runner.answer(["ckbcomp"], "keycode 1 = Escape\n");
        let host = fake.host();
        load(&host, Path::new("/dev/tty1"), &translate(&host, "de").unwrap()).unwrap();
        let ran = fake.runner.ran();
        assert_eq!(ran[0].words.join(" "), "ckbcomp -model pc105 de");
        assert_eq!(ran[1].words.join(" "), "loadkeys --quiet -C /dev/tty1");
        assert_eq!(ran[1].stdin.as_deref(), Some("keycode 1 = Escape\n"));
    }
}
