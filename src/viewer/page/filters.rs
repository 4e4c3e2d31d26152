//! The form of filters: all of it is in the address, none of it needs a script.

use maud::{Markup, html};

use super::{
    cells,
    link::Listing,
    mark, text,
    time::{self, zone_name},
};
use crate::{
    record::{ActorType, Outcome},
    store::{Choices, Field},
    viewer::model::{Search, Table, View, ZoneFrom},
};

/// More choices than these are offered while one types, not in a list.
const MAX_LISTED: usize = 60;

/// The bytes that a parameter may have.
const MAX_BYTES: usize = 1024;

/// The filters that are always in view; the others are in a part that can be opened.
const FIRST: [&str; 5] = ["q", "action", "actor", "outcome", "category"];

const MORE: [&str; 9] = [
    "actor_type",
    "target",
    "ip",
    "tenant",
    "application",
    "service",
    "session",
    "request",
    "reads",
];

/// The ranges, with their names.
fn ranges(view: &View<'_>) -> [(&'static str, &'static str); 6] {
    let words = &view.words.filters;
    [
        ("1h", words.hour),
        ("24h", words.day),
        ("7d", words.week),
        ("30d", words.month),
        ("all", words.all),
        ("custom", words.custom),
    ]
}

/// The form, the ranges and the filters that are active.
pub(super) fn form(view: &View<'_>, table: &Table<'_>) -> Markup {
    let words = &view.words.filters;
    let listing = Listing::new(view, table.search);
    let fields = Fields {
        view,
        table,
        listing,
    };
    let is_open = MORE.iter().any(|name| fields.value(name).is_some()) || table.search.reads;
    html! {
        section.filters aria-label=(words.title) {
            (periods(view, &listing))
            form method="get" action=(listing.link().path()) {
                (fields.hidden())
                @if table.search.range == "custom" {
                    div.fields.custom {
                        (fields.moment("from", words.from))
                        (fields.moment("to", words.to))
                        @if view.zone_from != ZoneFrom::Address {
                            // For the script, where its cookie is refused: the zone of the fields.
                            input type="hidden" name="tz" disabled;
                        }
                    }
                }
                div.fields.first {
                    @for name in FIRST {
                        @if name != "actor" || listing.actor.is_none() { (fields.field(name)) }
                    }
                    div.buttons {
                        button.button.primary type="submit" { (words.apply) }
                        a.button href=(listing.reset().address()) { (words.reset) }
                    }
                }
                details.more open[is_open] {
                    summary { (words.more) }
                    div.fields { @for name in MORE { (fields.field(name)) } }
                }
            }
            (chips(view, &listing))
        }
    }
}

/// The ranges as links. One of one's own begins with the one that is shown.
fn periods(view: &View<'_>, listing: &Listing<'_>) -> Markup {
    let search = listing.search;
    html! {
        div.periods role="group" aria-label=(view.words.filters.period) {
            @for (range, name) in ranges(view) {
                @let link = listing.link().with("range", range);
                @let link = match range {
                    "custom" => custom(link, search),
                    _ => link.without("from").without("to"),
                };
                @let current = (search.range == range).then_some("true");
                a href=(link.address()) aria-current=[current] { (name) }
            }
        }
    }
}

fn custom<'a>(mut link: super::link::Link<'a>, search: &Search) -> super::link::Link<'a> {
    if let Some(from) = search.from {
        link = link.with("from", from.to_string());
    }
    if let Some(to) = search.to {
        link = link.with("to", to.to_string());
    }
    link
}

/// The active filters by name, as the reader calls them.
pub(super) fn named(view: &View<'_>, search: &Search) -> Vec<(&'static str, String)> {
    let mut named = Vec::new();
    for (name, value) in &search.filters {
        // The period is said apart.
        let is_period = matches!(*name, "from" | "to");
        if let Some(label) = label(view, name).filter(|_| !is_period) {
            named.push((label, said(view, name, value)));
        }
    }
    named
}

/// A value as it is shown: words of our own in the reader's language.
fn said(view: &View<'_>, name: &str, value: &str) -> String {
    let word = match name {
        "outcome" => {
            Outcome::from_word(value).map(|outcome| mark::outcome_word(view.words, outcome))
        }
        "actor_type" => ActorType::from_word(value).map(|kind| cells::actor_word(view.words, kind)),
        _ => None,
    };
    word.unwrap_or(value).to_owned()
}

