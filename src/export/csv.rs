//! CSV as RFC 4180 has it, and safe to open in a spreadsheet.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a formula, also behind white
//! space, and some take the full-width forms. Such a cell gets an apostrophe in front, and so does
//! one that begins with an apostrophe, so that a program gets every text back: of a cell that
//! begins with an apostrophe, remove that one.

use std::borrow::Cow;

use super::{Columns, field::Cell};
use crate::{record::Record, store::Stored, text};

/// The row of names.
pub(super) fn header(columns: &Columns, out: &mut Vec<u8>) -> Result<(), ::csv::Error> {
    row(columns.headers().map(guarded), out)
}

/// One record; none for a text that could not be read, of which only the store's own facts are known.
pub(super) fn record(
    stored: &Stored,
    record: Option<&Record>,
    columns: &Columns,
    out: &mut Vec<u8>,
) -> Result<(), ::csv::Error> {
    let nothing = Record::default();
    let cells = columns.iter().map(|column| {
        // The only fact that a record without facts has.
        if record.is_none() && column.field.name == "action" {
            return Cow::Borrowed("");
        }
        match (column.field.cell)(stored, record.unwrap_or(&nothing)) {
            Cell::Empty => Cow::Borrowed(""),
            Cell::Text(Cow::Borrowed(text)) => shown(text),
            Cell::Text(Cow::Owned(text)) => Cow::Owned(shown(&text).into_owned()),
            Cell::Ours(text) => Cow::Owned(text),
        }
    });
    row(cells, out)
}

fn row<'a>(
    cells: impl Iterator<Item = Cow<'a, str>>,
    out: &mut Vec<u8>,
) -> Result<(), ::csv::Error> {
    let mut writer = ::csv::WriterBuilder::new()
        .terminator(::csv::Terminator::CRLF)
        .from_writer(out);
    writer.write_record(cells.map(|cell| cell.into_owned().into_bytes()))?;
    Ok(writer.flush()?)
}

/// Text from outside: one line, all of it to be seen, and no formula.
fn shown(text: &str) -> Cow<'_, str> {
    match text::clean(text, usize::MAX).0 {
        Cow::Borrowed(text) => guarded(text),
        Cow::Owned(text) => Cow::Owned(guarded(&text).into_owned()),
    }
}

/// Trap Q6: no cell begins a formula.
fn guarded(text: &str) -> Cow<'_, str> {
    if is_suspect(text) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn is_suspect(text: &str) -> bool {
    // Joiners stay in clean text, and take no room.
    let is_skipped = |char: char| char.is_whitespace() || matches!(char, '\u{200c}' | '\u{200d}');
    // An escaped control character at the beginning: it would have been a tab or a line break.
    text.starts_with(['\'', '\t', '\r', '\n'])
        || text.trim_start_matches(is_skipped).starts_with([
            '=', '+', '-', '@', // as they are
            '＝', '＋', '－', '＠', // full width
            '﹦', '﹢', '﹣', '﹫',       // small
            '\u{2212}', // the minus sign of Unicode
        ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a program does to get the text back.
    fn undone(cell: &str) -> &str {
        cell.strip_prefix('\'').unwrap_or(cell)
    }

    // Trap Q6.
    #[test]
    fn no_cell_begins_a_formula() {
        for given in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            " =1",
            "\u{a0}=1",
            "\u{3000}＝1",
            "＋1",
            "－1",
            "＠x",
            "﹦1",
            "−1",
            "\u{200d}=1",
            "'=1",
            "'",
            "=HYPERLINK(\"http://x\",\"y\")",
            "-",
        ] {
            let cell = shown(given);
            assert!(cell.starts_with('\'') && undone(&cell) == given, "{cell}");
        }
        for (given, expected) in [
            ("\t=1", "\\t=1"),
            ("\r=1", "\\r=1"),
            ("a\r\nb\0\u{202e}", "a\\r\\nb\\u{0}\\u{202e}"),
            ("146", "146"),
            ("a=b", "a=b"),
            ("2001:db8::1", "2001:db8::1"),
            ("", ""),
        ] {
            assert_eq!(shown(given), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(texts in prop::collection::vec("\\PC*|[\\x00-\\x7f＝ ]*", 1..5)) {
            let mut out = Vec::new();
            row(texts.iter().map(|text| shown(text)), &mut out).unwrap();
            prop_assert!(out.ends_with(b"\r\n"));
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&*out);
            let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].len(), texts.len());
            for (cell, text) in rows[0].iter().zip(&texts) {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}", cell);
                prop_assert_eq!(undone(cell), &*text::clean(text, usize::MAX).0);
            }
        }
    }
}
