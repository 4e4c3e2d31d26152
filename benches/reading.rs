//! What reading a store costs at 100 thousand and at a million records.
fn main() {}
