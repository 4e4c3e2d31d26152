//! All sinks together: which trails they get, how far they are, and how they stop.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use uuid::Uuid;

use super::{
    Options, Surroundings,
    call::caught_now,
    follower::{Control, Follower, Pace},
    name::SinkName,
    source::Source,
    stats::{Ledger, Position, Standing},
    worker::{self, CLOSE_GRACE},
};
use crate::{
    sink::Sink,
    stats::{SinkState, SinkStats},
};

/// How long a sink's thread is waited for when a trail is taken away.
const LET_GO: Duration = Duration::from_secs(1);

/// Starts, feeds, watches and stops the followers.
#[derive(Debug)]
pub(crate) struct Supervisor {
    around: Surroundings,
    marks: watch::Receiver<u64>,
    team: Mutex<Team>,
}

#[derive(Debug, Default)]
struct Team {
    sources: Vec<Arc<dyn Source>>,
    workers: Vec<Worker>,
}

/// One sink's follower, from outside.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) name: SinkName,
    pub(super) control: watch::Sender<Control>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) call_timeout: Duration,
}

/// What one sink has not got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// The sink's name.
    pub sink: String,
    /// Durable records that still wait for it; they stay in the journal.
    pub records: u64,
    /// How its thread ended.
    pub ending: Ending,
}

/// How a sink's thread stands after a drain or a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It goes on.
    Running,
    /// It has ended, its cursors are written.
    Stopped,
    /// It did not end in time: the sink blocks it. It was left behind and ends when the sink lets
    /// it; until then the sink may still store what it has in hand.
    LeftBehind,
}

impl Supervisor {
    /// A supervisor without sinks; `marks` changes whenever the durable mark of a source moves.
    pub(crate) fn new(around: Surroundings, marks: watch::Receiver<u64>) -> Self {
        Self {
            around,
            marks,
            team: Mutex::default(),
        }
    }

    /// Starts to deliver all sources to one more sink.
    ///
    /// # Errors
    ///
    /// When a sink of this name is there, or the system gives no thread.
    pub(crate) fn add_sink(
        &self,
        name: SinkName,
        sink: Box<dyn Sink>,
        options: Options,
    ) -> io::Result<()> {
        let mut team = self.team();
        if team.workers.iter().any(|worker| worker.name == name) {
            let message = format!("there is a sink named {name} already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let ledger = Arc::new(Ledger::new(
            name.to_string(),
            Arc::clone(&self.around.clock),
        ));
        // Here and not on its thread, so that whoever added it can name it at once.
        if let Ok((kind, address)) = caught_now(|| (sink.kind(), sink.address())) {
            ledger.describe(kind, address);
        }
        for source in &team.sources {
            ledger.open(Arc::clone(source));
        }
        let control = watch::Sender::new(Control {
            sources: team.sources.clone(),
            ..Control::default()
        });
        let call_timeout = options.call_timeout;
        let make = {
            let (name, around) = (name.to_string(), self.around.clone());
            let (orders, ledger) = (control.subscribe(), Arc::clone(&ledger));
            move || Follower::new(name, sink, around, options, orders, ledger)
        };
        worker::start(name.as_str(), Arc::clone(&ledger), make, self.marks.clone())?;
        team.workers.push(Worker {
            name,
            control,
            ledger,
            call_timeout,
        });
        Ok(())
    }

    /// Stops one sink, as [`stop`](Self::stop) does all, and forgets it; its files stay.
    pub(crate) fn remove_sink(&self, name: &SinkName, timeout: Duration) -> Option<Undelivered> {
        let worker = {
            let mut team = self.team();
            let found = team
                .workers
                .iter()
                .position(|worker| worker.name == *name)?;
            team.workers.remove(found)
        };
        stop(&[worker], timeout).pop()
    }

    /// Gives one more trail to all sinks; the first one given is the own trail.
    pub(crate) fn add_source(&self, source: Arc<dyn Source>) {
        let mut team = self.team();
        for worker in &team.workers {
            worker.ledger.open(Arc::clone(&source));
        }
        team.sources.push(source);
        team.tell_sources();
    }

    /// Takes a trail away from all sinks; what waits there is no longer counted.
    ///
    /// Blocks until every sink's thread has let go of its files, at most a second for each; one
    /// that is in a call lets go when that is over.
    pub(crate) fn remove_source(&self, trail: Uuid) {
        let workers = {
            let mut team = self.team();
            team.sources.retain(|source| source.origin().trail != trail);
            team.tell_sources();
            team.workers.clone()
        };
        for worker in workers {
            let gone = |ledger: &Ledger| {
                let mut positions = ledger.positions().into_iter();
                let stopped = ledger.snapshot().state == SinkState::Stopped;
                stopped || positions.all(|position| position.trail != trail)
            };
            worker.ledger.wait(Instant::now() + LET_GO, gone);
        }
    }

    /// The counters of every sink, each at one moment.
    pub(crate) fn stats(&self) -> Vec<SinkStats> {
        let team = self.team();
        let workers = team.workers.iter();
        workers.map(|worker| worker.ledger.snapshot()).collect()
    }

    /// How far each sink has come in each trail.
    pub(crate) fn positions(&self) -> Vec<(String, Vec<Position>)> {
        let team = self.team();
        let workers = team.workers.iter();
        workers
            .map(|worker| (worker.name.to_string(), worker.ledger.positions()))
            .collect()
    }

