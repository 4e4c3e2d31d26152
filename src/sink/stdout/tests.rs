//! Readers that are slow, stuck or gone, played with pipes.

use std::{
    io::{PipeReader, Read, pipe},
    os::fd::OwnedFd,
    time::Duration,
};

use tokio::time::timeout;

use super::*;
use crate::{clock::Timestamp, evidence::leaf_hash, record::Origin, sink::Delivery};

/// More than a pipe takes while nobody reads.
const LARGE: usize = 50_000;

fn sink() -> (PipeReader, StdoutSink) {
    let (reader, writer) = pipe().unwrap();
    (reader, into(File::from(OwnedFd::from(writer))))
}

fn into(file: File) -> StdoutSink {
    let mut sink = StdoutSink::new();
    sink.open = Open::Instead(file);
    sink
}

fn batch(numbers: std::ops::Range<u64>, size: usize) -> Batch {
    let record = |number| {
        let json = format!(
            r#"{{"id":"{number}","details":{{"x":"{}"}}}}"#,
            "x".repeat(size)
        );
        Delivery::new(number, leaf_hash(json.as_bytes()), json)
    };
    let next = numbers.end;
    let origin = Origin::new(Uuid::from_u128(1), "docs", None);
    let received = Timestamp::from_micros(0);
    Batch::new(origin, received, numbers.map(record).collect(), next)
}

fn numbers(text: &str) -> Vec<u64> {
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["n"].as_u64().unwrap()
    };
    text.lines().map(line).collect()
}

/// Makes a call as a follower does, and gives it up.
async fn give_up(sink: &mut StdoutSink, batch: &Batch) {
    // No clock decides here: one poll hands the batch over, and nobody reads.
    let given_up = timeout(Duration::ZERO, sink.deliver(batch)).await;
    assert!(given_up.is_err(), "{given_up:?}");
}

/// Everything that comes until the sink is gone, read beside the test.
fn read(mut reader: PipeReader) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

// trap D2, for standard output: a pipe that nobody reads.
#[tokio::test]
async fn a_call_that_was_given_up_is_written_once_however_often_it_comes_again() {
    let (reader, mut sink) = sink();
    let large = batch(0..4, LARGE);
    for _ in 0..3 {
        give_up(&mut sink, &large).await;
    }
    let reader = read(reader);
    sink.deliver(&large).await.unwrap();
    sink.deliver(&batch(4..6, 1)).await.unwrap();
    sink.close().await.unwrap();
    drop(sink);
    assert_eq!(numbers(&reader.join().unwrap()), [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn of_a_batch_that_comes_again_with_more_only_the_rest_is_written() {
    let (mut reader, mut sink) = sink();
    let (first, more) = (batch(0..4, LARGE), batch(2..7, LARGE));
    let (_, bytes) = sink.encode(&first).unwrap().unwrap();
    give_up(&mut sink, &first).await;
    let mut read_so_far = vec![0; bytes.len()];
    reader.read_exact(&mut read_so_far).unwrap();
    sink.settle().await.unwrap();
    // Given up twice more, once with the rest and once behind it.
    give_up(&mut sink, &more).await;
    give_up(&mut sink, &more).await;
    let reader = read(reader);
    sink.deliver(&more).await.unwrap();
    // Only what was given up counts as written: a person may ask for records once more.
    sink.deliver(&batch(5..6, 1)).await.unwrap();
    drop(sink);
    let text = String::from_utf8(read_so_far).unwrap() + &reader.join().unwrap();
    assert_eq!(numbers(&text), [0, 1, 2, 3, 4, 5, 6, 5]);
}

#[tokio::test]
async fn a_sink_that_is_dropped_while_nobody_reads_lets_go_at_once() {
    let (reader, mut sink) = sink();
    give_up(&mut sink, &batch(0..4, LARGE)).await;
    drop(sink);
    // The thread goes on as long as somebody may read, and ends with the last line.
    assert_eq!(numbers(&read(reader).join().unwrap()), [0, 1, 2, 3]);
}

#[tokio::test]
async fn a_reader_that_is_gone_blocks_with_the_way_out() {
    let (reader, mut sink) = sink();
    sink.deliver(&batch(0..1, 1)).await.unwrap();
    drop(reader);
    for _ in 0..2 {
        let error = sink.deliver(&batch(1..2, 1)).await.unwrap_err();
        let expected =
            "nobody reads standard output any more: start the service again with a reader";
        assert_eq!(error, SinkError::blocked(expected));
    }
}

#[tokio::test]
async fn a_reader_that_leaves_in_the_middle_blocks_too() {
    let (reader, mut sink) = sink();
    let large = batch(0..4, LARGE);
    give_up(&mut sink, &large).await;
    drop(reader);
    let error = sink.deliver(&large).await.unwrap_err();
    assert!(matches!(error, SinkError::Blocked { .. }), "{error:?}");
}

#[tokio::test]
async fn a_full_disk_behind_it_is_tried_again() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let error = into(full).deliver(&batch(0..1, 1)).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
}

#[tokio::test]
async fn a_line_break_inside_a_record_is_refused_by_number() {
    let (_reader, mut sink) = sink();
    let mut batch = batch(3..5, 1);
    batch.records[1].json = "{\n}".into();
    let error = sink.deliver(&batch).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Refused { numbers, .. } if *numbers == [4]),
        "{error:?}"
    );
}

#[test]
fn what_was_torn_is_ended_before_the_next_piece() {
    let (mut reader, writer) = pipe().unwrap();
    let mut out = Out::file(File::from(OwnedFd::from(writer)));
    out.put(b"{\"tor").unwrap();
    out.write(b"{}\n").unwrap();
    out.write(b"{}\n").unwrap();
    drop(out);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "{\"tor\n{}\n{}\n");
}
