//! Who may read the trail, and where: administrators, in a browser.

use std::sync::Arc;

use axum::http::request::Parts;
use tower_audit::{
    Audit,
    sink::tables,
    store::Store,
    viewer::{Access, Viewer},
};

use crate::{app::App, args::Args, failure::Failure, sessions};

/// Where the viewer is.
pub(crate) const PATH: &str = "/audit";

/// A viewer on the database that the trail fills. It is a route like any other: behind the sessions,
/// which tell who asks, and within the layer, which records who was refused.
pub(crate) async fn viewer(audit: &Audit, args: &Args, app: &Arc<App>) -> Result<Viewer, Failure> {
    // A new database gets its tables with its first records; the viewer may be there before.
    tables::migrate(&args.store(), None).await?;
    let store = Store::open(&args.store()).await?;
    let app = Arc::clone(app);
    let viewer = audit
        .viewer(store, move |parts| access(Arc::clone(&app), parts))
        .path(PATH)
        .title("Demo")
        .sign_in("/sign-in");
    Ok(viewer.build()?)
}

/// Whoever reads everybody's doings is named, and leaves records of it. Session and role are looked up
/// each time, also every minute while something streams: the request's extensions say who it was at first.
async fn access(app: Arc<App>, parts: Arc<Parts>) -> Access {
    match sessions::user(&app, &parts.headers).await {
        Some(user) if user.is_admin() => Access::All(user.actor()),
        _ => Access::Denied,
    }
}
