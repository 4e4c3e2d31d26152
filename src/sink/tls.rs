//! TLS as every sink on a network speaks it.
