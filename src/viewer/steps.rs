//! The steps of a histogram: they begin at round times of the reader's zone.
//!
//! Two looks at a range that slides along have the same bars, then, but for the first and the last. Up to twelve
//! hours a step has its length on the clock, and one in which the zone changes its offset is shorter or longer by
//! the change, so that the next begins at a round time again; days, weeks, months and years are those of the
//! calendar, so that a day has 23 or 25 hours where it had.

use jiff::{Span, civil::Date, tz::TimeZone};

use crate::{
    clock::Timestamp,
    store::{Extent, Steps},
};

/// The lengths that there are, ascending.
const UNITS: [Unit; 35] = [
    Unit::Clock(1),
    Unit::Clock(10),
    Unit::Clock(100),
    Unit::Clock(1_000),
    Unit::Clock(10_000),
    Unit::Clock(100_000),
    Unit::Clock(SECOND),
    Unit::Clock(2 * SECOND),
    Unit::Clock(5 * SECOND),
    Unit::Clock(10 * SECOND),
    Unit::Clock(15 * SECOND),
    Unit::Clock(30 * SECOND),
    Unit::Clock(MINUTE),
    Unit::Clock(2 * MINUTE),
    Unit::Clock(5 * MINUTE),
    Unit::Clock(10 * MINUTE),
    Unit::Clock(15 * MINUTE),
    Unit::Clock(30 * MINUTE),
    Unit::Clock(HOUR),
    Unit::Clock(2 * HOUR),
    Unit::Clock(3 * HOUR),
    Unit::Clock(6 * HOUR),
    Unit::Clock(12 * HOUR),
    Unit::Days(1),
    Unit::Days(7),
    Unit::Months(1),
    Unit::Months(3),
    Unit::Months(6),
    Unit::Months(12),
    Unit::Months(5 * 12),
    Unit::Months(10 * 12),
    Unit::Months(50 * 12),
    Unit::Months(100 * 12),
    Unit::Months(500 * 12),
    Unit::Months(1000 * 12),
];

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A length of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// So many microseconds of the clock; they divide a day.
    Clock(i64),
    /// One day, or a week from Monday on.
    Days(i64),
    Months(i32),
}

/// The shortest round steps of which no more than `most` are needed, in this zone.
pub(super) fn round(extent: Extent, most: usize, zone: &TimeZone) -> Steps {
    let length = extent.to.as_micros() - extent.from.as_micros();
    if length == 0 {
        return Steps {
            from: extent.from,
            to: extent.to,
            marks: Vec::new(),
            length: 1,
        };
    }
    let fits = |unit: &&Unit| {
        // Before anything is computed: a day can be longer than usual, but not twice as long.
        length / unit.length() <= i64::try_from(most).unwrap_or(i64::MAX).saturating_mul(2)
    };
    let found = UNITS.iter().filter(fits).find_map(|unit| {
        let marks = unit.marks(extent, most, zone)?;
        Some((marks, unit.length()))
    });
    let Some((marks, length)) = found else {
        // One step, as it was asked for: round times lie within it whatever the length.
        return Steps {
            from: extent.from,
            to: extent.to,
            marks: vec![extent.from, extent.to],
            length,
        };
    };
    let outer = (marks.first().copied(), marks.last().copied());
    Steps {
        from: outer
            .0
            .filter(|_| extent.is_open_from)
            .unwrap_or(extent.from),
        to: outer.1.filter(|_| extent.is_open_to).unwrap_or(extent.to),
        marks,
        length,
    }
}

impl Unit {
    /// The usual length in microseconds.
    const fn length(self) -> i64 {
        match self {
            Self::Clock(micros) => micros,
            Self::Days(days) => days * DAY,
            Self::Months(months) => months as i64 * 30 * DAY,
        }
    }

    /// The marks around an extent; none when there are more than `most` steps, or no such times.
    fn marks(self, extent: Extent, most: usize, zone: &TimeZone) -> Option<Vec<Timestamp>> {
        let mut mark = self.before(extent.from, zone)?;
        let mut marks = vec![mark];
        while mark < extent.to {
            if marks.len() > most {
                return None;
            }
            mark = self.after(mark, zone)?;
            marks.push(mark);
        }
        Some(marks)
    }

