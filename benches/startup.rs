//! Run with `cargo bench --features sqlite --bench startup [-- [--quick] [start] [memory] [size]]`.
//!
//! What the number of records costs that are there already:
//!
//! - `start`: the time a start takes with 100 thousand and with 10 million records in the journal.
//!   `AUDIT_BENCH_RECORDS` sets the larger number; ten million take about 9 GB below `target`.
//! - `memory`: resident memory with a sink down and a million records waiting, against idle.
//! - `size`: bytes of a record in the journal and in SQLite.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use support::{
    Asked, Bar, Fallible, Series, Unit, added,
    facts::{Facts, SERVICE},
    place::{self, Place},
    show, timed,
};
use tower_audit::{
    Audit, AuditBuilder, Rejected,
    sink::{Batch, Sink, SinkError, SinkFuture, SqliteSink},
};

/// The argument that makes this program the child whose memory is measured.
const CHILD: &str = "--memory-of-child";

fn main() -> Fallible<()> {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(CHILD) {
        let dir = words.next().ok_or("no directory")?;
        let records = words.next().ok_or("no number")?.parse()?;
        return memory_of_child(Path::new(&dir), records);
    }
    let asked = Asked::read();
    let place = Place::new()?;
    if asked.part("memory") {
        memory(&asked, &place)?;
    }
    if asked.part("size") {
        size(&asked, &place)?;
    }
    if asked.part("start") {
        start(&asked, &place)?;
    }
    Ok(())
}

/// A trail that keeps everything, however much it is.
fn builder(dir: &Path) -> AuditBuilder {
    Audit::builder(SERVICE).dir(dir).keep_undelivered(u64::MAX)
}

fn fill(audit: &Audit, records: u64) -> Fallible<()> {
    for number in 0..records {
        while let Err(error) = audit.record(Facts::new(number).record()) {
            match error {
                Rejected::Full => thread::sleep(Duration::from_micros(200)),
                other => return Err(other.into()),
            }
        }
    }
    let _receipt = audit.commit_blocking(Facts::new(records).record())?;
    Ok(())
}

fn stop(audit: &Audit) -> Fallible<()> {
    let report = audit.shutdown_blocking(Duration::from_secs(600));
    if report.in_order {
        Ok(())
    } else {
        Err(format!("not closed in order: {report}").into())
    }
}

fn start(asked: &Asked, place: &Place) -> Fallible<()> {
    let set = std::env::var("AUDIT_BENCH_RECORDS").ok();
    let large = match set {
        Some(number) => number.parse()?,
        None => asked.or_quick(10_000_000, 100_000),
    };
    let small = asked.or_quick(100_000, 10_000);
    for records in [small, large] {
        let filled = place.join(&format!("{records}"));
        let audit = builder(&filled).start_blocking()?;
        let ((), taken) = timed(|| fill(&audit, records))?;
        stop(&audit)?;
        let mut times = Series::default();
        for _ in 0..asked.rounds() {
            times.once(start_once(&filled, &place.join("linked"))?);
        }
        let title = format!(
            "A start with {records} records in the journal ({:.1} s to write them)",
            taken.wall.as_secs_f64()
        );
        show(&title, Unit::Millis, &times);
        place::settle(&filled)?;
    }
    Ok(())
}

/// Starts on links to the files that the first run left: a start adds files and changes none, so
/// every round finds the same.
fn start_once(filled: &Path, linked: &Path) -> Fallible<support::Taken> {
    link(filled, linked)?;
    let (audit, taken) = timed(|| Ok(builder(linked).start_blocking()?))?;
    stop(&audit)?;
    drop(audit);
    place::settle(linked)?;
    Ok(taken)
}

fn link(from: &Path, to: &Path) -> Fallible<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link(&entry.path(), &target)?;
        } else if entry.file_name().to_string_lossy().ends_with(".jsonl") {
            fs::hard_link(entry.path(), target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn memory(asked: &Asked, place: &Place) -> Fallible<()> {
    let records = asked.or_quick(1_000_000, 20_000);
    let (mut idle, mut waiting, mut peak) = Default::default();
    for _ in 0..asked.or_quick(5, 2) {
        let dir = place.join("memory");
        let output = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .arg(&dir)
            .arg(records.to_string())
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let read = [&mut idle, &mut waiting, &mut peak]
            .into_iter()
            .zip(text.split_whitespace())
            .try_fold(0, |count, (series, word): (&mut Series, _)| {
                series.values.push(word.parse()?);
                Fallible::Ok(count + 1)
            })?;
        if read != 3 {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        place::settle(&dir)?;
    }
    let bar = Bar::AtMost {
        bar: 64.0,
        aim: 16.0,
    };
    added(
        &format!("Memory with a sink down and {records} records waiting"),
        (&waiting, &idle),
        bar,
    );
    show("The highest while they were recorded", Unit::Mib, &peak);
    Ok(())
}

/// Prints resident MiB: idle, with so many records waiting, and the highest in between.
fn memory_of_child(dir: &Path, records: u64) -> Fallible<()> {
    let audit = builder(dir).sink("down", Down).start_blocking()?;
    fill(&audit, 1)?;
    let idle = resident("VmRSS:")?;
    fill(&audit, records)?;
    let pending = audit.stats().sinks.iter().map(|sink| sink.pending).sum();
    if records > pending {
        return Err(format!("{pending} records wait").into());
    }
    let (waiting, peak) = (resident("VmRSS:")?, resident("VmHWM:")?);
    support::say(&format!("{idle} {waiting} {peak}"));
    // The sink is down: there is nothing to wait for.
    drop(audit.shutdown_blocking(Duration::ZERO));
    Ok(())
}

fn resident(field: &str) -> Fallible<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .ok_or("no such field")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// A sink that takes nothing.
struct Down;

impl Sink for Down {
    fn kind(&self) -> &'static str {
        "down"
    }

    fn address(&self) -> String {
        "nowhere".into()
    }

    fn deliver<'a>(&'a mut self, _: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async { Err(SinkError::retry("down")) })
    }
}

fn size(asked: &Asked, place: &Place) -> Fallible<()> {
    let records = asked.or_quick(100_000, 5_000);
    let (dir, database) = (place.join("size"), place.join("size.db"));
    let audit = builder(&dir)
        .sink("sqlite", SqliteSink::new(&database))
        .start_blocking()?;
    fill(&audit, records)?;
    stop(&audit)?;
    let json = json_bytes(&dir)?;
    let journal = place::bytes_in(&dir, ".jsonl")?;
    support::say(&format!(
        "\nBytes of a record, {records} records\n  its JSON   {}\n  journal    {}\n  SQLite     {}",
        json / records,
        journal / records,
        fs::metadata(&database)?.len() / records
    ));
    place::settle(&dir)
}

/// The bytes of all records, without what the journal puts around them.
fn json_bytes(dir: &Path) -> Fallible<u64> {
    let mut sum = 0;
    for file in segments(dir)? {
        for line in fs::read_to_string(file)?.lines() {
            if let Some((_, record)) = line.split_once("\"record\":") {
                sum += record.len() as u64 - 1;
            }
        }
    }
    Ok(sum)
}

fn segments(dir: &Path) -> Fallible<Vec<PathBuf>> {
    let mut found = Vec::new();
    for trail in fs::read_dir(dir)? {
        for entry in fs::read_dir(trail?.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "jsonl") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
