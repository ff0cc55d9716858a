use super::*;

#[test]
fn an_absent_engine_is_said_to_be_absent() {
    let docker = Docker::at("unix:///no/such.sock").unwrap();
    assert_eq!(
        docker.version().unwrap_err().to_string(),
        "Docker: cannot tell its version: it is not running (there is no socket `/no/such.sock`)"
    );
}
