//! What a sink is asked besides batches: at the start, and when a person wants to know.

use std::time::Duration;

use crate::{
    clock::{IdSource, SystemIds, Timestamp},
    delivery::{
        Ending, Options, SinkName, StartAt, Supervisor, Tested, What,
        fake::{Bench, MemorySource, sleep_until_then},
        follower::Next,
        probe::test_batch,
    },
    record::Service,
    sink::{Batch, Limits, Sink, SinkError, SinkFuture},
    stats::SinkState,
    testing::sinks::{Answer, MemoryStore, Script},
};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(30);

fn event() -> Batch {
    let at: Timestamp = "2026-11-20T13:00:00Z".parse().unwrap();
    test_batch(&Service::new("docs"), SystemIds::new().next(at), at)
}

fn name() -> SinkName {
    SinkName::parse("sink").unwrap()
}

/// Takes batches, but no questions.
struct Deaf<S>(S);

impl<S: Sink> Sink for Deaf<S> {
    fn kind(&self) -> &'static str {
        "deaf"
    }

    fn address(&self) -> String {
        "deaf://".to_owned()
    }

    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(async { Err(SinkError::retry("it takes no questions")) })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        self.0.deliver(batch)
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_asked_before_its_first_batch_and_what_is_wrong_stands_in_the_counters() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.always(Answer::Block);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    let until = run.until_rest().await;
    assert_eq!(script.state().calls, 0, "no batch was offered");
    let stats = run.stats();
    assert_eq!((stats.state, stats.pending), (SinkState::Blocked, 5));
    assert_eq!(stats.lag, Some(2 * 3600 * SECOND), "{stats:?}");
    assert!(stats.last_attempt.is_some(), "{stats:?}");
    let answer = run.ledger.answer().unwrap();
    assert!(answer.unwrap_err().contains("the script blocks"));
    script.heal();
    sleep_until_then(until).await;
    run.settle().await;
    assert_eq!(run.stats().delivered, 5);
    assert_eq!(run.ledger.answer(), Some(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_takes_batches_but_no_questions_gets_its_batches() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 5), MemoryStore::new());
    let mut run = bench.follow(Deaf(store.sink()), &[&source]);
    run.settle().await;
    let stats = run.stats();
    assert_eq!((stats.state, stats.delivered), (SinkState::Ok, 5));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_answers_questions_and_refuses_batches_has_not_answered_well() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.next([Answer::Block]);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    run.until_rest().await;
    assert_eq!(
        script.state().calls,
        1,
        "the probe was good, so a batch was offered"
    );
    let answer = run.ledger.answer().unwrap();
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_failed_when_asked_is_asked_again_while_nothing_waits() {
    let (bench, source, script) = (Bench::new(), MemorySource::new(1), Script::new());
    script.always(Answer::Retry);
    let store = MemoryStore::without_position();
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    for _ in 0..3 {
        let until = run.until_rest().await;
        assert_eq!(run.stats().state, SinkState::Retrying);
        sleep_until_then(until).await;
    }
    assert_eq!(run.stats().retries, 3);
    script.heal();
    run.settle().await;
    assert_eq!(run.stats().state, SinkState::Ok);
}

