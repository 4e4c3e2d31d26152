//! Every page, with records of all kinds.

mod hostile;
mod html;
mod kept;
mod look;
mod pages;
mod samples;
