//! What reading leaves: a record for each reader and filter, not one for each click, and the number of
//! what was shown in all.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};

use super::{
    access::Reader,
    closing::AtEnd,
    reads::{Pen, Read},
};
use crate::record::Record;

/// How long what the same reader is shown with the same filter is counted together.
pub(super) const WINDOW: Duration = Duration::from_secs(5 * 60);

/// How many readers and filters are remembered; beyond it the oldest are recorded again.
const MAX_REMEMBERED: usize = 10_000;

/// How many numbers wait for the end of their window, each with the head of a request; beyond it the
/// oldest windows end early.
const MAX_SUMS: usize = 1_000;

/// What was recorded lately.
#[derive(Default)]
pub(super) struct Reads {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    windows: HashMap<[u8; 32], Window>,
    /// Their keys, oldest first.
    order: VecDeque<[u8; 32]>,
    /// Windows with a number that is still to be written.
    sums: usize,
    /// Somebody waits for the end of the oldest.
    is_timed: bool,
    is_closed: bool,
}

struct Window {
    begun: Instant,
    /// Records that were shown.
    shown: usize,
    /// What came after its first record.
    further: Option<Box<Further>>,
}

struct Further {
    pen: Pen,
    reader: Reader,
    read: Read,
}

/// Records, and who writes them: never under the lock, because a host's closure does.
type Told = Vec<(Pen, Record)>;

impl Window {
    /// The number of all that was shown, if its first record does not say it.
    fn end(&mut self, told: &mut Told) -> bool {
        let Some(further) = self.further.take() else {
            return false;
        };
        let read = Read {
            records: Some(self.shown),
            ..further.read
        };
        let record = read.record(&further.reader).detail("sum", true);
        told.push((further.pen, record));
        true
    }
}

impl Reads {
    /// Records what was read; what the same reader did with the same filter lately is counted, and
    /// written when its window ends.
    pub(super) fn note(self: &Arc<Self>, pen: &Pen, reader: &Reader, read: &Read) {
        let mut told = Told::new();
        let mut seen = self.seen();
        seen.note(pen, reader, read, &mut told);
        let is_to_be_timed = seen.sums > 0 && !seen.is_timed;
        // Elsewhere they are written with the next read, or at the end.
        if is_to_be_timed && let Ok(runtime) = Handle::try_current() {
            seen.is_timed = true;
            runtime.spawn(time(Arc::downgrade(self)));
        }
        drop(seen);
        write(told);
    }

    /// Writes what is due. When the next may be, if there is one.
    fn due(&self) -> Option<Instant> {
        let mut told = Told::new();
        let mut seen = self.seen();
        seen.expire(Instant::now(), &mut told);
        seen.is_timed = seen.sums > 0;
        let oldest = seen.order.front().and_then(|key| seen.windows.get(key));
        let next = oldest.map(|window| window.begun + WINDOW);
        let next = next.filter(|_| seen.is_timed);
        drop(seen);
        write(told);
        next
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AtEnd for Reads {
    /// Writes all numbers; from now on each read is recorded by itself.
    fn end(&self) {
        let mut told = Told::new();
        let mut seen = self.seen();
        seen.is_closed = true;
        for window in seen.windows.values_mut() {
            window.end(&mut told);
        }
        seen.sums = 0;
        drop(seen);
        write(told);
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        self.end();
    }
}

fn write(told: Told) {
    for (pen, record) in told {
        pen.write(record);
    }
}

/// Writes the numbers of windows as they end, as long as there are some.
async fn time(reads: Weak<Reads>) {
    while let Some(next) = reads.upgrade().and_then(|reads| reads.due()) {
        sleep_until(next).await;
    }
}

impl Seen {
    fn note(&mut self, pen: &Pen, reader: &Reader, read: &Read, told: &mut Told) {
        let now = Instant::now();
        self.expire(now, told);
        let key = read.key(reader);
        let shown = read.records.unwrap_or_default();
        let Some(window) = self.windows.get_mut(&key) else {
            told.push((pen.clone(), read.record(reader)));
            let window = Window {
                begun: now,
                shown,
                further: None,
            };
            self.windows.insert(key, window);
            self.order.push_back(key);
            self.bound(told);
            return;
        };
        if shown == 0 {
            return;
        }
        if self.is_closed {
            told.push((pen.clone(), read.record(reader)));
            return;
        }
        window.shown = window.shown.saturating_add(shown);
        if window.further.is_none() {
            self.sums += 1;
            window.further = Some(Box::new(Further {
                pen: pen.clone(),
                reader: reader.clone(),
                read: read.clone(),
            }));
        }
        self.bound(told);
    }

    /// Ends the windows that are over.
    fn expire(&mut self, now: Instant, told: &mut Told) {
        while let Some(window) = self.order.front().and_then(|key| self.windows.get(key))
            && now.duration_since(window.begun) >= WINDOW
        {
            self.end_oldest(told);
        }
    }

    fn bound(&mut self, told: &mut Told) {
        while self.order.len() > MAX_REMEMBERED || self.sums > MAX_SUMS {
            self.end_oldest(told);
        }
    }

    fn end_oldest(&mut self, told: &mut Told) {
        let oldest = self.order.pop_front();
        let window = oldest.and_then(|key| self.windows.remove(&key));
        if window.is_some_and(|mut window| window.end(told)) {
            self.sums -= 1;
        }
    }
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Actor, store::Reach};

    fn pen() -> (Pen, Arc<Mutex<Vec<Record>>>) {
        let written = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&written);
        let write = move |record| kept.lock().unwrap().push(record);
        let pen = Pen {
            client: String::new(),
            write: Arc::new(write),
        };
        (pen, written)
    }

