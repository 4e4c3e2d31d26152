//! Addresses: only our own, absolute from the viewer's path, everything encoded.

use std::borrow::Cow;

use form_urlencoded::Serializer;
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

use crate::{
    store::Query,
    viewer::model::{Search, View},
};

/// What stands in a segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What a path that came with a request may not hold in an address of ours; it is encoded already.
const WHOLE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'?')
    .add(b'#')
    .add(b'{')
    .add(b'}')
    .add(b'\\');

/// An address that is being put together.
#[derive(Debug, Clone)]
pub(super) struct Link<'a> {
    base: &'a str,
    path: Cow<'a, str>,
    pairs: Vec<(&'a str, Cow<'a, str>)>,
    kept: &'a [(&'static str, String)],
    dropped: Option<&'static str>,
}

impl<'a> Link<'a> {
    /// A page of the viewer; the path is below its own, and is encoded already.
    pub(super) fn to(view: &View<'a>, path: impl Into<Cow<'a, str>>) -> Self {
        Self {
            base: view.base,
            path: path.into(),
            pairs: Vec::new(),
            kept: view.kept,
            dropped: None,
        }
    }

    /// The page of one record.
    pub(super) fn record(view: &View<'a>, id: impl ToString) -> Self {
        Self::to(view, format!("/records/{}", segment(&id.to_string())))
    }

    /// The page of one actor.
    pub(super) fn actor(view: &View<'a>, id: &str) -> Self {
        // A browser takes these for steps in the path, however they are encoded.
        if matches!(id, "" | "." | "..") {
            return Self::to(view, "/").with("actor", id.to_owned());
        }
        Self::to(view, format!("/actors/{}", segment(id)))
    }

    /// All records of every time that have this.
    pub(super) fn records_with(view: &View<'a>, name: &'a str, value: &str) -> Self {
        Self::to(view, "/")
            .with(name, value.to_owned())
            .with("range", "all")
    }

    /// All records of every time of one target. A type may hold what divides it from the id.
    pub(super) fn of_target(view: &View<'a>, kind: &str, id: &str) -> Self {
        let params = Query::new().target_type(kind).target(id).params();
        let written = params.into_iter().find(|(name, _)| *name == "target");
        let value = written.map(|(_, value)| value).unwrap_or_default();
        Self::records_with(view, "target", &value)
    }

    /// The same with a parameter, in place of one of that name.
    pub(super) fn with(mut self, name: &'a str, value: impl Into<Cow<'a, str>>) -> Self {
        self = self.without(name);
        self.pairs.push((name, value.into()));
        self
    }

    /// The same without a parameter.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(other, _)| *other != name);
        self
    }

    /// The same, and not carrying on what the page keeps of this name.
    pub(super) fn dropping(mut self, name: &'static str) -> Self {
        self.dropped = Some(name);
        self.without(name)
    }

    /// The address. What a page keeps for its links is in it, unless the link says otherwise.
    pub(super) fn address(&self) -> String {
        let own = |name: &str| self.pairs.iter().any(|(other, _)| *other == name);
        let is_kept = |name: &str| !own(name) && self.dropped != Some(name);
        let kept = self.kept.iter().filter(|(name, _)| is_kept(name));
        let kept = kept.map(|(name, value)| (*name, value.as_str()));
        let pairs = self.pairs.iter().map(|(name, value)| (*name, &**value));
        self.written(pairs.chain(kept))
    }

    /// The address without what the page keeps: what one gives to others.
    pub(super) fn bare_address(&self) -> String {
        self.written(self.pairs.iter().map(|(name, value)| (*name, &**value)))
    }

    /// The parameters, for the hidden fields of a form.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let kept = self
            .kept
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        self.pairs
            .iter()
            .map(|(name, value)| (*name, &**value))
            .chain(kept)
    }

    /// The address without parameters.
    pub(super) fn path(&self) -> String {
        // A browser takes these for steps, however they are encoded: they lead out of the viewer.
        let is_step = |segment: &str| {
            let segment: Vec<u8> = percent_decode_str(segment).collect();
            matches!(&*segment, b"." | b"..")
        };
        if self.path.split(['/', '\\']).any(is_step) {
            return format!("{}/", self.base);
        }
        // Two slashes would begin the name of another host.
        let path = self.path.trim_start_matches(['/', '\\']);
        format!("{}/{}", self.base, utf8_percent_encode(path, WHOLE))
    }

    fn written<'b>(&self, pairs: impl Iterator<Item = (&'b str, &'b str)>) -> String {
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let path = self.path();
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    }
}

/// A text as one segment of a path.
fn segment(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, SEGMENT).into()
}

/// A page with a table: the whole log, or that of one actor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) search: &'a Search,
    /// Whose page it is; the actor is then in the path, not among the parameters.
    pub(super) actor: Option<&'a str>,
}

impl<'a> Listing<'a> {
    /// The page that its path says: `actor` is there only on the page of an actor.
    pub(super) fn new(view: &'a View<'a>, search: &'a Search) -> Self {
        let is_actor = view.path.starts_with("/actors/");
        let of = |(name, value): &'a (&'static str, String)| (*name == "actor").then_some(&**value);
        let actor = search.filters.iter().find_map(of).filter(|_| is_actor);
        Self {
            view,
            search,
            actor,
        }
    }

    /// This page with its filters, from the newest record on.
    pub(super) fn link(&self) -> Link<'a> {
        let mut link = self.filtered(self.place(), self.actor.is_some());
        if let Some(limit) = self.search.limit {
            link = link.with("limit", limit.to_string());
        }
        link
    }

    /// This page without filters.
    pub(super) fn reset(&self) -> Link<'a> {
        self.place()
    }

    /// Without one filter; without the actor, the actor's page is left.
    pub(super) fn without(&self, name: &str) -> Link<'a> {
        if name == "actor" && self.actor.is_some() {
            return self.filtered(Link::to(self.view, "/"), true);
        }
        let link = self.link().without(name);
        // Without one end of its own, a range is still one of its own.
        if matches!(name, "from" | "to") {
            link.with("range", "custom")
        } else {
            link
        }
    }

    /// Something else about the records that the filters leave: an export, live mode.
    pub(super) fn of_same(&self, path: &'static str) -> Link<'a> {
        self.filtered(Link::to(self.view, path), false)
    }

    fn place(&self) -> Link<'a> {
        match self.actor {
            Some(id) => Link::actor(self.view, id),
            None => Link::to(self.view, "/"),
        }
    }

    fn filtered(&self, mut link: Link<'a>, without_actor: bool) -> Link<'a> {
        for (name, value) in &self.search.filters {
            if *name != "actor" || !without_actor {
                link = link.with(name, value.as_str());
            }
        }
        if !self.search.range.is_empty() {
            link = link.with("range", self.search.range.as_str());
        }
        if self.search.reads {
            link = link.with("reads", "1");
        }
        link
    }
}
