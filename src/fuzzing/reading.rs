//! What a search and a hold are asked for.

use crate::{
    clock::Timestamp,
    retention::{Filter, Hold},
    store::{ParameterError, Query},
};

/// The longest name of a parameter that an error repeats, and the longest reason, in bytes.
const MAX_ERROR: (usize, usize) = (64 * 4, 8 * 1024);

fn now() -> Timestamp {
    Timestamp::from_micros(1_795_181_641_123_456)
}

/// What is read is written as parameters that mean the same at any time; what is not is refused with a bounded reason
/// that names its parameter.
pub fn parameters(pairs: &[(String, String)]) {
    match Query::from_params(pairs.iter().cloned(), now()) {
        Ok(query) => {
            let params = query.params();
            let again = Query::from_params(params.clone(), Timestamp::MIN);
            assert_eq!(again, Ok(query), "{params:?}");
        }
        Err(ParameterError { parameter, reason }) => {
            assert!(parameter.len() <= MAX_ERROR.0, "{parameter}");
            assert!(
                !reason.is_empty() && reason.len() <= MAX_ERROR.1,
                "{reason}"
            );
        }
    }
}

/// A filter is read back from what a store keeps of it, at any time. What a store has that is no filter keeps every
/// record, and every filter keeps what is no record.
pub fn hold(pairs: &[(String, String)], text: &str) {
    let is_json = serde_json::from_str::<serde_json::Value>(text).is_ok();
    let given = pairs.iter().map(|(name, value)| (name, value.as_str()));
    if let Ok(filter) = Filter::new(given, now()) {
        let hold = Hold::played(filter.to_json());
        assert_eq!(hold.filter.as_ref(), Some(&filter));
        assert!(
            hold.keeps(text) || is_json,
            "in doubt a record is held: {text}"
        );
    }
    let stored = Hold::played(text.to_owned());
    assert!(stored.filter.is_some() || stored.keeps("{}"), "{text}");
}
