//! The sink that writes to standard output.
