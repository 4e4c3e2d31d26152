//! What Splunk answers: a code of its own in a JSON object, beside the status of HTTP.

use serde::Deserialize;

use crate::sink::{SinkError, http::client::Answer};

/// What an answer means.
pub(super) enum Hec {
    /// Taken; with the number to ask for its acknowledgement by, if the token has that.
    Taken(Option<u64>),
    /// One event cannot be taken; with its place among them, from 0, if Splunk said so.
    Event(Option<usize>),
    /// The channel of the acknowledgements is not known any more.
    NoChannel,
    Failed(SinkError),
}

#[derive(Deserialize)]
struct Said {
    code: u16,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
    #[serde(rename = "invalid-event-number")]
    place: Option<usize>,
}

const TOKEN: &str = "look at the token: it is wrong, missing or disabled";

impl Hec {
    pub(super) fn of(answer: &Answer) -> Self {
        let Ok(said) = serde_json::from_slice::<Said>(&answer.body) else {
            return Self::Failed(if answer.status.is_success() {
                answer.unclear("that is no answer of Splunk; look at the address")
            } else {
                answer.judge()
            });
        };
        let blocked = |way_out| Self::Failed(answer.blocked(way_out));
        match said.code {
            0 | 17 | 24 | 25 if answer.status.is_success() => Self::Taken(said.ack),
            1..=4 | 21 | 22 => blocked(TOKEN),
            16 => blocked("give the token with token_file=, not in the path"),
            7 => blocked("make the index, or let the token write to it"),
            10 => blocked("the token wants acknowledgement: write ack=on"),
            14 => {
                blocked("the token has no acknowledgement: turn it on in Splunk, or write ack=off")
            }
            6 | 12 | 13 | 15 => Self::Event(said.place),
            11 => Self::NoChannel,
            // It is busy: nothing was taken.
            9 => Self::Failed(answer.retry().unsent()),
            8 | 18..=20 | 23 | 26 | 27 => Self::Failed(answer.retry()),
            _ => Self::Failed(answer.judge()),
        }
    }
}

/// The answer to an empty post whose token is good.
pub(super) fn is_no_data(answer: &Answer) -> bool {
    serde_json::from_slice::<Said>(&answer.body).is_ok_and(|said| said.code == 5)
}

/// What is made of an answer, to a batch and to the question for an acknowledgement.
#[cfg(any(test, fuzzing))]
pub(in crate::sink) fn played(answer: &Answer) -> Vec<SinkError> {
    let _ = is_no_data(answer);
    let of_batch = match Hec::of(answer) {
        Hec::Failed(error) => Some(error),
        Hec::Taken(_) | Hec::Event(_) | Hec::NoChannel => None,
    };
    of_batch
        .into_iter()
        .chain(Hec::of_acks(answer).err())
        .collect()
}
