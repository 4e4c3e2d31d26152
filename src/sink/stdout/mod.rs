//! A sink that writes to standard output, for containers.

mod writer;

use std::{fs::File, io, os::fd::AsFd as _};

use tokio::sync::oneshot;
use uuid::Uuid;

use self::writer::{Out, Writer};
use super::{Batch, Delivery, Sink, SinkError, SinkFuture, format_option};
use crate::{
    address::{Address, UrlError},
    format::{Event, Format},
};

/// Writes records to standard output, one JSON object a line, for whatever collects the output of
/// containers.
///
/// # What holds
///
/// - A batch is written in one piece, whole lines, past every buffer, while the lock of
///   [`std::io::stdout`] is held: what the service itself prints through the standard library
///   stands between batches. What child processes and libraries in other languages print can
///   stand anywhere.
/// - Written means given to the operating system. Nobody says whether the reader kept it, so this
///   is the weakest promise of all sinks: keep a file or a database beside it.
/// - At least once: standard output cannot be asked how far it has come. After a crash the last
///   batch may come again, with the same ids.
///
/// # When nobody reads
///
/// A reader that is stuck lets the pipe fill up, and a write into it waits. So a thread of the
/// sink's own writes, and a call that passes its deadline ends. The batch stays with that thread, of
/// which there is one; when the same records come again they are waited for and not written a
/// second time. What the service prints itself meanwhile waits as well: the pipe is full for
/// everybody.
///
/// A reader that is gone (a broken pipe) does not come back as long as the process lives: blocked,
/// until the service is started again with a reader. Any other error is tried again; a line that
/// was torn by it is ended with a line break first.
///
/// # What it costs
///
/// A thread, from the first batch on, and one batch in memory. A batch that waits for a stuck
/// reader when the process ends is not waited for.
#[derive(Debug)]
pub struct StdoutSink {
    format: Format,
    open: Open,
    writer: Option<Writer>,
    under_way: Option<UnderWay>,
    /// What was written after the call that asked for it had been given up.
    written: Option<Stretch>,
}

/// Where the bytes go: standard output, or what stands for it in a test.
#[derive(Debug)]
enum Open {
    Stdout,
    #[cfg(test)]
    Instead(File),
}

/// Records of a trail, from the first to the last number.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    trail: Uuid,
    first: u64,
    last: u64,
}

/// A batch that the thread writes.
#[derive(Debug)]
struct UnderWay {
    stretch: Stretch,
    answer: oneshot::Receiver<io::Result<()>>,
}

impl StdoutSink {
    /// A sink on the standard output of this process, in the native format.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            format: Format::Native,
            open: Open::Stdout,
            writer: None,
            under_way: None,
            written: None,
        }
    }

    /// The words that records are written in. Default: [`Format::Native`].
    #[must_use]
    pub const fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Stores a batch: the whole of [`Sink::deliver`].
    async fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        // A call that was given up may have left a batch with the thread.
        self.settle().await?;
        let Some((mut stretch, bytes)) = self.encode(batch)? else {
            self.written = None;
            return Ok(());
        };
        // Given up again, this call leaves behind what both have written.
        match self.written {
            Some(written) if batch.records.iter().any(|record| self.has(batch, record)) => {
                stretch.first = written.first;
            }
            _ => self.written = None,
        }
        let answer = self.writer()?.write(bytes);
        self.under_way = Some(UnderWay { stretch, answer });
        self.settle().await?;
        // This call is the one that asked for it.
        self.written = None;
        Ok(())
    }

    /// Waits for the batch that is under way. Given up here, it stays under way.
    async fn settle(&mut self) -> Result<(), SinkError> {
        let Some(under_way) = &mut self.under_way else {
            return Ok(());
        };
        let stretch = under_way.stretch;
        let answer = (&mut under_way.answer).await;
        self.under_way = None;
        match answer {
            Ok(Ok(())) => {
                self.written = Some(stretch);
                Ok(())
            }
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => {
                self.writer = None;
                Err(SinkError::retry("the thread that writes has ended"))
            }
        }
    }

    /// The lines of a batch, without those that are written already; none when all are.
    fn encode(&self, batch: &Batch) -> Result<Option<(Stretch, Vec<u8>)>, SinkError> {
        let is_broken = |json: &str| json.contains(['\n', '\r']);
        let broken = batch
            .records
            .iter()
            .filter(|record| is_broken(&record.json));
        let broken: Vec<u64> = broken.map(|record| record.number).collect();
        if !broken.is_empty() {
            let reason = "a line break inside a record would break the lines of the output";
            return Err(SinkError::refused(broken, reason));
        }
        let trail = &batch.origin.trail;
        let mut lines: Option<(Stretch, Vec<u8>)> = None;
        for record in &batch.records {
            if self.has(batch, record) {
                continue;
            }
            let none = || (Stretch::of(*trail, record.number), Vec::new());
            let (stretch, bytes) = lines.get_or_insert_with(none);
            stretch.last = record.number;
            let event = Event {
                trail,
                number: record.number,
                leaf: &record.leaf,
                json: &record.json,
            };
            self.format.write(bytes, &event);
            bytes.push(b'\n');
        }
        Ok(lines)
    }

    /// Whether a record is written already.
    fn has(&self, batch: &Batch, record: &Delivery) -> bool {
        let trail = batch.origin.trail;
        self.written.is_some_and(|written| {
            written.trail == trail && (written.first..=written.last).contains(&record.number)
        })
    }

    fn writer(&mut self) -> Result<&mut Writer, SinkError> {
        let writer = match self.writer.take() {
            Some(writer) => Ok(writer),
            None => self.open.open().and_then(Writer::start),
        };
        let writer = writer
            .map_err(|error| SinkError::retry(format!("cannot open standard output: {error}")))?;
        Ok(self.writer.insert(writer))
    }
}

impl Default for StdoutSink {
    fn default() -> Self {
        Self::new()
    }
}

impl Open {
    fn open(&self) -> io::Result<Out> {
        match self {
            // A descriptor of our own, without the buffer that would hide what was written.
            Self::Stdout => {
                let file = io::stdout().as_fd().try_clone_to_owned()?;
                Ok(Out::stdout(File::from(file)))
            }
            #[cfg(test)]
            Self::Instead(file) => Ok(Out::file(file.try_clone()?)),
        }
    }
}

impl Stretch {
    const fn of(trail: Uuid, number: u64) -> Self {
        Self {
            trail,
            first: number,
            last: number,
        }
    }
}

fn explain(error: &io::Error) -> SinkError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return SinkError::blocked(
            "nobody reads standard output any more: start the service again with a reader",
        );
    }
    SinkError::retry(format!("cannot write to standard output: {error}"))
}

impl Sink for StdoutSink {
    fn kind(&self) -> &'static str {
        "stdout"
    }

    fn address(&self) -> String {
        "stdout://".to_owned()
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(self.write(batch))
    }

    fn close(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(self.settle())
    }
}

/// The options of a `stdout://` address.
const OPTIONS: &[&str] = &["format"];

/// Makes the sink of a `stdout://` address.
pub(in crate::sink) fn from_address(
    mut address: Address,
    _instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    address.nowhere()?;
    let format = format_option(&mut address)?;
    address.finish(OPTIONS)?;
    Ok(Box::new(StdoutSink::new().format(format)))
}

#[cfg(test)]
mod tests;
