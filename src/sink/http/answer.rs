//! What a server answered, and what that means for the batch.

use std::{borrow::Cow, time::Duration};

use http::{
    HeaderMap, StatusCode,
    header::{DATE, LOCATION, RETRY_AFTER},
};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{Response, Url};

use super::client::is_page;
use crate::{sink::SinkError, text::clean};

/// What is read of an answer at most.
const MAX_BYTES: usize = 64 * 1024;

/// What is repeated of an answer at most.
const EXCERPT_BYTES: usize = 256;

/// The shortest secret that is looked for in an answer: a shorter one is in many words.
const SECRET_BYTES: usize = 4;

/// How long to wait before a batch is offered again that may have been taken: the longest wait that
/// delivery grants.
pub(super) const UNCLEAR: Duration = Duration::from_secs(5 * 60);

/// An answer, whatever its status.
pub(in crate::sink) struct Answer {
    pub(in crate::sink) status: StatusCode,
    pub(in crate::sink) headers: HeaderMap,
    /// The first 64 KiB; the rest is not read.
    pub(in crate::sink) body: Vec<u8>,
    /// Who answered, without secrets.
    from: String,
    /// What we sent and must not repeat, should the answer do so.
    secrets: Vec<String>,
}

impl Answer {
    pub(super) async fn read(
        mut response: Response,
        from: String,
        secrets: Vec<String>,
    ) -> Result<Self, reqwest::Error> {
        let mut body = Vec::new();
        while body.len() < MAX_BYTES {
            // What is left of a longer one goes with its connection.
            let Some(chunk) = response.chunk().await? else {
                break;
            };
            let room = MAX_BYTES - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        }
        Ok(Self {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
            from,
            secrets,
        })
    }

    /// Whether the server says it has the batch. A page for people does not say so: it is a login,
    /// or another server than was meant.
    pub(in crate::sink) fn is_success(&self) -> bool {
        self.status.is_success() && !self.shows_a_page()
    }

    /// Whether there is a page, not only its content type: that is what many frameworks call an `ok`
    /// and an empty answer too.
    fn shows_a_page(&self) -> bool {
        let first = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        is_page(&self.headers) && first.is_some_and(|first| !first.is_ascii_alphanumeric())
    }

    /// What an answer that is no success means, by its status alone.
    pub(in crate::sink) fn judge(&self) -> SinkError {
        let is_page = is_page(&self.headers);
        match self.status.as_u16() {
            200..=299 => self.unclear("does the address name the right service?"),
            300..=399 => self.redirect(),
            // About these records. A page with it comes from a server in between, which knows
            // nothing of records.
            400 | 422 if is_page => {
                self.blocked("it is a web page: does the address name the right service?")
            }
            400 | 413 | 422 => SinkError::refused(Vec::new(), self.reason("")),
            401 | 403 => self.blocked("look at the credentials and what they may do"),
            404 | 405 | 410 => self.blocked("look at the path of the address"),
            407 => self.blocked("there is a proxy in between that wants a login"),
            408 | 425 | 429 => self.retry(),
            400..=499 | 501 | 505 => self.blocked("look at the address and at the server"),
            _ => self.retry(),
        }
    }

    /// `Retry`, after the time that the answer names.
    pub(in crate::sink) fn retry(&self) -> SinkError {
        SinkError::Retry {
            reason: self.reason(""),
            after: self.retry_after(),
            unsent: self.status == StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// A success that does not say that the records were taken. They may have been, so that each
    /// try may be another copy: a try is rare, and counts as one that may double.
    pub(in crate::sink) fn unclear(&self, way_out: &str) -> SinkError {
        let what = if is_page(&self.headers) {
            "it is a web page"
        } else {
            "it does not say that it took the records"
        };
        SinkError::Retry {
            reason: self.reason(&format!("{what}: {way_out}")),
            after: Some(UNCLEAR),
            unsent: false,
        }
    }

    pub(in crate::sink) fn blocked(&self, way_out: &str) -> SinkError {
        SinkError::blocked(self.reason(way_out))
    }

    /// Who answered what, and the way out.
    pub(in crate::sink) fn reason(&self, way_out: &str) -> String {
        let mut reason = format!("{} answers {}", self.from, self.status.as_u16());
        let excerpt = self.excerpt();
        if !excerpt.is_empty() {
            reason.push_str(": ");
            reason.push_str(&excerpt);
        }
        if !way_out.is_empty() {
            reason.push_str("; ");
            reason.push_str(way_out);
        }
        reason
    }

    /// The wait that `Retry-After` asks for: in seconds, or up to a date, which is compared with
    /// the date of the answer, so that our clock plays no part.
    pub(in crate::sink) fn retry_after(&self) -> Option<Duration> {
        let text = |name| self.headers.get(name)?.to_str().ok().map(str::trim);
        let after = text(RETRY_AFTER)?;
        if let Ok(seconds) = after.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let (after, now) = (date(after)?, date(text(DATE)?)?);
        Some(Duration::try_from(now.until(after).ok()?).unwrap_or_default())
    }

    /// The beginning of the body as one clean line, without what we sent as a secret.
    fn excerpt(&self) -> String {
        if is_page(&self.headers) {
            return String::new();
        }
        let Ok(text) = std::str::from_utf8(&self.body) else {
            return String::new();
        };
        let text = without_secrets(text.trim(), self.secrets.iter().map(String::as_str));
        clean(&text, EXCERPT_BYTES).0.into_owned()
    }

    /// Only the host is repeated: a path or a query can hold a token.
    fn redirect(&self) -> SinkError {
        let location = self
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let host = location
            .and_then(|location| location.parse::<Url>().ok())
            .and_then(|url| {
                url.host_str()
                    .map(|host| clean(host, EXCERPT_BYTES).0.into_owned())
            });
        let to = host.map_or_else(|| "to another path".to_owned(), |host| format!("to {host}"));
        SinkError::blocked(format!(
            "{} answers {} with a redirect {to}; name the final address",
            self.from,
            self.status.as_u16()
        ))
    }
}

/// A text of a server without what was sent to it as a secret: a server may repeat it.
pub(in crate::sink) fn without_secrets<'a, 's>(
    text: &'a str,
    sent: impl Iterator<Item = &'s str>,
) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for secret in sent {
        // `Bearer abc` may come back as `abc`.
        let word = secret.rsplit(' ').next().unwrap_or_default();
        for secret in [secret, word] {
            if secret.len() >= SECRET_BYTES && text.contains(secret) {
                text = Cow::Owned(text.replace(secret, "***"));
            }
        }
    }
    text
}

#[cfg(any(test, fuzzing))]
impl Answer {
    /// As if a server had answered this to a request with a secret in a header.
    pub(in crate::sink) fn played(
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        secret: &str,
    ) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            headers: headers.clone(),
            body: body.get(..MAX_BYTES).unwrap_or(body).to_vec(),
            from: "https://siem/in".to_owned(),
            secrets: vec![secret.to_owned()],
        }
    }
}

