//! The one place where processes are made.

use std::{
    io::{self, Read, Write},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, ExitStatus, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{Command, CommandError, Output, Runner, Streams};

/// How much of each stream an error shows.
const TAIL: usize = 2048;
/// How long a program may clean up after `SIGTERM`, before `SIGKILL`.
const GRACE: Duration = Duration::from_secs(2);

/// Runs programs of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRunner;

impl Runner for SystemRunner {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        self.run_with(command, Streams::default())
    }

    fn run_with(&self, command: &Command, streams: Streams<'_>) -> Result<Output, CommandError> {
        let start = Instant::now();
        let failed = |exit: String, status: Option<i32>, output: &Output| CommandError {
            command: command.to_string(),
            exit,
            status,
            seconds: start.elapsed().as_secs_f64(),
            tail: tail(output),
        };
        let child =
            spawn(command, &streams).map_err(|exit| failed(exit, None, &Output::default()))?;
        let ended = attend(child, command, streams);
        let exit = match &ended.status {
            _ if ended.too_long => {
                let limit = command.timeout.unwrap_or_default().as_secs_f64();
                return Err(failed(format!("took longer than {limit} s"), None, &ended.output));
            }
            Err(error) => format!("could not be waited for ({error})"),
            Ok(status) if status.success() => match ended.stream_error {
                None => return Ok(ended.output),
                Some(error) => error,
            },
            // Its own words come first, but a cause on our side explains them.
            Ok(status) => match ended.stream_error {
                None => explained(*status),
                Some(error) => format!("{} and {error}", explained(*status)),
            },
        };
        let status = ended.status.ok().and_then(|status| status.code());
        Err(failed(exit, status, &ended.output))
    }
}

/// Starts the program; the error is the `exit` of a [`CommandError`].
#[allow(clippy::disallowed_methods, reason = "this is the one place where processes are made")]
fn spawn(command: &Command, streams: &Streams<'_>) -> Result<Child, String> {
    let fed = command.stdin.is_some() || streams.stdin.is_some();
    let mut process = std::process::Command::new(&command.program);
    process
        .args(&command.arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .stdin(if fed { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(directory) = &command.directory {
        if !directory.is_dir() {
            return Err(format!("needs the folder `{}`, which is not there", directory.display()));
        }
        process.current_dir(directory);
    }
    // A group of its own lets a time limit reach grandchildren. Without a limit the program stays
    // in our group, so that Ctrl-C at a terminal reaches both.
    if command.timeout.is_some() {
        process.process_group(0);
    }
    process.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "is not installed".to_owned(),
        _ => format!("could not be started ({error})"),
    })
}

/// How a program and its streams ended.
struct Ended {
    status: io::Result<ExitStatus>,
    output: Output,
    too_long: bool,
    stream_error: Option<String>,
}

/// Feeds and reads all three streams at once, so that neither side ever waits for a full pipe,
/// and waits for the end or the time limit.
fn attend(mut child: Child, command: &Command, streams: Streams<'_>) -> Ended {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let group = i32::try_from(child.id()).ok().map(Pid::from_raw);
    let Streams { stdin: reader, stdout: writer, lines } = streams;
    let elsewhere = writer.is_some();
    let lines = lines.map(Mutex::new);
    let lines = lines.as_ref();
    let too_long = AtomicBool::new(false);
    let (done, ends) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let feeding = stdin.map(|mut stdin| {
            scope.spawn(move || match (reader, &command.stdin) {
                (Some(reader), _) => feed(reader, &mut stdin),
                (None, Some(text)) => feed(&mut text.reveal().as_bytes(), &mut stdin),
                (None, None) => Ok(()),
            })
        });
        let reading = stdout.map(|stdout| {
            scope.spawn(move || collect(stdout, writer, if elsewhere { None } else { lines }))
        });
        let listening = stderr.map(|stderr| scope.spawn(move || collect(stderr, None, lines)));
        if let (Some(limit), Some(group)) = (command.timeout, group) {
            let too_long = &too_long;
            scope.spawn(move || {
                for (signal, patience) in [(Signal::SIGTERM, limit), (Signal::SIGKILL, GRACE)] {
                    if ends.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                    too_long.store(true, Ordering::SeqCst);
                    // It may have ended just now; then there is no such group, and all is well.
                    let _ = killpg(group, signal);
                }
            });
        }
        let status = child.wait();
        let join = |thread: Option<thread::ScopedJoinHandle<'_, Collected>>| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        let (stdout, stderr) = (join(reading), join(listening));
        drop(done);
        let feed_error = feeding.and_then(|thread| thread.join().ok()).and_then(Result::err);
        Ended {
            status,
            output: Output {
                stdout: String::from_utf8_lossy(&stdout.bytes).into_owned(),
                stderr: String::from_utf8_lossy(&stderr.bytes).into_owned(),
            },
            too_long: too_long.load(Ordering::SeqCst),
            stream_error: feed_error
                .map(|error| format!("could not be given its input ({error})"))
                .or_else(|| {
                    let error = stdout.error.or(stderr.error)?;
                    Some(format!("could not hand on its output ({error})"))
                }),
        }
    })
}

