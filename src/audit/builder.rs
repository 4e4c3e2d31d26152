//! The configuration of a trail.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    clock::{Clock, IdSource, SystemClock, SystemIds},
    delivery::{Options, SinkName, StartAt},
    disk::{SharedDisk, StdDisk},
    journal::{Keep, Settings},
    keyed::HashKey,
    policy::Policy,
    record::{Catalogue, Service},
    sink::Sink,
};

use super::{
    Audit,
    config::Given,
    keeper::Rhythm,
    listening::Listening,
    outbox, retention,
    shutdown::LONGEST,
    start::{StartError, off_the_runtime, start},
};

/// Configures a trail; ends with [`start`](Self::start).
///
/// | setting | default |
/// |---|---|
/// | [`dir`](Self::dir) | `./audit` |
/// | [`commit_timeout`](Self::commit_timeout) | 5 s |
/// | [`buffered_delay`](Self::buffered_delay) | 5 ms |
/// | [`queue_limit`](Self::queue_limit) | 16 MiB |
/// | [`memory_limit`](Self::memory_limit) | 64 MiB |
/// | [`segment_bytes`](Self::segment_bytes) | 32 MiB |
/// | [`reserve_bytes`](Self::reserve_bytes) | 4 MiB |
/// | [`keep_delivered`](Self::keep_delivered) | 7 days, 1 GiB |
/// | [`keep_undelivered`](Self::keep_undelivered) | 10 GiB, and half the volume at most |
/// | [`adopt_every`](Self::adopt_every) | 30 s |
/// | [`on_damage`](Self::on_damage) | [`OnDamage::NewTrail`] |
/// | [`policy`](Self::policy) | [`Policy::default`] |
/// | [`catalogue`](Self::catalogue) | empty |
/// | [`routes`](Self::routes) | none |
/// | `outbox` (feature `sqlite`) | none |
/// | `retention` (with a database) | everything is kept |
/// | [`hash_key`](Self::hash_key) | from `AUDIT_SESSION_KEY` |
/// | `tracing` (feature `tracing`) | not listened to |
/// | [`environment`](Self::environment), [`config_file`](Self::config_file) | not read |
#[must_use = "nothing runs until start() is called"]
#[derive(Debug)]
pub struct AuditBuilder {
    pub(super) service: Service,
    pub(super) dir: PathBuf,
    pub(super) sinks: Vec<SinkToAdd>,
    pub(super) settings: Settings,
    pub(super) keep: Keep,
    pub(super) rhythm: Rhythm,
    pub(super) on_damage: OnDamage,
    pub(super) policy: Policy,
    pub(super) catalogue: Catalogue,
    pub(super) routes: Vec<(String, String)>,
    pub(super) hash_key: Option<HashKey>,
    pub(super) listening: Listening,
    pub(super) outbox: outbox::Given,
    pub(super) retention: retention::Given,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) disk: SharedDisk,
    pub(super) given: Given,
}

/// What a start does with a trail whose sealed data was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDamage {
    /// Leaves it as it is, begins another trail whose first record says so, and is `Degraded`.
    #[default]
    NewTrail,
    /// Does not start.
    Refuse,
}

/// How one sink is served.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct SinkOptions {
    pub(super) options: Options,
}

/// A sink and how it is served.
pub(super) struct SinkToAdd {
    pub(super) name: String,
    pub(super) sink: Box<dyn Sink>,
    pub(super) options: Options,
}

impl std::fmt::Debug for SinkToAdd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkToAdd")
            .field("name", &self.name)
            .field("address", &self.sink.address())
            .finish_non_exhaustive()
    }
}

impl SinkOptions {
    /// The defaults: from the oldest record that is kept, 30 seconds for an answer, 64 MiB of dead
    /// letters.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sink that was never served begins with the next record, not with the oldest that is kept.
    pub const fn from_now(mut self) -> Self {
        self.options.start_at = StartAt::Now;
        self
    }

