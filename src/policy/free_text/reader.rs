//! A text, read by bytes; every place that is answered lies between two characters.

/// A part of a text: from this byte, up to that one.
pub(super) type Span = (usize, usize);

#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn byte(self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The byte before a place.
    pub(super) fn before(self, at: usize) -> Option<u8> {
        self.byte(at.checked_sub(1)?)
    }

    pub(super) fn part(self, (from, to): Span) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    pub(super) fn rest(self, from: usize) -> &'a str {
        self.text.get(from..).unwrap_or_default()
    }

    /// How far the bytes go on that are like this.
    pub(super) fn run(self, from: usize, is_like: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| is_like(**byte)).count()
    }

    /// The same text, as far as some bytes behind a place.
    pub(super) fn up_to(self, from: usize, bytes: usize) -> Self {
        let end = self.text.floor_char_boundary(from.saturating_add(bytes));
        Self {
            text: self.part((0, end)),
        }
    }
}
