//! From a configuration to a running trail.

use std::{error::Error, path::PathBuf, sync::Arc, time::Instant};

use uuid::Uuid;

use crate::{
    capture::{Recorder, Rules},
    delivery::{JournalSource, SinkName, Supervisor, Surroundings},
    disk::VolumeKind,
    journal::{Base, Journal, Left, Opened},
};

use super::{
    Audit, Handle, OnDamage, Parts,
    about::{self, Facts},
    builder::{AuditBuilder, SinkToAdd},
    config,
    keeper::{Duties, Keeper, Shared},
    key,
};

/// Why a trail did not start. Each is a mistake in the configuration or the directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting has a value that cannot be meant.
    #[error("audit setting `{setting}`: {reason}")]
    Config {
        /// The builder's method, or the variable.
        setting: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The base directory cannot be used.
    #[error("the audit directory {} cannot be used; it must be a writable directory on a local file system", dir.display())]
    Dir {
        /// The base directory.
        dir: PathBuf,
        /// What failed, on which file.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A trail was changed after it was written, or written by a newer version, and [`OnDamage::Refuse`] was asked for.
    #[error("an audit trail cannot be continued; run `tower-audit verify {}`, then upgrade if it is newer, move it away, or start with OnDamage::NewTrail", dir.display())]
    Damaged {
        /// The trail's directory.
        dir: PathBuf,
        /// The file and the offset.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The system gave no thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// Runs blocking work where it disturbs no other task; on the spot when there is no runtime.
pub(super) async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return work();
    };
    match runtime.spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down cancels blocking work, and then nobody polls us.
            Err(_) => std::future::pending().await,
        },
    }
}

pub(super) fn start(builder: AuditBuilder) -> Result<Audit, StartError> {
    let builder = config::resolve(builder)?;
    check(&builder)?;
    let names = builder.names()?;
    let hash_key = key::choose(builder.hash_key.clone(), |name| {
        builder.given.variables.key(name)
    })?;
    let duties = Duties::new();
    let base = base(&builder, &duties);
    let opened = open(&base, builder.on_damage)?;
    let recorder = Recorder::new(
        opened.inbox().clone(),
        Arc::clone(&builder.clock),
        Arc::clone(&builder.ids),
        builder.service,
        Rules::new(builder.policy, builder.catalogue, hash_key.key).told(&builder.routes),
    );
    let facts = Facts {
        sinks: listed(&builder.sinks),
        volume: volume(&base),
        key_source: hash_key.source,
    };
    introduce(&recorder, &opened, &facts);

    let journal = Arc::new(opened.journal);
    let delivery = Arc::new(deliver(&builder.disk, &builder.clock, &recorder, &journal));
    let shared = duties.shared();
    let keeping = builder
        .retention
        .start(&recorder, shared, &base, &builder.sinks)?;
    add_sinks(&delivery, names, builder.sinks)?;
    raise(shared, &facts.volume, &opened.left);
    let (remover, left_overs) = builder
        .outbox
        .start(&recorder, journal.origin.trail)
        .map_err(StartError::Thread)?;
    let keeper = Keeper {
        base,
        journal: Arc::clone(&journal),
        recorder: recorder.clone(),
        delivery: Arc::clone(&delivery),
        keep: builder.keep,
        rhythm: builder.rhythm,
        left: opened.left.iter().map(|left| left.dir.clone()).collect(),
        left_overs,
    };
    builder.listening.attach(&recorder, duties.shared());
    let keeper = duties.start(keeper).map_err(StartError::Thread)?;
    let parts = Arc::new(Parts {
        journal,
        recorder,
        delivery,
        keeper,
        remover,
        keeping,
        viewers: super::viewing::Viewers::default(),
        begun: Instant::now(),
    });
    Ok(Audit {
        handle: Arc::new(Handle { parts }),
    })
}

fn add_sinks(
    delivery: &Supervisor,
    names: Vec<SinkName>,
    sinks: Vec<SinkToAdd>,
) -> Result<(), StartError> {
    for (name, sink) in names.into_iter().zip(sinks) {
        let added = delivery.add_sink(name, sink.sink, sink.options);
        added.map_err(StartError::Thread)?;
    }
    Ok(())
}

fn listed(sinks: &[SinkToAdd]) -> Vec<String> {
    let listed = |sink: &SinkToAdd| format!("{} {}", sink.name, sink.sink.address());
    sinks.iter().map(listed).collect()
}

fn base(builder: &AuditBuilder, duties: &Duties) -> Base {
    let service = &builder.service;
    Base {
        disk: Arc::clone(&builder.disk),
        dir: builder.dir.clone(),
        clock: Arc::clone(&builder.clock),
        settings: builder.settings.clone(),
        service: service.name.to_string(),
        instance: service.instance.as_ref().map(ToString::to_string),
        events: duties.events(),
    }
}

