use std::collections::BTreeMap;

use host::fat::{FatType, FixedClock};

use super::*;
use crate::{
    layout::{Layout, MIB},
    manifest::{FORMAT, SchemaRange},
};

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

/// A small disk with all four partitions, as the builder makes it; root is empty.
struct Disk {
    file: tempfile::NamedTempFile,
    layout: Layout,
    manifest: Manifest,
}

impl Disk {
    fn good() -> Self {
        let layout = Layout::new(40 * MIB, 16 * MIB, MIB);
        let manifest = Manifest {
            format: FORMAT,
            name: "homelab".into(),
            version: "1".into(),
            architecture: "amd64".into(),
            suite: "trixie".into(),
            epoch: 1,
            seed_schema: SchemaRange::ours(),
            identifiers: Identifiers::derive("test"),
            packages: BTreeMap::new(),
            files: BTreeMap::new(),
            images: BTreeMap::new(),
            artefacts: BTreeMap::new(),
        };
        let mut disk = Self { file: tempfile::NamedTempFile::new().unwrap(), layout, manifest };
        disk.file.as_file().set_len(layout.disk).unwrap();
        let boot = grub::BiosBoot::patch(&[1; 512], vec![2; 5000], layout.bios_boot).unwrap();
        boot.write(disk.file.as_file_mut(), layout.bios_boot).unwrap();
        layout.write(disk.file.as_file_mut(), &disk.manifest.identifiers).unwrap();
        let program = |path: &str| (path.to_owned(), b"MZ".to_vec());
        disk.fill(
            layout.efi,
            FatType::Fat32,
            &[
                program("EFI/BOOT/BOOTX64.EFI"),
                program("EFI/BOOT/grubx64.efi"),
                program("EFI/BOOT/mmx64.efi"),
                ("EFI/debian/grub.cfg".to_owned(), grub::MENU.into()),
                (partition::GRUB_ENVIRONMENT.to_owned(), grub::environment(&[])),
            ],
        );
        let card =
            Card { format: FORMAT, image: "x".into(), seed_schema: disk.manifest.seed_schema };
        disk.fill(
            layout.seed,
            FatType::Fat16,
            &[
                ("README.TXT".to_owned(), b"read me".to_vec()),
                (CARD.to_owned(), serde_json::to_vec(&card).unwrap()),
            ],
        );
        disk
    }

    fn window(&self, place: Extent) -> Window<File> {
        Window::new(self.file.reopen().unwrap(), place.start, place.length)
    }

    fn fill(&self, place: Extent, kind: FatType, files: &[(String, Vec<u8>)]) {
        let format = fat::Format { label: "X", serial: 1, kind, sector: 512, cluster: 512 };
        fat::make(self.window(place), format, FixedClock::at(0), files).unwrap();
    }

    fn put(&self, place: Extent, path: &str, content: &[u8]) {
        fat::put(self.window(place), FixedClock::at(0), path, content).unwrap();
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        use std::os::unix::fs::FileExt as _;
        self.file.as_file().write_all_at(bytes, at).unwrap();
    }

    fn failures(&self) -> Vec<String> {
        let mut file = self.file.reopen().unwrap();
        let Ok((id, partitions)) = table::read(&mut file) else {
            return vec!["unreadable".to_owned()];
        };
        [
            order(&partitions),
            both_tables(&mut file),
            identifiers(id, &partitions, &self.manifest.identifiers),
            grub::check(&mut file, self.layout.bios_boot),
            efi_files(&file, self.layout.efi),
            seed_partition(&file, self.layout.seed, &self.manifest),
        ]
        .into_iter()
        .filter_map(Result::err)
        .collect()
    }
}

#[test]
fn every_check_of_the_disk_fails_on_its_fixture() {
    type Spoil = fn(&mut Disk);
    let cases: [(Spoil, &[&str]); 11] = [
        (|_| (), &[]),
        (
            |disk| disk.manifest.identifiers.disk = Uuid::nil(),
            &["the disk has another GUID than the manifest says"],
        ),
        (
            |disk| disk.manifest.identifiers.root = Uuid::nil(),
            &["partition 3 has another GUID than the manifest says"],
        ),
        (
            |disk| disk.write(disk.layout.disk - SECTOR, b"EFI PARC"),
            &["no partition table at byte 62914048"],
        ),
        (
            |disk| disk.write(0x5c, &[7]),
            &["the boot code loads sector 2055, the core image is at 2048"],
        ),
        (
            |disk| disk.put(disk.layout.efi, "EFI/BOOT/grubx64.efi", b"#!"),
            &["EFI/BOOT/grubx64.efi is no EFI program"],
        ),
        (
            |disk| disk.put(disk.layout.efi, "EFI/debian/grub.cfg", b"set default=9"),
            &["EFI/debian/grub.cfg is not the menu"],
        ),
        (
            |disk| disk.put(disk.layout.efi, partition::GRUB_ENVIRONMENT, b"short"),
            &["the environment block does not have 1024 bytes"],
        ),
        (
            |disk| disk.put(disk.layout.seed, partition::SEED_FILE, b"schema = 1"),
            &["the image carries a seed already"],
        ),
        (|disk| disk.fill(disk.layout.seed, FatType::Fat16, &[]), &["README.TXT is missing"]),
        (
            |disk| disk.manifest.seed_schema = SchemaRange { from: 8, to: 9 },
            &["the card names other seed schemas"],
        ),
    ];
    for (spoil, messages) in cases {
        let mut disk = Disk::good();
        spoil(&mut disk);
        assert_eq!(disk.failures(), messages);
    }
}

#[test]
fn the_manifest_inside_must_be_the_one_beside() {
    let manifest = Disk::good().manifest;
    let mut fake = Fake::good();
    let message = "the manifest inside is not the one beside the image";
    assert_eq!(manifest_inside(&fake, &manifest).unwrap_err(), message);
    fake.put(paths::MANIFEST, &manifest.to_text());
    assert_eq!(manifest_inside(&fake, &manifest), Ok(()));
}

/// The e2fsck here is a stand-in, which complains as the real one does.
#[test]
fn what_e2fsck_complains_of_is_told() {
    let runner = host::fake::ScriptedRunner::default();
    let tools = Tools::new(Path::new("/stage"));
    let root = Extent { start: 4096, length: 1 };
    let loader = "/stage/tree/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    runner.answer([loader], "");
    let look = || root_clean(&runner, &tools, Path::new("x.raw"), root);
    assert_eq!(look(), Ok(()));
    assert!(runner.commands()[0].ends_with("e2fsck -fn 'x.raw?offset=4096'"));
    runner.fail([loader], 4, "Free blocks count wrong (1, counted=2).");
    let error = look().unwrap_err();
    assert!(error.contains("Free blocks count wrong (1, counted=2)."), "{error}");
}
