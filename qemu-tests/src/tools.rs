//! Programs that the tests need, with the Debian package that has each.

use std::path::Path;

use anyhow::{Result, bail};

/// A program or file, and the Debian package that has it.
pub type Tool = (&'static str, &'static str);

/// For virtual machines and their world.
pub const MACHINES: &[Tool] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "ovmf"),
    ("dnsmasq", "dnsmasq-base"),
    ("nmap", "nmap"),
    ("docker-registry", "docker-registry"),
    ("ssh", "openssh-client"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("debugfs", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
    ("mke2fs", "e2fsprogs"),
];

/// For the programs that check rendered files.
pub const CHECKERS: &[Tool] = &[
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("/usr/sbin/chroot", "coreutils"),
];

/// Fails with the names of all that are missing, and the command that installs them.
///
/// # Errors
/// Some are missing.
pub fn must_be_there(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|(name, _)| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    bail!(
        "these tests need {}\n  = sudo apt-get install --no-install-recommends {}",
        names.join(", "),
        packages.join(" ")
    )
}

fn is_there(name: &str) -> bool {
    if name.starts_with('/') {
        return Path::new(name).exists();
    }
    // Tools of the superuser are not in everybody's PATH.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_all_that_is_missing_with_the_way_out() {
        assert!(must_be_there(&[("sh", "dash")]).is_ok());
        let tools: &[Tool] = &[("sh", "dash"), ("no-such-tool", "one"), ("/no/such", "two")];
        assert_eq!(
            must_be_there(tools).unwrap_err().to_string(),
            "these tests need no-such-tool, /no/such\n  \
             = sudo apt-get install --no-install-recommends one two"
        );
    }
}
