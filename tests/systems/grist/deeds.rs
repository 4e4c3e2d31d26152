//! Every action that Grist has, with what a service says of it, and what Grist's readers must get:
//! the `details` that the action has there. The names are Grist's, the values are ours.

use axum::{
    Router,
    routing::{MethodFilter, on},
};
use serde_json::{Value, json};
use tower_audit::{
    AuditScope, Target,
    record::{Catalogue, Declaration, Fault},
};

use super::documents::{of_documents, of_looks_and_copies, of_what_is_in_them};

#[derive(Clone)]
pub(super) struct Deed {
    pub(super) action: &'static str,
    target: Target,
    details: Value,
    changes: Vec<(&'static str, Value, Value)>,
    fault: Option<&'static str>,
    /// What is to arrive as `details`.
    pub(super) told: Value,
}

impl Deed {
    /// What only looks is a read; the catalogue names it, so it is recorded too.
    pub(super) fn method(&self) -> http::Method {
        match self.action {
            "document.open" => http::Method::GET,
            _ => http::Method::POST,
        }
    }

    pub(super) fn path(&self) -> String {
        format!("/does/{}", self.action.replace('.', "/"))
    }

    /// All that the handler says; what it is called stands in the catalogue.
    fn tell(&self, scope: &AuditScope) {
        scope.target(self.target.clone());
        for (name, value) in self.details.as_object().unwrap() {
            scope.detail(name, value);
        }
        for (field, previous, current) in &self.changes {
            scope.change(*field, previous, current);
        }
        self.fault.inspect(|fault| {
            scope.error(Fault::new(*fault));
        });
    }

    fn failed(mut self, fault: &'static str) -> Self {
        self.fault = Some(fault);
        self
    }
}

/// One with details.
pub(super) fn deed(action: &'static str, target: Target, details: Value, told: Value) -> Deed {
    Deed {
        action,
        target,
        details,
        changes: Vec::new(),
        fault: None,
        told,
    }
}

/// One that is told as what was and what is.
pub(super) fn change(
    action: &'static str,
    target: Target,
    changes: &[(&'static str, Value, Value)],
    told: (Value, Value),
) -> Deed {
    let told = json!({"previous": told.0, "current": told.1});
    Deed {
        changes: changes.to_vec(),
        ..deed(action, target, json!({}), told)
    }
}

pub(super) fn document() -> Target {
    Target::new("document", "4cq").name("Plans")
}

/// Where only the id is said.
pub(super) fn nameless() -> Target {
    Target::new("document", "4cq")
}

fn workspace() -> Target {
    Target::new("workspace", "97").name("Secret")
}

fn site() -> Target {
    Target::new("site", "42").name("Bakery")
}

fn user() -> Target {
    Target::new("user", "146").name("Flapjack")
}

pub(super) fn all() -> Vec<Deed> {
    [
        of_config(),
        of_documents(),
        of_what_is_in_them(),
        of_looks_and_copies(),
        of_sites(),
        of_users(),
        of_workspaces(),
    ]
    .concat()
}

fn of_config() -> Vec<Deed> {
    let config = || Target::new("config", "7");
    let rest = json!({"config": {"key": "theme", "value": {"dark": true}}});
    let told = json!({"config": {"id": 7, "key": "theme", "value": {"dark": true}}});
    vec![
        deed("config.create", config(), rest.clone(), told.clone()),
        deed("config.delete", config(), rest, told),
        change(
            "config.update",
            config(),
            // Grist says on either side what stays the same, too.
            &[
                ("key", json!("theme"), json!("theme")),
                ("value", json!(1), json!(2)),
            ],
            (
                json!({"config": {"id": 7, "key": "theme", "value": 1}}),
                json!({"config": {"id": 7, "key": "theme", "value": 2}}),
            ),
        ),
    ]
}

fn of_sites() -> Vec<Deed> {
    let domain = json!({"site": {"domain": "bakery"}});
    let whole = json!({"id": 42, "name": "Bakery", "domain": "bakery"});
    let users = json!([{"id": 147, "name": "Noor", "access": "editors"}]);
    let access = json!({"site": {"domain": "bakery"}, "access_changes": {"users": users}});
    vec![
        deed(
            "site.change_access",
            site(),
            access,
            json!({"site": whole, "access_changes": {"users": users}}),
        ),
        deed(
            "site.create",
            site(),
            domain.clone(),
            json!({"site": whole}),
        ),
        deed(
            "site.delete",
            site(),
            domain,
            json!({"site": whole, "error": "a workspace is in use"}),
        )
        .failed("a workspace is in use"),
        change(
            "site.rename",
            site(),
            &[
                ("name", json!("Mill"), json!("Bakery")),
                ("domain", json!("mill"), json!("bakery")),
            ],
            (
                json!({"site": {"id": 42, "name": "Mill", "domain": "mill"}}),
                json!({"site": whole}),
            ),
        ),
    ]
}

fn of_users() -> Vec<Deed> {
    let email = json!({"user": {"email": "flapjack@example.com"}});
    let told = json!({"user": {"id": 146, "name": "Flapjack", "email": "flapjack@example.com"}});
    vec![
        change(
            "user.change_name",
            user(),
            &[("name", json!("Jack"), json!("Flapjack"))],
            (
                json!({"user": {"id": 146, "name": "Jack"}}),
                json!({"user": {"id": 146, "name": "Flapjack"}}),
            ),
        ),
        deed("user.create_api_key", user(), email.clone(), told.clone()),
        deed("user.delete", user(), email.clone(), told.clone()),
        deed("user.delete_api_key", user(), email, told),
    ]
}

fn of_workspaces() -> Vec<Deed> {
    let plain = json!({"workspace": {"id": 97, "name": "Secret"}});
    let access = json!({"access_changes": {"max_inherited_access": "viewers"}});
    let with_access =
        json!({"workspace": plain["workspace"], "access_changes": access["access_changes"]});
    vec![
        deed("workspace.change_access", workspace(), access, with_access),
        deed("workspace.create", workspace(), json!({}), plain.clone()),
        deed(
            "workspace.move_to_trash",
            workspace(),
            json!({}),
            plain.clone(),
        ),
        deed(
            "workspace.restore_from_trash",
            workspace(),
            json!({}),
            plain.clone(),
        ),
        deed(
            "workspace.delete",
            workspace(),
            json!({}),
            json!({"workspace": plain["workspace"], "error": "not empty"}),
        )
        .failed("not empty"),
        change(
            "workspace.rename",
            workspace(),
            &[("name", json!("Old"), json!("Secret"))],
            (json!({"workspace": {"id": 97, "name": "Old"}}), plain),
        ),
    ]
}

/// Which route each action has.
pub(super) fn catalogue() -> Catalogue {
    let declared = all().into_iter().map(|deed| {
        let words = deed.action.replace(['.', '_'], " ");
        Declaration::new(deed.action)
            .description(format!("What Grist calls {words}."))
            .route(deed.method().as_str(), deed.path())
    });
    Catalogue::new(declared).unwrap()
}

pub(super) fn router() -> Router {
    all().into_iter().fold(Router::new(), |router, deed| {
        let filter = MethodFilter::try_from(deed.method());
        let path = deed.path();
        let does = move |scope: AuditScope| async move { deed.tell(&scope) };
        router.route(&path, on(filter.unwrap(), does))
    })
}
