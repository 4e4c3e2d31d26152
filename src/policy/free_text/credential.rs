//! Credentials that are known by their own form, whatever stands before them.

use super::Scan;
use crate::policy::{elsewhere::is_random, redact::is_masked};

/// What is no token behind `Bearer`, but the next word of a sentence or a challenge.
const NO_TOKEN: [&str; 30] = [
    "and",
    "auth",
    "authentication",
    "authorization",
    "challenge",
    "credential",
    "credentials",
    "error",
    "expected",
    "for",
    "format",
    "from",
    "header",
    "in",
    "invalid",
    "is",
    "missing",
    "not",
    "or",
    "prefix",
    "required",
    "scheme",
    "token",
    "tokens",
    "type",
    "value",
    "was",
    "with",
    "without",
    "only",
];

/// How far a password in a URL is looked for that is written against the rules.
const MAX_BEYOND: usize = 128;

impl Scan<'_> {
    /// At a byte with which a credential may begin; answers where to go on.
    pub(super) fn credential(&mut self, at: usize) -> Option<usize> {
        let read = self.read;
        let before = read.before(at);
        if read.byte(at) == Some(b'-') {
            return self.private_key(at);
        }
        if before.is_some_and(|byte| is_token_byte(byte) && byte != b'=' && byte != b'/') {
            return None;
        }
        if read.byte(at) == Some(b'e') {
            return self.json_web_token(at);
        }
        let scheme = read.run(at, |byte| byte.is_ascii_alphabetic());
        let token = read.run(scheme, |byte| byte == b' ');
        if token == scheme || scheme - at > 6 {
            return Some(scheme.max(at + 1));
        }
        let end = read.run(token, is_token_byte);
        let (word, span) = (read.part((token, end)), (token, end));
        let is_credential = match read.part((at, scheme)).to_ascii_lowercase().as_str() {
            "bearer" | "dpop" => is_bearer(word),
            "basic" => {
                let password = basic_password(word);
                let is_basic = password.is_some();
                if let Some(password) = password {
                    self.found.add(&password);
                }
                is_basic || is_random(word)
            }
            _ => false,
        };
        if !is_credential {
            return Some(scheme);
        }
        self.found.add_from_text(word);
        Some(self.hide(span, None))
    }

    /// Header and payload in base64url are two JSON objects; so both begin with `eyJ`.
    fn json_web_token(&mut self, at: usize) -> Option<usize> {
        let read = self.read;
        let end = read.run(at, |byte| {
            byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
        });
        let word = read.part((at, end));
        let has_parts = word
            .split_once('.')
            .is_some_and(|(_, rest)| !rest.is_empty());
        if !word.starts_with("eyJ") || word.len() < 16 || !has_parts {
            return Some(end.max(at + 1));
        }
        self.found.add_from_text(word);
        Some(self.hide((at, end), None))
    }

    /// A private key in PEM: all from its first line to its last, or to the end of the text.
    fn private_key(&mut self, at: usize) -> Option<usize> {
        let read = self.read;
        let rest = read.rest(at);
        let label = rest.strip_prefix("-----BEGIN ")?;
        let label = label.get(..label.floor_char_boundary(64))?;
        let (label, _) = label.split_once("-----")?;
        if !label.contains("PRIVATE") {
            return None;
        }
        let end = rest.find("-----END").map_or(read.text.len(), |end| {
            let dashes = read.run(at + end + 8, |byte| {
                byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' '
            });
            read.run(dashes, |byte| byte == b'-')
        });
        self.found.add(read.part((at, end)));
        Some(self.hide((at, end), None))
    }

    /// At what follows `://`. Masks the password before the host, or a user that is a token.
    pub(super) fn url(&mut self, from: usize) -> Option<usize> {
        let read = self.read;
        let is_authority = |byte: u8| {
            !byte.is_ascii_whitespace()
                && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`')
        };
        let mut end = read.run(from, is_authority);
        let mut authority = read.part((from, end));
        let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let host_and_port = authority
            .rsplit_once(':')
            .is_none_or(|(_, port)| is_port(port));
        if !authority.contains('@') && !host_and_port {
            // A password with a slash in it that nobody encoded.
            // Trap C15: what lies further is walked through once more, by the next `://`.
            let near = read.up_to(from, MAX_BEYOND);
            let far = near.run(from, |byte| !byte.is_ascii_whitespace() && byte != b'"');
            end = far.max(end);
            authority = read.part((from, end));
        }
        let at_sign = authority.rfind('@')?;
        let user = authority.get(..at_sign)?;
        let span = match user.find(':') {
            Some(colon) => (from + colon + 1, from + at_sign),
            None if is_random(user) => (from, from + at_sign),
            None => return None,
        };
        if span.0 == span.1 || is_masked(read.part(span)) {
            return Some(from + at_sign);
        }
        self.found.add_from_text(read.part(span));
        Some(self.hide(span, None))
    }
}

fn is_bearer(word: &str) -> bool {
    let bare = word.trim_end_matches(['.', '=']);
    let is_it = |other: &str| other.eq_ignore_ascii_case(bare);
    // `Bearer realm="docs"` is a challenge.
    let is_challenge = matches!(bare, "realm" | "scope") && word.ends_with('=');
    bare.len() > 1 && !is_challenge && !NO_TOKEN.iter().any(|other| is_it(other))
}

/// The bytes of `token68` (RFC 9110, section 11.2).
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// The password of Basic credentials (RFC 7617): base64 of `user:password`.
pub(in crate::policy) fn basic_password(word: &str) -> Option<String> {
    let word = word.trim_end_matches('=');
    // A random token is none at its first byte or two; nothing is copied before that is known.
    let is_text = decoded(word).all(|byte| byte.is_some_and(|byte| !byte.is_ascii_control()));
    let mut bytes = decoded(word).flatten();
    if !is_text || !bytes.any(|byte| byte == b':') {
        return None;
    }
    String::from_utf8(bytes.collect()).ok()
}

/// The bytes behind base64 or base64url; `None` for what is neither.
fn decoded(word: &str) -> impl Iterator<Item = Option<u8>> {
    let (mut bits, mut count) = (0_u32, 0_u32);
    word.bytes().filter_map(move |byte| {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return Some(None),
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count < 8 {
            return None;
        }
        count -= 8;
        Some(u8::try_from(bits >> count & 0xff).ok())
    })
}
