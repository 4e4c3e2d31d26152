//! The histogram: how many records there were when, by outcome.

use maud::{Markup, html};

use super::{layout, link::Listing, mark, time};
use crate::{
    clock::Timestamp,
    record::Outcome,
    store::{Bar, Histogram},
    viewer::model::{Failure, Search, View, ZoneFrom},
};

/// The height of the drawing in its own units; the style sheet says how large it is.
const HEIGHT: u64 = 1000;
/// The least height of something that is not nothing: about a pixel.
const LEAST: u64 = 14;
/// The width of a step, and of its bar.
const STEP: u64 = 10;
const BAR: u64 = 8;

/// The last chunk of a page: the histogram, or why there is none, and the end of the document.
pub(in crate::viewer) fn histogram(
    view: &View<'_>,
    search: &Search,
    found: Result<&Histogram, Failure<'_>>,
) -> Markup {
    let words = &view.words.chart;
    let listing = Listing::new(view, search);
    html! {
        section.chart aria-labelledby="chart" {
            h2 #chart { (words.title) }
            @match found.map(Counted::new) {
                Err(Failure::Timeout) => p.said { (words.too_long) },
                Err(_) => p.said { (words.failed) },
                Ok(counted) if counted.all > 0 => (counted.drawn(&listing)),
                Ok(counted) => p.said { (counted.none(view)) },
            }
        }
        (layout::close(view))
    }
}

/// A histogram with its sums.
struct Counted<'a> {
    histogram: &'a Histogram,
    /// By outcome, in their order; only those that occur.
    sums: Vec<(Outcome, u64)>,
    all: u64,
    /// The largest step.
    largest: u64,
}

impl<'a> Counted<'a> {
    fn new(histogram: &'a Histogram) -> Self {
        let sums: Vec<_> = Outcome::ALL
            .iter()
            .map(|outcome| {
                (
                    *outcome,
                    histogram.bars.iter().map(|bar| of(bar, *outcome)).sum(),
                )
            })
            .filter(|(_, sum)| *sum > 0)
            .collect();
        Self {
            histogram,
            all: sums.iter().map(|(_, sum)| *sum).sum(),
            largest: histogram.bars.iter().map(sum).max().unwrap_or(0),
            sums,
        }
    }

    fn drawn(&self, listing: &Listing<'_>) -> Markup {
        let view = listing.view;
        let (words, locale) = (&view.words.chart, &view.words.locale);
        let histogram = self.histogram;
        html! {
            (self.legend(listing))
            div.plot {
                p.scale aria-hidden="true" { span { (locale.number(self.largest)) } span { "0" } }
                (self.bars(listing))
                p.axis aria-hidden="true" {
                    (time::at(view, histogram.from))
                    (time::at(view, middle(histogram)))
                    (time::at(view, histogram.to))
                }
            }
            @if histogram.counted_from > histogram.from {
                p.said { (self.since(view, words.counted_from)) }
            }
            details.numbers {
                summary { (words.numbers) }
                (self.numbers(listing))
            }
        }
    }

    /// That there are none, as far as that is known.
    fn none(&self, view: &View<'_>) -> Markup {
        let words = &view.words.chart;
        let histogram = self.histogram;
        if histogram.counted_from <= histogram.from {
            html! { (words.nothing) }
        } else if histogram.counted_from < histogram.to {
            self.since(view, words.none_since)
        } else {
            // Not even the newest step was counted.
            html! { (words.too_long) }
        }
    }

    /// A text with the time from which on everything is counted.
    fn since(&self, view: &View<'_>, text: &str) -> Markup {
        let (before, after) = text.split_once("{}").unwrap_or_default();
        html! { (before) (time::at(view, self.histogram.counted_from)) (after) }
    }

    /// The sums by outcome; each leads to the records behind it.
    fn legend(&self, listing: &Listing<'_>) -> Markup {
        let view = listing.view;
        html! {
            ul.legend {
                @for (outcome, sum) in &self.sums {
                    li {
                        a href=(listing.link().with("outcome", outcome.as_str()).address()) {
                            (mark::outcome(view.words, *outcome)) " "
                            span.number { (view.words.locale.number(*sum)) }
                        }
                    }
                }
            }
        }
    }

    fn bars(&self, listing: &Listing<'_>) -> Markup {
        let view = listing.view;
        let steps = u64::try_from(self.histogram.bars.len()).unwrap_or(0);
        // Room above, because the least height can make a bar a little too high.
        let room = LEAST * 6;
        let view_box = format!("0 0 {} {}", steps * STEP, HEIGHT + room);
        html! {
            svg.bars viewBox=(view_box) preserveAspectRatio="none" role="group"
                aria-label=(view.words.chart.title) {
                line.grid x1="0" x2=(steps * STEP) y1=(room) y2=(room) {}
                line.grid x1="0" x2=(steps * STEP) y1=(room + HEIGHT / 2) y2=(room + HEIGHT / 2) {}
                @for (index, bar) in (0_u64..).zip(&self.histogram.bars) {
                    @if sum(bar) > 0 {
                        @let said = self.said(listing, bar);
                        a href=(self.period(listing, bar)) tabindex="-1" aria-label=(said) {
                            title { (said) }
                            rect.hit x=(index * STEP) y="0" width=(STEP) height=(HEIGHT + room) {}
                            @for part in stacked(bar, self.largest, HEIGHT + room) {
                                rect class=(format!("o-{}", part.outcome))
                                    x=(index * STEP + (STEP - BAR) / 2) y=(part.top)
                                    width=(BAR) height=(part.height) {}
                            }
                        }
                    }
                }
            }
        }
    }

