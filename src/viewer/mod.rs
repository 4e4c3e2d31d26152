//! The web viewer on a store: a tower service for any path of the host's router.
//!
//! It is nested like any other service, and needs no particular framework. Who may read is the
//! service's to say: there is no viewer without an authoriser, which is asked for every page, and
//! again every minute for what streams. What it gives is a [`Reach`](crate::store::Reach) that is
//! part of every question to the store.
//!
//! ```
//! use std::sync::Arc;
//! use axum::{Router, http::{HeaderMap, request::Parts}};
//! use tower_audit::{Actor, Audit, store::{Reach, Store}, viewer::{Access, ViewerError}};
//!
//! # #[derive(Clone)] struct Sessions;
//! # impl Sessions { async fn user(&self, _: &HeaderMap) -> Option<String> { None } }
//! async fn authorise(sessions: Sessions, parts: Arc<Parts>) -> Access {
//!     // The session is looked up by its cookie, each time: what the service's login put into
//!     // `parts.extensions` is as old as the request.
//!     match sessions.user(&parts.headers).await {
//!         Some(user) if user == "admin" => Access::All(Actor::user("1").name("admin")),
//!         Some(user) => Access::Within(Actor::user(user.as_str()), Reach::actor(user.as_str())),
//!         None => Access::Denied,
//!     }
//! }
//!
//! fn app(audit: &Audit, store: Store, sessions: Sessions) -> Result<Router, ViewerError> {
//!     let viewer = audit.viewer(store, move |parts| authorise(sessions.clone(), parts));
//!     let viewer = viewer.path("/audit").sign_in("/login").build()?;
//!     Ok(Router::new().nest_service("/audit", viewer).layer(audit.layer()))
//! }
//! ```

mod access;
mod answer;
mod api;
mod assets;
mod body;
mod builder;
mod closing;
mod cookies;
mod destination;
mod exporting;
mod exports;
mod failure;
mod hub;
mod lease;
mod lens;
mod live;
mod model;
mod openapi;
mod page;
mod pages;
mod reading;
mod reads;
mod refusals;
mod route;
mod search;
mod service;
mod share;
mod shared;
mod steps;
mod windows;
mod words;

use std::{fmt, sync::Arc};

use http::request::Parts;

pub use access::Access;
pub use body::{BodyError, ViewerBody};
pub use builder::{ViewerBuilder, ViewerError};
pub(crate) use closing::Closing;
pub use destination::{Destination, DestinationState};
pub(crate) use reading::{exported_elsewhere, read_elsewhere};
pub(crate) use reads::Pen;

use crate::store::Store;
use shared::Shared;

/// The web viewer: a tower service. Cloning it is cheap, and every clone is the same viewer.
#[derive(Clone)]
pub struct Viewer {
    shared: Arc<Shared>,
}

impl Viewer {
    /// Begins the configuration of a viewer on this store.
    ///
    /// `authorise` is asked for every request, with its head, what may be read. It is asked before
    /// anything else is said, also whether there is such an address; only the style sheet and the
    /// script are everybody's. When it panics, nothing is shown.
    ///
    /// While a live view or an export runs it is asked again every minute, with the same head: the
    /// extensions in it are those of the moment when the request came, and say nothing of a logout
    /// since. Look the session up by what the headers present, or through a handle that is shared.
    ///
    /// A service with a trail takes [`Audit::viewer`](crate::Audit::viewer), so that what is read is
    /// recorded.
    pub fn builder<F, Fut>(store: Store, authorise: F) -> ViewerBuilder
    where
        F: Fn(Arc<Parts>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Access> + Send + 'static,
    {
        ViewerBuilder::new(store, authorise)
    }

    /// Ends all live views and exports, and lets no new ones begin. Pages are still shown.
    ///
    /// Call it when the service begins to shut down: a server that waits for its connections would
    /// wait for live views for ever. The shutdown of a trail does it for its viewers. Give the waiting
    /// a deadline all the same: a client that reads nothing keeps its connection.
    pub fn close(&self) {
        self.shared.closing.close();
    }

    fn of(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewer").finish_non_exhaustive()
    }
}
