//! Seed + catalogue + facts to a plan, and everything that is rendered from it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use model::{
    facts::{Facts, Firmware},
    plan::Plan,
};
use support::{
    DUCKDNS, LAN_ONLY, MEDIA_ONLY, NOTIFICATIONS, PROMTAIL, VPN, catalogue, catalogue_with, facts,
    large, plan,
    print::{beside, whole},
    with,
};

/// The plugin without which no service sleeps.
const PLUGIN: &str = "sablier-traefik-plugin";

const STATIC: &str = r#"
[[network.interface]]
match = "mac:52:54:00:12:34:56"
address = ["192.168.1.10/24"]
gateway = "192.168.1.1"
dns = ["192.168.1.1"]
[[storage.mount]]
at = "/mnt/backups"
remote = "nas.lan:/export/backups"
"#;

/// All that a box can have: every stack, with a public name, a VPN and services that sleep.
fn everything(facts: &Facts) -> Plan {
    everything_but("", facts)
}

/// The same with one more word of the seed.
fn everything_but(word: &str, facts: &Facts) -> Plan {
    let facts = Facts { artefacts: vec![PLUGIN.to_owned()], ..facts.clone() };
    plan(&with(&[DUCKDNS, VPN, NOTIFICATIONS, word]), &catalogue(), &facts)
}

#[test]
fn all_stacks_with_a_public_name_and_a_vpn() {
    insta::assert_snapshot!("all", whole(&everything(&large())));
}

#[test]
fn lan_only() {
    let lan = plan(LAN_ONLY, &catalogue(), &large());
    insta::assert_snapshot!("lan", beside(&everything(&large()), &lan));
}

#[test]
fn a_box_of_4_gib() {
    insta::assert_snapshot!("small", beside(&everything(&large()), &everything(&facts())));
}

#[test]
fn media_only() {
    let media = everything_but(MEDIA_ONLY, &large());
    insta::assert_snapshot!("media", beside(&everything(&large()), &media));
}

#[test]
fn promtail_in_alloys_place() {
    let (lan, promtail) =
        (plan(LAN_ONLY, &catalogue(), &large()), plan(&with(&[PROMTAIL]), &catalogue(), &large()));
    insta::assert_snapshot!("promtail", beside(&lan, &promtail));
}

/// Bytes as MiB.
fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[test]
fn what_a_box_of_4_gib_gets_by_default_fits() {
    let seed = support::seed(&with(&[DUCKDNS, VPN, NOTIFICATIONS]));
    let budget = model::plan::budget(&seed, &catalogue(), &facts()).unwrap();
    let services: u64 = budget.services.iter().map(|share| share.tier).sum();
    assert_eq!((mib(budget.system), mib(services)), (384, 3368));
    // Of 4 GiB that are built in, firmware and kernel leave no more.
    assert!(budget.system + services < (37 << 30) / 10);
}

#[test]
fn more_than_the_box_can_carry_is_refused() {
    let all: Vec<String> = catalogue().stacks.iter().map(|stack| stack.name.clone()).collect();
    let text =
        with(&[DUCKDNS, VPN, &format!("[stacks]\nenable = {all:?}\ndisable = [\"glances\"]\n")]);
    let problems = model::plan::plan(&support::seed(&text), &catalogue(), &facts()).unwrap_err();
    let way_out = "disable = [\"glances\", \"nextcloud\", \"nextcloud-database\", \"nextcloud-cache\", \
         \"nextcloud-cron\", \"jellyfin\", \"duplicati\", \"plex\", \"wordpress\", \"wordpress-database\", \
         \"dockge\"]";
    assert_eq!(
        problems.to_string(),
        format!(
            "seed.toml: the services need 6440 MiB of memory with the system, and this machine has \
             4096 MiB\n   = the largest are jellyfin 512 MiB, duplicati 384 MiB, nextcloud 384 MiB; \
             it fits with `[stacks] {way_out}`\n"
        )
    );
    let text = text.replace("disable = [\"glances\"]", way_out);
    model::plan::plan(&support::seed(&text), &catalogue(), &facts()).unwrap();
}

#[test]
fn a_box_with_a_fixed_address_and_a_network_share() {
    let plan = plan(&with(&[STATIC]), &catalogue(), &facts());
    let steps: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| ["network", "storage", "firewall"].contains(&step.id.0.as_str()))
        .collect();
    insta::assert_snapshot!("static-plan", serde_json::to_string_pretty(&steps).unwrap());
}