    /// The last round time that is not after `at`.
    fn before(self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut mark = match self {
            Self::Clock(micros) => {
                let floor = |at: Timestamp, offset: i64| {
                    let into = (at.as_micros() + offset).rem_euclid(micros);
                    Timestamp::from_micros(at.as_micros() - into)
                };
                let mark = floor(at, offset(zone, at)?);
                // Across a change of the offset it is round on this side only.
                floor(mark, offset(zone, mark)?)
            }
            Self::Days(_) | Self::Months(_) => begin(self.first_day(day(zone, at)?)?, zone)?,
        };
        while let Some(next) = self.after(mark, zone).filter(|next| *next <= at) {
            mark = next;
        }
        Some(mark)
    }

    /// The first round time after one; at the end of time, that end.
    fn after(self, mark: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let next = match self {
            Self::Clock(micros) => clock_after(mark, micros, zone)?,
            Self::Days(_) | Self::Months(_) => {
                let mut first = self.first_day(day(zone, mark)?)?;
                // A zone that crossed the date line has left a day out.
                loop {
                    let Some(next) = self.next_day(first) else {
                        break Timestamp::MAX;
                    };
                    first = next;
                    let Some(found) = begin(first, zone) else {
                        break Timestamp::MAX;
                    };
                    if found > mark {
                        break found;
                    }
                }
            }
        };
        (next > mark).then_some(next)
    }

    /// The day on which the step begins that holds this day.
    fn first_day(self, day: Date) -> Option<Date> {
        match self {
            Self::Clock(_) => Some(day),
            Self::Days(7) => {
                let behind = day.weekday().to_monday_zero_offset();
                day.checked_sub(Span::new().try_days(behind).ok()?).ok()
            }
            Self::Days(_) => Some(day),
            Self::Months(months) => {
                let count = i32::from(day.year()) * 12 + i32::from(day.month()) - 1;
                first_of(count - count.rem_euclid(months))
            }
        }
    }

    /// The first day of the step behind the one that begins on this day.
    fn next_day(self, first: Date) -> Option<Date> {
        match self {
            Self::Clock(_) => None,
            Self::Days(days) => first.checked_add(Span::new().try_days(days).ok()?).ok(),
            Self::Months(months) => {
                first_of(i32::from(first.year()) * 12 + i32::from(first.month()) - 1 + months)
            }
        }
    }
}

/// The first day of a month, counted from the year 0.
fn first_of(month: i32) -> Option<Date> {
    let year = i16::try_from(month.div_euclid(12)).ok()?;
    let month = i8::try_from(month.rem_euclid(12) + 1).ok()?;
    Date::new(year, month, 1).ok()
}

/// The first time after `mark` at which the clock of the zone shows a multiple of `micros`.
fn clock_after(mark: Timestamp, micros: i64, zone: &TimeZone) -> Option<Timestamp> {
    let before = offset(zone, mark)?;
    let into = (mark.as_micros() + before).rem_euclid(micros);
    let next = Timestamp::from_micros(mark.as_micros() - into + micros);
    if offset(zone, next)? == before {
        return Some(next);
    }
    // The offset changes on the way.
    let instant = jiff::Timestamp::from_microsecond(mark.as_micros()).ok()?;
    let mut changes = zone.following(instant);
    let change = changes.find(|change| i64::from(change.offset().seconds()) * SECOND != before)?;
    let after = i64::from(change.offset().seconds()) * SECOND;
    let change = change.timestamp().as_microsecond();
    let up = |local: i64| local + (-local).rem_euclid(micros);
    // A round time that the clock passed over: what comes behind it begins with the change.
    if after > before && up(change + before) <= change + after {
        return Some(Timestamp::from_micros(change));
    }
    Some(Timestamp::from_micros(up(change + after) - after))
}

/// How far the clock of the zone is ahead of UTC then, in microseconds.
fn offset(zone: &TimeZone, at: Timestamp) -> Option<i64> {
    let instant = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(i64::from(zone.to_offset(instant).seconds()) * SECOND)
}

fn day(zone: &TimeZone, at: Timestamp) -> Option<Date> {
    let instant = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(instant.to_zoned(zone.clone()).date())
}

/// When a day begins; some do not begin at midnight.
fn begin(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let zoned = day.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests;
