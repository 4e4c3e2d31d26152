//! Tells the scope who acts, from inside of authentication.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use http::{Request, request};
use tower_layer::Layer;
use tower_service::Service;

use crate::record::Actor;

use super::{AuditScope, layer::RequestHook};

/// Tells who acts, for a place inside of the authentication layer.
///
/// The [`AuditLayer`](super::AuditLayer) stands outside, where refusals pass; there nobody knows
/// yet who it is. This one asks its closure, and gives the answer to the request's scope. Without
/// a scope, and when the closure says `None` or panics, the request goes on as if it were not there.
///
/// ```
/// use tower_audit::{Actor, capture::ActorLayer};
///
/// # #[derive(Clone)] struct User { id: String }
/// // Put between the authentication layer and the handlers.
/// let layer = ActorLayer::new(|parts| {
///     let user = parts.extensions.get::<User>()?;
///     Some(Actor::user(&user.id))
/// });
/// # let _ = layer;
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ActorLayer {
    actor: RequestHook<Actor>,
}

/// A service whose requests say who acts; made by [`ActorLayer`].
#[derive(Clone)]
pub struct ActorService<S> {
    inner: S,
    actor: RequestHook<Actor>,
}

impl ActorLayer {
    /// Asks this closure, once a request.
    pub fn new(actor: impl Fn(&request::Parts) -> Option<Actor> + Send + Sync + 'static) -> Self {
        Self {
            actor: Arc::new(actor),
        }
    }
}

impl<S> Layer<S> for ActorLayer {
    type Service = ActorService<S>;

    fn layer(&self, inner: S) -> ActorService<S> {
        let actor = Arc::clone(&self.actor);
        ActorService { inner, actor }
    }
}

impl<S, B> Service<Request<B>> for ActorService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (parts, body) = request.into_parts();
        if let Some(scope) = parts.extensions.get::<AuditScope>() {
            scope.learn(&parts);
            scope.ask_actor(&self.actor, &parts);
        }
        self.inner.call(Request::from_parts(parts, body))
    }
}

impl AuditScope {
    fn ask_actor(&self, actor: &RequestHook<Actor>, parts: &request::Parts) {
        match catch_unwind(AssertUnwindSafe(|| actor(parts))) {
            Ok(Some(actor)) => {
                self.actor(actor);
            }
            Ok(None) => {}
            Err(_) => {
                let panics = &self.recorder().tallies().hook_panics;
                panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!(target: "tower_audit", "the closure of an ActorLayer panicked; the record goes without an actor");
            }
        }
    }
}

impl fmt::Debug for ActorLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorLayer").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for ActorService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