#[test]
fn an_owners_stack_is_wired_in_and_sleeps_only_with_the_plugin() {
    let own = include_str!("../../../qemu-tests/fixtures/probe-stack/compose.yaml");
    let catalogue = catalogue_with(&[("probe", own)]);
    let without = plan(LAN_ONLY, &support::catalogue(), &facts());
    let own = plan(LAN_ONLY, &catalogue, &facts());
    insta::assert_snapshot!("own", beside(&without, &own));
    let facts = Facts { artefacts: vec![PLUGIN.to_owned()], ..facts() };
    let asleep = plan(LAN_ONLY, &catalogue, &facts);
    insta::assert_snapshot!("own-asleep", beside(&own, &asleep));
}

#[test]
fn nothing_sleeps_that_nobody_would_wake() {
    let sleeping = |seed: &str| -> usize {
        let facts = Facts { artefacts: vec![PLUGIN.to_owned()], ..large() };
        let steps = plan(&with(&[seed]), &catalogue(), &facts).steps;
        let stacks = steps.iter().filter_map(|step| match &step.action {
            model::plan::Action::Stack(stack) => Some(&stack.services),
            _ => None,
        });
        stacks.flatten().filter(|service| service.lazy).count()
    };
    assert_eq!(sleeping(""), 4);
    assert_eq!(sleeping("[stacks]\ndisable = [\"sablier\"]\n"), 0);
}

/// A stick of 1.5 GB that the box runs from, and a disk of 500 GB with something on it.
fn on_a_stick() -> Facts {
    let mut facts = facts();
    let volume = |name: &str, number, size| model::facts::Volume {
        name: name.into(),
        number: Some(number),
        size,
        signature: Some("ext4".into()),
        uuid: Some(format!("0a1b2c3d-0000-4000-8000-00000000000{number}")),
        label: None,
        mounted_at: Vec::new(),
    };
    let boot = &mut facts.disks[0];
    (boot.name, boot.serial, boot.bus) = ("sda".into(), "STICK1".into(), "usb".into());
    boot.contents = vec![volume("sda1", 1, 1 << 20), volume("sda3", 3, 1_500_000_000)];
    facts.disks.push(model::facts::Disk {
        name: "nvme0n1".into(),
        model: "Samsung 980".into(),
        serial: "BOX2".into(),
        ids: vec!["nvme-Samsung_980_BOX2".into()],
        size: 500_000_000_000,
        sector: 512,
        bus: "nvme".into(),
        contents: vec![volume("nvme0n1p7", 7, 400_000_000_000)],
        table: Some("gpt".into()),
        ..model::facts::Disk::default()
    });
    facts
}

const INSTALL: &str = "[install]\ndisk = \"serial:BOX2\"\nwipe = \"BOX2\"\n";

#[test]
fn a_stick_does_nothing_but_copy_itself() {
    let made = plan(&with(&[INSTALL]), &catalogue(), &on_a_stick());
    let [step] = &made.steps[..] else { panic!("{:?}", made.steps) };
    assert_eq!(step.title, "Install: copy the system onto `serial:BOX2` (500 GB)");
    let install = made.install().unwrap();
    assert_eq!(install.needs, 1_500_000_000 + (3 << 20));
    assert_eq!(
        install.consent.victim().contents,
        ["ext4 uuid:0a1b2c3d-0000-4000-8000-000000000007"]
    );

    // UEFI starts from sectors of 4096 bytes too, BIOS from those of 512.
    for (firmware, sector) in [(Firmware::UefiSecureBoot, 4096), (Firmware::Bios, 512)] {
        let mut facts = on_a_stick();
        (facts.firmware, facts.disks[1].sector) = (firmware, sector);
        assert!(plan(&with(&[INSTALL]), &catalogue(), &facts).install().is_some());
    }

    // On the disk that it names the same seed is an ordinary one.
    let mut there = on_a_stick();
    (there.disks[0].boot, there.disks[1].boot) = (false, true);
    let made = plan(&with(&[INSTALL]), &catalogue(), &there);
    assert!(made.install().is_none() && made.steps.len() > 5);
    let mut without = plan(&with(&[]), &catalogue(), &there);
    without.seed = made.seed.clone();
    assert_eq!(made, without);
}