    /// A step in words: when, and how many of each.
    fn said(&self, listing: &Listing<'_>, bar: &Bar) -> String {
        let words = listing.view.words;
        // The script turns times, but not these.
        let zone = match listing.view.zone_from {
            ZoneFrom::Default => " UTC",
            ZoneFrom::Address | ZoneFrom::Cookie => "",
        };
        let cut = words.chart.cut;
        let cut = if bar.is_whole {
            String::new()
        } else {
            format!(" ({cut})")
        };
        let mut said = format!(
            "{} – {}{zone}{cut}: {}",
            time::said(listing.view, bar.start),
            time::said(listing.view, bar.end),
            words.locale.plural(sum(bar), words.count)
        );
        for (outcome, _) in &self.sums {
            if let number @ 1.. = of(bar, *outcome) {
                let word = mark::outcome_word(words, *outcome);
                said.push_str(&format!(" · {word} {}", words.locale.number(number)));
            }
        }
        said
    }

    /// The same in numbers, for those who do not see the drawing.
    fn numbers(&self, listing: &Listing<'_>) -> Markup {
        let view = listing.view;
        let (words, locale) = (view.words, &view.words.locale);
        html! {
            div.scroll {
                table.figures aria-labelledby="chart" {
                    thead {
                        tr {
                            th scope="col" { (words.chart.period) }
                            @for (outcome, _) in &self.sums {
                                th.figure scope="col" { (mark::outcome_word(words, *outcome)) }
                            }
                            th.figure scope="col" { (words.chart.all) }
                        }
                    }
                    tbody {
                        @for bar in self.histogram.bars.iter().filter(|bar| sum(bar) > 0) {
                            tr {
                                th scope="row" {
                                    a href=(self.period(listing, bar)) { (time::at(view, bar.start)) }
                                    @if !bar.is_whole { " " span.cut { "(" (words.chart.cut) ")" } }
                                }
                                @for (outcome, _) in &self.sums {
                                    td.figure { (locale.number(of(bar, *outcome))) }
                                }
                                td.figure { (locale.number(sum(bar))) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn period(&self, listing: &Listing<'_>, bar: &Bar) -> String {
        let link = listing.link().with("range", "custom");
        let link = link.with("from", bar.start.to_string());
        link.with("to", bar.end.to_string()).address()
    }
}

/// A piece of a bar.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    outcome: Outcome,
    top: u64,
    height: u64,
}

/// The pieces of a bar from its foot up, in the order of outcomes; `foot` is where it stands.
fn stacked(bar: &Bar, largest: u64, foot: u64) -> Vec<Part> {
    let mut top = foot;
    let mut parts = Vec::new();
    for outcome in Outcome::ALL {
        let number = of(bar, *outcome);
        if number > 0 {
            let height =
                (u128::from(number) * u128::from(HEIGHT)).div_ceil(u128::from(largest.max(1)));
            let height = u64::try_from(height)
                .unwrap_or(HEIGHT)
                .clamp(LEAST, HEIGHT)
                .min(top);
            top -= height;
            parts.push(Part {
                outcome: *outcome,
                top,
                height,
            });
        }
    }
    parts
}

fn of(bar: &Bar, outcome: Outcome) -> u64 {
    let is_it = |word: &str| Outcome::from_word(word).unwrap_or_default() == outcome;
    bar.outcomes
        .iter()
        .filter(|(word, _)| is_it(word))
        .map(|(_, number)| *number)
        .sum()
}

fn sum(bar: &Bar) -> u64 {
    bar.outcomes.iter().map(|(_, number)| *number).sum()
}

fn middle(histogram: &Histogram) -> Timestamp {
    let (from, to) = (histogram.from.as_micros(), histogram.to.as_micros());
    Timestamp::from_micros(from + (to - from) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(outcomes: &[(&str, u64)]) -> Bar {
        Bar {
            start: Timestamp::from_micros(0),
            end: Timestamp::from_micros(1),
            is_whole: true,
            outcomes: outcomes
                .iter()
                .map(|(word, number)| ((*word).to_owned(), *number))
                .collect(),
        }
    }

    #[test]
    fn a_bar_stands_on_its_foot_and_has_no_gaps() {
        let parts = stacked(
            &bar(&[("success", 50), ("denied", 25), ("error", 1)]),
            100,
            1084,
        );
        let drawn: Vec<_> = parts
            .iter()
            .map(|part| (part.outcome, part.top, part.height))
            .collect();
        assert_eq!(
            drawn,
            [
                (Outcome::Success, 584, 500),
                (Outcome::Denied, 334, 250),
                (Outcome::Error, 320, LEAST),
            ]
        );
    }

    #[test]
    fn the_largest_bar_fits_however_large_and_however_mixed() {
        let mixed: Vec<_> = Outcome::ALL
            .iter()
            .map(|outcome| (outcome.as_str(), 1))
            .collect();
        for (given, largest) in [
            (bar(&[("success", u64::MAX)]), u64::MAX),
            (bar(&mixed), 6),
            (bar(&mixed), 6000),
        ] {
            let parts = stacked(&given, largest, HEIGHT + LEAST * 6);
            let height: u64 = parts.iter().map(|part| part.height).sum();
            assert!(height <= HEIGHT + LEAST * 6, "{parts:?}");
            assert!(parts.iter().all(|part| part.height >= LEAST), "{parts:?}");
        }
    }

    #[test]
    fn a_word_of_a_later_version_is_counted_as_unknown() {
        let bar = bar(&[("success", 2), ("postponed", 3)]);
        assert_eq!(of(&bar, Outcome::Unknown), 3);
        assert_eq!(sum(&bar), 5);
    }
}
