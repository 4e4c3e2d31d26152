//! The actions a service declares, so that people and tests know what there is.

mod markdown;
mod own;

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Assurance, Record};
use crate::text::Text;

/// The actions of a service, declared once.
///
/// It drives what a viewer offers, what generated documentation lists, which action a route stands
/// for, and a test that fails on an action nobody declared. A record of an action that is not in
/// it is written all the same.
///
/// ```
/// use tower_audit::record::{Assurance, Catalogue, Declaration};
///
/// let catalogue = Catalogue::new([
///     Declaration::new("document.create")
///         .description("A document was made, empty or from a template.")
///         .route("POST", "/api/docs"),
///     Declaration::new("user.delete")
///         .category("administration")
///         .route("DELETE", "/api/users/{id}")
///         .assurance(Assurance::Strict),
/// ])?;
/// let found = catalogue.for_route("DELETE", "/api/users/{id}");
/// assert_eq!(found.map(|declared| declared.action.as_str()), Some("user.delete"));
/// # Ok::<(), tower_audit::record::CatalogueError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    actions: BTreeMap<Action, Declaration>,
    /// Template → method → action.
    routes: BTreeMap<Text, BTreeMap<Text, Action>>,
}

/// One action of a [`Catalogue`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declaration {
    /// The action's name.
    pub action: Action,
    /// The group it belongs to; the action's noun if nothing else.
    pub category: Option<Text>,
    /// What it means, in a sentence for an auditor.
    pub description: Option<Text>,
    /// The routes that stand for it.
    pub routes: Vec<Route>,
    /// How surely its records are kept, where the policy does not say.
    pub assurance: Option<Assurance>,
}

/// A method and the template of a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Route {
    /// The method, as the request spells it: `POST`.
    pub method: Text,
    /// The template, as the router spells it: `/api/docs/{id}`.
    pub template: Text,
}

/// Two declarations that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// An action is declared twice: remove one of them.
    #[error("the action {action:?} is declared twice")]
    Action {
        /// The action.
        action: Action,
    },
    /// A route stands for two actions: take it away from one of them.
    #[error("the route {} {} stands for both {first:?} and {second:?}", .route.method, .route.template)]
    Route {
        /// The route.
        route: Route,
        /// The action that was declared first.
        first: Action,
        /// The action that was declared later.
        second: Action,
    },
}

impl Catalogue {
    /// A catalogue of these declarations.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] if an action is declared twice, or a route stands for two actions.
    pub fn new(
        declarations: impl IntoIterator<Item = Declaration>,
    ) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        for declaration in declarations {
            catalogue.add(declaration)?;
        }
        Ok(catalogue)
    }

    fn add(&mut self, declaration: Declaration) -> Result<(), CatalogueError> {
        let action = declaration.action.clone();
        if self.actions.contains_key(&action) {
            return Err(CatalogueError::Action { action });
        }
        for route in &declaration.routes {
            let methods = self.routes.entry(route.template.clone()).or_default();
            match methods.insert(route.method.clone(), action.clone()) {
                Some(first) if first != action => {
                    return Err(CatalogueError::Route {
                        route: route.clone(),
                        first,
                        second: action,
                    });
                }
                _ => {}
            }
        }
        self.actions.insert(action, declaration);
        Ok(())
    }

    /// The declaration of an action.
    #[must_use]
    pub fn get(&self, action: &str) -> Option<&Declaration> {
        self.actions.get(action)
    }

    /// The declaration of the action that a route stands for.
    #[must_use]
    pub fn for_route(&self, method: &str, template: &str) -> Option<&Declaration> {
        self.get(self.routes.get(template)?.get(method)?.as_str())
    }

    /// All declarations, in the order of their actions' names.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Declaration> {
        self.actions.values()
    }

    /// The categories of all actions, each once, in order.
    #[must_use]
    pub fn categories(&self) -> Vec<&str> {
        let categories = self.iter().filter_map(Declaration::category_or_noun);
        categories.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Gives a record without a category the one that its action is declared with.
    pub fn categorise(&self, record: &mut Record) {
        if record.category.is_none() {
            record.category = self
                .get(record.action.as_str())
                .and_then(|declared| declared.category.clone());
        }
    }
}

