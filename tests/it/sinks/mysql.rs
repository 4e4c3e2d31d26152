//! The MySQL sink against a real server.
