//! The media stack: what depends on the VPN, on the box and on its other services.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod support;

use model::plan::{Action, Plan};
use support::{LAN_ONLY, VPN, catalogue, facts, plan, rendered, with};

const STACK: &str = "/opt/stacks/media";
const SETTINGS: &str = "qbittorrent/config/qBittorrent/qBittorrent.conf";

/// A plan for a box with room for everything.
fn large(more: &str) -> Plan {
    plan(&with(&[more]), &catalogue(), &support::large())
}

fn file(plan: &Plan, path: &str) -> String {
    rendered(plan, &format!("{STACK}/{path}"))
}

/// The rendered Compose service.
fn service(plan: &Plan, name: &str) -> Option<serde_yaml_ng::Value> {
    let text = file(plan, "compose.yaml");
    let root: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    root["services"].get(name).cloned()
}

fn line<'t>(text: &'t str, start: &str) -> &'t str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_default()
}

#[test]
fn with_a_vpn_downloads_share_its_network_and_are_asked_for_there() {
    let plan = large(VPN);
    let client = service(&plan, "qbittorrent").unwrap();
    assert_eq!(client["network_mode"], "container:gluetun");
    assert!(client.get("networks").is_none());
    let settings = file(&plan, SETTINGS);
    assert_eq!(line(&settings, "Session\\Interface="), "Session\\Interface=tun0");
    assert_eq!(
        line(&settings, "WebUI\\Password"),
        "WebUI\\Password_PBKDF2=\"@ByteArray(@@secret:qbittorrent-password-digest@@)\""
    );
    let setup = file(&plan, "setup/servarr.sh");
    assert_eq!(line(&setup, "client="), "client='http://gluetun:8080'");
    assert_eq!(line(&file(&plan, "setup/prowlarr.sh"), "programs="), "programs='sonarr radarr '");
}

#[test]
fn without_one_there_are_no_downloads_unless_their_owner_says_so() {
    let careful = large("");
    assert!(service(&careful, "qbittorrent").is_none());
    assert_eq!(line(&file(&careful, "setup/servarr.sh"), "client="), "client=''");
    let direct = large("[stacks]\nwithout_vpn = [\"qbittorrent\"]\n");
    let client = service(&direct, "qbittorrent").unwrap();
    assert!(client.get("network_mode").is_none());
    let networks = serde_yaml_ng::to_string(&client["networks"]).unwrap();
    assert_eq!(networks, "- media-network\n- traefik-network\n");
    assert!(!file(&direct, SETTINGS).contains("tun0"));
    let setup = file(&direct, "setup/servarr.sh");
    assert_eq!(line(&setup, "client="), "client='http://qbittorrent:8080'");
}

#[test]
fn prowlarr_is_connected_only_to_what_is_there() {
    let plan = large("[stacks]\ndisable = [\"sonarr\"]\n");
    assert_eq!(line(&file(&plan, "setup/prowlarr.sh"), "programs="), "programs='radarr '");
    let small = support::plan(LAN_ONLY, &catalogue(), &facts());
    for name in ["sonarr", "radarr", "prowlarr", "plex"] {
        assert!(service(&small, name).is_none(), "{name} on a box of 4 GiB");
    }
    assert!(service(&small, "jellyfin").is_some());
}

#[test]
fn a_shared_script_is_written_once_and_a_settings_folder_is_its_services_own() {
    let plan = large(VPN);
    let render = plan.steps.iter().find_map(|step| match &step.action {
        Action::Render(render) => Some(render),
        _ => None,
    });
    let render = render.unwrap();
    let script = format!("{STACK}/setup/servarr.sh");
    assert_eq!(render.files.iter().filter(|file| file.path == script).count(), 1);
    let mode_and_owner = |path: &str| {
        let path = format!("{STACK}/{path}");
        let folder = render.folders.iter().find(|folder| folder.path == path).unwrap();
        (folder.mode, folder.owner)
    };
    assert_eq!(mode_and_owner("qbittorrent"), (0o755, (0, 0)));
    assert_eq!(mode_and_owner("qbittorrent/config"), (0o700, (4042, 4100)));
    assert_eq!(mode_and_owner("qbittorrent/config/qBittorrent"), (0o700, (4042, 4100)));
    assert_eq!(mode_and_owner("qbittorrent/setup"), (0o755, (0, 0)));
}

#[test]
fn backups_are_covered_and_no_limit_exceeds_the_box() {
    let mut facts = support::large();
    for (processors, limit) in [(2, "2.0"), (8, "4.0")] {
        facts.processors = processors;
        let plan = plan(LAN_ONLY, &catalogue(), &facts);
        let jellyfin = service(&plan, "jellyfin").unwrap();
        assert_eq!(jellyfin["deploy"]["resources"]["limits"]["cpus"], limit);
        for name in ["sonarr", "radarr"] {
            let text = serde_yaml_ng::to_string(&service(&plan, name).unwrap()).unwrap();
            assert!(text.contains("source: /mnt\n"), "{text}");
            assert!(text.contains("- /data/backups:ro,"), "{text}");
        }
    }
}
