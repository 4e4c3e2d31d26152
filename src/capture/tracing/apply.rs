//! How facts of a span or event change what a record says of the same.

use serde_json::{Map, Value};

use crate::record::{Actor, ActorType, Application, Change, Fault, Tenant, Text};

use super::fields::Side;

pub(super) fn replace<T>(old: &mut Option<T>, new: Option<T>) {
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

pub(super) fn fault(given: Fault, fault: &mut Option<Fault>) {
    if given == Fault::default() {
        return;
    }
    let fault = fault.get_or_insert_with(Fault::default);
    replace(&mut fault.message, given.message);
    replace(&mut fault.kind, given.kind);
    replace(&mut fault.code, given.code);
}

pub(super) fn actor(given: Option<Actor>, kind: Option<ActorType>, actor: &mut Option<Actor>) {
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

pub(super) fn tenant(given: Tenant, tenant: &mut Option<Tenant>) {
    if given == Tenant::default() {
        return;
    }
    let mut known = same(tenant, given.id.as_ref(), |tenant| &tenant.id).unwrap_or_default();
    replace(&mut known.id, given.id);
    replace(&mut known.name, given.name);
    replace(&mut known.domain, given.domain);
    *tenant = Some(known);
}

pub(super) fn application(given: Application, application: &mut Option<Application>) {
    if given == Application::default() {
        return;
    }
    let mut known = same(application, given.id.as_ref(), |known| &known.id).unwrap_or_default();
    replace(&mut known.id, given.id);
    replace(&mut known.name, given.name);
    *application = Some(known);
}

pub(super) fn change(field: &'static str, side: Side, value: Value, changes: &mut Vec<Change>) {
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
pub(super) fn detail(path: &'static str, value: Value, details: &mut Map<String, Value>) {
    let Some((first, rest)) = path.split_once('.') else {
        details.insert(path.to_owned(), value);
        return;
    };
    let inner = details.entry(first).or_insert(Value::Null);
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        detail(rest, value, inner);
    }
}
