//! The response future: from the door to the head of the response.

use std::{
    fmt,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Request, Response, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::journal::Receiving;

use super::{
    AuditScope,
    body::AuditBody,
    classify::body_follows,
    current,
    entrance::{Passage, Threshold},
    grpc,
    guard::{Finish, Guard},
    refusal::refusal,
    request::Arrived,
    service::{call_within, within},
};

pin_project! {
    /// The future of an audited response; made by [`AuditService`](super::AuditService).
    ///
    /// Dropping it before it is ready records the request as `cancelled`. The head of the response is
    /// held until the record is durable, where the policy asks for that.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        stage: Stage<S::Future, S::Response, S::Error, S, B>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, R, E, S, B> {
        // The inner service was not called yet. Boxed: few requests stop here.
        Waiting { threshold: Option<Box<Waiting<S, B>>> },
        Running { #[pin] future: F, guard: Option<Guard>, skipped: Option<AuditScope> },
        Holding { held: Option<Held<R, E>> },
    }
}

/// A request that waits at the door, with the service that was polled ready for it.
struct Waiting<S, B> {
    threshold: Threshold,
    inner: S,
    request: Request<B>,
}

impl<S, B> Waiting<S, B> {
    /// Calls the inner service, or refuses.
    fn begin<ResB: Body>(self, may_begin: bool) -> Begun<S::Future, ResB>
    where
        S: Service<Request<B>>,
    {
        let mut inner = self.inner;
        match self.threshold.pass(may_begin) {
            Passage::Refused(guard, reason) => Begun::Refused(refuse(&guard, reason)),
            Passage::Begin(guard) => {
                let future = call_within(&guard, || inner.call(self.request));
                Begun::Running(future, guard)
            }
        }
    }
}

/// What became of a request that waited.
enum Begun<F, ResB: Body> {
    Running(F, Guard),
    Refused(Response<AuditBody<ResB>>),
}

/// What the inner service gave, held until the record is durable.
struct Held<R, E> {
    receiving: Receiving,
    given: Result<R, E>,
    guard: Guard,
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    pub(super) const fn unseen(future: S::Future) -> Self {
        Self::of(future, None, None)
    }

    /// The scope is current, so that whatever asks for one finds that there is no record.
    pub(super) const fn skipped(future: S::Future, scope: AuditScope) -> Self {
        Self::of(future, None, Some(scope))
    }

    pub(super) const fn running(future: S::Future, guard: Guard) -> Self {
        Self::of(future, Some(guard), None)
    }

    const fn of(future: S::Future, guard: Option<Guard>, skipped: Option<AuditScope>) -> Self {
        Self {
            stage: Stage::Running {
                future,
                guard,
                skipped,
            },
        }
    }

    pub(super) fn waiting(threshold: Threshold, inner: S, request: Request<B>) -> Self {
        let waiting = Waiting {
            threshold,
            inner,
            request,
        };
        let threshold = Some(Box::new(waiting));
        Self {
            stage: Stage::Waiting { threshold },
        }
    }
}

impl<S, B, ResB> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResB>>,
    ResB: Body,
    ResB::Data: From<&'static [u8]>,
{
    type Output = Result<Response<AuditBody<ResB>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut this = self.as_mut().project();
            match this.stage.as_mut().project() {
                StageProjection::Waiting { threshold } => {
                    let Some(waiting) = threshold.as_deref_mut() else {
                        return Poll::Pending;
                    };
                    let may_begin = ready!(waiting.threshold.poll(cx));
                    let Some(waiting) = threshold.take() else {
                        return Poll::Pending;
                    };
                    match waiting.begin(may_begin) {
                        Begun::Refused(refusal) => return Poll::Ready(Ok(refusal)),
                        Begun::Running(future, guard) => {
                            let (guard, skipped) = (Some(guard), None);
                            this.stage.set(Stage::Running {
                                future,
                                guard,
                                skipped,
                            });
                        }
                    }
                }
                StageProjection::Running {
                    future,
                    guard,
                    skipped,
                } => {
                    let _entered = skipped.as_ref().and_then(current::enter_if_none);
                    let given = ready!(run(future, guard.as_ref(), cx));
                    let Some(guard) = guard.take() else {
                        return Poll::Ready(given.map(|response| response.map(AuditBody::unseen)));
                    };
                    match conclude(given, guard) {
                        Concluded::Ready(output) => return Poll::Ready(output),
                        Concluded::Held(held) => {
                            let held = Some(held);
                            this.stage.set(Stage::Holding { held });
                        }
                    }
                }
                StageProjection::Holding { held } => {
                    return match held {
                        Some(waiting) => {
                            let receipt = ready!(Pin::new(&mut waiting.receiving).poll(cx));
                            held.take().map_or(Poll::Pending, |held| {
                                Poll::Ready(held.release(receipt.ok()))
                            })
                        }
                        None => Poll::Pending,
                    };
                }
            }
        }
    }
}

