//! What strangers leave: some records of their own, and then no more than elsewhere in the service.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{reads::Pen, windows::WINDOW};
use crate::record::Record;

/// How many clients and kinds of pages are remembered; beyond it the oldest are forgotten.
const MAX_REMEMBERED: usize = 1_000;

/// How many records there are in a minute, whoever was refused. Beyond it the layer's own record of the
/// request stands, which is folded like any other flood.
const PER_MINUTE: usize = 100;

const MINUTE: Duration = Duration::from_secs(60);

/// A client and a kind of page.
type Key = (String, &'static str);

/// Who was refused lately.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: HashMap<Key, Instant>,
    /// Oldest first; what was recorded again since is in it twice, and the later place counts.
    order: VecDeque<(Key, Instant)>,
    /// When the minute began, and the records since.
    minute: Option<(Instant, usize)>,
}

impl Refusals {
    /// Records that somebody was refused, once in a while for each client.
    pub(super) fn note(&self, pen: &Pen, page: &'static str) {
        let key = (network(&pen.client), page);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = seen.is_new(key, Instant::now());
        drop(seen);
        if is_new {
            let record = Record::new("audit.read").detail("page", page);
            pen.write(record.denied("the authoriser of the viewer said no"));
        }
    }
}

impl Seen {
    fn is_new(&mut self, key: Key, now: Instant) -> bool {
        let last = self.last.get(&key);
        if last.is_some_and(|last| now.duration_since(*last) < WINDOW) {
            return false;
        }
        let minute = self.minute.get_or_insert((now, 0));
        if now.duration_since(minute.0) >= MINUTE {
            *minute = (now, 0);
        }
        minute.1 += 1;
        if minute.1 > PER_MINUTE {
            if minute.1 == PER_MINUTE + 1 {
                tracing::warn!(target: "tower_audit", "the viewer refused many clients; what comes in this minute is recorded only as the layer around it does");
            }
            return false;
        }
        self.last.insert(key.clone(), now);
        self.order.push_back((key, now));
        while self.order.len() > MAX_REMEMBERED {
            let Some((oldest, at)) = self.order.pop_front() else {
                break;
            };
            if self.last.get(&oldest) == Some(&at) {
                self.last.remove(&oldest);
            }
        }
        true
    }
}

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, because one machine can
/// have all addresses of that.
fn network(client: &str) -> String {
    let address = client.parse().map(|address: IpAddr| address.to_canonical());
    match address {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        Ok(address) => address.to_string(),
        Err(_) => client.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// How many records so many clients leave.
    fn left(refusals: &Refusals, clients: impl Iterator<Item = String>) -> usize {
        let written = Arc::new(AtomicUsize::new(0));
        for client in clients {
            let count = Arc::clone(&written);
            let pen = Pen {
                client,
                write: Arc::new(move |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                }),
            };
            refusals.note(&pen, "table");
        }
        written.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_of_one_64_are_one_client() {
        let refusals = Refusals::default();
        let of = |network: u32| (0..20_000).map(move |n| format!("2001:db8:0:{network:x}::{n:x}"));
        assert_eq!(left(&refusals, of(1)), 1);
        assert_eq!(left(&refusals, of(2)), 1);
        let mapped = ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"].map(str::to_owned);
        assert_eq!(left(&refusals, mapped.into_iter()), 2);
        tokio::time::advance(WINDOW).await;
        assert_eq!(left(&refusals, of(1)), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_clients_leave_a_hundred_records_a_minute_and_are_not_all_remembered() {
        let refusals = Refusals::default();
        let of = |from: u32| (from..from + 20_000).map(|n| format!("2001:db8:{n:x}::1"));
        for minute in 0..12 {
            assert_eq!(left(&refusals, of(minute * 20_000)), PER_MINUTE, "{minute}");
            tokio::time::advance(MINUTE).await;
        }
        assert_eq!(refusals.seen.lock().unwrap().last.len(), MAX_REMEMBERED);
    }
}