#[tokio::test(start_paused = true)]
async fn records_are_counted_as_sent_again_once_each_and_only_where_the_sink_cannot_say() {
    for (store, expected) in [
        (MemoryStore::without_position(), 10),
        (MemoryStore::new(), 0),
    ] {
        let (bench, source, script) = (Bench::new(), MemorySource::with(1, 25), Script::new());
        // The answer to the first batch is lost twice, the others have one.
        script.next([Answer::StoreThenRetry, Answer::Retry, Answer::Block]);
        let store = store.limits(Limits::new(10, usize::MAX));
        let mut run = bench.follow(script.around(store.sink()), &[&source]);
        run.settle().await;
        let stats = run.stats();
        assert_eq!((stats.resent, stats.delivered), (expected, 25));
        let stored = store.contents().numbers(source.id()).len() as u64;
        assert_eq!(stored, 25 + expected, "what is there twice is counted");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_certainly_not_stored_is_not_counted_as_sent_again() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 25), Script::new());
    script.next([Answer::Unsent, Answer::Block, Answer::Refuse]);
    let store = MemoryStore::without_position();
    let mut run = bench.follow(script.around(store.sink()), &[&source]);
    run.settle().await;
    assert_eq!(run.stats().resent, 0);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_began_as_a_passing_fault_and_was_blocked_leaves_one_event_at_its_end() {
    let (bench, source, script) = (Bench::new(), MemorySource::with(1, 5), Script::new());
    script.next([Answer::Retry, Answer::Block, Answer::Retry]);
    let mut run = bench.follow(script.around(MemoryStore::new().sink()), &[&source]);
    run.settle().await;
    let events = bench.events();
    let [
        What::Blocked { .. },
        What::OutageEnded { waited, cause, .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(*waited, 5);
    assert!(cause.contains("the script fails"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn the_lag_of_a_paused_sink_is_known() {
    let (bench, source) = (Bench::new(), MemorySource::new(1));
    let mut run = bench.follow(MemoryStore::new().sink(), &[&source]);
    run.settle().await;
    run.control
        .send_modify(|control| control.pace = crate::delivery::follower::Pace::Paused);
    let next = run.step().await;
    assert!(matches!(next, Next::Rest(Some(_))), "{next:?}");
    assert_eq!(run.stats().lag, None);
    source.grow(3);
    run.step().await;
    assert_eq!(run.stats().lag, Some(2 * 3600 * SECOND));
}

/// Takes everything, and has something to say.
struct Worried(MemoryStore, &'static str);

impl Sink for Worried {
    fn kind(&self) -> &'static str {
        "worried"
    }

    fn address(&self) -> String {
        "worried://".to_owned()
    }

    fn concerns(&mut self) -> SinkFuture<'_, Vec<String>> {
        let concern = match self.0.contents().records.is_empty() {
            true => Vec::new(),
            false => vec![self.1.to_owned(); 20],
        };
        Box::pin(async { Ok(concern) })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        let mut sink = self.0.sink();
        Box::pin(async move { sink.deliver(batch).await })
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_worries_about_is_asked_every_minute_and_cleaned() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 5), MemoryStore::new());
    let mut run = bench.follow(Worried(store, "the default part grows\n"), &[&source]);
    run.settle().await;
    assert_eq!(run.stats().concerns, [""; 0]);
    let next = run.step().await;
    let Next::Idle(Some(until)) = next else {
        panic!("{next:?}")
    };
    sleep_until_then(until.max(run.follower.concerns_at)).await;
    run.settle().await;
    assert_eq!(run.stats().concerns, ["the default part grows\\n"; 8]);
    assert_eq!(run.stats().state, SinkState::Ok);
}

fn team(bench: &Bench, source: &MemorySource) -> Supervisor {
    let marks = tokio::sync::watch::Sender::new(0_u64);
    let supervisor = Supervisor::new(bench.around(), marks.subscribe());
    supervisor.add_source(source.shared());
    supervisor
}

#[test]
fn every_sink_says_at_the_start_whether_it_would_take_batches() {
    // trap D2: one that never answers keeps nobody from knowing about the others.
    let (bench, source) = (Bench::new(), MemorySource::with(1, 5));
    let team = team(&bench, &source);
    for (sink, answer) in [
        ("good", Answer::Store),
        ("bad", Answer::Block),
        ("silent", Answer::Hang),
    ] {
        let script = Script::new();
        script.always(answer);
        let sink_of = script.around(MemoryStore::new().sink());
        let name = SinkName::parse(sink).unwrap();
        team.add_sink(name, Box::new(sink_of), Options::default())
            .unwrap();
    }
    let answers = team.answers(SECOND);
    let problems: Vec<_> = answers
        .iter()
        .map(|answer| (answer.name.as_str(), answer.problem.as_deref()))
        .collect();
    let [good, (bad, Some(why)), silent] = problems[..] else {
        panic!("{problems:?}")
    };
    assert_eq!(good, ("good", None));
    assert!(bad == "bad" && why.contains("the script blocks"), "{why}");
    assert_eq!(silent, ("silent", Some("no answer within 1s")));
    team.stop(Duration::ZERO);
}

#[test]
fn a_test_reaches_a_paused_sink_and_moves_no_position() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 5), MemoryStore::new());
    let (team, script) = (team(&bench, &source), Script::new());
    let options = Options {
        start_at: StartAt::Now,
        ..Options::default()
    };
    team.add_sink(name(), Box::new(script.around(store.sink())), options)
        .unwrap();
    assert_eq!(team.answers(LONG)[0].problem, None);
    assert!(team.pause(&name()));
    assert_eq!(team.test(&name(), event()), Some(Tested::Taken));
    let contents = store.contents();
    assert_eq!(contents.records.len(), 1);
    assert!(contents.records[0].json.contains("audit.sink_test"));
    assert_eq!(contents.numbers(source.id()), [0_u64; 0]);

    script.always(Answer::Block);
    let Some(Tested::Failed(reason)) = team.test(&name(), event()) else {
        panic!("the script blocks");
    };
    assert!(reason.contains("the script blocks"), "{reason}");
    assert_eq!(team.stats()[0].retries, 0, "no delivery failed");
    assert_eq!(team.test(&SinkName::parse("other").unwrap(), event()), None);

    let ended = team.stop(LONG);
    assert_eq!(ended[0].ending, Ending::Stopped);
    assert_eq!(team.test(&name(), event()), Some(Tested::Ended));
}

#[test]
fn a_test_that_finds_a_sink_repaired_lets_delivery_go_on_at_once() {
    let (bench, source, store) = (Bench::new(), MemorySource::with(1, 5), MemoryStore::new());
    let (team, script) = (team(&bench, &source), Script::new());
    script.always(Answer::Block);
    team.add_sink(
        name(),
        Box::new(script.around(store.sink())),
        Options::default(),
    )
    .unwrap();
    assert!(team.answers(LONG)[0].problem.is_some());
    script.heal();
    assert_eq!(team.test(&name(), event()), Some(Tested::Taken));
    // The next try of its own would be a minute away.
    store.wait_until("all are there", |contents| contents.records.len() == 6);
    team.stop(LONG);
}
