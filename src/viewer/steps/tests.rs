use proptest::prelude::*;

use super::*;

/// Zones with changes at night, at midnight, of half an hour, of a whole day; and without any.
const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Cairo",
    "America/St_Johns",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn extent(from: &str, to: &str) -> Extent {
    Extent {
        from: at(from),
        to: at(to),
        is_open_from: false,
        is_open_to: false,
    }
}

/// The lengths of steps in hours.
fn hours(steps: &Steps) -> Vec<i64> {
    let pairs = steps.marks.iter().zip(steps.marks.iter().skip(1));
    pairs
        .map(|(start, end)| (end.as_micros() - start.as_micros()) / HOUR)
        .collect()
}

/// What the clock of the zone shows at each mark.
fn shown(steps: &Steps, zone: &TimeZone) -> Vec<String> {
    let shown = steps.marks.iter().map(|mark| {
        let instant = jiff::Timestamp::from_microsecond(mark.as_micros()).unwrap();
        let clock = instant.to_zoned(zone.clone());
        clock.strftime("%d %H:%M").to_string()
    });
    shown.collect()
}

#[test]
fn the_ranges_of_the_form_have_steps_of_these_lengths() {
    for (days, hours, expected) in [
        (0, 1, Unit::Clock(MINUTE)),
        (0, 24, Unit::Clock(30 * MINUTE)),
        (7, 0, Unit::Clock(3 * HOUR)),
        (30, 0, Unit::Clock(12 * HOUR)),
        (90, 0, Unit::Days(7)),
        (365, 0, Unit::Days(7)),
        (3 * 365, 0, Unit::Months(1)),
        (365 * 1000, 0, Unit::Months(50 * 12)),
    ] {
        let to = at("2970-11-20T12:34:56.789Z");
        let from = Timestamp::from_micros(to.as_micros() - days * DAY - hours * HOUR);
        let extent = Extent {
            from,
            to,
            is_open_from: false,
            is_open_to: false,
        };
        let steps = round(extent, 61, &TimeZone::UTC);
        assert_eq!(steps.length, expected.length(), "{days} days {hours} hours");
    }
}

#[test]
fn a_day_has_the_hours_that_it_had() {
    let berlin = zone("Europe/Berlin");
    let spring = round(
        extent("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z"),
        4,
        &berlin,
    );
    assert_eq!(hours(&spring), [24, 23, 24]);
    let autumn = round(
        extent("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z"),
        4,
        &berlin,
    );
    assert_eq!(hours(&autumn), [24, 25, 24]);
    let weeks = round(
        extent("2026-10-05T00:00:00Z", "2026-11-05T00:00:00Z"),
        8,
        &berlin,
    );
    assert_eq!(hours(&weeks), [168, 168, 169, 168, 168]);
    assert!(
        shown(&weeks, &berlin)
            .iter()
            .all(|time| time.ends_with("00:00"))
    );
}

