//! The body of an audited response.

use std::{
    fmt,
    panic::resume_unwind,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::journal::Receiving;

use super::{
    AuditScope,
    ending::Ending,
    guard::{Finish, Guard},
    service::within,
};

pin_project! {
    /// The body of an audited response, as the inner service made it.
    ///
    /// The request's scope is current whenever it is polled, so that what streams can still write
    /// further records. Where the record waits for the end of the body, that end is held until the
    /// record is durable.
    pub struct AuditBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: Option<B>,
        role: Role<B::Data, B::Error>,
    }
}

/// What the body has to do with the record.
enum Role<D, E> {
    /// Nothing.
    Unseen,
    /// The record is written, or there is none; the scope is kept current.
    Passing(AuditScope),
    /// The record is written at the end.
    Until(Box<UntilEnd<D, E>>),
    /// It is ours: the request was refused.
    Refusal(Option<&'static [u8]>),
}

/// A frame, or the end of the stream.
type Item<D, E> = Option<Result<Frame<D>, E>>;

/// A record that waits for the end of its body.
struct UntilEnd<D, E> {
    guard: Guard,
    /// Taken when the end came.
    ending: Option<Ending>,
    /// Bytes that were announced, and that are still to come.
    left: Option<u64>,
    /// The end, held until the record is durable.
    held: Option<(Receiving, Item<D, E>)>,
}

impl<B: Body> AuditBody<B> {
    pub(super) const fn unseen(inner: B) -> Self {
        Self {
            inner: Some(inner),
            role: Role::Unseen,
        }
    }

    pub(super) const fn passing(inner: B, scope: AuditScope) -> Self {
        Self {
            inner: Some(inner),
            role: Role::Passing(scope),
        }
    }

    /// `announced`: how many bytes the head or the body itself says that there are.
    pub(super) fn until_end(
        inner: B,
        guard: Guard,
        ending: Ending,
        announced: Option<u64>,
    ) -> Self {
        let until = UntilEnd {
            guard,
            left: announced.filter(|_| !ending.awaits_trailers),
            ending: Some(ending),
            held: None,
        };
        Self {
            inner: Some(inner),
            role: Role::Until(Box::new(until)),
        }
    }

    pub(super) const fn refusal(text: &'static [u8]) -> Self {
        Self {
            inner: None,
            role: Role::Refusal(Some(text)),
        }
    }
}

impl<B> Body for AuditBody<B>
where
    B: Body,
    B::Data: From<&'static [u8]>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            let Role::Refusal(text) = this.role else {
                return Poll::Ready(None);
            };
            let text = text.take().filter(|text| !text.is_empty());
            return Poll::Ready(text.map(|text| Ok(Frame::data(text.into()))));
        };
        match this.role {
            Role::Unseen | Role::Refusal(_) => inner.poll_frame(cx),
            Role::Passing(scope) => {
                let polled = within(scope, || inner.poll_frame(cx));
                let item = ready!(polled.unwrap_or_else(|panic| {
                    broke(scope);
                    resume_unwind(panic)
                }));
                if let Some(Err(_)) = &item {
                    broke(scope);
                    // What is asked for after that breaks nothing any more.
                    *this.role = Role::Unseen;
                }
                Poll::Ready(item)
            }
            Role::Until(until) => until.poll(inner, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.inner, &self.role) {
            // Whoever asks must poll once more, or the end would not be held.
            (_, Role::Until(until)) if until.is_open() => false,
            (Some(inner), _) => inner.is_end_stream(),
            (None, Role::Refusal(text)) => text.is_none_or(<[u8]>::is_empty),
            (None, _) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.inner, &self.role) {
            (Some(inner), _) => inner.size_hint(),
            (None, Role::Refusal(text)) => {
                SizeHint::with_exact(text.map_or(0, |text| text.len() as u64))
            }
            (None, _) => SizeHint::with_exact(0),
        }
    }
}

/// The record says how the head went; that the rest did not arrive is counted.
fn broke(scope: &AuditScope) {
    let tallies = scope.recorder().tallies();
    tallies.broken_bodies.fetch_add(1, Ordering::Relaxed);
}

impl<D, E> UntilEnd<D, E> {
    /// Whether the end was not given away yet.
    const fn is_open(&self) -> bool {
        self.ending.is_some() || self.held.is_some()
    }

    fn poll<B>(&mut self, mut inner: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Item<D, E>>
    where
        B: Body<Data = D, Error = E>,
        D: Buf,
    {
        if self.held.is_none() {
            let polled = within(self.guard.scope(), || inner.as_mut().poll_frame(cx));
            let item = ready!(polled.unwrap_or_else(|panic| {
                match self.ending.take() {
                    Some(ending) => self.guard.panicked_behind(ending, &*panic),
                    None => broke(self.guard.scope()),
                }
                resume_unwind(panic)
            }));
            let Some(receiving) = self.look(&item, &*inner) else {
                return Poll::Ready(item);
            };
            self.held = Some((receiving, item));
        }
        if let Some((receiving, _)) = &mut self.held
            && ready!(Pin::new(receiving).poll(cx)).is_err()
        {
            self.guard.scope().served_unsynced();
        }
        Poll::Ready(self.held.take().and_then(|(_, item)| item))
    }

    /// Tells the end from what comes before it; answers what the end waits for.
    fn look<B>(&mut self, item: &Item<D, E>, inner: &B) -> Option<Receiving>
    where
        B: Body<Data = D>,
        D: Buf,
    {
        let finish = match item {
            Some(Err(_)) => {
                self.guard.body_broke(self.ending.take()?);
                return None;
            }
            // A server breaks the connection off then.
            None if self.left.is_some_and(|left| left > 0) => {
                self.guard.body_broke(self.ending.take()?);
                return None;
            }
            Some(Ok(frame)) => match frame.trailers_ref() {
                Some(trailers) => self.guard.body_ended(self.ending.take()?, Some(trailers)),
                None if self.is_last(frame, inner) => {
                    self.guard.body_ended(self.ending.take()?, None)
                }
                None => return None,
            },
            None => self.guard.body_ended(self.ending.take()?, None),
        };
        match finish {
            Finish::Hold(receiving) => Some(receiving),
            _ => None,
        }
    }

    /// Whether nothing comes after this frame. Where the length is known, a server does not ask for
    /// more than that, unless it is told that there are trailers.
    fn is_last<B>(&mut self, frame: &Frame<D>, inner: &B) -> bool
    where
        B: Body<Data = D>,
        D: Buf,
    {
        if inner.is_end_stream() {
            return true;
        }
        if self
            .ending
            .as_ref()
            .is_none_or(|ending| ending.awaits_trailers)
        {
            return false;
        }
        if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
            *left = left.saturating_sub(data.remaining() as u64);
        }
        self.left == Some(0)
    }
}

impl<D, E> Drop for UntilEnd<D, E> {
    fn drop(&mut self) {
        if let Some(ending) = self.ending.take() {
            self.guard.body_dropped(ending);
        }
    }
}

impl<B: Body> fmt::Debug for AuditBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditBody").finish_non_exhaustive()
    }
}
