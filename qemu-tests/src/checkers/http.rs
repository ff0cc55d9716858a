//! A server for a handful of questions: what stands in for the neighbours of a checked program.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

/// How often a waiting thread looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(10);

/// What is answered.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond length and connection.
    pub headers: Vec<(&'static str, String)>,
    /// What follows.
    pub body: Body,
}

/// What follows the head of an answer.
pub enum Body {
    /// All of it.
    Whole(String),
    /// What has come of a stream that goes on.
    Open(String),
}

impl Reply {
    /// A good answer.
    pub fn body(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: Body::Whole(body.into()) }
    }

    /// With one more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A server that ends when it is dropped.
pub struct Server {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one. `answer` gets the path of each request; bodies of requests are not read.
    ///
    /// # Errors
    /// The address is taken.
    pub fn start(
        address: SocketAddr,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        listener.set_nonblocking(true).context("cannot wait for connections")?;
        let over = Arc::new(AtomicBool::new(false));
        let (ending, answer) = (Arc::clone(&over), Arc::new(answer));
        let thread = thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(GLANCE);
                    continue;
                };
                let (ending, answer) = (Arc::clone(&ending), Arc::clone(&answer));
                // Who hangs up early has what it wanted.
                thread::spawn(move || drop(serve(stream, &*answer, &ending)));
            }
        });
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// One request, one answer, and the connection is closed.
fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&str) -> Reply,
    over: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let reply = answer(path);
    let mut text = format!("HTTP/1.1 {} .\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    match &reply.body {
        Body::Whole(body) => {
            let shown = if method == "HEAD" { "" } else { body };
            text.push_str(&format!("Content-Length: {}\r\n\r\n{shown}", body.len()));
            stream.write_all(text.as_bytes())
        }
        Body::Open(begun) => {
            stream.write_all(format!("{text}\r\n{begun}").as_bytes())?;
            while !over.load(Ordering::Relaxed) {
                thread::sleep(GLANCE);
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_by_path_and_is_gone_when_dropped() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = Server::start(free, |path| Reply::body(path).header("X-A", "b")).unwrap();
        let ask = |method: &str| {
            let mut stream = TcpStream::connect(free).unwrap();
            stream.write_all(format!("{method} /x HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
            let mut got = String::new();
            stream.read_to_string(&mut got).unwrap();
            got
        };
        let head = "HTTP/1.1 200 .\r\nConnection: close\r\nX-A: b\r\nContent-Length: 2\r\n\r\n";
        assert_eq!((ask("GET"), ask("HEAD")), (format!("{head}/x"), head.to_owned()));
        drop(server);
        assert!(TcpStream::connect(free).is_err());
    }
}
