//! The text of a record, broken into lines: nothing in it is read, sorted or written anew.

use maud::{Markup, html};

use crate::text::clean;

/// The bytes that are shown; a record has at most 64 KiB.
const MAX_BYTES: usize = 256 << 10;
/// The deepest indentation, in levels.
const MAX_INDENT: usize = 32;

/// A record's text with a line for each value.
pub(super) fn raw(json: &str) -> Markup {
    let shown = json
        .get(..json.floor_char_boundary(MAX_BYTES))
        .unwrap_or(json);
    let lines = broken(shown);
    html! {
        pre.raw tabindex="0" {
            code dir="ltr" {
                @for line in lines.lines() { (clean(line, MAX_BYTES).0) "\n" }
                @if shown.len() < json.len() { "…" }
            }
        }
    }
}

/// Puts line breaks and spaces between the values, outside of texts; all else stays as it is.
fn broken(json: &str) -> String {
    let mut lines = Lines {
        out: String::with_capacity(json.len() * 2),
        depth: 0,
    };
    let (mut in_text, mut is_escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_text {
            lines.out.push(character);
            in_text = is_escaped || character != '"';
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        match character {
            '{' | '[' => {
                lines.out.push(character);
                let closes = if character == '{' { '}' } else { ']' };
                if characters.next_if_eq(&closes).is_some() {
                    lines.out.push(closes);
                } else {
                    lines.depth += 1;
                    lines.next();
                }
            }
            '}' | ']' => {
                lines.depth = lines.depth.saturating_sub(1);
                lines.next();
                lines.out.push(character);
            }
            ',' => {
                lines.out.push(character);
                lines.next();
            }
            ':' => lines.out.push_str(": "),
            '"' => {
                in_text = true;
                lines.out.push(character);
            }
            ' ' | '\n' | '\r' | '\t' => {}
            other => lines.out.push(other),
        }
    }
    lines.out
}

struct Lines {
    out: String,
    depth: usize,
}

impl Lines {
    fn next(&mut self) {
        self.out.push('\n');
        for _ in 0..self.depth.min(MAX_INDENT) {
            self.out.push_str("  ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_outside_of_texts_only_and_nothing_is_changed() {
        let json = r#"{"b":1.50,"a":["x,{\"y\":\\","",{}],"e":[],"z":null}"#;
        let expected = r#"{
  "b": 1.50,
  "a": [
    "x,{\"y\":\\",
    "",
    {}
  ],
  "e": [],
  "z": null
}"#;
        assert_eq!(broken(json), expected);
        assert_eq!(broken(expected), expected);
    }

    #[test]
    fn what_is_no_json_is_shown_all_the_same() {
        assert_eq!(broken("]]}hello"), "\n]\n]\n}hello");
        let markup = raw("\u{202e}<script>").into_string();
        assert!(markup.contains("\\u{202e}&lt;script&gt;"), "{markup}");
    }
}
