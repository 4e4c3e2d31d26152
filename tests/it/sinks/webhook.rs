//! The sink that posts signed JSON.
