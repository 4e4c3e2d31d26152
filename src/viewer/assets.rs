//! The style sheet, the script and the icon, which everybody may load.

use std::sync::LazyLock;

use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

use super::{answer::Answer, body::ViewerBody, page};

/// A file that is served from the crate.
struct Asset {
    media_type: &'static str,
    text: &'static str,
    /// The hash of its content, in quotes.
    tag: String,
}

impl Asset {
    fn new(media_type: &'static str, text: &'static str) -> Self {
        let tag = format!("\"{}\"", hash(text));
        Self {
            media_type,
            text,
            tag,
        }
    }
}

/// The first half of the hash of a file.
fn hash(text: &str) -> String {
    let hash = Sha256::digest(text);
    let bytes = hash.iter().take(16);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn named(name: &str) -> Option<&'static Asset> {
    match name {
        "viewer.css" => Some(&STYLE),
        "viewer.js" => Some(&SCRIPT),
        "viewer.svg" => Some(&ICON),
        _ => None,
    }
}

/// What the address of a file has behind `?v=`: another for each content, so that browsers may keep
/// it for ever.
pub(super) fn version(name: &str) -> &'static str {
    named(name).map_or("", |asset| asset.tag.trim_matches('"'))
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::new("text/css; charset=utf-8", page::CSS));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/javascript; charset=utf-8", page::JS));

static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("image/svg+xml", page::ICON));

/// The answer to a file's address; none when there is no such file. `query` is what stands behind
/// the address: with the hash of the content it is another address for each content.
pub(super) fn asset(name: &str, query: Option<&str>, headers: &HeaderMap) -> Option<Answer> {
    let asset = named(name)?;
    let is_versioned =
        query.and_then(|query| query.strip_prefix("v=")) == Some(asset.tag.trim_matches('"'));
    let caching = if is_versioned {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers.get(header::IF_NONE_MATCH);
    let answer = if known.is_some_and(|known| known.as_bytes() == asset.tag.as_bytes()) {
        Answer::new(asset.media_type, ViewerBody::empty()).status(StatusCode::NOT_MODIFIED)
    } else {
        Answer::text(asset.media_type, asset.text)
    };
    let answer = answer.header(header::CACHE_CONTROL, caching);
    Some(answer.header(header::ETAG, &asset.tag))
}
