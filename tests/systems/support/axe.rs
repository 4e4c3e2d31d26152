//! Barriers for people with disabilities, as axe-core finds them in a page.

use std::{fmt, fs};

use serde::Deserialize;

use super::browser::{Browser, Look};

/// A rule that a page breaks, and where.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Violation {
    pub(crate) id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub(crate) impact: String,
    help: String,
    places: Vec<String>,
}

impl Violation {
    /// Whether somebody cannot use the page, or hardly.
    pub(crate) fn is_serious(&self) -> bool {
        matches!(&*self.impact, "serious" | "critical")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.id, self.impact, self.help)?;
        self.places
            .iter()
            .try_for_each(|place| write!(f, "\n    {place}"))
    }
}

impl Browser {
    /// Everything that axe finds in the page that is open.
    pub(crate) async fn violations(&self) -> Vec<Violation> {
        let axe = fs::read_to_string(&self.files.axe).expect("axe-core");
        // It goes in as the driver's, which no policy of the page forbids.
        let script = format!(
            "{axe};
            const done = arguments[arguments.length - 1];
            axe.run(document, {{resultTypes: ['violations']}}).then(
                found => done(found.violations.map(({{id, impact, help, nodes}}) => ({{
                    id, impact: impact || 'minor', help,
                    places: nodes.map(node => `${{node.target}}: ${{node.html}} ${{node.failureSummary}}`),
                }}))),
                error => done(String(error)));"
        );
        let found = self.client.execute_async(&script, Vec::new()).await;
        let found = found.expect("axe runs");
        serde_json::from_value(found.clone()).unwrap_or_else(|_| panic!("axe: {found}"))
    }

    /// Looks at the page that is open in the light, in the dark, and on a narrow screen: nobody finds
    /// a serious barrier. What axe calls less is printed.
    #[expect(clippy::print_stderr, reason = "for whoever makes the pages better")]
    pub(crate) async fn has_no_barriers(&self, page: &str) {
        let mut serious = Vec::new();
        for look in [Look::Light, Look::Dark, Look::Narrow] {
            self.look(look).await;
            for found in self.violations().await {
                let line = format!("{page}, {look:?}: {found}");
                if found.is_serious() {
                    serious.push(line);
                } else {
                    eprintln!("{line}");
                }
            }
        }
        self.look(Look::Light).await;
        assert!(serious.is_empty(), "{}", serious.join("\n"));
    }
}
