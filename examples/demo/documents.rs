//! Documents, and reading them: the default policy records that only where it is refused.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Serialize;
use tower_audit::Target;

use crate::{app::Shared, users::User};

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Document {
    /// The document as the trail names it.
    pub(crate) fn target(&self) -> Target {
        Target::new("document", &*self.id).name(&*self.name)
    }
}

/// `GET /documents`.
pub(crate) async fn list(State(app): Shared, _user: User) -> Json<Vec<Document>> {
    Json(app.documents.lock().await.values().cloned().collect())
}

/// `GET /documents/{id}`.
pub(crate) async fn read(
    State(app): Shared,
    _user: User,
    Path(id): Path<String>,
) -> Result<Json<Document>, StatusCode> {
    let document = app.documents.lock().await.get(&id).cloned();
    document.map(Json).ok_or(StatusCode::NOT_FOUND)
}