#[test]
fn what_would_go_wrong_on_the_other_disk_is_told_before_the_copy() {
    let refused = |seed: &[&str], change: &dyn Fn(&mut Facts)| {
        let mut facts = on_a_stick();
        change(&mut facts);
        let seed = support::seed(&with(seed));
        model::plan::plan(&seed, &catalogue(), &facts).unwrap_err().to_string()
    };
    let disk =
        "serial:BOX2 (Samsung 980, nvme, 500 GB, ext4 uuid:0a1b2c3d-0000-4000-8000-000000000007)";
    let none = |_: &mut Facts| {};
    assert_eq!(
        refused(&[INSTALL], &|facts| facts.disks[1].sector = 8192),
        format!(
            "seed.toml: `[install]`: {disk} has sectors of 8192 bytes, and the system can lie on those \
             of 512 or 4096\n   = choose another disk; many disks can be switched to sectors of 512 \
             bytes, see `nvme format` or `hdparm --set-sector-size`\n"
        )
    );
    assert_eq!(
        refused(&[INSTALL], &|facts| {
            facts.firmware = Firmware::Bios;
            facts.disks[1].sector = 4096;
        }),
        format!(
            "seed.toml: `[install]`: {disk} has sectors of 4096 bytes, and this machine was started \
             by BIOS, which starts from those of 512 only\n   = start the stick by UEFI, which the \
             firmware's setup may have to be told, or choose another disk; many disks can be switched \
             to sectors of 512 bytes, see `nvme format` or `hdparm --set-sector-size`\n"
        )
    );
    assert_eq!(
        refused(&[INSTALL], &|facts| facts.disks[1].size = 1_000_000_000),
        "seed.toml: `[install]`: serial:BOX2 (Samsung 980, nvme, 1 GB, ext4 uuid:0a1b2c3d-0000-4000-8000-000000000007) is too \
         small: the system needs 1 GB\n   = choose another disk\n"
    );
    assert_eq!(
        refused(&[INSTALL], &|facts| {
            facts.disks[1].contents[0].mounted_at = vec!["/mnt/x".to_owned()];
        }),
        format!(
            "seed.toml: `[install]`: {disk} is in use: /mnt/x\n   = unmount it, if it really may be \
             formatted\n"
        )
    );
    assert_eq!(
        refused(&[INSTALL], &|facts| {
            facts.disks.remove(1);
        }),
        "seed.toml: `[install]`: no disk is `serial:BOX2`\n   = this machine has no other disk than \
         its own\n"
    );
    assert_eq!(
        refused(&[INSTALL], &|facts| facts.disks[0].bus = "sata".to_owned()),
        "seed.toml: `[install]`: the box runs from serial:STICK1 (sda, sata, 64 GB, ext4 \
         uuid:0a1b2c3d-0000-4000-8000-000000000001, ext4 uuid:0a1b2c3d-0000-4000-8000-000000000003), which is no stick\n   = remove `[install]`, or start the \
         box from a stick with this seed\n"
    );
    let other =
        "[install]\ndisk = \"by-id:nvme-Samsung_980_BOX2\"\nwipe = \"nvme-Samsung_980_BOX2\"\n";
    assert_eq!(
        refused(&[other], &none),
        format!(
            "seed.toml: `[install]`: consent is for `nvme-Samsung_980_BOX2`, but the disk found is \
             {disk}\n   = if it may be formatted, write `wipe = \"BOX2\"`\n"
        )
    );
    // What is mounted from a disk that is erased is not there afterwards.
    let mount = "[[storage.mount]]\nat = \"/mnt/media\"\ndisk = \"uuid:0a1b2c3d-0000-4000-8000-000000000007\"\n";
    let text = refused(&[INSTALL, mount], &none);
    assert!(text.starts_with("seed.toml: `/mnt/media`: no file system has the UUID"), "{text}");
}

#[test]
fn a_schedule_that_backups_cannot_keep_is_refused() {
    let text = with(&["[backup]\nschedule = \"*-*-* 03:00:30\"\n"]);
    let problems = model::plan::plan(&support::seed(&text), &catalogue(), &facts()).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "seed.toml: `[backup] schedule`: `*-*-* 03:00:30` cannot be said in cron, which backups run \
         by\n   = leave out seconds, years and time zones, and do not join days of the week with a \
         date\n"
    );
}

