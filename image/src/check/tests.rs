use std::collections::BTreeMap;

use super::*;

/// Path to mode and content.
#[derive(Clone)]
struct Fake(BTreeMap<String, (u32, Vec<u8>)>);

impl Fake {
    /// A root file system that passes every check.
    fn good() -> Self {
        let mut fake = Self(BTreeMap::new());
        fake.put("/etc/machine-id", "");
        fake.put("/etc/hostname", "homelab\n");
        fake.put("/etc/ssh/sshd_config", "");
        fake.put("/etc/shadow", "root:*:20000:0:99999:7:::\nsshd:!:20000::::::\n");
        fake.put("/usr/bin/homelab", "ELF");
        fake.0.insert("/usr/bin/homelab".into(), (0o755, b"ELF".to_vec()));
        fake.put("/etc/systemd/system/homelab-install.service", "[Unit]");
        fake.put("/etc/systemd/system/multi-user.target.wants/homelab-install.service", "[Unit]");
        fake.put("/usr/share/homelab/stacks/images.lock", "schema = 1");
        fake.put("/usr/share/homelab/stacks/core/compose.yaml", "services: {}");
        for path in ["/vmlinuz", "/initrd.img"] {
            fake.0.insert(path.into(), (0o644, vec![0; 2 << 20]));
        }
        fake
    }

    fn put(&mut self, path: &str, text: &str) {
        self.0.insert(path.into(), (0o644, text.as_bytes().to_vec()));
    }
}

impl Files for Fake {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(path).map(|(_, text)| text.clone()))
    }

    fn mode(&self, path: &str) -> Result<Option<u32>, String> {
        Ok(self.0.get(path).map(|(mode, _)| *mode))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, String> {
        let below = format!("{path}/");
        let mut names: Vec<_> = self
            .0
            .keys()
            .filter_map(|other| Some(other.strip_prefix(&below)?.split('/').next()?.to_owned()))
            .collect();
        names.dedup();
        Ok(names)
    }
}

fn failures(fake: &Fake) -> Vec<String> {
    ROOT_CHECKS
        .iter()
        .filter_map(|(name, check)| Some(format!("{name}: {}", check(fake).err()?)))
        .collect()
}

#[test]
fn a_good_root_passes() {
    assert_eq!(failures(&Fake::good()), Vec::<String>::new());
}

#[test]
fn every_check_fails_on_its_fixture() {
    let put = |path: &'static str, text: &'static str| move |fake: &mut Fake| fake.put(path, text);
    let gone = |path: &'static str| move |fake: &mut Fake| drop(fake.0.remove(path));
    type Spoil = Box<dyn Fn(&mut Fake)>;
    let cases: Vec<(Spoil, &str)> = vec![
        (
            Box::new(put("/etc/ssh/ssh_host_rsa_key", "x")),
            "no-ssh-host-keys: /etc/ssh/ssh_host_rsa_key would be the same on every box",
        ),
        (
            Box::new(put("/etc/machine-id", "0123")),
            "machine-id-empty: /etc/machine-id must be there and empty: systemd fills it on each box",
        ),
        (
            Box::new(gone("/etc/machine-id")),
            "machine-id-empty: /etc/machine-id must be there and empty: systemd fills it on each box",
        ),
        (
            Box::new(put("/var/lib/dbus/machine-id", "0123")),
            "machine-id-empty: /var/lib/dbus/machine-id would be the same on every box",
        ),
        (
            Box::new(put("/etc/hostname", "laptop\n")),
            "no-hostname-of-the-builder: /etc/hostname must say `homelab`, not the name of the machine that built the image",
        ),
        (
            Box::new(put("/var/lib/systemd/random-seed", "x")),
            "no-random-seed: /var/lib/systemd/random-seed would be the same on every box",
        ),
        (
            Box::new(put("/var/log/dpkg.log", "x")),
            "no-logs-and-lists: /var/log/dpkg.log was left behind by the bootstrap",
        ),
        (
            Box::new(put("/var/lib/apt/lists/InRelease", "x")),
            "no-logs-and-lists: /var/lib/apt/lists/InRelease was left behind by the bootstrap",
        ),
        (
            Box::new(put("/etc/shadow", "root:$y$x:1::::::\n")),
            "no-passwords: the account `root` can be logged into with a password",
        ),
        (
            Box::new(put("/etc/shadow", "root::1::::::\n")),
            "no-passwords: the account `root` can be logged into with a password",
        ),
        (Box::new(gone("/usr/bin/homelab")), "installer-present: /usr/bin/homelab is missing"),
        (
            Box::new(put("/usr/bin/homelab", "ELF")),
            "installer-present: /usr/bin/homelab has the mode 644, not 755",
        ),
        (
            Box::new(gone("/etc/systemd/system/multi-user.target.wants/homelab-install.service")),
            "installer-starts: homelab-install.service is not enabled",
        ),
        (
            Box::new(gone("/usr/share/homelab/stacks/images.lock")),
            "catalogue-present: /usr/share/homelab/stacks/images.lock is missing",
        ),
        (
            Box::new(put("/vmlinuz", "stub")),
            "kernel-present: /vmlinuz, which the menu loads, is missing or leads nowhere",
        ),
    ];
    for (spoil, message) in cases {
        let mut fake = Fake::good();
        spoil(&mut fake);
        assert_eq!(failures(&fake), [message]);
    }
}

#[test]
fn partitions_in_another_order_are_refused() {
    let place = |number, start| Partition {
        number,
        name: String::new(),
        id: uuid::Uuid::nil(),
        extent: Extent { start, length: 1 },
    };
    let good = [place(1, 1), place(2, 2), place(4, 3), place(3, 4)];
    assert_eq!(order(&good), Ok(()));
    let bad = [place(1, 1), place(2, 2), place(3, 3), place(4, 4)];
    assert_eq!(order(&bad).unwrap_err(), "root must lie last on the disk, so that it can grow");
}
