//! Records that a sink will never take.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    delivery::{
        Options, What,
        dead_letter::{self, Letter},
        fake::{Bench, MemorySource, sleep_until_then},
    },
    disk::SharedDisk,
    evidence::leaf_hash,
    sink::Limits,
    stats::SinkState,
    testing::{
        disk::{Call, Crash, Fault},
        sinks::{Answer, MemoryStore, Script, Telling},
    },
};

const PATH: &str = "trail-1/dead/sink.jsonl";

fn letters(bench: &Bench, source: &MemorySource) -> Vec<Letter> {
    let disk: SharedDisk = Arc::new(bench.disk.clone());
    let mut letters = Vec::new();
    dead_letter::read(&disk, PATH.as_ref(), source.id(), |line| {
        letters.push(line.unwrap())
    })
    .unwrap();
    letters
}

fn numbers(letters: &[Letter]) -> Vec<u64> {
    letters
        .iter()
        .map(|letter| letter.delivery.number)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn refused_records_are_kept_exactly_and_the_others_delivered() {
    for telling in [Telling::Which, Telling::Nothing] {
        let (bench, source, store) = (
            Bench::new(),
            MemorySource::with(1, 1000),
            MemoryStore::new(),
        );
        let script = Script::new();
        let refused = [0, 17, 18, 500, 999];
        script.refuse(refused, telling);
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        run.settle().await;
        let rest: Vec<_> = (0..1000)
            .filter(|number| !refused.contains(number))
            .collect();
        assert_eq!(store.contents().numbers(source.id()), rest);
        let letters = letters(&bench, &source);
        assert_eq!(numbers(&letters), refused);
        for letter in &letters {
            let json = &letter.delivery.json;
            assert_eq!(letter.delivery.leaf, leaf_hash(json.as_bytes()));
            assert_eq!(letter.reason, "the script refuses them");
        }
        assert_eq!((run.stats().dead, run.stats().delivered), (5, 995));
        // Five halvings of a thousand at most; a call each would be a thousand.
        assert!(script.state().calls < 110, "{}", script.state().calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_durable_before_the_cursor_moves() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 3), Script::new());
    script.refuse([1], Telling::Which);
    let store = MemoryStore::without_position();
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    let disk: SharedDisk = Arc::new(bench.disk.crash(Crash::losing_all()));
    let mut numbers = Vec::new();
    dead_letter::read(&disk, PATH.as_ref(), source.id(), |line| {
        numbers.push(line.unwrap().delivery.number);
    })
    .unwrap();
    assert_eq!(numbers, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_offer_again_what_is_dead() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 3), Script::new());
    script.refuse([1, 2], Telling::Which);
    // One by one: nothing that is taken after the last ones moves the sink's own position past them.
    let store = MemoryStore::new().limits(Limits::new(1, usize::MAX));
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    let calls = script.state().calls;
    drop(run);
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    assert_eq!(script.state().calls, calls);
    assert_eq!(numbers(&letters(&bench, &source)), [1, 2]);
    assert_eq!(store.contents().numbers(source.id()), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_refusals_in_a_row_block_the_sink() {
    for (telling, dead) in [(Telling::Which, 0), (Telling::Nothing, 99)] {
        let (bench, source, script) = (Bench::new(), MemorySource::with(1, 300), Script::new());
        script.refuse(0..300, telling);
        let store = MemoryStore::new();
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        for _ in 0..3 {
            let until = run.until_rest().await;
            sleep_until_then(until).await;
        }
        assert_eq!(
            (run.stats().state, run.stats().dead),
            (SinkState::Blocked, dead)
        );
        script.heal();
        run.settle().await;
        assert_eq!(run.stats().delivered, 300 - dead);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_begin_the_row_of_refusals_anew() {
    for store in [MemoryStore::new(), MemoryStore::without_position()] {
        let (bench, source, script) = (Bench::new(), MemorySource::with(1, 300), Script::new());
        script.refuse(0..300, Telling::Nothing);
        for _ in 0..3 {
            let mut run = bench.follow(script.around(store.sink()), &[&source]);
            run.until_rest().await;
            assert_eq!(run.stats().state, SinkState::Blocked);
            assert_eq!(letters(&bench, &source).len(), 99);
            run.finish().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_taken_breaks_the_row() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 1000), Script::new());
    let refused: Vec<_> = (0..1000).filter(|number| number % 100 != 0).collect();
    script.refuse(refused.clone(), Telling::Which);
    let store = MemoryStore::new();
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    assert_eq!((run.stats().dead, run.stats().delivered), (990, 10));
}

#[tokio::test(start_paused = true)]
async fn refusals_of_numbers_that_were_not_sent_are_found_by_halving() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 4), Script::new());
    script.next([Answer::Refuse, Answer::Refuse, Answer::Refuse]);
    let store = MemoryStore::new();
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    assert_eq!(numbers(&letters(&bench, &source)), [0]);
    assert_eq!(store.contents().numbers(source.id()), [1, 2, 3]);
    assert_eq!(store.contents().batches, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn full_dead_letters_block_until_they_are_removed() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 10), Script::new());
    script.refuse([1, 5], Telling::Which);
    let store = MemoryStore::new();
    let options = Options {
        dead_letter_bytes: 300,
        ..Options::default()
    };
    script.next([Answer::Store]);
    let mut run = bench.follow_with(script.around(store.sink()), &[&source], options);
    source.cut(3);
    run.settle().await;
    assert_eq!(run.stats().dead, 1);
    source.grow(7);
    let until = run.until_rest().await;
    let stats = run.stats();
    assert_eq!((stats.state, stats.pending), (SinkState::Blocked, 7));
    let error = stats.last_error.unwrap();
    assert!(
        error.contains("dead/sink.jsonl are full (300 bytes)"),
        "{error}"
    );
    bench.disk.move_file(PATH, "elsewhere").unwrap();
    sleep_until_then(until).await;
    run.settle().await;
    assert_eq!(numbers(&letters(&bench, &source)), [5]);
    assert_eq!(store.contents().positions[&source.id()], 10);
}

