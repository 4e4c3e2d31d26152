//! What a terminal can show: how wide it is, and whether it has colours.

use std::{
    env,
    io::{self, IsTerminal},
};

use clap::{Args, ValueEnum};

/// In which form records are shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Form")]
pub(crate) struct Form {
    /// One record a line, exactly as it is stored: the default in a pipe
    #[arg(long)]
    pub(crate) json: bool,
    /// A table: the default on a terminal
    #[arg(long, conflicts_with = "json")]
    pub(crate) table: bool,
    /// Colours: auto (on a terminal without NO_COLOR), always, never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub(crate) color: When,
}

/// Auto, always or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

impl Form {
    /// Whether it is JSON Lines: a script gets them without asking, and a person a table.
    pub(crate) fn is_json(&self) -> bool {
        self.json || (!self.table && !io::stdout().is_terminal())
    }

    pub(crate) fn is_colored(&self) -> bool {
        is_colored(self.color, io::stdout().is_terminal(), |name| {
            env::var_os(name).and_then(|value| value.into_string().ok())
        })
    }
}

fn is_colored(when: When, is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let is_plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
            let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
            is_terminal && !is_plain && !is_dumb
        }
    }
}

/// How many characters a line of standard output has; none when it is no terminal.
pub(crate) fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let none = |_: &str| None;
        let set = |wanted: &'static str, value: &'static str| {
            move |name: &str| (name == wanted).then(|| value.to_owned())
        };
        assert!(is_colored(When::Auto, true, none));
        assert!(!is_colored(When::Auto, false, none));
        assert!(!is_colored(When::Auto, true, set("NO_COLOR", "1")));
        assert!(is_colored(When::Auto, true, set("NO_COLOR", "")));
        assert!(!is_colored(When::Auto, true, set("TERM", "dumb")));
        assert!(is_colored(When::Always, false, set("NO_COLOR", "1")));
        assert!(!is_colored(When::Never, true, none));
    }
}
