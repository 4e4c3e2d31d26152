//! Waiting until Splunk says that a batch is indexed.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Hec, SplunkSink};
use crate::sink::{
    Batch, SinkError,
    http::{
        body::{Name, name},
        client::Answer,
    },
};

/// Names who sends, so that Splunk can keep our acknowledgements apart.
pub(super) const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// How long one call waits, which leaves the rest of its 30 s for the post itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// After this a batch counts as lost and is sent again, as Splunk advises; it forgets what nobody
/// asked for about then.
pub(super) const LOST: Duration = Duration::from_secs(5 * 60);

/// The waits between two questions grow up to the second one.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The channel, and the batch that waits for its acknowledgement.
#[derive(Debug)]
pub(super) struct Acks {
    channel: Uuid,
    pending: Option<Pending>,
    /// The collector has said that the token has acknowledgement.
    checked: bool,
}

/// A batch that was set aside, with the channel it was sent on.
#[derive(Debug)]
pub(super) struct Waiting(Uuid, Pending);

#[derive(Debug)]
struct Pending {
    batch: Name,
    ack: u64,
    sent: Instant,
}

#[derive(Deserialize)]
struct Acknowledged {
    acks: BTreeMap<String, bool>,
}

impl Acks {
    pub(super) fn new() -> Self {
        Self {
            channel: Uuid::new_v4(),
            pending: None,
            checked: false,
        }
    }

    /// Begins anew under another name.
    pub(super) fn renew(&mut self) {
        *self = Self::new();
    }

    pub(super) fn channel(&self) -> HeaderValue {
        HeaderValue::from_str(&self.channel.to_string())
            .unwrap_or_else(|_is_hexadecimal| HeaderValue::from_static(""))
    }

    /// Whether this batch was sent and may yet be acknowledged.
    pub(super) fn is_pending(&self, batch: &Batch, lost: Duration) -> bool {
        let name = name(batch);
        self.pending
            .as_ref()
            .is_some_and(|pending| pending.batch == name && pending.sent.elapsed() < lost)
    }

    /// Sets aside which batch waits, while another one is sent; [`restore`](Self::restore) puts it back.
    pub(super) fn set_aside(&mut self) -> Option<Waiting> {
        let pending = self.pending.take()?;
        Some(Waiting(self.channel, pending))
    }

    /// Goes on waiting for a batch; its number means nothing on another channel.
    pub(super) fn restore(&mut self, waiting: Option<Waiting>) {
        self.pending = waiting
            .filter(|Waiting(channel, _)| *channel == self.channel)
            .map(|Waiting(_, pending)| pending);
    }

    pub(super) fn sent(&mut self, batch: &Batch, ack: Option<u64>) {
        self.pending = ack.map(|ack| Pending {
            batch: name(batch),
            ack,
            sent: Instant::now(),
        });
    }
}

impl SplunkSink {
    /// Finds out once, before anything is sent: a token without acknowledgement takes events all
    /// the same, so that each new attempt would be another copy.
    pub(super) async fn check_ack(&mut self) -> Result<(), SinkError> {
        if !self.acks.checked {
            // Nothing was sent on this channel, so nobody loses the answer for number 0.
            let answer = self.ask_for(&[0]).await?;
            read(&answer)?;
            self.acks.checked = true;
        }
        Ok(())
    }

    /// Asks until the batch is indexed; a call that ends before is followed by another.
    pub(super) async fn wait_for_ack(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let Some(ack) = self.acks.pending.as_ref().map(|pending| pending.ack) else {
            let what = "Splunk took a batch and gave no number to ask for its acknowledgement by";
            self.acks.renew();
            return Err(SinkError::Retry {
                reason: format!("{what}: look at the token"),
                after: Some(crate::sink::http::answer::UNCLEAR),
                unsent: false,
            });
        };
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let answer = self.ask_for(&[ack]).await?;
            match Hec::of_acks(&answer) {
                Ok(acks) if acks.get(&ack.to_string()) == Some(&true) => {
                    self.acks.pending = None;
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => {
                    // A channel that is gone takes its numbers along.
                    if matches!(Hec::of(&answer), Hec::NoChannel) {
                        self.acks.renew();
                    }
                    return Err(error);
                }
            }
            if began.elapsed() > PATIENCE.min(self.settings.acknowledged_within) {
                let (_, first, last, _) = name(batch);
                return Err(SinkError::Retry {
                    reason: format!("Splunk has not yet indexed the records {first} to {last}"),
                    after: Some(LONGEST_WAIT),
                    unsent: false,
                });
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn ask_for(&mut self, acks: &[u64]) -> Result<Answer, SinkError> {
        let path = self.settings.path("/ack");
        let headers = self.headers()?;
        let body = serde_json::json!({ "acks": acks }).to_string();
        self.client
            .send(Method::POST, Some(&path), headers, body.into())
            .await
    }
}

fn read(answer: &Answer) -> Result<(), SinkError> {
    Hec::of_acks(answer).map(drop)
}

impl Hec {
    /// The acknowledgements that an answer holds.
    pub(super) fn of_acks(answer: &Answer) -> Result<BTreeMap<String, bool>, SinkError> {
        if let Ok(found) = serde_json::from_slice::<Acknowledged>(&answer.body)
            && answer.status.is_success()
        {
            return Ok(found.acks);
        }
        match Self::of(answer) {
            Self::Failed(error) => Err(error),
            Self::Taken(_) | Self::Event(_) | Self::NoChannel => Err(answer.retry()),
        }
    }
}