/// Copies to stdin. That the program stopped reading is its own business: its exit status tells
/// whether that was an error.
fn feed(reader: &mut (dyn Read + Send), stdin: &mut impl Write) -> io::Result<()> {
    let mut block = vec![0; 1 << 16];
    loop {
        let count = match reader.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match stdin.write_all(&block[..count]) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
}

/// What was read from a stream.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    error: Option<io::Error>,
}

type Lines<'l, 'a> = Option<&'l Mutex<&'a mut (dyn FnMut(&str) + Send)>>;

/// Reads a stream to its end. With a writer only the tail is kept.
fn collect(
    mut stream: impl Read,
    mut writer: Option<&mut (dyn Write + Send)>,
    lines: Lines<'_, '_>,
) -> Collected {
    let mut collected = Collected::default();
    let mut line = Vec::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let count = match stream.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                collected.error = Some(error);
                break;
            }
        };
        let block = &block[..count];
        collected.bytes.extend_from_slice(block);
        if let Some(writer) = &mut writer {
            let surplus = collected.bytes.len().saturating_sub(TAIL);
            collected.bytes.drain(..surplus);
            if let Err(error) = writer.write_all(block) {
                // Leaving drops the pipe, which ends the program.
                collected.error = Some(error);
                break;
            }
        }
        if let Some(lines) = lines {
            for &byte in block {
                match byte {
                    b'\n' | b'\r' => report(lines, &mut line),
                    _ => line.push(byte),
                }
            }
        }
    }
    if let Some(lines) = lines {
        report(lines, &mut line);
    }
    collected
}

fn report(lines: &Mutex<&mut (dyn FnMut(&str) + Send)>, line: &mut Vec<u8>) {
    if !line.is_empty() {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines(&String::from_utf8_lossy(line));
        line.clear();
    }
}

/// A wait status in words.
fn explained(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {signal}"),
        },
        (None, None) => format!("ended strangely ({status})"),
    }
}

/// The `tail` of a [`CommandError`].
fn tail(output: &Output) -> String {
    let streams: Vec<&str> = [&output.stdout, &output.stderr]
        .into_iter()
        .map(|stream| last(stream.trim_end()))
        .filter(|stream| !stream.trim().is_empty())
        .collect();
    if streams.is_empty() {
        String::new()
    } else {
        format!("; last output:\n{}", streams.join("\n"))
    }
}

/// The last 2 KiB of a text, from the start of a line if there is one.
fn last(text: &str) -> &str {
    if text.len() <= TAIL {
        return text;
    }
    let mut from = text.len() - TAIL;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let end = &text[from..];
    end.split_once('\n').map_or(end, |(_, lines)| lines)
}

#[cfg(test)]
mod tests;
