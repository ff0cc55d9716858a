//! A registry on loopback for the tests: Debian's `docker-registry`, filled by its own API.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]
#![allow(clippy::print_stdout, reason = "a test that is left out says so")]
#![allow(clippy::disallowed_methods, reason = "a test runs programs as a person would")]

use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use model::Digest;
use reqwest::{blocking::Client, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// It ends when this is dropped.
pub struct Registry {
    pub address: SocketAddr,
    folder: TempDir,
    child: Child,
    client: Client,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on loopback that nobody listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Registry {
    /// None, with the reason printed, if this machine has no `docker-registry`.
    pub fn start() -> Option<Self> {
        host::web::prepare_tls();
        let address = free_address();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("registry.yml");
        // JSON is YAML.
        let text = json!({
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": folder.path().join("storage")}},
            "http": {"addr": address.to_string()},
        });
        fs::write(&config, text.to_string()).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("not tested: `docker-registry` is not installed here");
                return None;
            }
            Err(error) => panic!("docker-registry: {error}"),
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "docker-registry does not answer"
            );
            thread::sleep(Duration::from_millis(20));
        }
        let client = Client::builder().no_proxy().build().unwrap();
        Some(Self { address, folder, child, client })
    }

    /// Gives a tag to a new image for each of these architectures; the index's digest.
    pub fn push(
        &self,
        repository: &str,
        tag: &str,
        content: &str,
        architectures: &[&str],
    ) -> Digest {
        let entries: Vec<Value> = architectures
            .iter()
            .map(|architecture| {
                let config = json!({
                    "architecture": architecture, "os": "linux", "author": content,
                    "rootfs": {"type": "layers", "diff_ids": []},
                });
                let config = self.blob(repository, config.to_string());
                let manifest = json!({
                    "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
                    "config": descriptor(CONFIG, &config),
                })
                .to_string();
                let digest = Digest::of(&manifest);
                self.manifest(repository, digest.as_str(), MANIFEST, &manifest);
                let mut entry = descriptor(MANIFEST, &(digest, manifest.len()));
                entry["platform"] = json!({"architecture": architecture, "os": "linux"});
                entry
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let index = index.to_string();
        self.manifest(repository, tag, INDEX, &index);
        Digest::of(index)
    }

    /// Changes the bytes behind a digest, as a failing disk or a bad registry would.
    pub fn spoil(&self, digest: &Digest) {
        let (hex, root) = (digest.hex(), "storage/docker/registry/v2/blobs/sha256");
        let path: PathBuf = self.folder.path().join(format!("{root}/{}/{hex}/data", &hex[..2]));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("arm64", "arm65")).unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v2/{path}", self.address)
    }

    fn blob(&self, repository: &str, text: String) -> (Digest, usize) {
        let (digest, size) = (Digest::of(&text), text.len());
        let begun = self.client.post(self.url(&format!("{repository}/blobs/uploads/"))).send();
        let begun = begun.unwrap().error_for_status().unwrap();
        let place = begun.headers()["location"].to_str().unwrap().to_owned();
        let sent = self.client.put(place).query(&[("digest", digest.as_str())]).body(text).send();
        sent.unwrap().error_for_status().unwrap();
        (digest, size)
    }

    fn manifest(&self, repository: &str, reference: &str, kind: &str, text: &str) {
        let url = self.url(&format!("{repository}/manifests/{reference}"));
        let sent = self.client.put(url).header(CONTENT_TYPE, kind).body(text.to_owned()).send();
        sent.unwrap().error_for_status().unwrap();
    }
}

fn descriptor(kind: &str, (digest, size): &(Digest, usize)) -> Value {
    json!({"mediaType": kind, "digest": digest.as_str(), "size": size})
}
