//! What an answer carries: all of it, or pieces made while they are sent.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of the viewer's answers.
///
/// A long one is made piece by piece, as fast as the client takes it, by whoever polls the body:
/// nothing is spawned and at most one piece is in memory. When the client leaves, it is dropped.
pub struct ViewerBody(Inner);

enum Inner {
    /// Taken out when it is given.
    Whole(Option<Bytes>),
    Pieces(Pieces),
}

/// Why a body ended before its end. The client sees a transfer that broke off, never a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off: {0}")]
#[non_exhaustive]
pub struct BodyError(pub(super) &'static str);

type Work = Pin<Box<dyn Future<Output = Result<(), BodyError>> + Send>>;

struct Pieces {
    /// None once it has ended.
    work: Option<Work>,
    slot: Arc<Slot>,
}

type Slot = Mutex<Option<Bytes>>;

/// Where the work behind a body puts its pieces.
#[derive(Debug)]
pub(super) struct Outlet(Arc<Slot>);

impl Outlet {
    /// Gives a piece, and waits until the client took it.
    pub(super) async fn send(&self, piece: impl Into<Bytes>) {
        let piece = piece.into();
        // An empty frame says nothing, and some servers take it for the end.
        if piece.is_empty() {
            return;
        }
        *lock(&self.0) = Some(piece);
        // The body polls again once the piece was taken; nobody needs to be woken.
        poll_fn(|_| match *lock(&self.0) {
            None => Poll::Ready(()),
            Some(_) => Poll::Pending,
        })
        .await;
    }
}

fn lock(slot: &Slot) -> std::sync::MutexGuard<'_, Option<Bytes>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ViewerBody {
    /// No body at all.
    pub(super) const fn empty() -> Self {
        Self(Inner::Whole(None))
    }

    /// All of it.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Whole(Some(bytes.into())))
    }

    /// The pieces that `work` sends. Nothing is done before the body is polled for the first time.
    pub(super) fn pieces<F>(work: impl FnOnce(Outlet) -> F) -> Self
    where
        F: Future<Output = Result<(), BodyError>> + Send + 'static,
    {
        let slot = Arc::new(Slot::default());
        let work: Work = Box::pin(work(Outlet(Arc::clone(&slot))));
        Self(Inner::Pieces(Pieces {
            work: Some(work),
            slot,
        }))
    }
}

impl Pieces {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(work) = &mut self.work else {
            return Poll::Ready(None);
        };
        let ended = match work.as_mut().poll(cx) {
            Poll::Ready(ended) => {
                self.work = None;
                Some(ended)
            }
            Poll::Pending => None,
        };
        if let Some(piece) = lock(&self.slot).take() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match ended {
            None => Poll::Pending,
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl Body for ViewerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Pieces(pieces) => pieces.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_none(),
            Inner::Pieces(pieces) => pieces.work.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Inner::Pieces(pieces) if pieces.work.is_none() => SizeHint::with_exact(0),
            Inner::Pieces(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ViewerBody {
    /// Never what it carries: Debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewerBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pieces_come_one_by_one_and_only_when_they_are_asked_for() {
        let made = Arc::new(Mutex::new(0));
        let count = Arc::clone(&made);
        let mut body = ViewerBody::pieces(move |outlet| async move {
            for piece in ["a", "", "b"] {
                *count.lock().unwrap() += 1;
                outlet.send(piece).await;
            }
            Ok(())
        });
        assert_eq!(*made.lock().unwrap(), 0);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((&*first, *made.lock().unwrap()), (&b"a"[..], 1));
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!(&*rest, b"b");
    }

    #[tokio::test]
    async fn what_breaks_off_is_no_whole_body() {
        let body = ViewerBody::pieces(|outlet| async move {
            outlet.send("half").await;
            Err(BodyError("the store failed"))
        });
        assert_eq!(
            body.collect().await.unwrap_err(),
            BodyError("the store failed")
        );
    }
}
