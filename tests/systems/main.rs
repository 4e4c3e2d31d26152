//! The systems that this crate replaces, played end to end: the real layer, real databases, and a
//! real browser where there is a page. What each must show stands in its file, step by step.
