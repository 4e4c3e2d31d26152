//! When people do what they do: on weekdays, in the daytime.

use std::time::Duration;

use tower_audit::clock::Timestamp;

use super::dice::Dice;

const DAY: u64 = 24 * 3600;

/// How much is done on a day, from Thursday on: the first day that a timestamp counts is one.
const WEEK: [u64; 7] = [10, 8, 2, 1, 10, 12, 11];

/// How much is done in an hour, from midnight on, in universal time.
const HOURS: [u64; 24] = [
    1, 1, 1, 1, 1, 2, 5, 12, 22, 26, 24, 18, 14, 22, 24, 22, 17, 10, 6, 4, 3, 2, 2, 1,
];

/// Days that the history goes back.
const DAYS: u64 = 30;

/// So many times of the last 30 days before `end`, in their order.
pub(super) fn times(dice: &mut Dice, count: u32, end: Timestamp) -> Vec<Timestamp> {
    let end_second = u64::try_from(end.as_micros()).unwrap_or(0) / 1_000_000;
    // Every hour with its weight: the last one is not over.
    let first_hour = end_second / 3600 - DAYS * 24;
    let hours: Vec<(u64, u64)> = (first_hour..=end_second / 3600)
        .map(|hour| (weight(hour), hour))
        .collect();
    let mut times = Vec::new();
    while times.len() < count as usize {
        let Some(hour) = dice.weighed(&hours).copied() else {
            break;
        };
        let micros = hour * 3_600_000_000 + dice.below(3_600_000_000);
        let at = Timestamp::MIN.saturating_add(Duration::from_micros(micros));
        // Of the hour that is not over only what was.
        if at < end {
            times.push(at);
        }
    }
    times.sort_unstable();
    times
}

fn weight(hour: u64) -> u64 {
    let pick = |table: &[u64], place: u64| {
        let place = usize::try_from(place).unwrap_or(0);
        table.get(place).copied().unwrap_or(1)
    };
    pick(&WEEK, hour * 3600 / DAY % 7) * pick(&HOURS, hour % 24)
}