#[test]
fn hours_are_round_again_behind_a_change_of_the_clock() {
    let berlin = zone("Europe/Berlin");
    let spring = round(
        extent("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        4,
        &berlin,
    );
    assert_eq!(hours(&spring), [5, 6, 6, 6]);
    let autumn = round(
        extent("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        4,
        &berlin,
    );
    assert_eq!(
        shown(&autumn, &berlin),
        ["25 00:00", "25 06:00", "25 12:00", "25 18:00", "26 00:00"]
    );
    // The hour that is there twice is two steps.
    let twice = round(
        extent("2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z"),
        4,
        &berlin,
    );
    assert_eq!(hours(&twice), [1, 1, 1, 1]);
    // From behind the change, what was round before it does not count.
    let behind = round(
        extent("2026-03-29T02:30:00Z", "2026-03-29T22:00:00Z"),
        4,
        &berlin,
    );
    assert_eq!(shown(&behind, &berlin)[..2], ["29 00:00", "29 06:00"]);
}

#[test]
fn other_zones_have_other_hours_and_days() {
    let kolkata = zone("Asia/Kolkata");
    let hours_there = round(
        extent("2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z"),
        3,
        &kolkata,
    );
    assert_eq!(
        shown(&hours_there, &kolkata),
        ["20 15:00", "20 16:00", "20 17:00", "20 18:00"]
    );
    // There was no midnight: the day began at one o'clock.
    let brazil = zone("America/Sao_Paulo");
    let days = round(
        extent("2018-11-03T03:00:00Z", "2018-11-05T02:00:00Z"),
        2,
        &brazil,
    );
    assert_eq!(
        (hours(&days), shown(&days, &brazil)[1].as_str()),
        (vec![24, 23], "04 01:00")
    );
    // There was no 30th of December.
    let samoa = zone("Pacific/Apia");
    let days = round(
        extent("2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z"),
        2,
        &samoa,
    );
    assert_eq!(shown(&days, &samoa), ["29 00:00", "31 00:00", "01 00:00"]);
}

#[test]
fn an_open_range_ends_with_whole_steps_and_a_given_one_cuts_them() {
    let given = extent("2026-11-13T12:34:56.789Z", "2026-11-20T12:34:56.789Z");
    let cut = round(given, 61, &TimeZone::UTC);
    assert_eq!((cut.from, cut.to), (given.from, given.to));
    let bars = cut.empty().bars;
    assert_eq!(
        (bars[0].start, bars[0].end),
        (given.from, at("2026-11-13T15:00:00Z"))
    );
    let whole: Vec<_> = bars.iter().map(|bar| bar.is_whole).collect();
    assert!(!whole[0] && !whole[whole.len() - 1] && whole[1..whole.len() - 1].iter().all(|is| *is));
    let open = Extent {
        is_open_from: true,
        is_open_to: true,
        ..given
    };
    let open = round(open, 61, &TimeZone::UTC);
    let expected = (at("2026-11-13T12:00:00Z"), at("2026-11-20T15:00:00Z"));
    assert_eq!((open.from, open.to), expected);
    assert!(open.empty().bars.iter().all(|bar| bar.is_whole));
    let nothing = extent("2026-11-20T12:34:56Z", "2026-11-20T12:34:56Z");
    assert_eq!(round(nothing, 61, &TimeZone::UTC).empty().bars, []);
}

#[test]
fn what_cannot_be_round_is_one_step() {
    // The end of a millennium is in it.
    let decades = extent("1990-11-20T10:00:00Z", "2010-11-20T10:00:00Z");
    let one = round(decades, 1, &TimeZone::UTC);
    assert_eq!(one.marks, [decades.from, decades.to]);
    let all = Extent {
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        is_open_from: true,
        is_open_to: true,
    };
    for name in ZONES {
        let steps = round(all, 20, &zone(name));
        let bars = steps.empty().bars;
        assert!((1..=20).contains(&bars.len()), "{name}: {steps:?}");
        let (first, last) = (bars.first().unwrap(), bars.last().unwrap());
        assert_eq!((first.start, last.end), (all.from, all.to), "{name}");
    }
}

/// A mark is round: the clock shows a multiple of the unit, or has just been set past one.
fn is_round(mark: Timestamp, length: i64, zone: &TimeZone) -> bool {
    let shown = (mark.as_micros() + offset(zone, mark).unwrap()).rem_euclid(DAY);
    let before = Timestamp::from_micros(mark.as_micros() - 1);
    let is_change = offset(zone, before) != offset(zone, mark);
    shown % length.min(DAY) == 0 || is_change
}

proptest! {
    #[test]
    fn steps_are_round_few_ascending_and_hold_the_whole_range(
        name in proptest::sample::select(&ZONES[..]),
        from in 0_i64..2_000_000_000_000_000,
        size in 1_i64..1_000_000_000_000_000,
        scale in 0_u32..15,
        most in 2_usize..400,
    ) {
        let zone = zone(name);
        let length = (size / 10_i64.pow(scale)).max(1);
        let (from, to) = (Timestamp::from_micros(from), Timestamp::from_micros(from + length));
        let extent = Extent { from, to, is_open_from: false, is_open_to: false };
        let steps = round(extent, most, &zone);
        let marks = &steps.marks;
        prop_assert!(marks.len() <= most + 1, "{}", marks.len());
        prop_assert!(marks[0] <= from && marks[marks.len() - 1] >= to);
        prop_assert!(marks[1] > from && marks[marks.len() - 2] < to);
        prop_assert!(marks.windows(2).all(|pair| pair[0] < pair[1]));
        if marks[..] != [from, to] {
            let is_round = |mark: &Timestamp| *mark == Timestamp::MIN || is_round(*mark, steps.length, &zone);
            prop_assert!(marks.iter().all(is_round), "{steps:?}");
        }
        let bars = steps.empty().bars;
        prop_assert_eq!((bars[0].start, bars[bars.len() - 1].end), (from, to));
        prop_assert!(bars.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn a_range_that_slid_along_has_the_same_steps(
        name in proptest::sample::select(&ZONES[..]),
        from in 0_i64..2_000_000_000_000_000,
        days in proptest::sample::select(&[0_i64, 1, 7, 30][..]),
        slid in 0_i64..120_000_000,
    ) {
        let zone = zone(name);
        let steps = |from: i64| {
            let to = Timestamp::from_micros(from + (days * DAY).max(HOUR));
            let from = Timestamp::from_micros(from);
            round(Extent { from, to, is_open_from: false, is_open_to: false }, 61, &zone)
        };
        let (one, other) = (steps(from), steps(from + slid));
        let (start, end) = (other.marks[0], one.marks[one.marks.len() - 1]);
        let between = |steps: &Steps| -> Vec<Timestamp> {
            let marks = steps.marks.iter().copied();
            marks.filter(|mark| (start..=end).contains(mark)).collect()
        };
        prop_assert_eq!(one.length, other.length);
        prop_assert_eq!(between(&one), between(&other));
    }
}
