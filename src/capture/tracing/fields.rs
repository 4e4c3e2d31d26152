//! What the fields of a span or event say about a record.
//!
//! Trap R7: `#[instrument]` records every argument unless told `skip_all`. So a value is formatted
//! only when its field has a documented name.

use serde_json::Value;
use tracing::field::Visit;

use crate::{
    capture::scope::Said,
    record::{Actor, ActorType, Application, Fault, Outcome, Record, Target, Tenant, Text},
};

use super::{
    apply,
    value::{Given, Reader},
};

/// Where a text goes.
type Place = for<'a> fn(&'a mut Facts) -> &'a mut Option<Text>;

/// The fields that hold a text. With what [`Facts::take`] names, that is the table in
/// `docs/tracing.md`.
const TEXTS: &[(&str, Place)] = &[
    ("action", |facts| &mut facts.action),
    ("category", |facts| &mut facts.category),
    ("reason", |facts| &mut facts.reason),
    ("error", |facts| &mut facts.fault.message),
    ("error.type", |facts| &mut facts.fault.kind),
    ("error.code", |facts| &mut facts.fault.code),
    ("actor.id", |facts| &mut facts.actor().id),
    ("actor.name", |facts| &mut facts.actor().name),
    ("actor.email", |facts| &mut facts.actor().email),
    ("actor.claimed", |facts| &mut facts.actor().claimed),
    ("actor.auth_method", |facts| &mut facts.actor().auth_method),
    ("target.type", |facts| &mut facts.target.kind),
    ("target.id", |facts| &mut facts.target.id),
    ("target.name", |facts| &mut facts.target.name),
    ("tenant.id", |facts| &mut facts.tenant.id),
    ("tenant.name", |facts| &mut facts.tenant.name),
    ("tenant.domain", |facts| &mut facts.tenant.domain),
    ("application.id", |facts| &mut facts.application.id),
    ("application.name", |facts| &mut facts.application.name),
];

