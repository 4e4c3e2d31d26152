//! The syslog sink against a real server.