    fn user(id: &str) -> Reader {
        Reader {
            actor: Actor::user(id),
            reach: Reach::default(),
        }
    }

    fn read(filter: &[(&str, &str)], record: Option<&str>) -> Read {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Read {
            filter: filter.iter().map(own).collect(),
            record: record.map(str::to_owned),
            ..Read::of("table")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_and_a_filter_are_recorded_once_in_five_minutes() {
        let (pen, written) = pen();
        let (reads, alice, bob) = (Arc::<Reads>::default(), user("a"), user("b"));
        let filter = read(&[("actor", "7"), ("q", "x")], None);
        let turned = read(&[("q", "x"), ("actor", "7")], None);
        for (reader, read) in [(&alice, &filter), (&alice, &turned), (&bob, &filter)] {
            reads.note(&pen, reader, read);
        }
        assert_eq!(written.lock().unwrap().len(), 2);
        for other in [
            read(&[("actor", "7x"), ("q", "")], None),
            read(&[], Some("actor")),
            read(&[], None),
        ] {
            reads.note(&pen, &alice, &other);
        }
        assert_eq!(written.lock().unwrap().len(), 5);
        tokio::time::advance(WINDOW).await;
        reads.note(&pen, &alice, &filter);
        assert_eq!(written.lock().unwrap().len(), 6);
    }

    fn numbers(written: &Mutex<Vec<Record>>) -> Vec<(u64, bool)> {
        let written = std::mem::take(&mut *written.lock().unwrap());
        let number = |record: &Record| {
            let is_sum = record.details.contains_key("sum");
            (record.details["records"].as_u64().unwrap(), is_sum)
        };
        written.iter().map(number).collect()
    }

    fn shown(filter: &str, records: usize) -> Read {
        Read {
            records: Some(records),
            ..read(&[("q", filter)], None)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_shown_in_all_is_written_when_the_window_ends() {
        let (pen, written) = pen();
        let (reads, alice) = (Arc::<Reads>::default(), user("a"));
        for (filter, records) in [("x", 200), ("x", 200), ("y", 5), ("x", 0), ("x", 17)] {
            reads.note(&pen, &alice, &shown(filter, records));
        }
        assert_eq!(numbers(&written), [(200, false), (5, false)]);
        // Whoever waits for the end has begun to wait, and then has its turn.
        tokio::task::yield_now().await;
        tokio::time::advance(WINDOW).await;
        tokio::task::yield_now().await;
        assert_eq!(numbers(&written), [(417, true)]);
        reads.note(&pen, &alice, &shown("x", 3));
        assert_eq!(numbers(&written), [(3, false)]);
        reads.note(&pen, &alice, &shown("x", 4));
        reads.end();
        assert_eq!(numbers(&written), [(7, true)]);
        // The end is over, and what is read all the same is not lost.
        reads.note(&pen, &alice, &shown("x", 2));
        drop(reads);
        assert_eq!(numbers(&written), [(2, false)]);
    }

    #[test]
    fn numbers_that_wait_are_bounded_and_none_is_lost() {
        let (pen, written) = pen();
        let (reads, alice) = (Arc::<Reads>::default(), user("a"));
        for n in 0..=MAX_SUMS {
            for records in [1, 2] {
                reads.note(&pen, &alice, &shown(&n.to_string(), records));
            }
        }
        assert_eq!(reads.seen().sums, MAX_SUMS);
        assert_eq!(written.lock().unwrap().len(), MAX_SUMS + 2);
        drop(reads);
        let sums = numbers(&written).into_iter().filter(|(_, is_sum)| *is_sum);
        assert!(sums.clone().all(|sum| sum == (3, true)));
        assert_eq!(sums.count(), MAX_SUMS + 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_flood_of_filters_is_recorded() {
        let (pen, written) = pen();
        let (reads, alice) = (Arc::<Reads>::default(), user("a"));
        for n in 0..=MAX_REMEMBERED {
            reads.note(&pen, &alice, &read(&[("q", &n.to_string())], None));
        }
        assert_eq!(reads.seen().windows.len(), MAX_REMEMBERED);
        // The first was forgotten; the last was not.
        for (n, expected) in [(MAX_REMEMBERED, 0), (0, 1)] {
            let before = written.lock().unwrap().len();
            reads.note(&pen, &alice, &read(&[("q", &n.to_string())], None));
            assert_eq!(written.lock().unwrap().len(), before + expected);
        }
    }

    #[test]
    fn numbers_that_were_asked_for_first_do_not_hide_the_reading() {
        let (pen, written) = pen();
        let (reads, alice) = (Arc::<Reads>::default(), user("a"));
        let range = || vec![("range".to_owned(), "all".to_owned())];
        for page in [
            "api/facets",
            "api/count",
            "table",
            "live",
            "record",
            "destinations",
        ] {
            let read = Read {
                filter: range(),
                ..Read::of(page)
            };
            reads.note(&pen, &alice, &read);
        }
        let written = written.lock().unwrap();
        let pages: Vec<_> = written
            .iter()
            .map(|record| &record.details["page"])
            .collect();
        assert_eq!(pages, ["api/facets", "table", "record", "destinations"]);
    }

    #[test]
    fn a_closure_that_panics_does_not_end_the_answer() {
        let pen = Pen {
            client: String::new(),
            write: Arc::new(|_| panic!("the host's closure")),
        };
        Arc::<Reads>::default().note(&pen, &user("a"), &read(&[], None));
    }
}
