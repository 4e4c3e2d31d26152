//! What is around every page: its head, its bar, its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{link::Link, mark, text, time};
use crate::viewer::{
    assets,
    model::{View, ZoneFrom},
    words::{self, Words},
};

/// Which entry of the bar a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Records,
    Destinations,
    Exports,
    /// None of them: what failed.
    None,
}

/// A document from its beginning to the inside of its main part, which stays open.
pub(super) fn open(view: &View<'_>, section: Section, heading: &str, head: &Markup) -> Markup {
    let words = view.words;
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"")) (words.code) (PreEscaped("\">"))
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="robots" content="noindex";
            title { (text::plain(heading)) " · " (text::plain(view.title)) }
            link rel="stylesheet" href=(asset(view, "viewer.css"));
            link rel="icon" href=(asset(view, "viewer.svg"));
            link rel="preload" as="script" href=(asset(view, "viewer.js"));
            (head)
        }
        (PreEscaped("<body>"))
        a.skip href="#content" { (words.skip) }
        (mark::sprite())
        (bar(view, section))
        (PreEscaped("<main id=\"content\" tabindex=\"-1\" class=\"")) (class(section))
        (PreEscaped("\" data-zone=\"")) (time::zone_name(view))
        @if view.zone_from == ZoneFrom::Address { (PreEscaped("\" data-fixed=\"")) }
        (PreEscaped("\">"))
    }
}

/// The script. It stands behind what it works on: what is counted comes later, and nothing that can
/// be used already waits for that.
pub(super) fn script(view: &View<'_>) -> Markup {
    html! { script src=(asset(view, "viewer.js")) async {} }
}

/// The end of a document that [`open`] began.
pub(super) fn close(view: &View<'_>) -> Markup {
    html! {
        (PreEscaped("</main>"))
        (foot(view))
        (PreEscaped("</body></html>"))
    }
}

/// A whole document.
pub(super) fn page(view: &View<'_>, section: Section, heading: &str, main: &Markup) -> Markup {
    html! {
        (open(view, section, heading, &Markup::default()))
        (main)
        (script(view))
        (close(view))
    }
}

fn class(section: Section) -> &'static str {
    match section {
        Section::Records => "records",
        Section::Destinations => "destinations",
        Section::Exports => "exports",
        Section::None => "failure",
    }
}

/// The address of an asset. What it holds is in it, so that a browser may keep it.
fn asset(view: &View<'_>, name: &str) -> String {
    let path = format!("/assets/{name}");
    Link::to(view, path)
        .with("v", assets::version(name))
        .bare_address()
}

fn bar(view: &View<'_>, section: Section) -> Markup {
    let words = view.words;
    let entry = |of: Section, path: &'static str, name: &str| {
        let current = (of == section).then_some("page");
        html! { li { a href=(Link::to(view, path).address()) aria-current=[current] { (name) } } }
    };
    html! {
        header.bar {
            a.brand href=(Link::to(view, "/").address()) {
                (mark::logo())
                span.service { (text::short(view.title)) }
                span.product { (words.title) }
            }
            @if let Some(reader) = view.reader {
                nav aria-label=(words.sections) {
                    ul {
                        (entry(Section::Records, "/", words.records))
                        @if view.has_destinations {
                            (entry(Section::Destinations, "/destinations", words.destinations))
                        }
                        (entry(Section::Exports, "/exports", words.exports))
                    }
                }
                @let name = reader.name.as_deref().or(reader.email.as_deref()).or(reader.id.as_deref());
                @if let Some(name) = name {
                    p.reader { span.hidden { (words.reader) " " } (text::short(name)) }
                }
            }
        }
    }
}

fn foot(view: &View<'_>) -> Markup {
    let words = view.words;
    html! {
        footer.foot {
            p.zone {
                span.times-in data-text=(words.times_in) {
                    (words.times_in.replace("{}", time::zone_name(view)))
                } " "
                @if view.zone_from == ZoneFrom::Address {
                    a href=(here(view).dropping("tz").address()) { (words.use_own_zone) }
                } @else if view.zone_from == ZoneFrom::Cookie {
                    a href=(here(view).with("tz", "UTC").address()) { (words.use_utc) }
                } @else {
                    a href=(here(view).with("tz", "UTC").address()) hidden { (words.use_utc) }
                }
            }
            nav aria-label=(words.language) {
                ul.languages { @for other in words::ALL { (language(view, other)) } }
            }
        }
    }
}

fn language(view: &View<'_>, other: &'static Words) -> Markup {
    let current = (other.code == view.words.code).then_some("true");
    let address = here(view).with("lang", other.code).address();
    html! {
        li {
            a href=(address) lang=(other.code) hreflang=(other.code) aria-current=[current] {
                (other.name)
            }
        }
    }
}

/// This page with everything that its address says.
pub(super) fn here<'a>(view: &View<'a>) -> Link<'a> {
    let link = Link::to(view, view.path);
    view.pairs
        .iter()
        .fold(link, |link, (name, value)| link.with(name, value.as_str()))
}

/// Shows something only where there is no script.
pub(super) fn without_script(markup: &Markup) -> Markup {
    html! { noscript { (markup) } }
}
