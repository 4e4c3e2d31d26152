//! Which routes there are: told at the start, or seen by the layer.
//!
//! The layer asks with every request, so what is known already costs a hash and a look into a table
//! that is shared and only read. The rest is behind a lock and bounded: methods come from clients,
//! and under gRPC so do routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Routes that are kept, and those of them that are kept for one template.
pub(super) const MAX_ROUTES: usize = 4096;
/// Methods of one template, beside the standard ones: clients make them up, and must not take the
/// place of what comes later.
const MAX_METHODS: usize = 16;
/// Actions that are kept for one route.
const MAX_ACTIONS: usize = 8;
/// Bytes of a method, template or action that is kept.
const MAX_BYTES: usize = 512;
/// Slots of the table, a power of two; at most half are taken.
const SLOTS: u64 = 16 * 1024;
/// Slots that are looked at for one hash.
const PROBES: u64 = 16;

/// The routes of one trail.
pub(crate) struct Seen {
    /// Hashes of what is known; 0 is an empty slot. Written under the lock only.
    known: Box<[AtomicU64]>,
    routes: Mutex<Routes>,
    /// How often something was not kept, because there was too much.
    beyond: AtomicU64,
}

/// Template → method → what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    pub(super) by_template: BTreeMap<String, BTreeMap<String, Route>>,
    count: usize,
    /// Slots that are taken.
    taken: u64,
}

/// What is known of a method of a template.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    /// Whether a request was seen, not only told of.
    pub(super) is_seen: bool,
    /// What the handler, or a hook of the layer, called it.
    pub(super) actions: BTreeSet<String>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            known: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            routes: Mutex::default(),
            beyond: AtomicU64::new(0),
        }
    }
}

impl Seen {
    /// Adds a route that the service has, whether or not a request comes.
    pub(crate) fn tell(&self, method: &str, template: &str) {
        self.routes(|routes| {
            routes.entry(method, template, usize::MAX);
        });
    }

    /// Notes the route of a request. Cheap once it is known.
    pub(crate) fn note(&self, method: &str, template: &str) {
        let hash = hash(&[method, template]);
        if !self.knows(hash) {
            self.add(hash, method, template, |route| {
                route.is_seen = true;
                true
            });
        }
    }

    /// Whether it was told of, or shown by an answer.
    pub(crate) fn is_known(&self, method: &str, template: &str) -> bool {
        self.knows(hash(&[method, template]))
            || self.routes(|routes| {
                let methods = routes.by_template.get(template);
                methods.is_some_and(|methods| methods.contains_key(method))
            })
    }

    /// Notes what the handler of a route called its action. Cheap once it is known.
    pub(crate) fn named(&self, method: &str, template: &str, action: &str) {
        let hash = hash(&[method, template, action]);
        if !self.knows(hash) {
            self.add(hash, method, template, |route| {
                let fits = route.actions.len() < MAX_ACTIONS && action.len() <= MAX_BYTES;
                if fits {
                    route.actions.insert(action.to_owned());
                }
                fits || route.actions.contains(action)
            });
        }
    }

    /// What is known, and how often something was not kept.
    pub(super) fn list(&self) -> (Routes, u64) {
        let routes = self.routes(|routes| routes.clone());
        (routes, self.beyond.load(Ordering::Relaxed))
    }

