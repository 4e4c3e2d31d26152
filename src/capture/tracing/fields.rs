//! What the fields of a span or event say about a record.
//!
//! Trap R7: `#[instrument]` records every argument unless told `skip_all`. So a value is formatted
//! only when its field has a documented name.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

use crate::{
    capture::scope::Said,
    record::{Actor, ActorType, Application, Change, Fault, Outcome, Record, Target, Tenant, Text},
};

/// The bytes of one text that are copied. A record keeps less, so that it marks what was cut.
const MAX_TEXT: usize = 4096 + 64;

/// The bytes of all texts of one span or event together: what a record keeps.
const MAX_TEXTS: usize = 64 * 1024;

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
enum Side {
    Previous,
    Current,
}

impl Facts {
    /// Reads the fields that `record` visits.
    pub(super) fn read(record: impl FnOnce(&mut dyn Visit)) -> Self {
        let mut reader = Reader {
            facts: Self::default(),
            room: MAX_TEXTS,
        };
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
        apply_fault(self.fault, &mut record.error);
        apply_actor(self.actor, self.actor_type, &mut record.actor);
        self.target.apply(record, own_target);
        apply_tenant(self.tenant, &mut record.tenant);
        apply_application(self.application, &mut record.application);
        for (field, side, value) in self.changes {
            apply_change(field, side, value, &mut record.changes);
        }
        for (path, value) in self.details {
            apply_detail(path, value, &mut record.details);
        }
    }

    /// Takes a value in if its field is documented; `None` if it is not, or the value does not fit.
    fn take(&mut self, name: &'static str, value: Given<'_>, room: &mut usize) -> Option<()> {
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

fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

/// What is left of a fact of the same kind: another id is another thing, of which nothing is known.
fn same<T>(old: &mut Option<T>, new_id: Option<&Text>, id: fn(&T) -> &Option<Text>) -> Option<T> {
    old.take().filter(|old| match (new_id, id(old)) {
        (Some(new), Some(old)) => new == old,
        _ => true,
    })
}

fn apply_fault(given: Fault, fault: &mut Option<Fault>) {
    if given == Fault::default() {
        return;
    }
    let fault = fault.get_or_insert_with(Fault::default);
    replace(&mut fault.message, given.message);
    replace(&mut fault.kind, given.kind);
    replace(&mut fault.code, given.code);
}

fn apply_actor(given: Option<Actor>, kind: Option<ActorType>, actor: &mut Option<Actor>) {
    if given.is_none() && kind.is_none() {
        return;
    }
    let given = given.unwrap_or_else(Actor::unknown);
    let mut known =
        same(actor, given.id.as_ref(), |actor| &actor.id).unwrap_or_else(Actor::unknown);
    known.kind = match (kind, known.kind) {
        (Some(kind), _) => kind,
        // Only what was verified is an id; whoever is known by one is at least not anonymous.
        (None, ActorType::Unknown | ActorType::Anonymous) if given.id.is_some() => ActorType::User,
        (None, ActorType::Unknown) if given.claimed.is_some() => ActorType::Anonymous,
        (None, kind) => kind,
    };
    replace(&mut known.id, given.id);
    replace(&mut known.name, given.name);
    replace(&mut known.email, given.email);
    replace(&mut known.claimed, given.claimed);
    replace(&mut known.auth_method, given.auth_method);
    *actor = Some(known);
}

fn apply_tenant(given: Tenant, tenant: &mut Option<Tenant>) {
    if given == Tenant::default() {
        return;
    }
    let mut known = same(tenant, given.id.as_ref(), |tenant| &tenant.id).unwrap_or_default();
    replace(&mut known.id, given.id);
    replace(&mut known.name, given.name);
    replace(&mut known.domain, given.domain);
    *tenant = Some(known);
}

fn apply_application(given: Application, application: &mut Option<Application>) {
    if given == Application::default() {
        return;
    }
    let mut known = same(application, given.id.as_ref(), |known| &known.id).unwrap_or_default();
    replace(&mut known.id, given.id);
    replace(&mut known.name, given.name);
    *application = Some(known);
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
        replace(&mut target.id, self.id);
        replace(&mut target.name, self.name);
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

fn apply_change(field: &'static str, side: Side, value: Value, changes: &mut Vec<Change>) {
    let place = match changes.iter().position(|change| change.field == field) {
        Some(place) => place,
        None => {
            changes.push(Change::new(Text::fixed(field), None::<()>, None::<()>));
            changes.len() - 1
        }
    };
    let Some(change) = changes.get_mut(place) else {
        return;
    };
    match side {
        Side::Previous => change.previous = Some(value),
        Side::Current => change.current = Some(value),
    }
}

/// Nested by the dots, so that redaction sees each name for itself.
fn apply_detail(path: &'static str, value: Value, details: &mut Map<String, Value>) {
    let Some((first, rest)) = path.split_once('.') else {
        details.insert(path.to_owned(), value);
        return;
    };
    let inner = details.entry(first).or_insert(Value::Null);
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        apply_detail(rest, value, inner);
    }
}

/// Reads values one after the other.
struct Reader {
    facts: Facts,
    /// Bytes that texts may still take.
    room: usize,
}

impl Reader {
    fn take(&mut self, field: &Field, value: Given<'_>) {
        if self
            .facts
            .take(field.name(), value, &mut self.room)
            .is_none()
        {
            self.facts.ignored += 1;
        }
    }
}

impl Visit for Reader {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, Given::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, Given::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, Given::Unsigned(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, Given::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, Given::Shown(format_args!("{value}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.take(field, Given::Shown(format_args!("{value}")));
    }

    /// Also what is wider than 64 bits, and `%value`, whose `Debug` is its `Display`.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, Given::Shown(format_args!("{value:?}")));
    }
}

/// A value as it came; not formatted yet.
enum Given<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Shown(fmt::Arguments<'a>),
}

impl Given<'_> {
    fn into_text(self, room: &mut usize) -> Text {
        let shown = match self {
            Self::Bool(value) => Capped::show(format_args!("{value}"), room),
            Self::Signed(value) => Capped::show(format_args!("{value}"), room),
            Self::Unsigned(value) => Capped::show(format_args!("{value}"), room),
            Self::Float(value) => Capped::show(format_args!("{value}"), room),
            Self::Shown(arguments) => Capped::show(arguments, room),
        };
        shown.into()
    }

    fn into_json(self, room: &mut usize) -> Value {
        match self {
            Self::Bool(value) => value.into(),
            Self::Signed(value) => value.into(),
            Self::Unsigned(value) => value.into(),
            Self::Float(value) if value.is_finite() => value.into(),
            Self::Float(value) => Capped::show(format_args!("{value}"), room).into(),
            Self::Shown(arguments) => Capped::show(arguments, room).into(),
        }
    }
}

/// A text that is written into, and stops growing.
struct Capped {
    text: String,
    limit: usize,
}

impl Capped {
    fn show(arguments: fmt::Arguments<'_>, room: &mut usize) -> String {
        let limit = MAX_TEXT.min(*room);
        let mut capped = Self {
            text: String::new(),
            limit,
        };
        // An error means that the limit is reached, and ends what would go on for long.
        let _ = capped.write_fmt(arguments);
        *room -= capped.text.len();
        capped.text
    }
}

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = self.limit - self.text.len();
        if text.len() <= left {
            self.text.push_str(text);
            return Ok(());
        }
        let (kept, _) = text.split_at(text.floor_char_boundary(left));
        self.text.push_str(kept);
        // What comes after the cut is no longer part of the text, however short it is.
        self.limit = self.text.len();
        Err(fmt::Error)
    }
}