/// Polls the inner future with the scope current.
fn run<F: Future>(
    future: Pin<&mut F>,
    guard: Option<&Guard>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let Some(guard) = guard else {
        return future.poll(cx);
    };
    within(guard.scope(), || future.poll(cx)).unwrap_or_else(|panic| {
        // Trap C4: recorded, then it goes on as without us.
        guard.panicked(&*panic);
        resume_unwind(panic)
    })
}

enum Concluded<R, O, E> {
    Ready(O),
    Held(Held<R, E>),
}

type Output<B, E> = Result<Response<AuditBody<B>>, E>;

/// The inner service is done: writes the record, or leaves that to the body.
fn conclude<B: Body, E>(
    given: Result<Response<B>, E>,
    guard: Guard,
) -> Concluded<Response<B>, Output<B, E>, E> {
    let response = match given {
        Ok(response) => response,
        Err(error) => {
            return match guard.failed() {
                Finish::Hold(receiving) => Concluded::Held(Held {
                    receiving,
                    given: Err(error),
                    guard,
                }),
                _ => Concluded::Ready(Err(error)),
            };
        }
    };
    let (head, body) = response.into_parts();
    let method = guard.scope().request().map(Arrived::method);
    let announced = announced(&head.headers).or_else(|| body.size_hint().exact());
    // Of gRPC, trailers may follow all the same.
    let is_empty = announced == Some(0) && !grpc::is_grpc(&head.headers);
    let is_end = body.is_end_stream() || is_empty;
    let follows = body_follows(method, head.status, is_end);
    let (finish, ending) = guard.answered(&head, follows);
    let response = Response::from_parts(head, body);
    match finish {
        Finish::AtBody => Concluded::Ready(Ok(
            response.map(|body| AuditBody::until_end(body, guard, ending, announced))
        )),
        Finish::Done => {
            let scope = guard.scope().clone();
            Concluded::Ready(Ok(response.map(|body| AuditBody::passing(body, scope))))
        }
        Finish::Hold(receiving) => Concluded::Held(Held {
            receiving,
            given: Ok(response),
            guard,
        }),
    }
}

/// How many bytes the head says that there are; else the body does.
fn announced(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.trim().parse().ok()
}

impl<B: Body, E> Held<Response<B>, E> {
    /// Lets the answer go; with the receipt when the record is durable.
    fn release(self, receipt: Option<crate::journal::Receipt>) -> Output<B, E> {
        let scope = self.guard.scope();
        if receipt.is_none() {
            scope.served_unsynced();
        }
        let mut response = self.given?;
        if let Some(receipt) = receipt {
            response.extensions_mut().insert(receipt);
        }
        let scope = scope.clone();
        Ok(response.map(|body| AuditBody::passing(body, scope)))
    }
}

fn refuse<B: Body>(guard: &Guard, reason: &'static str) -> Response<AuditBody<B>> {
    guard.refused(reason);
    let scope = guard.scope();
    let is_grpc = scope.request().is_some_and(Arrived::is_grpc);
    refusal(is_grpc, scope.recorder().inbox().settings().commit_timeout)
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
