//! How what is done ends.

use tower_audit::{Actor, Record, record::Fault};

use super::{dice::Dice, people::Person};

/// The record with its outcome, and the status of the answer. Most goes well.
pub(super) fn ended(
    record: Record,
    person: &Person,
    status: u16,
    dice: &mut Dice,
) -> (Record, u16) {
    match record.action.as_str() {
        "user.login" if dice.happens(14) => {
            let stranger = Actor::anonymous().claimed(person.name);
            (record.actor(stranger).denied("wrong user or password"), 401)
        }
        "user.change_role" if dice.happens(30) => (record.denied("not the administrator"), 403),
        "document.delete" | "document.update" if dice.happens(5) => {
            (record.failure("no such document"), 404)
        }
        "report.build" if dice.happens(12) => (
            record.error(Fault::new("the database did not answer").kind("timeout")),
            500,
        ),
        _ => (record.success(), status),
    }
}
