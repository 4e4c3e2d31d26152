//! The one integration test binary: each subject is a module, so that the crate is linked once.

#[cfg(all(test, feature = "testing"))]
mod audit;
#[cfg(feature = "testing")]
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod layers;
#[cfg(all(test, feature = "testing", feature = "metrics"))]
mod metrics;
#[cfg(test)]
mod record;
#[cfg(all(test, feature = "testing"))]
mod scope;
#[cfg(test)]
mod sinks;
#[cfg(feature = "sqlite")]
#[cfg(test)]
mod store;
#[cfg(test)]
mod support;
