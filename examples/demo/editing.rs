//! Changing documents. The catalogue names the actions; these say which document, and what changed.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tower_audit::{AuditScope, Target};
use uuid::Uuid;

use crate::{app::Shared, documents::Document, users::User};

#[derive(Deserialize)]
pub(crate) struct Given {
    name: String,
}

/// `POST /documents`: `document.create`.
pub(crate) async fn create(
    State(app): Shared,
    _user: User,
    scope: AuditScope,
    Json(given): Json<Given>,
) -> (StatusCode, Json<Document>) {
    let id = Uuid::new_v4().simple().to_string();
    let document = Document {
        id,
        name: given.name,
    };
    scope.target(document.target());
    let mut documents = app.documents.lock().await;
    documents.insert(document.id.clone(), document.clone());
    (StatusCode::CREATED, Json(document))
}

/// `PUT /documents/{id}`: `document.update`, with the change.
pub(crate) async fn update(
    State(app): Shared,
    _user: User,
    scope: AuditScope,
    Path(id): Path<String>,
    Json(given): Json<Given>,
) -> Result<Json<Document>, StatusCode> {
    let mut documents = app.documents.lock().await;
    let Some(document) = documents.get_mut(&id) else {
        scope.target(Target::new("document", id));
        return Err(StatusCode::NOT_FOUND);
    };
    scope.target(document.target());
    scope.change("name", &document.name, &given.name);
    document.name = given.name;
    Ok(Json(document.clone()))
}

/// `DELETE /documents/{id}`: `document.delete`.
pub(crate) async fn delete(
    State(app): Shared,
    _user: User,
    scope: AuditScope,
    Path(id): Path<String>,
) -> StatusCode {
    match app.documents.lock().await.remove(&id) {
        Some(document) => {
            scope.target(document.target());
            StatusCode::NO_CONTENT
        }
        None => {
            scope.target(Target::new("document", id));
            StatusCode::NOT_FOUND
        }
    }
}
