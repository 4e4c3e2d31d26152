//! Which routes there are, and what policy and catalogue say about each.

use std::{borrow::Cow, fmt};

use serde::Serialize;

use super::{
    Rules,
    seen::{Route, Routes},
};
use crate::{
    policy::{Facts, Recorded, Rule},
    record::{Assurance, OnFailure},
    text::Text,
};

/// What a trail knows of the routes of its service; see [`Audit::inventory`](crate::Audit::inventory).
///
/// `Display` gives a table in Markdown, `serde` the same as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inventory {
    /// In the order of their templates, then methods.
    pub routes: Vec<InventoryRoute>,
    /// How many requests or actions had no room in it: 4096 routes, 16 methods of one template, 8
    /// actions of one route.
    pub beyond: u64,
}

/// One route of an [`Inventory`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InventoryRoute {
    /// The method.
    pub method: String,
    /// The template: `/documents/{id}`.
    pub route: String,
    /// What it is called: by the catalogue, or else by its handler or a hook as far as requests came;
    /// or else as such a record would be called.
    pub actions: Vec<String>,
    /// Whether somebody named it.
    pub named: bool,
    /// Whether a request came.
    pub seen: bool,
    /// Whether there is a record.
    pub recorded: Recorded,
    /// How surely a record is kept, by what is known when a request arrives.
    pub assurance: Assurance,
    /// What happens when the record cannot be kept.
    pub on_failure: OnFailure,
    /// The rules that may decide it, in order.
    pub rules: Vec<String>,
}

impl InventoryRoute {
    /// Whether its method may change something: not `GET`, `HEAD`, `OPTIONS` or `TRACE`.
    #[must_use]
    pub fn is_unsafe(&self) -> bool {
        !crate::policy::is_safe(&self.method)
    }
}

impl Inventory {
    /// All that was told, seen or declared.
    pub(crate) fn of(rules: &Rules) -> Self {
        let (mut routes, beyond) = rules.seen.list();
        for declared in rules.catalogue.iter() {
            for route in &declared.routes {
                routes.add(&route.method, &route.template);
            }
        }
        let mut rows = Vec::new();
        for (template, methods) in &routes.by_template {
            for (method, route) in methods {
                rows.push(InventoryRoute::of(rules, method, template, route));
            }
        }
        Self {
            routes: rows,
            beyond,
        }
    }
}

impl InventoryRoute {
    fn of(rules: &Rules, method: &str, template: &str, route: &Route) -> Self {
        let declared = rules.catalogue.for_route(method, template);
        let facts = Facts {
            action: declared.map(|declared| declared.action.as_str()),
            annotated: declared.is_some(),
            ..Facts::new().method(method).route(template)
        };
        let assurance = declared.and_then(|declared| declared.assurance);
        let arrival = rules.policy.on_arrival(&facts, assurance);
        let (recorded, deciding) = rules.policy.outlook(&facts, assurance);
        let actions: Vec<String> = match facts.action {
            Some(action) => vec![action.to_owned()],
            None => route.actions.iter().cloned().collect(),
        };
        let named = !actions.is_empty();
        let derived = || vec![format!("{method} {template}")];
        Self {
            actions: if named { actions } else { derived() },
            named,
            seen: route.is_seen,
            recorded,
            assurance: arrival.assurance,
            on_failure: arrival.on_failure,
            rules: deciding
                .into_iter()
                .map(Rule::name)
                .map(str::to_owned)
                .collect(),
            method: method.to_owned(),
            route: template.to_owned(),
        }
    }
}

impl Routes {
    /// Adds what the catalogue knows.
    fn add(&mut self, method: &str, template: &str) {
        let methods = self.by_template.entry(template.to_owned()).or_default();
        methods.entry(method.to_owned()).or_default();
    }
}

impl fmt::Display for Inventory {
    /// A table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| method | route | action | recorded | assurance | on failure | rules | seen |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        self.routes
            .iter()
            .try_for_each(|row| writeln!(f, "{row}"))?;
        if self.beyond == 0 {
            return Ok(());
        }
        writeln!(f, "\n{} more had no room.", self.beyond)
    }
}

impl fmt::Display for InventoryRoute {
    /// A row of the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut actions = cell(&self.actions.join(", ")).into_owned();
        if !self.named {
            actions.push_str(" (not named)");
        }
        let (assurance, on_failure) = match self.recorded {
            Recorded::Never => ("", ""),
            _ => (self.assurance.as_str(), self.on_failure.as_str()),
        };
        write!(
            f,
            "| {} | {} | {actions} | {} | {assurance} | {on_failure} | {} | {} |",
            cell(&self.method),
            cell(&self.route),
            self.recorded.as_str(),
            cell(&self.rules.join(", ")),
            if self.seen { "yes" } else { "" },
        )
    }
}

/// A text that stays in its cell: methods may hold `|`, and both come from clients.
fn cell(text: &str) -> Cow<'_, str> {
    let mut clean = Text::from(text);
    clean.clean(1024);
    if clean.as_str() == text && !text.contains('|') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(clean.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keyed::HashKey,
        policy::Policy,
        record::{Catalogue, Declaration},
    };

    fn rules() -> Rules {
        let catalogue = Catalogue::new([
            Declaration::new("user.delete")
                .route("DELETE", "/users/{id}")
                .assurance(Assurance::Strict),
            Declaration::new("report.read").route("GET", "/report"),
        ]);
        let health = Rule::new("health").route("/health").skip();
        let policy = Policy::new().rule(health);
        Rules::new(policy, catalogue.unwrap(), HashKey::new("k1", b"secret"))
    }

    #[test]
    fn every_route_is_listed_with_what_follows() {
        let rules = rules();
        rules.seen.tell("GET", "/health");
        rules.seen.note("GET", "/documents");
        rules.seen.note("POST", "/documents");
        rules.seen.note("DELETE", "/users/{id}");
        rules.seen.tell("PUT", "/documents");
        rules.seen.named("PUT", "/documents", "document.replace");
        let expected = "\
| method | route | action | recorded | assurance | on failure | rules | seen |
|---|---|---|---|---|---|---|---|
| GET | /documents | GET /documents (not named) | depends | durable | continue | refused or failed, denied or error, annotated, everything else | yes |
| POST | /documents | POST /documents (not named) | always | durable | continue | unsafe methods | yes |
| PUT | /documents | document.replace | always | durable | continue | unsafe methods |  |
| GET | /health | GET /health (not named) | never |  |  | health |  |
| GET | /report | report.read | always | durable | continue | refused or failed, denied or error, annotated |  |
| DELETE | /users/{id} | user.delete | always | strict | refuse | unsafe methods | yes |
";
        assert_eq!(Inventory::of(&rules).to_string(), expected);
    }

    #[test]
    fn the_inventory_is_json() {
        let rules = rules();
        rules.seen.tell("GET", "/health");
        let inventory = Inventory::of(&rules);
        let json = serde_json::to_value(&inventory).unwrap();
        let expected = serde_json::json!({
            "method": "GET", "route": "/health", "actions": ["GET /health"], "named": false,
            "seen": false, "recorded": "never", "assurance": "durable", "on_failure": "continue",
            "rules": ["health"],
        });
        assert_eq!(json["routes"][0], expected);
        assert_eq!(json["beyond"], 0);
    }

    // Trap C16.
    #[test]
    fn a_text_of_a_client_stays_in_its_cell() {
        let rules = rules();
        rules.seen.note("A|B", "/a\n/b");
        let table = Inventory::of(&rules).to_string();
        assert!(table.contains("| A\\|B | /a\\n/b |"), "{table}");
    }
}
