//! What a status says about the outcome.

use http::StatusCode;

use crate::{policy, record::Outcome};

/// As the policy's explanations have it.
pub(super) const fn outcome_of(status: StatusCode) -> Outcome {
    policy::outcome_of(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_status_has_its_outcome() {
        for (status, expected) in [
            (101, Outcome::Success),
            (200, Outcome::Success),
            (204, Outcome::Success),
            (304, Outcome::Success),
            (400, Outcome::Failure),
            (401, Outcome::Denied),
            (403, Outcome::Denied),
            (404, Outcome::Failure),
            (429, Outcome::Failure),
            (499, Outcome::Failure),
            (500, Outcome::Error),
            (503, Outcome::Error),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(outcome_of(status), expected, "{status}");
        }
    }
}