    /// The lowest number of a trail that some sink still wants; `None` when there is no sink.
    ///
    /// Everything below may be pruned without a record being missed.
    pub(crate) fn lowest(&self, trail: Uuid) -> Option<u64> {
        let wanted = self.positions();
        let of_trail = wanted.iter().flat_map(|(_, positions)| positions);
        of_trail
            .filter(|position| position.trail == trail)
            .map(|position| position.next)
            .min()
    }

    /// Whether every sink has all of a trail up to its durable mark, and has said so in this run.
    pub(crate) fn finished(&self, trail: Uuid) -> bool {
        self.positions().iter().all(|(_, positions)| {
            let mut positions = positions.iter();
            positions
                .find(|position| position.trail == trail)
                .is_some_and(|position| {
                    position.standing == Standing::Known && position.next >= position.durable
                })
        })
    }

    /// Lets a sink stand still once the call under way is over; `false` when there is none so named.
    pub(crate) fn pause(&self, name: &SinkName) -> bool {
        self.order(name, |control| control.pace = Pace::Paused)
    }

    /// Lets a sink go on, at once; `false` when there is none so named.
    pub(crate) fn resume(&self, name: &SinkName) -> bool {
        self.order(name, |control| {
            control.pace = Pace::Running;
            control.nudge = control.nudge.wrapping_add(1);
        })
    }

    /// Blocks until every sink has what is durable now, at most `timeout`.
    ///
    /// A sink that waits before its next try makes one at once. A paused one is not waited for, nor
    /// one that is still blocked after that try.
    pub(crate) fn drain(&self, timeout: Duration) -> Vec<Undelivered> {
        let deadline = Instant::now() + timeout;
        let (workers, targets) = {
            let team = self.team();
            let targets: Vec<_> = team
                .sources
                .iter()
                .map(|source| (source.origin().trail, source.durable()))
                .collect();
            (team.workers.clone(), targets)
        };
        let tries: Vec<_> = workers
            .iter()
            .map(|worker| worker.ledger.snapshot().retries)
            .collect();
        for worker in &workers {
            worker
                .control
                .send_modify(|control| control.nudge = control.nudge.wrapping_add(1));
        }
        let wait = |(worker, tries): (&Worker, u64)| {
            worker
                .ledger
                .wait(deadline, |ledger| is_done(ledger, &targets, tries));
            worker.undelivered(Ending::Running)
        };
        workers.iter().zip(tries).map(wait).collect()
    }

    /// Blocks until every sink's thread has ended, at most `timeout` and half a second.
    ///
    /// Nothing more is offered; a call under way may use the time. What is undelivered stays in the
    /// journal. The counters stay; another call gives the same answer.
    pub(crate) fn stop(&self, timeout: Duration) -> Vec<Undelivered> {
        // They stay in the team: what they counted can still be read.
        let workers = self.team().workers.clone();
        stop(&workers, timeout)
    }

    pub(super) fn workers(&self) -> Vec<Worker> {
        self.team().workers.clone()
    }

    fn order(&self, name: &SinkName, order: impl FnOnce(&mut Control)) -> bool {
        let team = self.team();
        let worker = team.workers.iter().find(|worker| worker.name == *name);
        let Some(worker) = worker else {
            return false;
        };
        worker.control.send_modify(order);
        true
    }

    fn team(&self) -> MutexGuard<'_, Team> {
        self.team.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Team {
    fn tell_sources(&self) {
        for worker in &self.workers {
            worker
                .control
                .send_modify(|control| control.sources.clone_from(&self.sources));
        }
    }
}

impl Worker {
    fn undelivered(&self, ending: Ending) -> Undelivered {
        Undelivered {
            sink: self.name.to_string(),
            records: self.ledger.snapshot().pending,
            ending,
        }
    }
}

fn is_done(ledger: &Ledger, targets: &[(Uuid, u64)], tries: u64) -> bool {
    let stats = ledger.snapshot();
    let hopeless = match stats.state {
        SinkState::Paused | SinkState::Stopped => true,
        SinkState::Blocked => stats.retries > tries,
        _ => false,
    };
    let positions = ledger.positions();
    hopeless
        || targets.iter().all(|(trail, target)| {
            let mut positions = positions.iter();
            let position = positions.find(|position| position.trail == *trail);
            position.is_none_or(|position| position.next >= *target)
        })
}

fn stop(workers: &[Worker], timeout: Duration) -> Vec<Undelivered> {
    let deadline = Instant::now() + timeout;
    for worker in workers {
        worker
            .control
            .send_modify(|control| control.stop = Some(deadline));
    }
    // Room for the close that follows a call cut off at the deadline.
    let latest = deadline + 2 * CLOSE_GRACE;
    let ended = |ledger: &Ledger| ledger.snapshot().state == SinkState::Stopped;
    let wait = |worker: &Worker| {
        if worker.ledger.wait(latest, ended) {
            return worker.undelivered(Ending::Stopped);
        }
        let sink = worker.name.as_str();
        tracing::error!(target: "tower_audit", sink, "the sink blocks its thread, which is left behind");
        worker.undelivered(Ending::LeftBehind)
    };
    workers.iter().map(wait).collect()
}
