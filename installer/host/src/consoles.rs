//! The consoles that a person may be looking at.

use std::path::PathBuf;

use crate::{Host, Result, files};

/// Devices of the kernel's active consoles (`console=` on its command line), and the first virtual
/// terminal, which a machine with a screen shows even if the kernel talks elsewhere.
///
/// # Errors
/// `/sys` cannot be read.
pub fn active(host: &Host) -> Result<Vec<PathBuf>> {
    let active = files::read_text_optional(host.path("/sys/class/tty/console/active"))?;
    Ok(devices(&active.unwrap_or_default())
        .into_iter()
        .map(|name| host.path(format!("/dev/{name}")))
        .filter(|path| path.exists())
        .collect())
}

/// `tty0` stands for whichever terminal is in front; ours is `tty1`.
fn devices(active: &str) -> Vec<&str> {
    let mut names: Vec<&str> = active.split_whitespace().filter(|name| *name != "tty0").collect();
    if !names.contains(&"tty1") {
        names.push("tty1");
    }
    names
}

/// Whether a console such as `tty1` is a screen of this machine, with a keyboard of its own; a
/// serial line such as `ttyS0` is none.
pub fn is_screen(name: &str) -> bool {
    let number = name.strip_prefix("tty");
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_always_among_them() {
        assert_eq!(devices("tty0 ttyS0\n"), ["ttyS0", "tty1"]);
        assert_eq!(devices("ttyS0\n"), ["ttyS0", "tty1"]);
        assert_eq!(devices("tty1 hvc0\n"), ["tty1", "hvc0"]);
        assert_eq!(devices(""), ["tty1"]);
    }

    #[test]
    fn a_serial_line_is_no_screen() {
        assert!(is_screen("tty1") && is_screen("tty12"));
        for name in ["ttyS0", "ttyUSB0", "hvc0", "pts/1", "tty"] {
            assert!(!is_screen(name), "{name}");
        }
    }

    #[test]
    fn a_console_without_a_device_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let host = crate::fake::host(folder.path()).host();
        for path in ["sys/class/tty/console", "dev"] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        std::fs::write(folder.path().join("sys/class/tty/console/active"), "tty0 ttyS0\n").unwrap();
        std::fs::write(folder.path().join("dev/ttyS0"), "").unwrap();
        assert_eq!(active(&host).unwrap(), [folder.path().join("dev/ttyS0")]);
    }
}
