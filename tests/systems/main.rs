//! The systems that this crate replaces, played end to end: the real layer, real databases, and a
//! real browser where there is a page. What each must show stands in its file, step by step.
//!
//! A binary of its own, because it starts browsers, which are heavy: one runs at a time. Pictures of
//! the steps are left in `target/screenshots`. Run with `cargo test --all-features --test systems`.

#[cfg(test)]
mod duplistatus;
#[cfg(test)]
mod grist;
#[cfg(test)]
mod logto;
#[cfg(test)]
mod support;
#[cfg(test)]
mod viewer;
