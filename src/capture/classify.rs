//! What a status says about the outcome.

use http::{Method, StatusCode};

use crate::{policy, record::Outcome};

/// As the policy's explanations have it.
pub(super) const fn outcome_of(status: StatusCode) -> Outcome {
    policy::outcome_of(status.as_u16())
}

/// Whether a response has a body that could still say something of the end.
pub(super) fn body_follows(method: Option<&Method>, status: StatusCode, is_end: bool) -> bool {
    // Trap C5: these are complete at the head, whatever their headers say.
    let tunnel = method == Some(&Method::CONNECT) && status.is_success();
    let bodiless = tunnel
        || method == Some(&Method::HEAD)
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    !bodiless && !is_end
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