/// What the documented fields of one span or event said.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) action: Option<Text>,
    category: Option<Text>,
    outcome: Option<Outcome>,
    reason: Option<Text>,
    fault: Fault,
    actor_type: Option<ActorType>,
    /// All but its type.
    actor: Option<Actor>,
    target: PartialTarget,
    tenant: Tenant,
    application: Application,
    changes: Vec<(&'static str, Side, Value)>,
    details: Vec<(&'static str, Value)>,
    /// How many fields were not documented, or had a value that does not fit.
    pub(super) ignored: u64,
}

#[derive(Debug, Default)]
struct PartialTarget {
    kind: Option<Text>,
    id: Option<Text>,
    name: Option<Text>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Previous,
    Current,
}

impl Facts {
    /// Reads the fields that `record` visits.
    pub(super) fn read(record: impl FnOnce(&mut dyn Visit)) -> Self {
        let mut reader = Reader::default();
        record(&mut reader);
        reader.facts
    }

    /// Who alone does not ask for a record.
    pub(super) fn said(&self) -> Said {
        let what = self.action.is_some()
            || self.category.is_some()
            || self.outcome.is_some()
            || self.reason.is_some()
            || self.fault != Fault::default()
            || !self.target.is_empty()
            || !self.changes.is_empty()
            || !self.details.is_empty();
        if what { Said::What } else { Said::Who }
    }

    /// The text of the error is also why it ended so: it was all there was to say.
    pub(super) fn with_reason(mut self) -> Self {
        self.reason = self.reason.or_else(|| self.fault.message.clone());
        self
    }

    /// As a record of its own that states a fact.
    pub(super) fn into_record(self) -> Record {
        let mut record = Record::default();
        self.apply(&mut record, &mut None);
        let stated = match record.error {
            Some(_) => Outcome::Error,
            None => Outcome::Success,
        };
        record.outcome.get_or_insert(stated);
        record
    }

    /// Writes the facts over what the record said of the same. `own_target` is the target that
    /// earlier facts of the same span made; a reason that others gave an error stays.
    pub(super) fn apply(self, record: &mut Record, own_target: &mut Option<Target>) {
        if let Some(action) = self.action {
            record.action = action.into();
        }
        if self.category.is_some() {
            record.category = self.category;
        }
        if self.outcome.is_some() {
            record.outcome = self.outcome;
        }
        if self.reason.is_some() {
            record.reason = self.reason;
        }
        apply::fault(self.fault, &mut record.error);
        apply::actor(self.actor, self.actor_type, &mut record.actor);
        self.target.apply(record, own_target);
        apply::tenant(self.tenant, &mut record.tenant);
        apply::application(self.application, &mut record.application);
        for (field, side, value) in self.changes {
            apply::change(field, side, value, &mut record.changes);
        }
        for (path, value) in self.details {
            apply::detail(path, value, &mut record.details);
        }
    }

    /// Takes a value in if its field is documented; `None` if it is not, or the value does not fit.
    pub(super) fn take(
        &mut self,
        name: &'static str,
        value: Given<'_>,
        room: &mut usize,
    ) -> Option<()> {
        if let Some(path) = name.strip_prefix("detail.") {
            self.details.push((path, value.into_json(room)));
            return Some(());
        }
        if let Some(path) = name.strip_prefix("change.") {
            let (field, side) = match path.rsplit_once('.')? {
                (field, "previous") => (field, Side::Previous),
                (field, "current") => (field, Side::Current),
                _ => return None,
            };
            self.changes.push((field, side, value.into_json(room)));
            return Some(());
        }
        match name {
            // What a person reads in the log: it may hold anything, and is left there.
            "message" => {}
            "outcome" => self.outcome = Some(Outcome::from_word(&value.into_text(room))?),
            "actor.type" => self.actor_type = Some(ActorType::from_word(&value.into_text(room))?),
            _ => {
                let (_, place) = TEXTS.iter().find(|(documented, _)| *documented == name)?;
                *place(self) = Some(value.into_text(room));
            }
        }
        Some(())
    }

    fn actor(&mut self) -> &mut Actor {
        self.actor.get_or_insert_with(Actor::unknown)
    }
}

impl PartialTarget {
    const fn is_empty(&self) -> bool {
        self.kind.is_none() && self.id.is_none() && self.name.is_none()
    }

    fn apply(self, record: &mut Record, own: &mut Option<Target>) {
        if self.is_empty() {
            return;
        }
        let noun = || Text::from(record.action.noun().unwrap_or("unknown"));
        let mut target = own.clone().unwrap_or_else(|| Target::of_kind(noun()));
        if let Some(kind) = self.kind {
            target.kind = kind;
        }
        apply::replace(&mut target.id, self.id);
        apply::replace(&mut target.name, self.name);
        // The handler may have added targets since.
        let written = own.as_ref();
        let place = written.and_then(|own| record.targets.iter_mut().find(|there| *there == own));
        match place {
            Some(place) => place.clone_from(&target),
            None => record.targets.push(target.clone()),
        }
        *own = Some(target);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The words between back ticks in the first cells of the table below this heading.
    fn documented() -> BTreeSet<&'static str> {
        let page = include_str!("../../../docs/tracing.md");
        let rows = page.lines().skip_while(|line| *line != "# Fields");
        let rows = rows.skip_while(|line| !line.starts_with('|')).skip(2);
        let cells = rows.take_while(|line| line.starts_with('|'));
        let cells = cells.filter_map(|line| line.split('|').nth(1));
        cells
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .collect()
    }

    #[test]
    fn the_documented_fields_are_the_ones_that_are_taken() {
        let mut documented = documented();
        for name in &documented {
            let name = name.replace(['<', '>'], "");
            let taken = Facts::default().take(
                name.clone().leak(),
                Given::Shown(format_args!("user")),
                &mut 100,
            );
            // Words have a test of their own; the value of `return` is never looked at.
            assert!(
                taken.is_some() || ["outcome", "return"].contains(&name.as_str()),
                "{name}"
            );
        }
        for (name, _) in TEXTS {
            assert!(documented.remove(name), "{name} is not documented");
        }
        let rest = BTreeSet::from([
            "outcome",
            "actor.type",
            "change.<field>.previous",
            "change.<field>.current",
            "detail.<name>",
            "message",
            "return",
        ]);
        assert_eq!(documented, rest);
    }

    #[test]
    fn a_word_that_is_none_of_the_known_is_not_taken() {
        for (name, word, taken) in [
            ("outcome", "denied", true),
            ("outcome", "Denied", false),
            ("actor.type", "service", true),
            ("actor.type", "robot", false),
            ("change.name", "x", false),
            ("change.name.next", "x", false),
            ("details.name", "x", false),
        ] {
            let given = Facts::default().take(name, Given::Shown(format_args!("{word}")), &mut 100);
            assert_eq!(given.is_some(), taken, "{name}={word}");
        }
    }

    #[test]
    fn who_alone_does_not_ask_for_a_record() {
        for &(name, _) in TEXTS {
            let mut facts = Facts::default();
            facts.take(name, Given::Signed(1), &mut 100);
            let who = ["actor.", "tenant.", "application."]
                .iter()
                .any(|who| name.starts_with(who));
            assert_eq!(facts.said() == Said::Who, who, "{name}");
        }
    }

    #[test]
    fn details_nest_by_their_dots_and_the_last_one_wins() {
        let mut facts = Facts::default();
        for (name, value) in [
            ("detail.a", 1),
            ("detail.a.b", 2),
            ("detail.a.c.d", 3),
            ("detail.e.f", 4),
            ("detail.e", 5),
        ] {
            facts.take(name, Given::Signed(value), &mut 100);
        }
        let mut record = Record::default();
        facts.apply(&mut record, &mut None);
        assert_eq!(
            Value::Object(record.details),
            serde_json::json!({"a": {"b": 2, "c": {"d": 3}}, "e": 5})
        );
    }
}
