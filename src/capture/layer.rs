//! The layer, and what is configured of it.

use std::{
    fmt,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{HeaderName, request, response};
use tower_layer::Layer;

use crate::record::{Action, Actor, Application, Outcome, Target, Tenant};

use super::{
    AuditScope,
    client::ClientAddress,
    headers::X_REQUEST_ID,
    presented::Presented,
    recorder::{Alive, Recorder},
    service::AuditService,
    session::Session,
};

/// A closure that reads something out of a request.
pub(super) type RequestHook<T> = Hook<request::Parts, T>;

/// A closure that reads something out of the head of a response.
pub(super) type ResponseHook<T> = Hook<response::Parts, T>;

type Hook<P, T> = Arc<dyn Fn(&P) -> Option<T> + Send + Sync>;

/// Records the requests that pass through it; made by [`Audit::layer`](crate::Audit::layer).
///
/// It belongs outside of authentication and rate limits, so that what they refuse is recorded, and
/// inside of nothing that answers by itself. In axum `Router::layer` is the place: there the
/// template of the route is known.
///
/// Its closures are called once a request, before the inner service is. One that panics is counted,
/// logged, and has said nothing.
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_audit::{Audit, AuditScope, Target, capture::{ClientAddress, Session, TrustedProxies}};
///
/// async fn create(scope: AuditScope) -> &'static str {
///     scope.action("document.create").target(Target::new("document", "4cq1"));
///     "made"
/// }
///
/// # fn app(audit: &Audit) -> Result<Router, Box<dyn std::error::Error>> {
/// let app: Router = Router::new().route("/documents", post(create)).layer(
///     audit
///         .layer()
///         .client_address(ClientAddress::behind(TrustedProxies::parse("10.0.0.0/8")?))
///         .session(Session::cookie("sid")),
/// );
/// # Ok(app) }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct AuditLayer {
    config: Arc<Config>,
}

/// What all requests through one layer share.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) recorder: Recorder,
    pub(super) alive: Alive,
    pub(super) client: ClientAddress,
    pub(super) session: Option<Session>,
    pub(super) request_id: HeaderName,
    pub(super) peer: Option<RequestHook<IpAddr>>,
    pub(super) route: Option<RequestHook<String>>,
    pub(super) action: Option<RequestHook<Action>>,
    pub(super) actor: Option<RequestHook<Actor>>,
    pub(super) target: Option<RequestHook<Target>>,
    pub(super) tenant: Option<RequestHook<Tenant>>,
    pub(super) application: Option<RequestHook<Application>>,
    pub(super) outcome: Option<ResponseHook<Outcome>>,
    /// What a handler finds where the policy skips on arrival: auditing must not change its answer.
    pub(super) skipped: AuditScope,
}

macro_rules! request_hooks {
    ($($(#[$doc:meta])* $name:ident: $type:ty),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(
            mut self,
            $name: impl Fn(&request::Parts) -> Option<$type> + Send + Sync + 'static,
        ) -> Self {
            Arc::make_mut(&mut self.config).$name = Some(Arc::new($name));
            self
        }
    )*};
}

impl AuditLayer {
    pub(crate) fn new(recorder: Recorder, alive: Alive) -> Self {
        let skipped = AuditScope::skipped(recorder.clone(), alive.clone());
        Self {
            config: Arc::new(Config {
                skipped,
                recorder,
                alive,
                client: ClientAddress::default(),
                session: None,
                request_id: X_REQUEST_ID.clone(),
                peer: None,
                route: None,
                action: None,
                actor: None,
                target: None,
                tenant: None,
                application: None,
                outcome: None,
            }),
        }
    }

    /// How the client's address is found. Default: the peer of the connection; headers are not
    /// believed.
    pub fn client_address(mut self, client: ClientAddress) -> Self {
        Arc::make_mut(&mut self.config).client = client;
        self
    }

    /// Where the session's id is found; it is written as a keyed hash only. Default: nowhere.
    pub fn session(mut self, session: Session) -> Self {
        Arc::make_mut(&mut self.config).session = Some(session);
        self
    }

    /// The header by which a client or a proxy names the request. Default: `x-request-id`.
    ///
    /// It is only `context.request_id`; a record's own id is never a client's.
    pub fn request_id(mut self, header: HeaderName) -> Self {
        Arc::make_mut(&mut self.config).request_id = header;
        self
    }

    request_hooks! {
        /// Tells the address of the peer. Default: axum's `ConnectInfo<SocketAddr>`.
        peer: IpAddr,
        /// Tells the template of the route, such as `/documents/{id}`; never the path itself, which
        /// may carry secrets. Default: axum's `MatchedPath`, or the method's full name in gRPC.
        route: String,
        /// Names what is done, unless the handler does. Default: what the catalogue says of the
        /// route, else `METHOD /template`.
        action: Action,
        /// Tells who acts, unless the handler or an [`ActorLayer`](super::ActorLayer) does.
        actor: Actor,
        /// Tells what is acted on, before what the handler says of it.
        target: Target,
        /// Tells the customer, organisation or site it belongs to, unless the handler does.
        tenant: Tenant,
        /// Tells the client application, unless the handler does.
        application: Application,
    }

    /// Tells the outcome by the head of the response, unless the handler does. `None`: by its status.
    pub fn outcome(
        mut self,
        outcome: impl Fn(&response::Parts) -> Option<Outcome> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.config).outcome = Some(Arc::new(outcome));
        self
    }
}

impl Config {
    /// Asks a closure of the layer.
    pub(super) fn ask<P, T>(&self, hook: Option<&Hook<P, T>>, parts: &P) -> Option<T> {
        let hook = hook?;
        self.survive(|| hook(parts))
    }

    /// The session that a request presents.
    pub(super) fn session_of(&self, parts: &request::Parts) -> Presented {
        let session = self.session.as_ref();
        session
            .and_then(|session| self.survive(|| Some(session.take(parts))))
            .unwrap_or_default()
    }

    /// Runs foreign code. Auditing must not change the answer, so a panic is kept here.
    fn survive<T>(&self, run: impl FnOnce() -> Option<T>) -> Option<T> {
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            self.recorder.tally(|tallies| &tallies.hook_panics);
            tracing::error!(target: "tower_audit", "a closure of the audit layer panicked; the record goes without what it would have said");
            None
        })
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> AuditService<S> {
        AuditService::new(inner, Arc::clone(&self.config))
    }
}

impl fmt::Debug for AuditLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLayer").finish_non_exhaustive()
    }
}
