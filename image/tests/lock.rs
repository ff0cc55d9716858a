//! `homelab-image lock` against a real registry on loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::disallowed_methods, reason = "a test runs programs as a person would")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    process::Command,
    thread,
};

use model::Digest;
use support::{Registry, free_address};
use tempfile::TempDir;

const BOTH: &[&str] = &["amd64", "arm64"];

/// What the program said and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    told: String,
}

/// A source folder with a lock.
struct Source(TempDir);

impl Source {
    /// Entries by name, each with the line that says its digest; all with tag 1.
    fn new(entries: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("stacks")).unwrap();
        let mut text = "# Every image, pinned.\nschema = 1\n".to_owned();
        for (name, line) in entries {
            text += &format!(
                "\n# Why {name} is here.\n[[image]]\nreference = \"example.org/{name}:1\"\n\
                 repository = \"example.org/{name}\"\ntag = \"1\"\n{line}   # and why so\n\
                 programs = [\"sh\"]\n"
            );
        }
        text += "\n# The end.\n";
        fs::write(folder.path().join("stacks/images.lock"), text).unwrap();
        Self(folder)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.path().join("stacks/images.lock")).unwrap()
    }

    fn lock(&self, mirror: &str, more: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_homelab-image"))
            .args(["lock", "--mirror", mirror, "--source"])
            .arg(self.0.path())
            .args(more)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(self.0.path().to_str().unwrap(), "SOURCE")
        };
        Said {
            code: output.status.code().unwrap(),
            out: text(&output.stdout),
            told: text(&output.stderr),
        }
    }
}

fn missing() -> String {
    "digest_missing = \"not pulled yet\"".to_owned()
}

fn line(digest: &Digest) -> String {
    format!("digest = \"{digest}\"")
}

#[test]
fn digests_are_filled_in_and_refreshed_and_nothing_else_changes() {
    let Some(registry) = Registry::start() else { return };
    let mirror = registry.address.to_string();
    let new = registry.push("example.org/new", "1", "new", BOTH);
    let same = registry.push("example.org/same", "1", "same", BOTH);
    let old = registry.push("example.org/moved", "1", "first", BOTH);
    let moved = registry.push("example.org/moved", "1", "second", BOTH);
    let source = Source::new(&[("new", missing()), ("same", line(&same)), ("moved", line(&old))]);
    let before = source.text();
    let summary = "1 pinned, 1 moved, 1 the same, 0 failed";

    let said = source.lock(&mirror, &["--check"]);
    assert_eq!((said.code, source.text()), (4, before.clone()), "{said:?}");
    let expected =
        format!("error: SOURCE/stacks/images.lock is not what the registries have: {summary}\n");
    assert!(said.told.ends_with(&expected), "{said:?}");

    let said = source.lock(&mirror, &["example.org/new:1"]);
    let after = before.replace(&missing(), &line(&new));
    assert_eq!((said.code, source.text()), (0, after.clone()), "only what is named: {said:?}");

    fs::write(source.0.path().join("stacks/images.lock"), &before).unwrap();
    let said = source.lock(&mirror, &[]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, format!("SOURCE/stacks/images.lock: {summary}\n").as_str()),
        "{said:?}"
    );
    for told in [
        format!("  example.org/new:1: pinned, {new}\n"),
        "  example.org/same:1: the same\n".to_owned(),
        format!("  example.org/moved:1: moved, {} is now {moved}\n", old.short()),
    ] {
        assert!(said.told.contains(&told), "{told} {said:?}");
    }
    let after = after.replace(old.as_str(), moved.as_str());
    assert_eq!(source.text(), after);
    let others: Vec<_> = fs::read_dir(source.0.path().join("stacks")).unwrap().collect();
    assert_eq!(others.len(), 1, "no temporary file is left");

    let said = source.lock(&mirror, &["--check"]);
    assert_eq!((said.code, source.text()), (0, after), "{said:?}");
}

#[test]
fn each_failure_is_told_with_its_reason_and_the_others_are_written() {
    let Some(registry) = Registry::start() else { return };
    let good = registry.push("example.org/good", "1", "x", BOTH);
    let half = registry.push("example.org/half", "1", "x", &["amd64"]);
    let spoilt = registry.push("example.org/spoilt", "1", "y", BOTH);
    registry.push("example.org/other", "2", "x", BOTH);
    registry.spoil(&spoilt);
    let names = ["good", "half", "spoilt", "other", "nobody"];
    let source = Source::new(&names.map(|name| (name, missing())));
    let before = source.text();
    let said = source.lock(&registry.address.to_string(), &[]);
    assert_eq!(said.code, 4, "{said:?}");
    let expected = "error: 1 pinned, 0 moved, 0 the same, 4 failed\n  \
        example.org/half:1: its index lacks arm64; it has amd64\n  \
        example.org/spoilt:1: 127.0.0.1 sent other bytes than its digest promises\n  \
        example.org/other:1: 127.0.0.1 has no tag `1` of `example.org/other`\n  \
        example.org/nobody:1: 127.0.0.1 has no tag `1` of `example.org/nobody`\n";
    assert!(said.told.ends_with(expected), "{said:?}");
    assert_eq!(source.text(), before.replacen(&missing(), &line(&good), 1));
    assert!(!source.text().contains(half.as_str()));
}

#[test]
fn a_registry_that_is_not_there_and_an_image_that_is_not_in_the_lock() {
    let source = Source::new(&[("one", missing())]);
    let before = source.text();
    let mirror = free_address().to_string();
    let said = source.lock(&mirror, &[]);
    let expected = "error: 0 pinned, 0 moved, 0 the same, 1 failed\n  \
                    example.org/one:1: 127.0.0.1 cannot be asked: Connection refused (os error 111)\n";
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.told.ends_with(expected), "{said:?}");

    let said = source.lock(&mirror, &["example.org/two:1"]);
    assert_eq!(
        (said.code, said.told.as_str()),
        (2, "error: the lock has no `example.org/two:1`; it has: example.org/one:1\n")
    );
    assert_eq!(source.text(), before);
}

/// Asks for a token, as the registries of the Internet do, and has one index.
fn strict_registry(index: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> =
                lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            let token =
                head.iter().any(|line| line.eq_ignore_ascii_case("authorization: bearer T"));
            let asked = "/token?service=strict&scope=repository%3Aexample.org%2Fone%3Apull";
            let (status, headers, body) = match head[0].split(' ').nth(1).unwrap() {
                path if path == asked => ("200 OK", String::new(), r#"{"access_token": "T"}"#),
                "/v2/example.org/one/manifests/1" if token => {
                    ("200 OK", format!("docker-content-digest: {}\r\n", Digest::of(index)), index)
                }
                "/v2/example.org/one/manifests/1" => (
                    "401 Unauthorized",
                    format!(
                        "www-authenticate: Bearer realm=\"http://{address}/token\",\
                         service=\"strict\",scope=\"repository:example.org/one:pull\"\r\n"
                    ),
                    "",
                ),
                _ => ("400 Bad Request", String::new(), ""),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).unwrap();
            stream.write_all(body.as_bytes()).unwrap();
        }
    });
    address.to_string()
}

#[test]
fn a_token_is_fetched_where_the_registry_says() {
    let index = r#"{"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}},
        {"platform": {"os": "linux", "architecture": "arm64"}}]}"#;
    let source = Source::new(&[("one", missing())]);
    let said = source.lock(&strict_registry(index), &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(source.text().contains(&line(&Digest::of(index))));
}
