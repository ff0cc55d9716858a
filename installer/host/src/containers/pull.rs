//! What the engine says while it pulls.

use std::collections::HashMap;

use bollard::models::CreateImageInfo;

/// Bytes of the layers of one image.
#[derive(Default)]
pub(super) struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    /// Takes a line of the engine's answer; true if the sum changed by it.
    pub(super) fn take(&mut self, line: &CreateImageInfo) -> bool {
        let (Some(id), Some(status)) = (&line.id, line.status.as_deref()) else { return false };
        let bytes = |count: Option<i64>| count.and_then(|c| u64::try_from(c).ok()).unwrap_or(0);
        match status {
            "Downloading" => {
                let detail = line.progress_detail.as_ref();
                let done = bytes(detail.and_then(|detail| detail.current));
                // A registry that does not tell the size must not make the share exceed the whole.
                let total = bytes(detail.and_then(|detail| detail.total)).max(done);
                self.0.insert(id.clone(), (done, total)) != Some((done, total))
            }
            // Extracting follows and is not counted: what a person waits for is the line.
            "Verifying Checksum" | "Download complete" | "Pull complete" => {
                self.0.get_mut(id).is_some_and(|(done, total)| {
                    let news = *done != *total;
                    *done = *total;
                    news
                })
            }
            // "Pulling fs layer", "Waiting", "Already exists": no bytes known. "Retrying in …"
            // keeps the count until the download goes on.
            _ => false,
        }
    }

    /// Bytes done and bytes known of all layers.
    pub(super) fn sum(&self) -> (u64, u64) {
        self.0.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1))
    }
}

/// Is it worth another try? What a line, a restarting registry or a rate limit causes is; what the
/// registry or this machine decided (no such image, no right, bad certificate, disk full) is not.
pub(super) fn is_transient(message: &str) -> bool {
    const DECIDED: [&str; 6] =
        ["manifest unknown", "not found", "denied", "unauthorized", "x509:", "invalid reference"];
    const TRANSIENT: [&str; 17] = [
        "timeout",
        "timed out",
        "deadline exceeded",
        "connection reset",
        "connection refused",
        "connection closed",
        "broken pipe",
        "eof",
        "no route to host",
        "network is unreachable",
        "no such host",
        "temporary failure in name resolution",
        "server misbehaving",
        "toomanyrequests",
        "too many requests",
        "received unexpected http status: 5",
        "unexpected status code",
    ];
    let message = message.to_lowercase();
    !DECIDED.iter().any(|words| message.contains(words))
        && TRANSIENT.iter().any(|words| message.contains(words))
}

/// Repository and tag of a reference: a colon before a slash belongs to the registry's port.
pub(super) fn tag_of(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> CreateImageInfo {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn layers_are_summed() {
        let mut layers = Layers::default();
        let mut sums = Vec::new();
        for json in [
            r#"{"status":"Pulling from library/traefik","id":"v3.7.11"}"#,
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"a1"}"#,
            r#"{"status":"Already exists","progressDetail":{},"id":"c3"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"a1"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":5,"total":50},"id":"b2"}"#,
            r#"{"status":"Download complete","progressDetail":{},"id":"b2"}"#,
            r#"{"status":"Extracting","progressDetail":{"current":1,"total":50},"id":"b2"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"b2"}"#,
            r#"{"status":"Downloading","progressDetail":{"current":100,"total":100},"id":"a1"}"#,
            r#"{"status":"Verifying Checksum","progressDetail":{},"id":"a1"}"#,
            r#"{"status":"Digest: sha256:00"}"#,
        ] {
            if layers.take(&line(json)) {
                sums.push(layers.sum());
            }
        }
        assert_eq!(sums, [(10, 100), (15, 150), (60, 150), (150, 150)]);
    }

    #[test]
    fn a_layer_of_unknown_size_is_never_more_than_whole() {
        let mut layers = Layers::default();
        layers.take(&line(
            r#"{"status":"Downloading","progressDetail":{"current":7,"total":-1},"id":"a1"}"#,
        ));
        assert_eq!(layers.sum(), (7, 7));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for message in [
            r#"Get "https://r:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused"#,
            r#"Get "https://r/v2/": dial tcp: lookup r on 127.0.0.53:53: server misbehaving"#,
            r#"Get "https://r/v2/": net/http: TLS handshake timeout"#,
            "toomanyrequests: You have reached your pull rate limit.",
            "received unexpected HTTP status: 503 Service Unavailable",
            "unexpected EOF",
            "read tcp 10.0.0.2:4711->10.0.0.1:5000: read: connection reset by peer",
        ] {
            assert!(is_transient(message), "{message}");
        }
        for message in [
            "manifest for r:5000/traefik:v9 not found: manifest unknown: manifest unknown",
            "pull access denied for nobody/nothing, repository does not exist",
            "unauthorized: authentication required",
            r#"Get "https://r/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority"#,
            "write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
            "it is not running (there is no socket `/run/docker.sock`)",
        ] {
            assert!(!is_transient(message), "{message}");
        }
    }

    #[test]
    fn references_are_split_at_the_tag() {
        assert_eq!(tag_of("traefik:v3.7.11"), ("traefik", "v3.7.11"));
        assert_eq!(tag_of("r:5000/a/b"), ("r:5000/a/b", "latest"));
        assert_eq!(tag_of("r:5000/a/b:1"), ("r:5000/a/b", "1"));
    }
}
