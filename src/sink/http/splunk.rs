//! A sink that posts to Splunk's HTTP event collector.

mod ack;
mod answer;
mod builder;
mod event;

use std::fmt;

use http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};

#[cfg(any(test, fuzzing))]
pub(in crate::sink) use self::answer::played;
pub use self::builder::SplunkSinkBuilder;
pub(in crate::sink) use self::builder::from_address;
use self::{ack::Acks, answer::Hec, builder::Settings};
use super::{
    body::gzip,
    client::{Answer, Client},
    options::Packing,
};
use crate::sink::{Batch, Limits, Sink, SinkError, SinkFuture};

/// Posts records to Splunk's HTTP event collector (HEC), a batch of events at a time.
///
/// ```json
/// {"time":1795181641.123456,"host":"web-1","source":"docs","sourcetype":"tower_audit",
///  "event":{"trail":"…","n":41,"h":"9f86d0…","record":{…}},
///  "fields":{"trail":"0199a3c8-…","number":"41","leaf":"9f86d0…"}}
/// ```
///
/// | field | is |
/// |---|---|
/// | `time` | the record's own time stamp, in seconds since 1970 with six digits |
/// | `host` | the instance of the service, unless it is set; left out when there is neither |
/// | `source` | the service, unless it is set |
/// | `sourcetype` | `tower_audit`, unless it is set |
/// | `index` | as set; else the token's own |
/// | `event` | the record in the chosen format |
/// | `fields` | indexed: the trail, the number in it, and the leaf hash |
///
/// Splunk cuts events after `TRUNCATE` bytes of their source type, 10 000 unless it is set, and a
/// record can have 64 KiB: set `TRUNCATE = 100000` for the source type in `props.conf`.
///
/// # What holds
///
/// At least once. Without acknowledgement a batch is delivered once Splunk has taken it into its
/// queue: what is there when Splunk crashes is lost. With [`acknowledged`] it is delivered once Splunk
/// says that it is indexed; that takes seconds, so batches are larger, and a batch that is not
/// acknowledged within 20 s is asked for again, not sent again, for up to 5 minutes.
///
/// # What an answer means
///
/// By Splunk's own code, where there is one; else as for any HTTP server.
///
/// | code | is taken as |
/// |---|---|
/// | 0, 17, 24, 25 | taken |
/// | 1, 2, 3, 4, 16, 21, 22 | blocked: the token is wrong, missing or disabled; it is read anew from its file at each request |
/// | 7 | blocked: there is no such index, or the token may not write to it |
/// | 10, 14 | blocked: the token wants acknowledgement and the sink does not, or the reverse |
/// | 6, 12, 13, 15 | about one event: it is sent alone, and refused if it is turned down again |
/// | 8, 9, 11, 18, 19, 20, 23, 26, 27 | later |
/// | none, with a success | later, every 5 minutes: the events may have been taken |
///
/// Splunk indexes the events before the one that it turns down, and none after it. As nothing says
/// that in a form that can be relied on, the others of that batch are sent again, so that those
/// before it are there twice, with the same number.
///
/// [`acknowledged`]: SplunkSinkBuilder::acknowledged
pub struct SplunkSink {
    client: Client,
    settings: Settings,
    acks: Acks,
}

/// What is sent and how.
struct Posted {
    body: Vec<u8>,
    /// Where each event begins, and the end.
    borders: Vec<usize>,
}

impl SplunkSink {
    /// The largest batch: 1000 records and 1 MiB.
    pub const LIMITS: (usize, usize) = (1000, 1024 * 1024);

    /// The largest batch that is acknowledged: 20 000 records and 8 MiB. Splunk takes up to 800 MB.
    pub const ACKNOWLEDGED_LIMITS: (usize, usize) = (20_000, 8 * 1024 * 1024);

