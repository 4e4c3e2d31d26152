//! What only the administrator may do.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tower_audit::{AuditScope, Target};

use crate::{app::Shared, users::User};

#[derive(Deserialize)]
pub(crate) struct Given {
    role: String,
}

/// `POST /admin/users/{name}/role`: `user.change_role`. The catalogue declares it `Strict`: when the
/// trail cannot be written, the client gets a 503 and this does not run.
pub(crate) async fn change_role(
    State(app): Shared,
    actor: User,
    scope: AuditScope,
    Path(name): Path<String>,
    Json(given): Json<Given>,
) -> StatusCode {
    scope.target(Target::new("user", &*name));
    if !actor.is_admin() {
        scope.denied("not the administrator");
        return StatusCode::FORBIDDEN;
    }
    let mut users = app.users.lock().await;
    let Some(user) = users.0.get_mut(&name) else {
        return StatusCode::NOT_FOUND;
    };
    scope.change("role", &user.role, &given.role);
    user.role = given.role;
    StatusCode::NO_CONTENT
}
