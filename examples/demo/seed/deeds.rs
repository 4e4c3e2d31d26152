//! What is done.

use std::time::Duration;

use tower_audit::{Record, Target, record::Http};

use super::{dice::Dice, endings::ended, people::Person};

type Deed = fn(Record, &Person, &mut Dice) -> Record;

/// Its name, method and route, and the status of the answer.
type Kind = (&'static str, &'static str, &'static str, u16, Deed);

#[rustfmt::skip]
const DEEDS: [(u64, Kind); 8] = [
    (26, ("document.update", "PUT", "/documents/{id}", 200, rename)),
    (20, ("user.login", "POST", "/login", 200, |record, _, _| record)),
    (18, ("document.create", "POST", "/documents", 201, |record, _, dice| record.target(document(dice)))),
    (10, ("user.logout", "POST", "/logout", 204, |record, _, _| record)),
    (6, ("document.delete", "DELETE", "/documents/{id}", 204, |record, _, dice| record.target(document(dice)))),
    (6, ("report.build", "GET", "/slow", 200, |record, _, _| record.target(Target::of_kind("documents")).detail("pages", 12))),
    (2, ("user.change_role", "POST", "/admin/users/{name}/role", 204, role)),
    (3, ("session.expire", "", "", 0, |record, _, _| record)),
];

const DOCUMENTS: [(&str, &str); 8] = [
    ("d-7f3a", "Breakfast plans"),
    ("d-19c2", "Supplier contracts"),
    ("d-a04e", "Quarterly report"),
    ("d-55d1", "Price list"),
    ("d-c8b7", "Onboarding guide"),
    ("d-02f9", "Tasting notes"),
    ("d-e613", "Insurance claim"),
    ("d-b7d0", "Menu, spring"),
];

/// One record, as a request would have left it.
pub(super) fn deed(dice: &mut Dice) -> Record {
    let found = dice.weighed(&DEEDS).copied().zip(Person::any(dice));
    let Some(((action, method, route, status, deed), person)) = found else {
        return Record::system("session.expire");
    };
    if route.is_empty() {
        return Record::system(action).target(Target::new("user", person.id).name(person.name));
    }
    let record = Record::new(action)
        .actor(person.actor())
        .tenant(person.tenant.clone());
    let record = deed(
        record.application(person.application.clone()),
        &person,
        dice,
    );
    let (mut record, status) = ended(record, &person, status, dice);
    let http = Http::new().method(method).route(route).status(status);
    let lasted = Duration::from_micros(900 + dice.below(60_000));
    record.context = person.context.http(http).duration(lasted);
    record
}

fn document(dice: &mut Dice) -> Target {
    let (id, name) = dice.favour(&DOCUMENTS).copied().unwrap_or(("d-0", "Notes"));
    Target::new("document", id).name(name)
}

fn rename(record: Record, _: &Person, dice: &mut Dice) -> Record {
    let (old, new) = (document(dice), document(dice));
    record
        .target(old.clone())
        .change("name", old.name, new.name)
}

fn role(record: Record, person: &Person, dice: &mut Dice) -> Record {
    let roles = ["viewer", "editor", "admin"];
    let target = Target::new("user", person.id).name(person.name);
    record
        .target(target)
        .change("role", dice.favour(&roles), dice.favour(&roles))
}