fn date(text: &str) -> Option<Timestamp> {
    const PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, http::HeaderValue::from_str(value).unwrap())
        });
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: body.into(),
            from: "https://siem/in".to_owned(),
            secrets: vec!["Bearer hunter2".to_owned()],
        }
    }

    fn kind(error: &SinkError) -> &'static str {
        match error {
            SinkError::Retry { .. } => "retry",
            SinkError::Blocked { .. } => "blocked",
            SinkError::Refused { .. } => "refused",
        }
    }

    #[test]
    fn each_status_has_one_meaning_and_a_wrong_token_is_never_about_the_records() {
        // trap D13
        for (statuses, expected) in [
            (&[400, 413, 422][..], "refused"),
            (&[408, 425, 429, 500, 502, 503, 504, 507][..], "retry"),
            (
                &[401, 403, 404, 405, 406, 407, 409, 410, 415, 426, 431][..],
                "blocked",
            ),
            (&[301, 302, 303, 307, 308, 501, 505][..], "blocked"),
        ] {
            for status in statuses {
                let error = answer(*status, &[], "no").judge();
                assert_eq!(kind(&error), expected, "{status}");
                assert!(
                    error.to_string().contains("https://siem/in answers"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn a_web_page_is_another_server_than_was_meant() {
        let page = [("content-type", "Text/HTML; charset=utf-8")];
        for (status, expected) in [(200, "retry"), (400, "blocked"), (422, "blocked")] {
            let answer = answer(status, &page, "<h1>Log in</h1>");
            assert!(!answer.is_success(), "{status}");
            assert_eq!(kind(&answer.judge()), expected, "{status}");
        }
        // It may have taken the records all the same.
        let SinkError::Retry { after, reason, .. } = answer(200, &page, " <p>").judge() else {
            panic!("a page");
        };
        assert_eq!(after, Some(UNCLEAR));
        assert!(reason.contains("it is a web page"), "{reason}");
        assert_eq!(kind(&answer(413, &page, "").judge()), "refused");
        assert!(answer(204, &[], "").is_success());
        for body in ["", "ok", " OK\n"] {
            assert!(
                answer(200, &page, body).is_success(),
                "what frameworks answer by default"
            );
        }
        assert!(answer(200, &[("content-type", "application/json")], "{}").is_success());
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_as_a_date() {
        let today = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let later = ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT");
        let earlier = ("retry-after", "Sun, 06 Nov 1994 08:40:07 GMT");
        for (headers, expected) in [
            (&[("retry-after", "120")][..], Some(120)),
            (&[today, later], Some(30)),
            (&[today, earlier], Some(0)),
            (&[later], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ] {
            let after = expected.map(Duration::from_secs);
            assert_eq!(answer(503, headers, "").retry_after(), after, "{headers:?}");
        }
    }

    #[test]
    fn a_reason_repeats_neither_secrets_nor_control_characters_nor_too_much() {
        let body = format!("bad token hunter2\n\u{1b}[2J{}", "x".repeat(5000));
        let reason = answer(401, &[], &body).judge().to_string();
        assert!(reason.contains("bad token ***\\n\\u{1b}[2J"), "{reason}");
        assert!(
            !reason.contains("hunter2") && reason.len() < 500,
            "{reason}"
        );

        let to = [(
            "location",
            "https://user:hunter2@other.example/x?token=hunter2",
        )];
        let reason = answer(302, &to, "").judge().to_string();
        assert!(
            reason.contains("to other.example; name the final"),
            "{reason}"
        );
        assert!(!reason.contains("hunter2"), "{reason}");
    }
}
