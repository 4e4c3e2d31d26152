//! Batches as a follower hands them over.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tower_audit::{
    Audit, Rejected,
    sink::{Batch, Limits, Sink, SinkFuture},
};

use super::{
    Fallible,
    facts::{Facts, SERVICE},
    place::Place,
};

/// A journal of so many records in `journal`, and what a follower makes of it.
pub(crate) fn batches(place: &Place, records: u64, limits: Limits) -> Fallible<Vec<Batch>> {
    let taken = Arc::default();
    let collect = Collect {
        batches: Arc::clone(&taken),
        limits,
    };
    let audit = Audit::builder(SERVICE)
        .dir(place.join("journal"))
        .sink("collect", collect)
        .start_blocking()?;
    fill(&audit, records)?;
    stop(&audit)?;
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *taken))
}

/// Fills a journal, as fast as it takes them.
pub(crate) fn fill(audit: &Audit, records: u64) -> Fallible<()> {
    for number in 0..records {
        while let Err(error) = audit.record(Facts::new(number).record()) {
            match error {
                Rejected::Full => thread::sleep(Duration::from_micros(200)),
                other => return Err(other.into()),
            }
        }
    }
    Ok(())
}

/// Closes a trail once all of it is delivered.
pub(crate) fn stop(audit: &Audit) -> Fallible<()> {
    let report = audit.shutdown_blocking(Duration::from_secs(300));
    if report.in_order {
        Ok(())
    } else {
        Err(format!("not closed in order: {report}").into())
    }
}

/// Keeps every batch.
struct Collect {
    batches: Arc<Mutex<Vec<Batch>>>,
    limits: Limits,
}

impl Sink for Collect {
    fn kind(&self) -> &'static str {
        "collect"
    }

    fn address(&self) -> String {
        "memory".into()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.push(batch.clone());
        Box::pin(async { Ok(()) })
    }
}
