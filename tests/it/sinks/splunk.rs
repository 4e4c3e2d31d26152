//! The Splunk sink against a receiver that answers as Splunk documents it.