    /// A sink on the collector at this `http` or `https` URL, such as `https://splunk:8088`.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> SplunkSinkBuilder {
        SplunkSinkBuilder::new(url.into())
    }

    async fn deliver_batch(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if self.settings.acknowledged {
            if self
                .acks
                .is_pending(batch, self.settings.acknowledged_within)
            {
                return self.wait_for_ack(batch).await;
            }
            self.check_ack().await?;
        }
        let posted = event::encode(&self.settings, batch);
        let answer = self.post(&posted.body).await?;
        match Hec::of(&answer) {
            Hec::Taken(ack) if self.settings.acknowledged => {
                self.acks.sent(batch, ack);
                self.wait_for_ack(batch).await
            }
            Hec::Taken(_) => Ok(()),
            Hec::Event(place) => Err(self.refuse(batch, &posted, place, &answer).await?),
            Hec::NoChannel => {
                self.acks.renew();
                Err(answer.retry())
            }
            Hec::Failed(error) => Err(error),
        }
    }

    /// Sends the event that was turned down alone: it is refused only if it is the one. Versions
    /// differ in whether they count from 0, and a good record must not go to the dead letters.
    async fn refuse(
        &mut self,
        batch: &Batch,
        posted: &Posted,
        place: Option<usize>,
        answer: &Answer,
    ) -> Result<SinkError, SinkError> {
        let reason = answer.reason("");
        let unknown = || SinkError::refused(Vec::new(), reason.clone());
        let suspect = place.and_then(|place| {
            let (from, to) = (posted.borders.get(place)?, posted.borders.get(place + 1)?);
            Some((
                batch.records.get(place)?.number,
                posted.body.get(*from..*to)?,
            ))
        });
        let Some((number, event)) = suspect else {
            return Ok(unknown());
        };
        if batch.records.len() == 1 {
            return Ok(SinkError::refused(vec![number], reason));
        }
        match Hec::of(&self.post(event).await?) {
            Hec::Event(_) => Ok(SinkError::refused(vec![number], reason)),
            Hec::Failed(error) => Err(error),
            Hec::Taken(_) | Hec::NoChannel => Ok(unknown()),
        }
    }

    async fn post(&mut self, body: &[u8]) -> Result<Answer, SinkError> {
        let mut headers = self.headers()?;
        let body = match self.settings.packing {
            Packing::Gzip => gzip(body, &mut headers)?,
            Packing::Plain => body.to_vec(),
        };
        self.client.post(headers, body).await
    }

    fn headers(&self) -> Result<HeaderMap, SinkError> {
        let blocked = |what: String| SinkError::blocked(format!("option token: {what}"));
        let token = self.settings.token.as_ref();
        let token = token.ok_or_else(|| blocked("give it, or its file with token_file=".into()))?;
        let token = token.read().map_err(|error| blocked(error.to_string()))?;
        let mut value = HeaderValue::from_str(&format!("Splunk {token}"))
            .map_err(|_holds_the_token| blocked("it holds what no header can".into()))?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.settings.acknowledged {
            headers.insert(ack::CHANNEL, self.acks.channel());
        }
        Ok(headers)
    }

    /// Asks whether the collector is well, then whether it knows the token: an empty post with a
    /// good one is answered "no data".
    async fn ask(&mut self) -> Result<(), SinkError> {
        let path = self.settings.path("/health");
        let headers = self.headers()?;
        let health = self
            .client
            .send(Method::GET, Some(&path), headers, Vec::new())
            .await?;
        // A load balancer may not pass it on; that is no reason not to send.
        if health.status != http::StatusCode::NOT_FOUND
            && let Hec::Failed(error) = Hec::of(&health)
        {
            return Err(error);
        }
        let answer = self.post(b"").await?;
        match Hec::of(&answer) {
            Hec::Failed(error) if !answer::is_no_data(&answer) => Err(error),
            Hec::NoChannel => Err(answer.retry()),
            _ if self.settings.acknowledged => self.check_ack().await,
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for SplunkSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplunkSink")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Sink for SplunkSink {
    fn kind(&self) -> &'static str {
        "splunk"
    }

    fn address(&self) -> String {
        self.settings.address.clone()
    }

    fn limits(&self) -> Limits {
        let (records, bytes) = if self.settings.acknowledged {
            Self::ACKNOWLEDGED_LIMITS
        } else {
            Self::LIMITS
        };
        Limits::new(records, bytes)
    }

    fn probe(&mut self) -> SinkFuture<'_, ()> {
        Box::pin(self.ask())
    }

    /// Beside the batch that waits for its acknowledgement, which is not sent again for it.
    fn test<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(async {
            let waiting = self.acks.set_aside();
            let tested = self.deliver_batch(batch).await;
            self.acks.restore(waiting);
            tested
        })
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> SinkFuture<'a, ()> {
        Box::pin(self.deliver_batch(batch))
    }
}
