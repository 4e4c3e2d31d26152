//! The thread that writes, so that a pipe which nobody reads stops nothing else.

use std::{
    fs::File,
    io::{self, Write as _},
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// How long is waited for room, where the descriptor says "later" instead of waiting by itself.
const LATER: Duration = Duration::from_millis(10);

/// A thread that writes one piece after the other. It ends when this is dropped, or when the write
/// that it is in ends.
#[derive(Debug)]
pub(super) struct Writer {
    pieces: mpsc::SyncSender<Piece>,
}

/// What is to be written, and who waits for it.
struct Piece {
    bytes: Vec<u8>,
    answer: oneshot::Sender<io::Result<()>>,
}

impl Writer {
    pub(super) fn start(mut out: Out) -> io::Result<Self> {
        // One at a time: the next is given only when the answer to the last is there.
        let (pieces, given) = mpsc::sync_channel::<Piece>(1);
        thread::Builder::new()
            .name("audit-stdout-io".to_owned())
            .spawn(move || {
                for piece in given {
                    // Nobody may be left to hear it.
                    let _ = piece.answer.send(out.write(&piece.bytes));
                }
            })?;
        Ok(Self { pieces })
    }

    /// Has a piece written; the answer fails when the thread is gone. Waits for nothing, as long as
    /// there is only one piece at a time.
    pub(super) fn write(&self, bytes: Vec<u8>) -> oneshot::Receiver<io::Result<()>> {
        let (answer, receiver) = oneshot::channel();
        // What cannot be sent is dropped with its answer, and the receiver sees that.
        let _ = self.pieces.try_send(Piece { bytes, answer });
        receiver
    }
}

/// Where it goes.
#[derive(Debug)]
pub(super) struct Out {
    file: File,
    /// Others print there too, through the standard library.
    is_shared: bool,
    /// What was written last is not the end of a line.
    is_torn: bool,
}

impl Out {
    pub(super) const fn stdout(file: File) -> Self {
        Self {
            file,
            is_shared: true,
            is_torn: false,
        }
    }

    #[cfg(test)]
    pub(super) const fn file(file: File) -> Self {
        Self {
            file,
            is_shared: false,
            is_torn: false,
        }
    }

    /// Writes everything. After an error the next piece begins on a line of its own.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut others = self.is_shared.then(|| io::stdout().lock());
        if let Some(others) = &mut others {
            // What was printed before stands before.
            others.flush()?;
        }
        if self.is_torn {
            self.put(b"\n")?;
        }
        self.put(bytes)
    }

    pub(super) fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let (done, rest) = bytes.split_at_checked(written).unwrap_or((bytes, &[]));
                    self.is_torn = !done.ends_with(b"\n");
                    bytes = rest;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Sleep: the descriptor says "later"; whoever reads makes room in a while.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(LATER),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