    fn routes<T>(&self, work: impl FnOnce(&mut Routes) -> T) -> T {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut routes)
    }

    fn knows(&self, hash: u64) -> bool {
        for slot in self.slots(hash) {
            match slot.load(Ordering::Relaxed) {
                0 => return false,
                known if known == hash => return true,
                _ => {}
            }
        }
        false
    }

    fn slots(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        (0..PROBES).filter_map(move |step| {
            let index = hash.wrapping_add(step) % SLOTS;
            self.known.get(usize::try_from(index).ok()?)
        })
    }

    #[cold]
    fn add(&self, hash: u64, method: &str, template: &str, mark: impl FnOnce(&mut Route) -> bool) {
        let is_kept = self.routes(|routes| {
            // Another thread may have been faster.
            if self.knows(hash) {
                return true;
            }
            let free = || self.slots(hash).find(|it| it.load(Ordering::Relaxed) == 0);
            let is_kept = routes.entry(method, template, MAX_ROUTES).is_some_and(mark);
            let slot = free().filter(|_| is_kept && routes.taken < SLOTS / 2);
            if let Some(slot) = slot {
                slot.store(hash, Ordering::Relaxed);
                routes.taken = routes.taken.saturating_add(1);
            }
            is_kept
        });
        if !is_kept {
            self.beyond.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Routes {
    /// The entry of a route, made if there is room.
    fn entry(&mut self, method: &str, template: &str, limit: usize) -> Option<&mut Route> {
        let fits = method.len() <= MAX_BYTES && template.len() <= MAX_BYTES;
        let methods = self.by_template.get(template);
        let is_known = methods.is_some_and(|methods| methods.contains_key(method));
        if !is_known {
            let is_full = methods.is_some_and(|methods| {
                let made_up = methods.keys().filter(|method| !is_standard(method));
                made_up.count() >= MAX_METHODS
            });
            let is_full = is_full && !is_standard(method);
            if !fits || is_full || self.count >= limit {
                return None;
            }
            self.count = self.count.saturating_add(1);
        }
        let methods = self.by_template.entry(template.to_owned()).or_default();
        Some(methods.entry(method.to_owned()).or_default())
    }
}

/// The methods of RFC 9110, section 9, and RFC 5789.
fn is_standard(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH"
    )
}

/// Not 0. It need not resist anybody: two routes with one hash cost a line of the inventory.
fn hash(parts: &[&str]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = 0u64;
    let mut mix = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    for part in parts {
        let (words, rest) = part.as_bytes().as_chunks::<8>();
        for word in words {
            mix(u64::from_le_bytes(*word));
        }
        let rest = rest
            .iter()
            .fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        mix(rest);
        // Parts of other lengths are other parts.
        mix(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
    (hash ^ (hash >> 32)).max(1)
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("routes", &self.routes(|routes| routes.count))
            .field("beyond", &self.beyond)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_kept_once_and_known_afterwards() {
        let seen = Seen::default();
        assert!(!seen.knows(hash(&["GET", "/a"])));
        for _ in 0..3 {
            seen.note("GET", "/a");
            seen.named("GET", "/a", "a.read");
        }
        assert!(seen.knows(hash(&["GET", "/a"])));
        let (routes, beyond) = seen.list();
        assert_eq!((routes.count, routes.taken, beyond), (1, 2, 0));
        let route = &routes.by_template["/a"]["GET"];
        assert!(
            route.is_seen && route.actions.contains("a.read"),
            "{route:?}"
        );
    }

    #[test]
    fn a_route_that_was_told_is_not_seen_before_a_request() {
        let seen = Seen::default();
        seen.tell("GET", "/a");
        assert!(!seen.list().0.by_template["/a"]["GET"].is_seen);
        seen.note("GET", "/a");
        assert!(seen.list().0.by_template["/a"]["GET"].is_seen);
    }

    #[test]
    fn what_clients_make_up_is_bounded_and_counted() {
        let seen = Seen::default();
        for number in 0..100 {
            seen.note(&format!("M{number}"), "/a");
        }
        for number in 0..10_000 {
            seen.note("POST", &format!("/made.Up/{number}"));
        }
        seen.note("GET", &"x".repeat(MAX_BYTES + 1));
        let (routes, beyond) = seen.list();
        assert_eq!(routes.by_template["/a"].len(), MAX_METHODS);
        assert_eq!(routes.count, MAX_ROUTES);
        let kept = u64::try_from(MAX_ROUTES).unwrap();
        assert_eq!(beyond, 100 + 10_000 + 1 - kept);
        seen.tell("GET", "/own");
        assert!(
            seen.list().0.by_template.contains_key("/own"),
            "what is told is always kept"
        );
    }

    #[test]
    fn methods_that_clients_make_up_take_no_place_of_a_standard_one() {
        let seen = Seen::default();
        for number in 0..100 {
            seen.note(&format!("M{number}"), "/a");
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            seen.note(method, "/a");
        }
        let methods = &seen.list().0.by_template["/a"];
        assert!(methods.contains_key("DELETE"), "{methods:?}");
        assert_eq!(methods.len(), MAX_METHODS + 5);
    }

    #[test]
    fn the_actions_of_a_route_are_bounded() {
        let seen = Seen::default();
        for number in 0..100 {
            seen.named("POST", "/a", &format!("a.{number}"));
        }
        let (routes, beyond) = seen.list();
        assert_eq!(routes.by_template["/a"]["POST"].actions.len(), MAX_ACTIONS);
        assert_eq!(beyond, 100 - 8);
    }

    #[test]
    fn parts_are_told_apart() {
        let hashes = [
            hash(&["GET", "/a"]),
            hash(&["GET/", "a"]),
            hash(&["GET/a", ""]),
            hash(&["", "GET/a"]),
            hash(&["/a", "GET"]),
            hash(&["GET", "/a", ""]),
            hash(&["GET", "/b"]),
            hash(&["GET", "/documents/{id}"]),
            hash(&["GET", "/documents/{ic}"]),
        ];
        let different: BTreeSet<_> = hashes.into_iter().collect();
        assert_eq!(different.len(), hashes.len());
    }
}
