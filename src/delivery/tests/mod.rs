//! Followers and supervisors as a whole; each test plays a story on a bench.

mod faults;
mod files;
mod model;
mod plain;
mod positions;
mod probes;
mod refusals;
mod replays;
mod threads;
