//! What an audit span is: the hand that writes a request's record, or a record of its own.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    capture::{AuditScope, scope::Said},
    clock::Timestamp,
    record::{Outcome, Record, Target},
};

use super::{Shared, fields::Facts, trail::Ready};

/// Kept in the extensions of a span of the target `audit`. Cloning it is cheap, so that no lock of
/// the registry is held while it is used.
#[derive(Debug, Clone)]
pub(super) struct AuditSpan {
    /// The request or job that the span was opened in; its descendants find it here.
    pub(super) scope: Option<AuditScope>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// It gave the scope its action, and writes into the scope's record.
    Naming(Arc<Mutex<Option<Target>>>),
    /// It is in a request that the policy skips.
    Skipped,
    /// It is a record of its own, written at its close.
    Own(Arc<Mutex<Draft>>),
}

#[derive(Debug)]
struct Draft {
    record: Record,
    /// The target that the span's fields made.
    target: Option<Target>,
    begun: Timestamp,
    returned: bool,
}

impl AuditSpan {
    /// A span that was opened with these facts, in this scope.
    pub(super) fn open(
        name: &'static str,
        mut facts: Facts,
        scope: Option<AuditScope>,
        shared: &Shared,
    ) -> Self {
        facts.action.get_or_insert_with(|| name.into());
        let mut facts = Some(facts);
        if let Some(kind) = scope
            .as_ref()
            .and_then(|scope| name_scope(&mut facts, scope))
        {
            return Self { scope, kind };
        }
        let begun = match &scope {
            Some(scope) => scope.recorder().now(),
            None => shared.door.now(),
        };
        let mut draft = Draft {
            record: Record::default(),
            target: None,
            begun,
            returned: false,
        };
        if let Some(facts) = facts {
            facts.apply(&mut draft.record, &mut draft.target);
        }
        let kind = Kind::Own(Arc::new(Mutex::new(draft)));
        Self { scope, kind }
    }

    /// Adds what was learned since.
    pub(super) fn add(&self, facts: Facts) {
        match &self.kind {
            Kind::Naming(target) => {
                let Some(scope) = &self.scope else { return };
                let mut target = target.lock().unwrap_or_else(PoisonError::into_inner);
                scope.amend(facts.said(), |record| facts.apply(record, &mut target));
            }
            Kind::Skipped => {}
            Kind::Own(draft) => {
                let mut draft = draft.lock().unwrap_or_else(PoisonError::into_inner);
                let draft = &mut *draft;
                facts.apply(&mut draft.record, &mut draft.target);
            }
        }
    }

    /// The annotated function returned. A request's own end says more than that.
    pub(super) fn returned(&self) {
        if let Kind::Own(draft) = &self.kind {
            draft
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .returned = true;
        }
    }

    /// The record to write at the close; the naming span has none.
    pub(super) fn close(&self, shared: &Shared) -> Option<Ready> {
        let Kind::Own(draft) = &self.kind else {
            return None;
        };
        let now = match &self.scope {
            Some(scope) => scope.recorder().now(),
            None => shared.door.now(),
        };
        let mut draft = draft.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = std::mem::take(&mut draft.record);
        // Trap C21: a close looks the same for done and dropped, so it says nothing.
        let seen = match (&record.error, draft.returned) {
            (Some(_), _) => Outcome::Error,
            (None, true) => Outcome::Success,
            (None, false) => Outcome::Unknown,
        };
        record.outcome.get_or_insert(seen);
        Some(Ready {
            record,
            begun: draft.begun,
            lasted: Some(now.since(draft.begun)),
        })
    }
}

/// Writes the facts into the scope's record if that has no action yet; else leaves them.
fn name_scope(facts: &mut Option<Facts>, scope: &AuditScope) -> Option<Kind> {
    if scope.is_finished() {
        return scope.is_skipped().then_some(Kind::Skipped);
    }
    let mut target = None;
    scope.amend(Said::What, |record| {
        // Of several at once, one is the first.
        if record.action.is_unknown()
            && let Some(facts) = facts.take()
        {
            facts.apply(record, &mut target);
        }
    });
    let named = facts.is_none();
    named.then(|| Kind::Naming(Arc::new(Mutex::new(target))))
}
