//! Followers and supervisors as a whole; each test plays a story on a bench.

mod plain;
mod threads;