/// A stack whose volumes bear three kinds of names.
const KEEPER: &str = r#"name: keeper
services:
  keeper:
    image: example.org/keeper:1
    restart: unless-stopped
    security_opt: ["no-new-privileges:true"]
    cap_drop: [ALL]
    read_only: true
    volumes: ["./data:/data", "own:/own", "named:/named", "foreign:/foreign"]
    networks: [homelab-network]
    healthcheck: {test: [CMD, /keeper, health]}
    deploy: {resources: {limits: {cpus: "0.5", memory: 64M, pids: 32}}}
    x-homelab:
      memory: 32M
      backup: {volumes: [own, named, foreign], paths: [./data/, ./notes]}
networks:
  homelab-network: {external: true}
volumes:
  own: {}
  named: {name: kept}
  foreign: {external: true}
"#;

#[test]
fn a_backup_holds_what_the_deployed_services_name() {
    let catalogue = catalogue_with(&[("keeper", KEEPER)]);
    let plan = plan(&with(&["[stacks]\nenable = [\"core\", \"backup\"]\n"]), &catalogue, &facts());
    assert_eq!(
        support::rendered(&plan, "/opt/stacks/backup/backrest/paths/list")
            .lines()
            .collect::<Vec<_>>(),
        [
            "/opt/stacks/backup/backrest/config",
            "/opt/stacks/backup/duplicati/data",
            "/opt/stacks/core/authelia",
            "/opt/stacks/core/traefik/acme",
            "/opt/stacks/keeper/data",
            "/opt/stacks/keeper/notes",
            "/var/lib/docker/volumes/foreign/_data",
            "/var/lib/docker/volumes/keeper_own/_data",
            "/var/lib/docker/volumes/kept/_data",
        ]
    );
}

/// The configuration of the backup service, and the folder that it gets the repository by.
fn backup(seed: &str) -> (serde_json::Value, String) {
    let plan = plan(&with(&[seed]), &catalogue(), &facts());
    let config = support::rendered(&plan, "/opt/stacks/backup/backrest/config/config.json");
    let compose = support::rendered(&plan, "/opt/stacks/backup/compose.yaml");
    let place = compose.split("source: /mnt/").nth(1).unwrap().lines().next().unwrap();
    (serde_json::from_str(&config).unwrap(), place.to_owned())
}

#[test]
fn a_backup_goes_where_and_when_the_seed_says() {
    let (config, place) = backup("");
    assert_eq!(config["repos"][0]["uri"], "/mnt/backups/restic");
    assert_eq!(config["repos"][0].get("flags"), None);
    assert_eq!(config["plans"][0]["schedule"]["cron"], "0 3 * * *");
    assert_eq!(place, "backups");

    let (config, place) =
        backup("[backup]\nrepository = \"/mnt/storage/copies\"\nschedule = \"Sun 04:30\"\n");
    assert_eq!(config["repos"][0]["uri"], "/mnt/storage/copies");
    assert_eq!(config["plans"][0]["schedule"]["cron"], "30 4 * * 0");
    assert_eq!(place, "storage");

    let (config, place) = backup("[backup]\nrepository = \"sftp:me@nas.lan:/srv/restic\"\n");
    assert_eq!(config["repos"][0]["uri"], "sftp:me@nas.lan:/srv/restic");
    assert!(config["repos"][0]["flags"][0].as_str().unwrap().starts_with("-o sftp.args='-oBatch"));
    assert_eq!(place, "backups");
}

#[test]
fn the_repository_has_one_password_whether_the_seed_gives_it_or_not() {
    use model::plan::{Action, SecretMaking};
    let making = |seed: &str| {
        let plan = plan(&with(&[seed]), &catalogue(), &facts());
        let text = support::rendered(&plan, "/opt/stacks/backup/secrets/backup-password");
        assert_eq!(text, "@@secret:backup-password@@");
        let wish = plan.steps.iter().find_map(|step| match &step.action {
            Action::Secrets { wishes } => wishes.iter().find(|w| w.name.0 == "backup-password"),
            _ => None,
        });
        let shown = plan.steps.iter().any(|step| match &step.action {
            Action::Handover(handover) => {
                handover.show_once.iter().any(|name| name.0 == "backup-password")
            }
            _ => false,
        });
        (wish.unwrap().source.clone(), shown)
    };
    let made = SecretMaking::Random { length: 24 };
    assert_eq!(making(""), (made.clone(), true));
    assert_eq!(making("[backup]\nschedule = \"daily\"\n"), (made, true));
    let given = "[backup]\npassword = \"a password of the owner\"\n";
    assert_eq!(making(given), (SecretMaking::Seed, false));
}
