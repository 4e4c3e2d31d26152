//! What the benches share: rounds, medians, the record that is written, places to write it.

// Each bench uses its part of it.
#![allow(dead_code, reason = "every bench is a program of its own")]
#![expect(clippy::print_stdout, reason = "a bench prints what it found")]

pub(crate) mod facts;
pub(crate) mod place;

use std::{
    fmt,
    time::{Duration, Instant},
};

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
pub(crate) struct Series(pub(crate) Vec<f64>);

impl Series {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        if sorted.len().is_multiple_of(2) {
            f64::midpoint(at(half.wrapping_sub(1)), at(half))
        } else {
            at(half)
        }
    }

    fn lowest(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn highest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// This against another, round by round: what disturbs a round disturbs both.
    fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
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

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast { bar, aim } => write!(f, "bar ≥ {bar}×, aim ≥ {aim}×"),
            Self::AtMost { bar, aim } => write!(f, "bar ≤ {bar}×, aim ≤ {aim}×"),
        }
    }
}

impl Bar {
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
        "  ratio      {}  {bar}: {}",
        Unit::Ratio.line(&ratio),
        bar.verdict(ratio.median())
    );
}

/// How long it took.
pub(crate) fn timed<T>(run: impl FnOnce() -> Fallible<T>) -> Fallible<(T, Duration)> {
    let begun = Instant::now();
    let made = run()?;
    Ok((made, begun.elapsed()))
}

/// So many in this time, in a second.
#[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Microseconds for each of so many.
#[expect(clippy::cast_precision_loss, reason = "a time for a person")]
pub(crate) fn micros_each(count: u64, time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
