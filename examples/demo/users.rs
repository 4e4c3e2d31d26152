//! Who may use the service.

use std::collections::BTreeMap;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use tower_audit::Actor;

/// A user; in a request's extensions: the one who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) role: String,
}

/// For a demo. A service keeps hashes, as of Argon2.
const PASSWORDS: [(&str, &str); 2] = [("flapjack", "syrup"), ("admin", "butter")];

/// All users, by name.
#[derive(Debug)]
pub(crate) struct Users(pub(crate) BTreeMap<String, User>);

impl Default for Users {
    fn default() -> Self {
        let users = [("flapjack", "editor"), ("admin", "admin")];
        let users = users.map(|(name, role)| User {
            name: name.into(),
            role: role.into(),
        });
        Self(users.map(|user| (user.name.clone(), user)).into())
    }
}

impl Users {
    /// The user of this name, if that is the password.
    pub(crate) fn verify(&self, name: &str, password: &str) -> Option<&User> {
        let is_right = PASSWORDS.contains(&(name, password));
        self.0.get(name).filter(|_| is_right)
    }
}

impl User {
    pub(crate) fn is_admin(&self) -> bool {
        self.role == "admin"
    }

    /// The user as the trail names it. A service has an id that outlives the name.
    pub(crate) fn actor(&self) -> Actor {
        Actor::user(&*self.name).auth_method("password")
    }
}

/// For handlers that need somebody who is logged in.
impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, StatusCode> {
        let user = parts.extensions.get().cloned();
        user.ok_or(StatusCode::UNAUTHORIZED)
    }
}
