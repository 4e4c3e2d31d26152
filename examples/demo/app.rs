//! What the service holds, and its routes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    middleware,
    routing::{get, post},
};
use tokio::sync::Mutex;
use tower_audit::{capture::ActorLayer, viewer::Viewer};
use tower_http::timeout::TimeoutLayer;

use crate::{
    admin,
    documents::{self, Document},
    editing, login, odd, reading,
    sessions::{self, Sessions},
    sign_in,
    users::{User, Users},
};

/// Everything is in memory: only the audit trail outlives the process.
#[derive(Debug, Default)]
pub(crate) struct App {
    pub(crate) users: Mutex<Users>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) documents: Mutex<BTreeMap<String, Document>>,
}

pub(crate) type Shared = axum::extract::State<Arc<App>>;

/// How long a request may take: shorter than what a shutdown waits, so that each has its end then.
const LONGEST: Duration = Duration::from_secs(8);

/// The routes. The layer that audits goes around all of this, so that what authentication refuses
/// is recorded too:
///
/// ```text
/// AuditLayer → TimeoutLayer → sessions::authenticate → ActorLayer → handler
/// ```
pub(crate) fn router(app: Arc<App>, viewer: Viewer) -> Router {
    let documents = get(documents::list).post(editing::create);
    let document = get(documents::read)
        .put(editing::update)
        .delete(editing::delete);
    Router::new()
        .route("/login", post(login::login))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/logout", post(login::logout))
        .route("/documents", documents)
        .route("/documents/{id}", document)
        .route("/admin/users/{name}/role", post(admin::change_role))
        .route("/slow", get(odd::slow))
        .route("/panic", post(odd::panic))
        .route("/health", get(odd::health))
        .nest_service(reading::PATH, viewer)
        // In axum the layer that is added last is outermost.
        .layer(ActorLayer::new(|request| {
            request.extensions.get().map(User::actor)
        }))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            sessions::authenticate,
        ))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            LONGEST,
        ))
        .with_state(app)
}