#[tokio::test(start_paused = true)]
async fn nothing_moves_while_a_letter_cannot_be_kept() {
    for call in [
        Call::CreateDir,
        Call::Append,
        Call::Write,
        Call::Sync,
        Call::SyncDir,
    ] {
        let (bench, source, script) = (Bench::new(), MemorySource::with(1, 3), Script::new());
        script.refuse([1], Telling::Which);
        let store = MemoryStore::new();
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        bench
            .disk
            .inject(Fault::eio([call]).on("dead").until_cleared());
        let until = run.until_rest().await;
        let stats = run.stats();
        assert_eq!(
            (stats.state, stats.pending),
            (SinkState::Retrying, 3),
            "{call:?}"
        );
        bench.disk.clear_faults();
        sleep_until_then(until).await;
        run.settle().await;
        assert_eq!(store.contents().numbers(source.id()), [0, 2], "{call:?}");
        let mut kept = numbers(&letters(&bench, &source));
        kept.dedup();
        assert_eq!(kept, [1], "{call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_torn_letter_is_told_and_the_next_is_not_glued_to_it() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 3), Script::new());
    script.refuse([1], Telling::Which);
    bench.disk.put(PATH, b"{\"trail\":\"0000").unwrap();
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    run.settle().await;
    let text = String::from_utf8(bench.disk.bytes(PATH).unwrap()).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    let told = bench.events();
    assert!(
        matches!(
            &told[..],
            [
                What::FileDamaged { .. },
                What::DeadLettered {
                    count: 1,
                    first: 1,
                    last: 1,
                    ..
                }
            ]
        ),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_the_reports_of_its_refusals_does_not_loop() {
    // Each report becomes a record of the trail, which is refused as well.
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 1), Script::new());
    script.refuse(
        (0..1_000_000).filter(|number| number % 2 == 0),
        Telling::Which,
    );
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    let end = Instant::now() + std::time::Duration::from_secs(600);
    let mut reports = 0;
    while Instant::now() < end {
        run.settle().await;
        let told = bench.events().len() as u64;
        source.grow(2 * (told - reports));
        if told == reports {
            // Sleep: the clock is paused.
            tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        }
        reports = told;
    }
    assert!(reports <= 11, "{reports}");
}
