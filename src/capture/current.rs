//! The scope that the running code belongs to.

use std::cell::RefCell;

use super::AuditScope;

thread_local! {
    static CURRENT: RefCell<Option<AuditScope>> = const { RefCell::new(None) };
}

/// Restores what was current before, also when the thread unwinds.
#[derive(Debug)]
pub(super) struct Entered {
    before: Option<AuditScope>,
}

/// Makes a scope current on this thread until the guard is dropped.
pub(super) fn enter(scope: &AuditScope) -> Entered {
    let before = CURRENT.with(|current| current.replace(Some(scope.clone())));
    Entered { before }
}

/// As [`enter`], unless a scope is current already.
pub(super) fn enter_if_none(scope: &AuditScope) -> Option<Entered> {
    let free = CURRENT.with(|current| current.borrow().is_none());
    free.then(|| enter(scope))
}

pub(super) fn current() -> Option<AuditScope> {
    // Gone while the thread's own data is torn down.
    CURRENT
        .try_with(|current| current.try_borrow().ok()?.clone())
        .ok()
        .flatten()
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        let ours = CURRENT.try_with(|current| current.replace(before));
        drop(ours);
    }
}
