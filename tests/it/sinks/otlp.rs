//! The OpenTelemetry sink against receivers.