fn chips(view: &View<'_>, listing: &Listing<'_>) -> Markup {
    let words = &view.words.filters;
    let search = listing.search;
    let chip = |name: &str, label: &str, value: &Markup| {
        let remove = words.remove.replace("{}", label);
        html! {
            li.chip {
                span.name { (label) }
                (value)
                a href=(listing.without(name).address()) aria-label=(remove) title=(remove) { "×" }
            }
        }
    };
    html! {
        @if !search.filters.is_empty() || search.reads {
            ul.chips aria-label=(words.active) {
                @for (name, value) in &search.filters {
                    @if let Some(label) = label(view, name) {
                        (chip(name, label, &html! { span.value { (shown(view, search, name, value)) } }))
                    }
                }
                @if search.reads { (chip("reads", words.reads, &Markup::default())) }
            }
        }
    }
}

/// A value as it is shown; times as times, so that the script can turn them.
fn shown(view: &View<'_>, search: &Search, name: &str, value: &str) -> Markup {
    match (name, search.from, search.to) {
        ("from", Some(at), _) | ("to", _, Some(at)) => time::at(view, at),
        _ => text::short(&said(view, name, value)),
    }
}

/// What a filter is called.
fn label(view: &View<'_>, name: &str) -> Option<&'static str> {
    let (fields, filters) = (&view.words.fields, &view.words.filters);
    Some(match name {
        "q" => filters.text,
        "action" => fields.action,
        "actor" => fields.actor,
        "outcome" => fields.outcome,
        "category" => fields.category,
        "actor_type" => filters.actor_type,
        "target" => fields.target,
        "ip" => fields.ip,
        "tenant" => fields.tenant,
        "application" => fields.application,
        "service" => fields.service,
        "session" => fields.session,
        "request" => fields.request,
        "from" => filters.from,
        "to" => filters.to,
        "reads" => filters.reads,
        _ => return None,
    })
}

/// The fields of one form.
struct Fields<'a> {
    view: &'a View<'a>,
    table: &'a Table<'a>,
    listing: Listing<'a>,
}

