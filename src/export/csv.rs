//! CSV as RFC 4180 has it, and safe to open in a spreadsheet.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a formula, also behind white
//! space, and some take the full-width forms. Such a cell gets an apostrophe in front, and so does
//! one that begins with an apostrophe, so that a program gets every text back: of a cell that
//! begins with an apostrophe, remove that one.
//!
//! Where the comma is the decimal point, spreadsheets split a line at semicolons, also those within
//! a cell or its quotes. What would begin a formula behind one has an apostrophe there, and so has
//! an apostrophe: remove the one behind each semicolon.

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

/// Trap Q6: no cell begins a formula, wherever a line is split.
fn guarded(text: &str) -> Cow<'_, str> {
    let is_first = is_suspect(text, is_skipped);
    if !is_first && !text.contains(';') {
        return Cow::Borrowed(text);
    }
    let mut cell = String::with_capacity(text.len() + 1);
    if is_first {
        cell.push('\'');
    }
    for (place, piece) in text.split(';').enumerate() {
        if place > 0 {
            cell.push(';');
            // A quote there is one of another cell, which may hold what comes behind it.
            if is_suspect(piece, |char| char == '"' || is_skipped(char)) {
                cell.push('\'');
            }
        }
        cell.push_str(piece);
    }
    Cow::Owned(cell)
}

/// Joiners stay in clean text, and take no room.
fn is_skipped(char: char) -> bool {
    char.is_whitespace() || matches!(char, '\u{200c}' | '\u{200d}')
}

fn is_suspect(text: &str, is_skipped: impl Fn(char) -> bool) -> bool {
    // An escaped control character at the beginning: it would have been a tab or a line break.
    text.starts_with(['\'', '\t', '\r', '\n'])
        || text.trim_start_matches(is_skipped).starts_with(FORMULA)
}

/// What begins a formula.
const FORMULA: [char; 13] = [
    '=', '+', '-', '@', // as they are
    '＝', '＋', '－', '＠', // full width
    '﹦', '﹢', '﹣', '﹫',       // small
    '\u{2212}', // the minus sign of Unicode
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a program does to get the text back.
    fn undone(cell: &str) -> String {
        cell.strip_prefix('\'').unwrap_or(cell).replace(";'", ";")
    }

    /// Whether a spreadsheet that splits at semicolons finds a formula in a line.
    fn has_formula_behind_a_semicolon(line: &str) -> bool {
        let mut pieces = line.split(';').skip(1);
        pieces.any(|piece| piece.trim_start_matches(['"', ' ']).starts_with(FORMULA))
    }

    // Trap Q6: German, French and Spanish spreadsheets take the semicolon for the separator.
    #[test]
    fn no_formula_begins_behind_a_semicolon() {
        for (given, expected) in [
            ("x;=HYPERLINK(\"http://x\")", "x;'=HYPERLINK(\"http://x\")"),
            ("x; +1", "x;' +1"),
            ("x;\"=1\"", "x;'\"=1\""),
            ("x;;@a;-1", "x;;'@a;'-1"),
            ("=1;＝1", "'=1;'＝1"),
            ("it;'s", "it;''s"),
            ("(X11; Linux)", "(X11; Linux)"),
        ] {
            let cell = shown(given);
            assert_eq!(cell, expected);
            assert_eq!(undone(&cell), given);
        }
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
        fn any_text_reads_back(
            texts in prop::collection::vec("\\PC*|[\\x00-\\x7f＝ ]*|[;='\", a-]*", 1..5),
        ) {
            let mut out = Vec::new();
            row(texts.iter().map(|text| shown(text)), &mut out).unwrap();
            prop_assert!(out.ends_with(b"\r\n"));
            let line = std::str::from_utf8(&out).unwrap();
            prop_assert!(!has_formula_behind_a_semicolon(line), "{}", line);
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&*out);
            let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].len(), texts.len());
            for (cell, text) in rows[0].iter().zip(&texts) {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}", cell);
                prop_assert_eq!(undone(cell), text::clean(text, usize::MAX).0);
            }
        }
    }
}
