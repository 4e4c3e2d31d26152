//! Where text goes: results to standard output, everything else to standard error.

use std::{
    borrow::Cow,
    io::{self, BufWriter, IsTerminal, Stderr, Stdout, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

/// The two streams.
#[derive(Debug)]
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    err: Stderr,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            out: BufWriter::new(io::stdout()),
            err: io::stderr(),
            quiet,
        }
    }

    /// One line of the result.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Bytes of the result, as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// One line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        self.out.write_all(b"\n")
    }

    /// Everything is on its way to whoever reads it.
    pub(crate) fn flush(&mut self) -> Result<(), crate::exit::Failure> {
        Ok(self.out.flush()?)
    }

    /// Something to know, unless asked to be quiet. A standard error that is closed is no failure.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// A part of the result that is not for standard output; said even when quiet.
    pub(crate) fn aside(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// Why the command failed; said even when quiet.
    pub(crate) fn fail(&mut self, text: &str) {
        let _ = writeln!(self.err, "tower-audit: {}", clean(text));
    }

    /// Whether a meter is seen by anybody.
    pub(crate) fn has_meter(&self) -> bool {
        !self.quiet && self.err.is_terminal()
    }

    /// A line that shows how far long work has come, on a terminal only.
    pub(crate) fn meter(&self, what: &'static str) -> Meter {
        Meter {
            what,
            is_shown: self.has_meter(),
            percent: AtomicU64::new(u64::MAX),
        }
    }
}

/// Shows how far long work has come, until it is dropped.
#[derive(Debug)]
pub(crate) struct Meter {
    what: &'static str,
    is_shown: bool,
    /// What was shown last.
    percent: AtomicU64,
}

impl Meter {
    /// So many of so many are done.
    pub(crate) fn tell(&self, done: u64, of: u64) {
        let percent = done.min(of).saturating_mul(100) / of.max(1);
        if self.is_shown && self.percent.swap(percent, Ordering::Relaxed) != percent {
            self.draw(&format!("{} {percent} %", self.what));
        }
    }

    /// So many are done, and nobody knows of how many; in steps of a thousand.
    pub(crate) fn say(&self, done: u64, text: &str) {
        if self.is_shown && self.percent.swap(done / 1000, Ordering::Relaxed) != done / 1000 {
            self.draw(&format!("{} {text}", self.what));
        }
    }

    /// Back to the first column, the text, and the rest of the line erased.
    fn draw(&self, text: &str) {
        let mut err = io::stderr().lock();
        // Only for show.
        let _ = write!(err, "\r{text}\x1b[K").and_then(|()| err.flush());
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.is_shown {
            self.draw("");
        }
    }
}

/// Text from outside, so that it stays one line and does nothing to a terminal.
///
/// What a trail writes is clean already; what somebody put into a database may not be.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unsafe(char) {
            safe.extend(char.escape_unicode());
        } else {
            safe.push(char);
        }
    }
    Cow::Owned(safe)
}

/// Control characters, line separators, and what reorders or hides text.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text cut to so many characters, with a mark where it was cut.
pub(crate) fn fit(text: &str, width: usize) -> Cow<'_, str> {
    let text = clean(text);
    if text.chars().count() <= width {
        return text;
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Trap C16.
    #[test]
    fn text_stays_one_line_and_moves_no_cursor() {
        for (given, expected) in [
            ("plain ü", "plain ü"),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("\x1b[2J", "\\u{1b}[2J"),
            ("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}"),
        ] {
            assert_eq!(clean(given), expected);
        }
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
    }
}