impl Declaration {
    /// An action of this name, about which nothing else is said.
    #[must_use]
    pub fn new(action: impl Into<Action>) -> Self {
        Self {
            action: action.into(),
            category: None,
            description: None,
            routes: Vec::new(),
            assurance: None,
        }
    }

    /// Sets the group it belongs to; the default is the action's noun.
    #[must_use]
    pub fn category(mut self, category: impl Into<Text>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Sets what it means, in a sentence for an auditor.
    #[must_use]
    pub fn description(mut self, description: impl Into<Text>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Adds a route that stands for it. Both are compared exactly: `POST`, `/api/docs/{id}`.
    #[must_use]
    pub fn route(mut self, method: impl Into<Text>, template: impl Into<Text>) -> Self {
        self.routes.push(Route {
            method: method.into(),
            template: template.into(),
        });
        self
    }

    /// Sets how surely its records are kept, where the policy does not say. `Strict` needs a route:
    /// without one a trail does not start, because it would be known only after the handler ran.
    #[must_use]
    pub fn assurance(mut self, assurance: Assurance) -> Self {
        self.assurance = Some(assurance);
        self
    }

    /// The category that a record of this action is written with.
    #[must_use]
    pub fn category_or_noun(&self) -> Option<&str> {
        self.category.as_deref().or_else(|| self.action.noun())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        Catalogue::new([
            Declaration::new("user.delete")
                .category("administration")
                .route("DELETE", "/users/{id}")
                .route("POST", "/users/{id}/delete")
                .assurance(Assurance::Strict),
            Declaration::new("user.create").route("POST", "/users"),
            Declaration::new("RevokeToken"),
        ])
        .unwrap()
    }

    #[test]
    fn an_action_is_found_by_name_and_by_route() {
        let catalogue = catalogue();
        let delete = catalogue.get("user.delete").unwrap();
        assert_eq!(delete.assurance, Some(Assurance::Strict));
        for (method, template, expected) in [
            ("DELETE", "/users/{id}", Some("user.delete")),
            ("POST", "/users/{id}/delete", Some("user.delete")),
            ("POST", "/users", Some("user.create")),
            ("post", "/users", None),
            ("GET", "/users", None),
            ("POST", "/users/7", None),
        ] {
            let found = catalogue.for_route(method, template);
            let found = found.map(|declared| declared.action.as_str());
            assert_eq!(found, expected, "{method} {template}");
        }
        assert_eq!(catalogue.get("user"), None);
    }

    #[test]
    fn actions_and_categories_are_listed_in_order() {
        let catalogue = catalogue();
        let names: Vec<_> = catalogue.iter().map(|it| it.action.as_str()).collect();
        assert_eq!(names, ["RevokeToken", "user.create", "user.delete"]);
        assert_eq!(catalogue.categories(), ["administration", "user"]);
    }

    #[test]
    fn a_record_takes_the_category_unless_it_has_one() {
        let catalogue = catalogue();
        for (record, expected) in [
            (Record::new("user.delete"), Some("administration")),
            (Record::new("user.delete").category("mine"), Some("mine")),
            (Record::new("user.create"), None),
            (Record::new("not.declared"), None),
        ] {
            let mut record = record;
            catalogue.categorise(&mut record);
            assert_eq!(record.category.as_deref(), expected, "{:?}", record.action);
        }
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        let twice = Catalogue::new([Declaration::new("a.b"), Declaration::new("a.b")]);
        assert_eq!(
            twice.unwrap_err().to_string(),
            r#"the action "a.b" is declared twice"#
        );
        let route = Catalogue::new([
            Declaration::new("a.b")
                .route("POST", "/a")
                .route("POST", "/a"),
            Declaration::new("a.c").route("POST", "/a"),
        ]);
        assert_eq!(
            route.unwrap_err().to_string(),
            r#"the route POST /a stands for both "a.b" and "a.c""#
        );
    }
}