    /// How long the sink may take for one answer. Default: 30 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.options.call_timeout = at_most(timeout);
        self
    }

    /// How many bytes of refused records are kept for one trail; past it delivery is blocked.
    /// Default: 64 MiB.
    pub const fn dead_letter_bytes(mut self, bytes: u64) -> Self {
        self.options.dead_letter_bytes = bytes;
        self
    }
}

/// A year stands for ever: times are added to each other.
fn at_most(time: Duration) -> Duration {
    time.min(LONGEST)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const GIB: u64 = 1024 * 1024 * 1024;

impl AuditBuilder {
    pub(super) fn new(service: String) -> Self {
        Self {
            service: Service::new(service),
            dir: PathBuf::from("audit"),
            sinks: Vec::new(),
            settings: Settings::default(),
            keep: Keep {
                delivered_age: 7 * DAY,
                delivered_bytes: GIB,
                undelivered_bytes: 10 * GIB,
            },
            rhythm: Rhythm {
                adopt: Duration::from_secs(30),
                tidy: Duration::from_secs(60),
                verify: DAY,
            },
            on_damage: OnDamage::default(),
            policy: Policy::default(),
            catalogue: Catalogue::default(),
            routes: Vec::new(),
            hash_key: None,
            listening: Listening::default(),
            outbox: outbox::Given::default(),
            retention: retention::Given::default(),
            clock: Arc::new(SystemClock::new()),
            ids: Arc::new(SystemIds::new()),
            disk: Arc::new(StdDisk),
            given: Given::default(),
        }
    }

    /// Sets the service's version (`service.version`). Default: absent.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.service = self.service.version(version.into());
        self
    }

    /// Sets the name of this instance (`service.instance.id`). Default: absent.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.service = self.service.instance(instance.into());
        self
    }

    /// Sets the base directory. Default: `audit` below the working directory.
    ///
    /// Several processes may share it: each keeps a trail of its own below. It must be on a local
    /// file system that keeps what it acknowledged.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// Adds a destination. The name is 1 to 64 of `A-Z a-z 0-9 . _ -`; it names the sink's cursor,
    /// so keep it as long as the destination is the same.
    pub fn sink(self, name: impl Into<String>, sink: impl Sink) -> Self {
        self.sink_with(name, Box::new(sink), SinkOptions::new())
    }

    /// Adds a destination that is served in its own way, or that comes boxed, as from a URL.
    pub fn sink_with(
        mut self,
        name: impl Into<String>,
        sink: Box<dyn Sink>,
        options: SinkOptions,
    ) -> Self {
        self.sinks.push(SinkToAdd {
            name: name.into(),
            sink,
            options: options.options,
        });
        self
    }

    /// How long anybody waits for a sync before the trail counts as failing. Default: 5 s.
    pub fn commit_timeout(mut self, timeout: Duration) -> Self {
        self.settings.commit_timeout = at_most(timeout);
        self
    }

    /// How long a buffered record waits for company before its group is written. Default: 5 ms.
    pub fn buffered_delay(mut self, delay: Duration) -> Self {
        self.settings.buffered_delay = at_most(delay);
        self
    }

    /// Bytes that may wait for the disk before new records are refused. Default: 16 MiB.
    pub const fn queue_limit(mut self, bytes: usize) -> Self {
        self.settings.queue_limit = bytes;
        self
    }

    /// Bytes that may wait before even the records of admitted work are lost and counted; at least
    /// the queue limit. Default: 64 MiB.
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.settings.memory_limit = bytes;
        self
    }

    /// Bytes after which a new segment begins; a start reads at most one. Default: 32 MiB.
    pub const fn segment_bytes(mut self, bytes: u64) -> Self {
        self.settings.segment_bytes = bytes;
        self
    }

    /// Bytes of disk kept for the day the volume is full, so that the outage can be written.
    /// Default: 4 MiB; 0 keeps none.
    pub const fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.settings.reserve_bytes = bytes;
        self
    }

    /// How long, and up to how many bytes, segments stay that every sink has. Default: 7 days, 1 GiB.
    ///
    /// Without a sink nothing counts as delivered: see [`keep_undelivered`](Self::keep_undelivered).
    pub const fn keep_delivered(mut self, age: Duration, bytes: u64) -> Self {
        self.keep.delivered_age = age;
        self.keep.delivered_bytes = bytes;
        self
    }

    /// Bytes of segments that some sink still lacks; past it the sink furthest behind misses the
    /// oldest. Default: 10 GiB. Never more than half the volume.
    ///
    /// Without a sink the journal is the only copy, and this is what it may hold.
    pub const fn keep_undelivered(mut self, bytes: u64) -> Self {
        self.keep.undelivered_bytes = bytes;
        self
    }

    /// How often the base directory is searched for trails of dead processes. Default: 30 s.
    pub fn adopt_every(mut self, interval: Duration) -> Self {
        self.rhythm.adopt = at_most(interval);
        self
    }

    /// How often old segments are removed and room is checked. Default: 60 s.
    pub fn tidy_every(mut self, interval: Duration) -> Self {
        self.rhythm.tidy = at_most(interval);
        self
    }

    /// How often the trail verifies itself and records the result. Default: 24 hours.
    pub fn verify_every(mut self, interval: Duration) -> Self {
        self.rhythm.verify = at_most(interval);
        self
    }

    /// What to do when sealed data was changed. Default: [`OnDamage::NewTrail`].
    pub const fn on_damage(mut self, on_damage: OnDamage) -> Self {
        self.on_damage = on_damage;
        self
    }

    /// What is recorded, how surely, and what is masked. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The actions that the service knows, and the routes that stand for them. Default: none.
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = catalogue;
        self
    }

    /// Tells the routes of the service, as method and template, for the
    /// [inventory](Audit::inventory): no request need come first. Adds to those told before.
    /// Default: none.
    pub fn routes<M: Into<String>, T: Into<String>>(
        mut self,
        routes: impl IntoIterator<Item = (M, T)>,
    ) -> Self {
        let routes = routes.into_iter();
        self.routes
            .extend(routes.map(|(method, template)| (method.into(), template.into())));
        self
    }

    /// The key of all keyed hashes: sessions, addresses, masked values. Default: from
    /// `AUDIT_SESSION_KEY` or `AUDIT_SESSION_KEY_FILE`; without either one is made up, with a
    /// warning: what it hashes cannot be searched for after a restart.
    pub fn hash_key(mut self, key: HashKey) -> Self {
        self.hash_key = Some(key);
        self
    }

    /// Takes the time from elsewhere. Default: the system's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes record ids from elsewhere. Default: random UUIDv7.
    pub fn ids(mut self, ids: impl IdSource) -> Self {
        self.ids = Arc::new(ids);
        self
    }

    /// Keeps the trail elsewhere than in the machine's file system: in a test's memory.
    pub fn disk(mut self, disk: impl crate::disk::Disk) -> Self {
        self.disk = Arc::new(disk);
        self
    }

    /// Opens or continues a trail and starts to deliver it.
    ///
    /// # Errors
    ///
    /// [`StartError`], for mistakes in the configuration only. A sink that is down does not keep a
    /// service from starting; health tells of it.
    pub async fn start(mut self) -> Result<Audit, StartError> {
        self.listening.test();
        off_the_runtime(move || start(self)).await
    }

    /// As [`start`](Self::start), for a thread that may block.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_blocking(mut self) -> Result<Audit, StartError> {
        self.listening.test();
        start(self)
    }

    pub(super) fn names(&self) -> Result<Vec<SinkName>, StartError> {
        let mut names = Vec::with_capacity(self.sinks.len());
        for sink in &self.sinks {
            let name = SinkName::parse(&sink.name).map_err(|error| StartError::Config {
                setting: "sink",
                reason: error.to_string(),
            })?;
            if names.contains(&name) {
                let reason = format!(
                    "two sinks are named {name}; the name also names the cursor, so it must be unique"
                );
                return Err(StartError::Config {
                    setting: "sink",
                    reason,
                });
            }
            names.push(name);
        }
        Ok(names)
    }
}
