//! What the benches share: rounds, medians, the record that is written, places to write it.

// Each bench uses its part of it.
#![allow(dead_code, reason = "every bench is a program of its own")]
#![expect(clippy::print_stdout, reason = "a bench prints what it found")]

pub(crate) mod facts;
#[cfg(feature = "cli")]
pub(crate) mod history;
pub(crate) mod journal;
pub(crate) mod place;
#[cfg(feature = "sqlite")]
pub(crate) mod plain;
#[cfg(feature = "mysql")]
pub(crate) mod plain_mysql;
#[cfg(feature = "postgres")]
pub(crate) mod plain_postgres;
#[cfg(feature = "axum")]
pub(crate) mod service;

use std::time::{Duration, Instant};

/// What any step may fail with; `main` prints it.
pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// What the command line asks for: `[--quick] [PART…]`.
pub(crate) struct Asked {
    /// Seconds instead of minutes: shows that it runs, and says nothing about speed.
    pub quick: bool,
    parts: Vec<String>,
}

impl Asked {
    /// Reads the arguments; `--bench` comes from cargo.
    pub(crate) fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let quick = words.iter().any(|word| word == "--quick");
        let asked = Self {
            quick,
            parts: words
                .into_iter()
                .filter(|word| !word.starts_with('-'))
                .collect(),
        };
        println!("load average before: {}", load());
        if quick {
            println!("quick: this shows that it runs, not how fast");
        }
        asked
    }

    /// Whether this part is to run: all do when none is named.
    pub(crate) fn part(&self, name: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|part| part == name)
    }

    /// Whether this one of several alternatives is to run: all do when none of them is named.
    pub(crate) fn one_of(&self, alternatives: &[&str], name: &str) -> bool {
        let named = |name: &str| self.parts.iter().any(|part| part == name);
        !alternatives.iter().any(|other| named(other)) || named(name)
    }

    /// A number for a real run, or the one for a quick run.
    pub(crate) fn or_quick(&self, real: u64, quick: u64) -> u64 {
        if self.quick { quick } else { real }
    }

    /// Rounds of every comparison.
    pub(crate) fn rounds(&self) -> u64 {
        self.or_quick(7, 2)
    }
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").map_or_else(
        |_| "unknown".into(),
        |text| text.split(' ').take(3).collect::<Vec<_>>().join(" "),
    )
}

/// Measurements of one thing, one for each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    /// What is compared.
    pub(crate) values: Vec<f64>,
    /// Microseconds of processor time for each record, all threads and the kernel together.
    pub(crate) cpu: Vec<f64>,
}

impl Series {
    /// Takes a round of so many records as records in a second.
    pub(crate) fn rate(&mut self, records: u64, taken: Taken) {
        self.values.push(per_second(records, taken.wall));
        self.cpu.push(micros_each(records, taken.cpu));
    }

    /// Takes a round of so many as microseconds for each.
    pub(crate) fn each(&mut self, records: u64, taken: Taken) {
        self.values.push(micros_each(records, taken.wall));
        self.cpu.push(micros_each(records, taken.cpu));
    }

    /// Takes a round as milliseconds.
    pub(crate) fn once(&mut self, taken: Taken) {
        self.values.push(taken.wall.as_secs_f64() * 1e3);
    }

    /// The middle one, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        median(&self.values)
    }

    fn lowest(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn highest(&self) -> f64 {
        self.values
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// This against another, round by round: what disturbs a round disturbs both.
    fn over(&self, other: &Self) -> Self {
        let pairs = self.values.iter().zip(&other.values);
        Self {
            values: pairs.map(|(ours, theirs)| ours / theirs).collect(),
            cpu: Vec::new(),
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(half.wrapping_sub(1)), at(half))
    } else {
        at(half)
    }
}

/// How a series is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Records in a second.
    PerSecond,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// MiB.
    Mib,
    /// Ours against the reference.
    Ratio,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Micros => format!("{value:.1} µs"),
            Self::Millis => format!("{value:.2} ms"),
            Self::Mib => format!("{value:.1} MiB"),
            Self::Ratio => format!("{value:.2}×"),
        }
    }

    /// `median (lowest – highest)`.
    pub(crate) fn line(self, series: &Series) -> String {
        format!(
            "{} ({} – {})",
            self.show(series.median()),
            self.show(series.lowest()),
            self.show(series.highest())
        )
    }
}

/// What a ratio must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// More is better.
    AtLeast { bar: f64, aim: f64 },
    /// Less is better.
    AtMost { bar: f64, aim: f64 },
}

impl Bar {
    fn show(self, unit: &str) -> String {
        let (sign, bar, aim) = match self {
            Self::AtLeast { bar, aim } => ('≥', bar, aim),
            Self::AtMost { bar, aim } => ('≤', bar, aim),
        };
        format!("bar {sign} {bar} {unit}, aim {sign} {aim} {unit}")
    }

    fn verdict(self, ratio: f64) -> &'static str {
        let (holds, reached) = match self {
            Self::AtLeast { bar, aim } => (ratio >= bar, ratio >= aim),
            Self::AtMost { bar, aim } => (ratio <= bar, ratio <= aim),
        };
        match (holds, reached) {
            (_, true) => "aim reached",
            (true, false) => "bar held",
            (false, false) => "MISSED",
        }
    }
}

/// Prints ours, the reference beside it, and the ratio.
pub(crate) fn compare(
    title: &str,
    unit: Unit,
    ours: &Series,
    reference: (&str, &Series),
    bar: Bar,
) {
    let ratio = ours.over(reference.1);
    println!("\n{title}");
    println!("  ours       {}", unit.line(ours));
    println!("  reference  {}  {}", unit.line(reference.1), reference.0);
    println!(
        "  ratio      {}  {}: {}",
        Unit::Ratio.line(&ratio),
        bar.show("×"),
        bar.verdict(ratio.median())
    );
    println!(
        "  processor  {:.2} µs a record, reference {:.2} µs",
        median(&ours.cpu),
        median(&reference.1.cpu)
    );
}

/// Prints what has no reference.
pub(crate) fn show(title: &str, unit: Unit, series: &Series) {
    println!("\n{title}\n  ours       {}", unit.line(series));
}

/// Prints memory in MiB and what it is more than at the beginning.
pub(crate) fn added(title: &str, (then, before): (&Series, &Series), bar: Bar) {
    let pairs = then.values.iter().zip(&before.values);
    let more = Series {
        values: pairs.map(|(then, before)| then - before).collect(),
        cpu: Vec::new(),
    };
    show(title, Unit::Mib, then);
    println!("  idle       {}", Unit::Mib.line(before));
    println!(
        "  more       {}  {}: {}",
        Unit::Mib.line(&more),
        bar.show("MiB"),
        bar.verdict(more.median())
    );
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// Measures from its making on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    begun: Instant,
    cpu: Duration,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            begun: Instant::now(),
            cpu: cpu(),
        }
    }

    pub(crate) fn taken(self) -> Taken {
        Taken {
            wall: self.begun.elapsed(),
            cpu: cpu() - self.cpu,
        }
    }
}

/// The processor time of this process so far.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// What it took.
pub(crate) fn timed<T>(run: impl FnOnce() -> Fallible<T>) -> Fallible<(T, Taken)> {
    let watch = Watch::start();
    let made = run()?;
    Ok((made, watch.taken()))
}

#[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a time for a person")]
fn micros_each(count: u64, time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
