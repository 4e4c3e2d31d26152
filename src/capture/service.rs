//! The service around the inner one.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    AuditScope,
    body::AuditBody,
    current,
    entrance::{Entrance, enter},
    future::ResponseFuture,
    guard::Guard,
    layer::Config,
};

/// A service whose requests are recorded; made by [`AuditLayer`](super::AuditLayer).
#[derive(Clone)]
pub struct AuditService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> AuditService<S> {
    pub(super) const fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }
}

impl<S, B, ResB> Service<Request<B>> for AuditService<S>
where
    S: Service<Request<B>, Response = Response<ResB>> + Clone,
    ResB: Body,
    ResB::Data: From<&'static [u8]>,
{
    type Response = Response<AuditBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<S, B> {
        // The one that was polled ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let (mut parts, body) = request.into_parts();
        let entrance = enter(&self.config, &mut parts);
        let request = Request::from_parts(parts, body);
        match entrance {
            Entrance::Unseen => ResponseFuture::unseen(inner.call(request)),
            Entrance::Skipped => {
                let scope = self.config.skipped.clone();
                let entered = current::enter_if_none(&scope);
                let future = inner.call(request);
                drop(entered);
                ResponseFuture::skipped(future, scope)
            }
            Entrance::Open(guard) => {
                let future = call_within(&guard, || inner.call(request));
                ResponseFuture::running(future, guard)
            }
            Entrance::Closed(threshold) => ResponseFuture::waiting(threshold, inner, request),
        }
    }
}

/// Calls the inner service with the scope current. A panic is recorded before it goes on.
pub(super) fn call_within<T>(guard: &Guard, call: impl FnOnce() -> T) -> T {
    within(guard.scope(), call).unwrap_or_else(|panic| {
        guard.panicked(&*panic);
        resume_unwind(panic)
    })
}

/// Runs foreign code with the scope current, and catches its panic.
pub(super) fn within<T>(scope: &AuditScope, run: impl FnOnce() -> T) -> std::thread::Result<T> {
    let _entered = current::enter(scope);
    // Trap C4: a panic is told from a drop by catching it.
    catch_unwind(AssertUnwindSafe(run))
}

impl<S: fmt::Debug> fmt::Debug for AuditService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
