//! How records are shown: JSON Lines, or a table.

use std::io;

use tower_audit::{
    Outcome, Record,
    record::{Actor, Target},
    store::Stored,
};

use crate::{
    exit::End,
    output::{Output, fit},
    terminal::{self, Form},
};

/// Shows records in the form that was asked for.
#[derive(Debug)]
pub(crate) struct Rows {
    /// None: JSON Lines.
    table: Option<Layout>,
    pub(crate) shown: usize,
    /// Records whose bytes are not those that were delivered.
    altered: u64,
}

impl Rows {
    pub(crate) fn new(form: &Form) -> Self {
        let layout = || Layout::new(terminal::width(), form.is_colored());
        Self {
            table: (!form.is_json()).then(layout),
            shown: 0,
            altered: 0,
        }
    }

    pub(crate) fn show(&mut self, stored: &Stored, output: &mut Output) -> io::Result<()> {
        if stored.is_altered() {
            self.altered += 1;
            output.note(&format!(
                "record {} is not what was delivered: see tower-audit verify --store",
                stored.id
            ));
        }
        match &self.table {
            // JSON may have line breaks between its parts; ours never does.
            None => output.line(&stored.json.replace(['\n', '\r'], " "))?,
            Some(layout) => {
                if self.shown == 0 {
                    output.line(&layout.head())?;
                }
                output.line(&layout.row(stored))?;
            }
        }
        self.shown += 1;
        Ok(())
    }

    pub(crate) fn end(&self, output: &mut Output) -> End {
        match self.altered {
            0 => End::Good,
            count => {
                output.note(&format!("{count} of them are not what was delivered"));
                End::Wrong
            }
        }
    }
}

const TITLES: [&str; 6] = ["TIME", "OUTCOME", "ACTION", "ACTOR", "TARGET", "ADDRESS"];

/// How wide each column is. They are fixed, so that rows stand below each other while they come.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    widths: [usize; 6],
    is_colored: bool,
}

impl Layout {
    /// The columns for a line of so many characters, or for a line without an end.
    fn new(width: Option<usize>, is_colored: bool) -> Self {
        // A time to the microsecond, a mark and the longest outcome.
        let (time, outcome) = (27, 11);
        let Some(width) = width else {
            let widths = [time, outcome, 28, 28, 32, usize::MAX];
            return Self { widths, is_colored };
        };
        // On a narrow terminal to the second.
        let time = if width < 140 { 20 } else { time };
        let rest = width.saturating_sub(time + outcome + 2 * 5).max(4 * 8);
        let (action, actor, target) = (rest * 28 / 100, rest * 26 / 100, rest * 28 / 100);
        let address = rest - action - actor - target;
        Self {
            widths: [time, outcome, action, actor, target, address],
            is_colored,
        }
    }

    fn head(&self) -> String {
        let style = if self.is_colored { "1" } else { "" };
        self.line(TITLES, [style; 6])
    }

    fn row(&self, stored: &Stored) -> String {
        let Ok(record) = Record::from_json(stored.json.as_bytes()) else {
            let (time, id) = (self.time(stored.id.timestamp()), stored.id.to_string());
            let note = "(not a record of this version)";
            return self.line([&time, "", note, "", &id, ""], [""; 6]);
        };
        let time = self.time(record.timestamp().unwrap_or_else(|| stored.id.timestamp()));
        let outcome = record.outcome.unwrap_or_default();
        let (mark, color) = mark(outcome);
        let ended = format!("{mark} {}", outcome.as_str());
        let actor = record.actor.as_ref().map(actor_words).unwrap_or_default();
        let targets: Vec<String> = record.targets.iter().map(target_words).collect();
        let address = record.context.ip_address.as_deref().unwrap_or_default();
        let color = if self.is_colored { color } else { "" };
        self.line(
            [
                &time,
                &ended,
                record.action.as_str(),
                &actor,
                &targets.join(", "),
                address,
            ],
            ["", color, "", "", "", ""],
        )
    }

    fn time(&self, time: tower_audit::clock::Timestamp) -> String {
        let time = time.to_string();
        match (self.widths.first(), time.split_once('.')) {
            (Some(20), Some((seconds, _))) => format!("{seconds}Z"),
            _ => time,
        }
    }

    /// Six cells, each cut or filled to its width, some of them in a style.
    fn line(&self, cells: [&str; 6], styles: [&str; 6]) -> String {
        let mut line = String::new();
        for ((cell, width), style) in cells.into_iter().zip(self.widths).zip(styles) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let text = fit(cell, width);
            let fill = if width == usize::MAX { 0 } else { width };
            match style {
                "" => line.push_str(&format!("{text:<fill$}")),
                style => line.push_str(&format!("\x1b[{style}m{text:<fill$}\x1b[0m")),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// A mark for whoever sees no colours, and the colour.
const fn mark(outcome: Outcome) -> (char, &'static str) {
    match outcome {
        Outcome::Success => ('✓', "32"),
        Outcome::Failure => ('✗', "33"),
        Outcome::Denied => ('⊘', "31"),
        Outcome::Error => ('!', "1;31"),
        Outcome::Cancelled => ('–', "90"),
        _ => ('?', "36"),
    }
}

fn actor_words(actor: &Actor) -> String {
    let name = actor.name.as_deref().or(actor.claimed.as_deref());
    let id = actor.id.as_deref();
    match (id, name) {
        (Some(id), Some(name)) => format!("{id} ({name})"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => format!("({})", actor.kind.as_str()),
    }
}

fn target_words(target: &Target) -> String {
    match target.id.as_deref().or(target.name.as_deref()) {
        Some(id) => format!("{}:{id}", target.kind),
        None => target.kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_wider_than_the_terminal_and_each_column_begins_below_its_title() {
        for width in [80, 100, 139, 140, 200, 400] {
            let layout = Layout::new(Some(width), false);
            let long = "x".repeat(500);
            let line = layout.line([&long; 6], [""; 6]);
            assert_eq!(line.chars().count(), width, "{line}");
        }
        let layout = Layout::new(Some(100), true);
        let line = layout.line(
            ["t", "✓ success", "user.login", "146", "document:7", "::1"],
            ["", "32", "", "", "", ""],
        );
        assert!(
            line.contains("\x1b[32m✓ success  \x1b[0m  user.login "),
            "{line}"
        );
        let plain = line.replace("\x1b[32m", "").replace("\x1b[0m", "");
        let head = Layout::new(Some(100), false).head();
        let column = |line: &str, word: &str| line.split(word).next().unwrap().chars().count();
        assert_eq!(column(&plain, "user.login"), column(&head, "ACTION"));
    }
}
