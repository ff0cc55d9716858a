use super::*;

#[test]
fn an_absent_engine_is_said_to_be_absent() {
    let docker = Docker::at("unix:///no/such.sock").unwrap();
    assert_eq!(
        docker.version().unwrap_err().to_string(),
        "Docker: cannot tell its version: it is not running (there is no socket `/no/such.sock`)"
    );
}

fn inspected(network: &str, running: bool, started: &str, error: &str) -> ContainerInspectResponse {
    ContainerInspectResponse {
        host_config: Some(bollard::models::HostConfig {
            network_mode: Some(network.to_owned()),
            ..Default::default()
        }),
        state: Some(ContainerState {
            running: Some(running),
            started_at: Some(started.to_owned()),
            error: Some(error.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn who_uses_a_network_that_is_no_more_is_astray() {
    const EARLY: &str = "2026-11-25T00:34:19.016871521Z";
    const LATE: &str = "2026-11-25T00:35:19.1Z";
    let owner = inspected("bridge", true, EARLY, "");
    let owner_anew = inspected("bridge", true, LATE, "");
    let owner_down = inspected("bridge", false, EARLY, "");
    let runs = |started| inspected("container:a37964", true, started, "");
    let refused = inspected("container:a37964", false, EARLY, "cannot join network namespace");
    let stopped = inspected("container:a37964", false, EARLY, "");
    for (container, owner, astray, why) in [
        (&runs(LATE), Some(&owner), false, "it joined after the owner's start"),
        (&runs(EARLY), Some(&owner_anew), true, "the owner was started anew"),
        (&runs(EARLY), None, true, "the owner is gone"),
        (&runs(EARLY), Some(&owner_down), false, "the owner may come back as it was"),
        (&refused, Some(&owner_anew), true, "the owner was not there at its start"),
        (&stopped, Some(&owner_anew), false, "somebody stopped it"),
        (&inspected("media-network", true, EARLY, ""), None, false, "it has its own network"),
    ] {
        assert_eq!(is_astray(container, owner), astray, "{why}");
    }
}
