//! Replays.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    delivery::{
        fake::{Bench, MemorySource},
        replay::{DeadLetterSource, ReplayError, What, replay},
        source::Source,
    },
    disk::SharedDisk,
    testing::sinks::{Answer, MemoryStore, Script, Telling},
};

const PATIENCE: Duration = Duration::from_millis(1);

#[test]
fn a_replay_gives_a_sink_what_it_has_not_and_leaves_no_trace() {
    let (bench, source, store) = (
        Bench::new(),
        MemorySource::with(1, 2500),
        MemoryStore::new(),
    );
    let mut steps = Vec::new();
    let run = |source: &MemorySource, steps: &mut Vec<u64>| {
        let sink = Box::new(store.sink());
        let around = bench.around();
        replay(
            source.shared(),
            What::Trail,
            sink,
            around,
            PATIENCE,
            |stats| {
                steps.push(stats.delivered);
            },
        )
        .unwrap()
    };
    let first = run(&source, &mut steps);
    assert_eq!(first.stats.delivered, 2500);
    assert_eq!(steps, [1000, 2000, 2500]);
    source.grow(7);
    assert_eq!(run(&source, &mut steps).stats.delivered, 7);
    assert_eq!(
        store.contents().numbers(source.id()),
        Vec::from_iter(0..2507)
    );
    assert_eq!(bench.disk.paths(), [""; 0].map(PathBuf::from));
}

#[test]
fn dead_letters_go_to_a_sink_whatever_its_position() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 10), MemoryStore::new());
    let script = Script::new();
    script.refuse([2, 3, 7], Telling::Which);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        run.settle().await;
        run.finish().await;
    });
    let disk: SharedDisk = Arc::new(bench.disk.clone());
    let path = dir(&source).join("dead/sink.jsonl");
    let (letters, bad) =
        DeadLetterSource::read(&disk, source.origin().clone(), dir(&source), &path).unwrap();
    assert_eq!(bad, []);
    let sink = Box::new(store.sink());
    let replayed = replay(
        Arc::new(letters),
        What::Chosen,
        sink,
        bench.around(),
        PATIENCE,
        |_| {},
    );
    let stats = replayed.unwrap().stats;
    assert_eq!((stats.committed, stats.delivered, stats.missed), (3, 3, 0));
    let mut numbers = store.contents().numbers(source.id());
    numbers.sort_unstable();
    assert_eq!(numbers, Vec::from_iter(0..10));

    // A store that has come less far must not take the letters for its position.
    let behind = MemoryStore::new();
    let (letters, _) =
        DeadLetterSource::read(&disk, source.origin().clone(), dir(&source), &path).unwrap();
    for (source, what) in [
        (Arc::new(letters) as Arc<dyn Source>, What::Chosen),
        (source.shared(), What::Trail),
    ] {
        let sink = Box::new(behind.sink());
        replay(source, what, sink, bench.around(), PATIENCE, |_| {}).unwrap();
    }
    let mut numbers = behind.contents().numbers(source.id());
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, Vec::from_iter(0..10));
}

fn dir(source: &MemorySource) -> PathBuf {
    source.dir().to_owned()
}

#[test]
fn a_replay_does_not_wait_for_a_person_nor_for_ever() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 3), Script::new());
    let run = |answer: Answer| {
        script.always(answer);
        let sink = Box::new(script.around(MemoryStore::new().sink()));
        replay(
            source.shared(),
            What::Trail,
            sink,
            bench.around(),
            PATIENCE,
            |_| {},
        )
        .unwrap_err()
    };
    let blocked = run(Answer::Block);
    assert!(
        matches!(blocked, ReplayError::Blocked { .. }),
        "{blocked:?}"
    );
    let gave_up = run(Answer::Retry);
    let text = gave_up.to_string();
    assert!(text.contains("the script fails"), "{text}");
}

#[test]
fn a_replay_says_which_records_were_refused() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 9), Script::new());
    script.refuse([4, 8], Telling::Nothing);
    let sink = Box::new(script.around(MemoryStore::new().sink()));
    let replayed = replay(
        source.shared(),
        What::Trail,
        sink,
        bench.around(),
        PATIENCE,
        |_| {},
    );
    let replayed = replayed.unwrap();
    assert_eq!(replayed.refused, [4, 8]);
    assert_eq!((replayed.stats.delivered, replayed.stats.dead), (7, 2));
}
