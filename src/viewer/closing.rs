//! The end of a viewer: its streams end, and no new one begins.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering},
};

/// What is open, and has something to write when the viewer ends.
pub(super) trait AtEnd: Send + Sync {
    /// Ends it. It may be called twice.
    fn end(&self);
}

/// Tells everybody that it is over; every clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Closing(Arc<Inner>);

#[derive(Default)]
struct Inner {
    told: AtomicBool,
    open: Mutex<Vec<Weak<dyn AtEnd>>>,
}

impl Closing {
    /// Ends what is open, here and now: a trail that shuts down takes no record a moment later.
    pub(crate) fn close(&self) {
        self.0.told.store(true, Ordering::SeqCst);
        let open = std::mem::take(&mut *self.open());
        // The newest first: what streams tells the reads what it showed, and they are the oldest.
        for one in open.iter().rev().filter_map(Weak::upgrade) {
            one.end();
        }
    }

    /// Whether anybody else still listens to it.
    pub(crate) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.told.load(Ordering::SeqCst)
    }

    /// Ends this when it is over, or now if it is.
    pub(super) fn at_end(&self, one: &Arc<impl AtEnd + 'static>) {
        let weak = Arc::downgrade(one);
        let mut open = self.open();
        open.retain(|one| one.strong_count() > 0);
        open.push(weak);
        drop(open);
        // Closed before it was there, or between: once more does no harm.
        if self.is_closed() {
            one.end();
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn AtEnd>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Closing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}
