//! What axum-login asks of a service: a user, and a backend that knows users.

use std::convert::Infallible;

use axum::http::request::Parts;
use axum_login::{AuthUser, AuthnBackend};
use tower_audit::Actor;

pub(crate) type AuthSession = axum_login::AuthSession<Backend>;

#[derive(Clone, Debug)]
pub(crate) struct User(String);

#[derive(Clone)]
pub(crate) struct Backend;

impl User {
    /// The user as the trail names it.
    pub(crate) fn actor(&self) -> Actor {
        Actor::user(&*self.0).auth_method("password")
    }
}

/// Who is logged in, for the `ActorLayer`.
pub(crate) fn actor(request: &Parts) -> Option<Actor> {
    let session = request.extensions.get::<AuthSession>()?;
    session.user.as_ref().map(User::actor)
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"changes with the password"
    }
}

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = String;
    type Error = Infallible;

    async fn authenticate(&self, password: String) -> Result<Option<User>, Infallible> {
        Ok((password == "syrup").then(|| User("flapjack".into())))
    }

    async fn get_user(&self, id: &String) -> Result<Option<User>, Infallible> {
        Ok(Some(User(id.clone())))
    }
}
