//! Where events go: consoles, the virtio port, a test.

use std::io::{self, Write};

use model::report::Event;

/// Hears what happens, while it happens.
pub trait Sink {
    /// One event. A sink that cannot take it keeps that to itself: a run never fails because
    /// nobody listens.
    fn event(&mut self, event: &Event);
}

impl Sink for Vec<Event> {
    fn event(&mut self, event: &Event) {
        self.push(event.clone());
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn event(&mut self, event: &Event) {
        (**self).event(event);
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silence;

impl Sink for Silence {
    fn event(&mut self, _: &Event) {}
}

/// Calls a function with each event.
pub struct Listener<F>(pub F);

impl<F: FnMut(&Event)> Sink for Listener<F> {
    fn event(&mut self, event: &Event) {
        (self.0)(event);
    }
}

/// Gives each event to several sinks, in order.
#[derive(Default)]
pub struct Fan<'a>(pub Vec<Box<dyn Sink + 'a>>);

impl Sink for Fan<'_> {
    fn event(&mut self, event: &Event) {
        for sink in &mut self.0 {
            sink.event(event);
        }
    }
}

/// Writes one line of JSON an event, and flushes after each.
pub struct JsonLines<W> {
    writer: W,
    broken: Option<io::Error>,
}

impl<W: Write> JsonLines<W> {
    /// Over an open writer.
    pub fn new(writer: W) -> Self {
        Self { writer, broken: None }
    }

    /// The first error of the writer; after it nothing more was written.
    pub fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    fn line(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.writer.write_all(&line)?;
        self.writer.flush()
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn event(&mut self, event: &Event) {
        if self.broken.is_none() {
            self.broken = self.line(event).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use model::report::Verdict;

    use super::*;

    #[test]
    fn every_listener_gets_every_event() {
        let mut text = Vec::new();
        let mut count = 0;
        {
            let mut fan = Fan(vec![
                Box::new(JsonLines::new(&mut text)),
                Box::new(Listener(|_: &Event| count += 1)),
            ]);
            fan.event(&Event::Finished { verdict: Verdict::NoChange });
            fan.event(&Event::Waiting { reason: "a seed".into() });
        }
        assert_eq!(count, 2);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"event\":\"finished\",\"verdict\":{\"verdict\":\"no-change\"}}\n\
             {\"event\":\"waiting\",\"reason\":\"a seed\"}\n"
        );
    }

    #[test]
    fn a_broken_writer_is_left_alone() {
        struct Gone(u32);
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut lines = JsonLines::new(Gone(0));
        for _ in 0..3 {
            lines.event(&Event::Waiting { reason: String::new() });
        }
        assert_eq!(lines.broken().map(io::Error::kind), Some(io::ErrorKind::BrokenPipe));
        assert_eq!(lines.writer.0, 1);
    }
}
