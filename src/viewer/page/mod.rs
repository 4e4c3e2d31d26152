//! The pages: pure functions from what the service found to markup.
//!
//! | address | made by |
//! |---|---|
//! | `/` | [`head_and_table`], then [`histogram`] |
//! | `/actors/{id}` | [`actor`], then the same [`histogram`] |
//! | `/records/{id}` | [`detail`] |
//! | `/destinations` | [`destinations`] |
//! | `/exports` | [`exports`] |
//! | `/live` | [`row`] for each event |
//! | `/assets/viewer.css`, `/assets/viewer.js`, `/assets/viewer.svg` | [`CSS`], [`JS`], [`ICON`] |
//! | what fails | [`failure`] |
//!
//! The first chunk of a page with a histogram leaves its document open, the histogram closes it, and
//! says why there is none. [`zone`] finds the zone of a reader, [`local`] reads
//! the times of the form, which have no zone: `from` and `to` go through it before they are read.

mod actor;
mod cells;
mod changes;
mod chart;
mod destinations;
mod detail;
mod exports;
mod failure;
mod fields;
mod filters;
mod layout;
mod link;
mod mark;
mod raw;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod tree;

pub(super) use self::{
    actor::actor,
    chart::histogram,
    destinations::destinations,
    detail::detail,
    exports::exports,
    failure::failure,
    table::{head_and_table, row},
    time::{Edge, ZONE_COOKIE, local, zone},
};

/// The style sheet: `text/css; charset=utf-8`.
pub(super) const CSS: &str = include_str!("../../../assets/viewer.css");

/// The script: `text/javascript; charset=utf-8`.
pub(super) const JS: &str = include_str!("../../../assets/viewer.js");

/// The icon.
pub(super) const ICON: &str = include_str!("../../../assets/viewer.svg");