impl Fields<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        let mut filters = self.table.search.filters.iter();
        filters.find_map(|(other, value)| (*other == name).then_some(&**value))
    }

    /// What the form keeps and does not ask for.
    fn hidden(&self) -> Markup {
        let is_asked = |name: &str| {
            FIRST.contains(&name) || MORE.contains(&name) || matches!(name, "from" | "to")
        };
        html! {
            @for (name, value) in self.listing.link().pairs() {
                @if !is_asked(name) { input type="hidden" name=(text::value(name)) value=(text::value(value)); }
            }
            @if self.table.search.live { input type="hidden" name="live" value="1"; }
        }
    }

    fn field(&self, name: &'static str) -> Markup {
        let (view, words) = (self.view, &self.view.words.filters);
        let label = label(view, name).unwrap_or(name);
        let choices = |field| self.table.choices.iter().find(|(other, _)| *other == field);
        let choices = |field| choices(field).map(|(_, choices)| choices);
        match name {
            "q" => self.text(name, label, "search", words.text_hint, None),
            "action" => self.text(
                name,
                label,
                "text",
                words.action_hint,
                choices(Field::Action),
            ),
            "actor" => self.text(name, label, "text", "", choices(Field::Actor)),
            "target" => self.text(name, label, "text", words.target_hint, None),
            "outcome" => self.outcomes(label, choices(Field::Outcome)),
            "actor_type" => self.select(
                name,
                label,
                &ActorType::ALL
                    .iter()
                    .map(|kind| {
                        (
                            kind.as_str().to_owned(),
                            cells::actor_word(view.words, *kind).to_owned(),
                        )
                    })
                    .collect::<Vec<_>>(),
            ),
            "category" => self.listed(name, label, choices(Field::Category)),
            "tenant" => self.listed(name, label, choices(Field::Tenant)),
            "application" => self.listed(name, label, choices(Field::Application)),
            "service" => self.listed(name, label, choices(Field::Service)),
            "reads" => html! {
                label.check {
                    input type="checkbox" name="reads" value="1" checked[self.table.search.reads];
                    span { (label) }
                }
            },
            _ => self.text(name, label, "text", "", None),
        }
    }

    /// A field to type in, with choices where there are some.
    fn text(
        &self,
        name: &str,
        label: &str,
        kind: &str,
        hint: &str,
        choices: Option<&Choices>,
    ) -> Markup {
        let list = choices.map(|_| format!("choices-{name}"));
        html! {
            label class=(format!("field f-{name}")) {
                span { (label) }
                input type=(kind) name=(name) value=[self.value(name).map(text::value)] placeholder=(hint)
                    maxlength=(MAX_BYTES) autocomplete="off" spellcheck="false" list=[list.as_deref()];
            }
            @if let (Some(choices), Some(id)) = (choices, &list) {
                datalist id=(id) {
                    @if name == "action" {
                        @for noun in nouns(choices) { option value=(text::value(&format!("{noun}.*"))) {} }
                    }
                    @for choice in &choices.values { option value=(text::value(choice)) {} }
                }
            }
        }
    }

    /// A list, as long as all choices are known and they are few; else a field to type in.
    fn listed(&self, name: &str, label: &str, choices: Option<&Choices>) -> Markup {
        match choices {
            Some(choices) if choices.is_complete && choices.values.len() <= MAX_LISTED => {
                let pair = |value: &String| (value.clone(), text::plain(value).into_owned());
                self.select(
                    name,
                    label,
                    &choices.values.iter().map(pair).collect::<Vec<_>>(),
                )
            }
            _ => self.text(name, label, "text", "", choices),
        }
    }

    /// The outcomes that occur; all of them when that is not known.
    fn outcomes(&self, label: &str, choices: Option<&Choices>) -> Markup {
        let occurs = |outcome: &&Outcome| {
            choices.is_none_or(|choices| choices.values.iter().any(|word| word == outcome.as_str()))
        };
        let pair = |outcome: &Outcome| {
            let word = mark::outcome_word(self.view.words, *outcome);
            (outcome.as_str().to_owned(), word.to_owned())
        };
        let found: Vec<_> = Outcome::ALL.iter().filter(occurs).map(pair).collect();
        self.select("outcome", label, &found)
    }

    /// A list; what is asked for is in it, even if it does not occur.
    fn select(&self, name: &str, label: &str, choices: &[(String, String)]) -> Markup {
        let value = self.value(name);
        let is_other = |value: &&str| choices.iter().all(|(choice, _)| choice != value);
        html! {
            label class=(format!("field f-{name}")) {
                span { (label) }
                select name=(name) {
                    option value="" { (self.view.words.filters.any) }
                    @if let Some(other) = value.filter(is_other) {
                        option value=(text::value(other)) selected { (text::plain(other)) }
                    }
                    @for (choice, shown) in choices {
                        option value=(text::value(choice)) selected[value == Some(choice)] { (shown) }
                    }
                }
            }
        }
    }

    /// One end of a range of one's own, in the zone of the page.
    fn moment(&self, name: &str, label: &str) -> Markup {
        let search = self.table.search;
        let at = if name == "from" {
            search.from
        } else {
            search.to.map(time::up_to_second)
        };
        let zone = self
            .view
            .words
            .filters
            .in_zone
            .replace("{}", zone_name(self.view));
        html! {
            label class=(format!("field f-{name}")) {
                span { (label) " " small { (zone) } }
                input type="datetime-local" name=(name) step="1"
                    value=[at.map(|at| time::for_field(self.view, at))]
                    data-time=[at.map(|at| at.to_string())];
            }
        }
    }
}

/// The prefixes that several actions have in common.
fn nouns(choices: &Choices) -> Vec<&str> {
    let mut nouns: Vec<(&str, usize)> = Vec::new();
    for action in &choices.values {
        let Some((noun, _)) = action.split_once('.') else {
            continue;
        };
        match nouns.last_mut() {
            Some((last, count)) if *last == noun => *count += 1,
            _ => nouns.push((noun, 1)),
        }
    }
    nouns
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(noun, _)| noun)
        .collect()
}
