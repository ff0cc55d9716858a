//! What must not be in an image, whatever the packages' scripts left behind: identities of the
//! machine that built it, caches, logs, and whatever differs between two builds.

use super::{Content, Kind, Node, Tree};

/// Gone with all below it. `*` stands for any text without a slash.
const GONE: &[&str] = &[
    // Identities: each box makes its own.
    "etc/ssh/ssh_host_*",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "etc/hostname",
    // The resolver of the machine that built the image.
    "etc/.resolv.conf.systemd-resolved.bak",
    // Backups of account files hold the state before the last package was installed.
    "etc/passwd-",
    "etc/shadow-",
    "etc/group-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    // Caches that the box makes again.
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "var/cache/debconf/*-old",
    "var/lib/dpkg/*-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dpkg/lock*",
    // The kernel and systemd fill these.
    "dev/*",
    "proc/*",
    "run/*",
    "sys/*",
    "tmp/*",
    "var/tmp/*",
];

/// Files below these go, folders stay: services want their log folders with the right owner.
const EMPTIED: &[&str] = &["var/log"];

/// Takes out what must not be there. `etc/machine-id` stays as an empty file: systemd then makes
/// one and keeps it, without calling it a first boot in the sense of `ConditionFirstBoot`.
pub fn clean(tree: &mut Tree) {
    let emptied = |path: &str, node: &Node| {
        node.kind != Kind::Folder && EMPTIED.iter().any(|top| path.starts_with(&format!("{top}/")))
    };
    let gone: Vec<Vec<u8>> = tree
        .iter()
        .filter(|(path, node)| {
            let path = String::from_utf8_lossy(path);
            emptied(&path, node) || GONE.iter().any(|pattern| matches(pattern, &path))
        })
        .map(|(path, _)| path.clone())
        .collect();
    for path in gone {
        tree.remove(&path);
    }
    tree.put("etc/machine-id", Node::file(0o444, Content::Bytes(Vec::new())));
}

/// Does a path match a pattern with at most one `*`?
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, end)) => path
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(|middle| !middle.contains('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_caches_and_logs_go_their_folders_stay() {
        let mut tree = Tree::default();
        let gone = [
            "etc/ssh/ssh_host_rsa_key",
            "etc/shadow-",
            "var/lib/apt/lists/InRelease",
            "var/lib/apt/lists/partial/x",
            "var/log/apt/history.log",
            "dev/null",
        ];
        let kept = ["etc/ssh/sshd_config", "etc/shadow", "var/lib/dpkg/status", "etc/machine-id"];
        for path in gone.iter().chain(&kept) {
            tree.put(*path, Node::file(0o600, Content::Bytes(b"secret".to_vec())));
        }
        clean(&mut tree);
        for path in gone {
            assert_eq!(tree.get(path), None, "{path}");
        }
        for path in kept.iter().chain(&["var/log/apt", "var/lib/apt/lists", "dev"]) {
            assert!(tree.get(path).is_some(), "{path}");
        }
        let id = tree.get("etc/machine-id").unwrap();
        assert_eq!(id, &Node::file(0o444, Content::Bytes(Vec::new())));
    }

    #[test]
    fn a_star_does_not_cross_folders() {
        assert!(matches("etc/ssh/ssh_host_*", "etc/ssh/ssh_host_key.pub"));
        assert!(matches("var/lib/dpkg/*-old", "var/lib/dpkg/status-old"));
        assert!(!matches("var/lib/dpkg/*-old", "var/lib/dpkg/info/x-old"));
        assert!(!matches("tmp/*", "tmp"));
    }
}