/// What health tells of from the start.
fn raise(shared: &Shared, volume: &str, left: &[Left]) {
    let kept = |left: &Left| format!("a trail was left as it is: {}", left.error);
    shared.concern("volume", volume_concern(volume));
    shared.concern("damage", left.iter().map(kept));
}

fn check(builder: &AuditBuilder) -> Result<(), StartError> {
    builder
        .policy
        .check(&builder.catalogue)
        .map_err(|error| StartError::Config {
            setting: "policy",
            reason: error.to_string(),
        })?;
    builder.retention.check()?;
    let settings = &builder.settings;
    let wrong = |setting, reason: &str| {
        Err(StartError::Config {
            setting,
            reason: reason.into(),
        })
    };
    if builder.service.name.as_str().trim().is_empty() {
        return wrong("builder", "the service needs a name, such as its crate's");
    }
    if settings.memory_limit < settings.queue_limit {
        return wrong(
            "memory_limit",
            "must be at least queue_limit, or admitted work would be lost first",
        );
    }
    if settings.segment_bytes < 4096 {
        return wrong("segment_bytes", "must be at least 4096 bytes");
    }
    let rhythm = &builder.rhythm;
    for (setting, interval) in [
        ("commit_timeout", settings.commit_timeout),
        ("adopt_every", rhythm.adopt),
        ("tidy_every", rhythm.tidy),
        ("verify_every", rhythm.verify),
    ] {
        if interval.is_zero() {
            return wrong(setting, "must be longer than nothing");
        }
    }
    Ok(())
}

fn open(base: &Base, on_damage: OnDamage) -> Result<Opened, StartError> {
    let new = Uuid::from_bytes(
        *crate::clock::IdSource::next(&crate::clock::SystemIds::new(), base.clock.now()).as_bytes(),
    );
    let refuse = on_damage == OnDamage::Refuse;
    let opened = base.open(new).map_err(|error| StartError::Dir {
        dir: base.dir.clone(),
        source: error.into(),
    })?;
    for left in &opened.left {
        tracing::error!(target: "tower_audit", error = %left.error, "an audit trail was left as it is, and a new one begins");
    }
    if refuse && !opened.left.is_empty() {
        // Nothing was recorded yet; the new trail is empty and will be continued.
        let mut left = opened.left;
        let first = left.swap_remove(0);
        return Err(StartError::Damaged {
            dir: first.dir,
            source: first.error.into(),
        });
    }
    Ok(opened)
}

/// The trail's first records of this run.
fn introduce(recorder: &Recorder, opened: &Opened, facts: &Facts) {
    for left in &opened.left {
        recorder.own(about::damaged(left));
    }
    let before = opened.before.as_ref();
    let key = &recorder.rules().key;
    recorder.own(about::started(&opened.journal.origin, before, facts, key));
    let Some(before) = before else { return };
    if !before.clean {
        recorder.own(about::unclean(before));
    }
    for (id, intent) in &before.unsettled {
        recorder.append_own(&recorder.verdict(intent, *id, super::adoption::DIED));
    }
}

fn deliver(
    disk: &crate::disk::SharedDisk,
    clock: &Arc<dyn crate::clock::Clock>,
    recorder: &Recorder,
    journal: &Arc<Journal>,
) -> Supervisor {
    let listener = {
        let recorder = recorder.clone();
        Arc::new(move |event| drop(recorder.own(about::of_sink(&event))))
    };
    let around = Surroundings {
        disk: Arc::clone(disk),
        clock: Arc::clone(clock),
        listener,
    };
    let delivery = Supervisor::new(around, journal.inbox().mark());
    let mark = journal.inbox().mark();
    let source = JournalSource::new(
        Arc::clone(disk),
        journal.origin.clone(),
        journal.dir().into(),
        mark,
        journal.recovered,
    );
    delivery.add_source(Arc::new(source));
    delivery
}

fn volume(base: &Base) -> String {
    let kind = match base.disk.kind(&base.dir) {
        Ok(VolumeKind::Local) => "local",
        Ok(VolumeKind::Memory) => "memory",
        Ok(VolumeKind::Overlay) => "overlay",
        Ok(VolumeKind::Network) => "network",
        Err(_) => "unknown",
    };
    kind.into()
}

/// Why records on this kind of volume may not survive what they are promised to survive.
fn volume_concern(kind: &str) -> Option<String> {
    let danger = match kind {
        "memory" => "it is gone with the machine",
        "overlay" => "it is gone with the container; mount a volume",
        "network" => "its syncs and locks may not hold; use a local disk",
        _ => return None,
    };
    tracing::warn!(target: "tower_audit", kind, danger, "the audit directory is not on a local file system");
    Some(format!(
        "the audit directory is on a {kind} file system: {danger}"
    ))
}
