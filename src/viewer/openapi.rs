//! The description of the API, as it is served.

use super::{answer::Answer, failure::Failure, route::Base, search::Asked};

/// The description; `servers` is replaced by where the viewer is.
const TEXT: &str = include_str!("../../docs/openapi.json");

/// What stands for the viewer's path in [`TEXT`].
const SERVER: &str = "\"url\": \"/audit\"";

pub(super) fn answer(base: &Base, asked: Asked) -> Result<Answer, Failure> {
    asked.end()?;
    // A base has no character that JSON would escape.
    let server = format!(
        "\"url\": \"{}\"",
        match base.as_str() {
            "" => "/",
            base => base,
        }
    );
    let text = TEXT.replacen(SERVER, &server, 1);
    Ok(Answer::text("application/json", text))
}
