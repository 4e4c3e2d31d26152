//! Random stories against a simple model: whatever the sink answers and however often the process
//! dies, nothing is lost, and nothing doubled where the sink keeps its position.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use crate::{
    delivery::{
        dead_letter,
        fake::{Bench, MemorySource, Run},
        follower::Next,
    },
    sink::Limits,
    testing::{
        disk::Crash,
        sinks::{Answer, MemoryStore, Script, Telling},
    },
};

#[derive(Debug, Clone)]
enum Act {
    Grow(u64),
    Steps(usize),
    Answer(Answer),
    /// The machine loses power; the sink, which is elsewhere, does not.
    Crash,
    Kill,
    StopInOrder,
    /// The oldest part of the trail is removed, in percent.
    Prune(u64),
    Damage(u64),
    /// The files beside the trail are lost.
    LoseCursor,
}

fn act() -> impl Strategy<Value = Act> {
    let answers = [
        Answer::Retry,
        Answer::Block,
        Answer::Hang,
        Answer::Panic,
        Answer::StoreThenRetry,
        Answer::StoreThenHang,
        Answer::StoreThenPanic,
    ];
    let answers = proptest::sample::select(answers.to_vec());
    prop_oneof![
        4 => (1..40_u64).prop_map(Act::Grow),
        6 => (1..8_usize).prop_map(Act::Steps),
        4 => answers.prop_map(Act::Answer),
        1 => Just(Act::Crash),
        1 => Just(Act::Kill),
        1 => Just(Act::StopInOrder),
        1 => (0..100_u64).prop_map(Act::Prune),
        1 => (0..100_u64).prop_map(Act::Damage),
        1 => Just(Act::LoseCursor),
    ]
}

struct Story {
    bench: Bench,
    source: MemorySource,
    store: MemoryStore,
    script: Script,
    size: u64,
    pruned: u64,
    damaged: BTreeSet<u64>,
}

impl Story {
    fn start(&self) -> Run {
        let sink = self.script.around(self.store.sink());
        self.bench.follow(sink, &[&self.source])
    }

    async fn play(&mut self, acts: Vec<Act>) {
        let mut run = self.start();
        for act in acts {
            match act {
                Act::Grow(count) => {
                    self.source.grow(count);
                    self.size += count;
                }
                Act::Steps(count) => steps(&mut run, count).await,
                Act::Answer(answer) => self.script.next([answer]),
                Act::Prune(percent) => {
                    self.pruned = self.pruned.max(self.size * percent / 100);
                    self.source.prune_below(self.pruned);
                }
                Act::Damage(percent) => {
                    let number = self.size * percent / 100;
                    self.damaged.insert(number);
                    self.source.damage(number);
                }
                Act::Kill => run = self.start(),
                Act::Crash => {
                    self.bench.disk = self.bench.disk.crash(Crash::losing_all());
                    run = self.start();
                }
                Act::StopInOrder => {
                    run.finish().await;
                    run = self.start();
                }
                Act::LoseCursor => {
                    let _ = self.bench.disk.unlink("trail-1/cursors/sink.json");
                }
            }
        }
        // All is well again, except for what is bad in itself.
        self.script.next([]);
        run.settle().await;
        let stats = run.stats();
        assert_eq!(stats.pending, 0, "{stats:?}");
    }

    fn dead(&self) -> BTreeSet<u64> {
        let disk: crate::disk::SharedDisk = std::sync::Arc::new(self.bench.disk.clone());
        let mut dead = BTreeSet::new();
        let path = std::path::Path::new("trail-1/dead/sink.jsonl");
        dead_letter::read(&disk, path, self.source.id(), |line| {
            let fresh = dead.insert(line.unwrap().delivery.number);
            assert!(fresh, "a letter stands twice");
        })
        .unwrap();
        dead
    }
}

async fn steps(run: &mut Run, count: usize) {
    for _ in 0..count {
        if let Next::Rest(Some(until)) = run.step().await {
            crate::delivery::fake::sleep_until_then(until).await;
        }
    }
}

fn paused<T>(story: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(story)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_doubled_where_the_sink_keeps_its_position(
        acts in vec(act(), 1..60),
        refused in proptest::collection::btree_set(0..200_u64, 0..20),
        telling in proptest::sample::select(vec![Telling::Which, Telling::Nothing]),
        max_records in 1..20_usize,
        keeps_position in any::<bool>(),
    ) {
        let store = if keeps_position { MemoryStore::new() } else { MemoryStore::without_position() };
        let mut story = Story {
            bench: Bench::new(),
            source: MemorySource::new(1),
            store: store.limits(Limits::new(max_records, usize::MAX)),
            script: Script::new(),
            size: 0,
            pruned: 0,
            damaged: BTreeSet::new(),
        };
        story.script.refuse(refused.iter().copied(), telling);
        paused(story.play(acts));
        let arrived = story.store.contents().numbers(story.source.id());
        let stored: BTreeSet<_> = arrived.iter().copied().collect();
        if keeps_position {
            prop_assert!(arrived.is_sorted_by(|one, next| one < next), "{:?}", arrived);
        }
        let dead = story.dead();
        prop_assert!(dead.is_subset(&refused), "{:?}", dead);
        prop_assert!(stored.is_disjoint(&refused), "{:?}", stored);
        for number in 0..story.size {
            let excused = number < story.pruned || story.damaged.contains(&number);
            prop_assert!(
                stored.contains(&number) || dead.contains(&number) || excused,
                "{number} of {} is nowhere", story.size
            );
        }
    }
}
