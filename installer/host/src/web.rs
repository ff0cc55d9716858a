//! Asks URLs: of the box itself, through its proxy, and of others.

use std::{
    io::Read as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use model::Secret;
use reqwest::{
    Certificate, Url,
    blocking::{Client, Response},
    header::{CONTENT_TYPE, LOCATION, STRICT_TRANSPORT_SECURITY},
    redirect::Policy,
};

use crate::{HostError, Result};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection and an answer may take together: an emulated box with every stack has been
/// seen to take 26 s for the front page of WordPress.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a question with a body: whoever checks a password takes its time on purpose.
const LONG_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of a body is kept.
const BODY: u64 = 1 << 18;

/// Asks URLs.
pub trait Web: Send + Sync {
    /// Asks once, with what the question says and nothing else; redirects are not followed.
    ///
    /// # Errors
    /// No connection, or TLS does not verify.
    fn ask(&self, question: &Question) -> Result<Answer>;
}

/// What to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// URL without what may be secret in it.
    pub url: String,
    /// What follows `?`, where a token stands in it.
    pub query: Option<Secret>,
    /// The address that is connected to; none: the host name is looked up.
    pub connect: Option<IpAddr>,
    /// PEM of the only authority that is trusted; none: those of Mozilla's list.
    pub authority: Option<String>,
    /// Headers; a value may be a session or a token.
    pub headers: Vec<(String, Secret)>,
    /// JSON that is posted, which may hold a password; none: GET.
    pub json: Option<Secret>,
}

impl Question {
    /// GET of a URL of the box itself.
    pub fn local(url: impl Into<String>, authority: Option<&str>) -> Self {
        Self {
            url: url.into(),
            query: None,
            connect: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            authority: authority.map(str::to_owned),
            headers: Vec::new(),
            json: None,
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: Secret) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// POST of this JSON.
    #[must_use]
    pub fn json(self, text: Secret) -> Self {
        Self { json: Some(text), ..self }
    }
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, if any.
    pub location: Option<String>,
    /// The first 256 KiB of the body.
    pub body: String,
    /// Cookies that were set, by name.
    pub cookies: Vec<(String, Secret)>,
    /// It asks browsers to come by HTTPS only (RFC 6797).
    pub strict_transport: bool,
}

/// Asks over the network.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemWeb;

impl Web for SystemWeb {
    fn ask(&self, question: &Question) -> Result<Answer> {
        let failed = |message: String| HostError::Web { url: question.url.clone(), message };
        let mut url = Url::parse(&question.url).map_err(|error| failed(error.to_string()))?;
        if let Some(query) = &question.query {
            url.set_query(Some(query.reveal()));
        }
        let client = client(question, &url).map_err(|error| failed(cause(&error)))?;
        let mut request = match &question.json {
            Some(text) => client
                .post(url)
                .header(CONTENT_TYPE, "application/json")
                .body(text.reveal().to_owned()),
            None => client.get(url),
        };
        for (name, value) in &question.headers {
            request = request.header(name, value.reveal());
        }
        let response = request.send().map_err(|error| failed(cause(&error)))?;
        answer(response).map_err(|error| failed(cause(&error)))
    }
}

/// Fetches a text over the network, from an authority of Mozilla's list.
///
/// # Errors
/// No connection, no good answer, or more than `largest` bytes.
pub fn fetch(url: &str, largest: u64) -> Result<String> {
    let failed = |message: String| HostError::Web { url: url.to_owned(), message };
    prepare_tls();
    let client = Client::builder().no_proxy().timeout(TIMEOUT).build();
    let response = client
        .and_then(|client| client.get(url).send())
        .and_then(Response::error_for_status)
        .map_err(|error| failed(cause(&error)))?;
    let mut text = String::new();
    response.take(largest + 1).read_to_string(&mut text).map_err(|error| failed(cause(&error)))?;
    if text.len() as u64 > largest {
        return Err(failed(format!("it has more than {largest} bytes")));
    }
    Ok(text)
}

/// A client for one question: nothing is shared, so neither cookies nor connections of an earlier
/// answer can make a later one look good.
fn client(question: &Question, url: &Url) -> reqwest::Result<Client> {
    prepare_tls();
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(if question.json.is_some() { LONG_TIMEOUT } else { TIMEOUT })
        .user_agent(concat!("homelab/", env!("CARGO_PKG_VERSION")));
    if let Some(authority) = &question.authority {
        builder = builder.tls_built_in_root_certs(false);
        for certificate in Certificate::from_pem_bundle(authority.as_bytes())? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    if let (Some(host), Some(address)) = (url.host_str(), question.connect) {
        // Port 0 leaves the port to the URL.
        builder = builder.resolve(host, SocketAddr::new(address, 0));
    }
    builder.build()
}

/// Tells rustls which cryptography to use. Our dependencies bring none of their own choice, so
/// whoever makes a `reqwest` client calls this before; again is harmless.
pub fn prepare_tls() {
    // The error is the provider that was already there.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn answer(response: Response) -> Result<Answer, std::io::Error> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION);
    let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let cookies = response
        .cookies()
        .map(|cookie| (cookie.name().to_owned(), Secret::new(cookie.value())))
        .collect();
    let strict_transport = response.headers().contains_key(STRICT_TRANSPORT_SECURITY);
    let mut body = Vec::new();
    response.take(BODY).read_to_end(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer { status, location, body, cookies, strict_transport })
}

/// The innermost cause, which is what a person can act on: `connection refused`, `invalid peer
/// certificate: UnknownIssuer`. What `reqwest` wraps around it repeats the URL.
pub fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
