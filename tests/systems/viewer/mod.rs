//! The viewer in a real browser, in front of a real store that a real layer fills.

mod app;
mod barriers;
mod beside;
mod hostile;
mod journey;
mod keyboard;
mod period;
