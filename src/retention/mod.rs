//! How long records are kept, and what may not be removed.
