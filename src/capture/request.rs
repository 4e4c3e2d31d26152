//! What is known of a request, and how it becomes part of a record.
//!
//! On arrival things are only taken, as cheaply as can be: most requests leave no record. They are
//! read, resolved and hashed when a record is written.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Method, request};

use crate::{
    clock::Timestamp,
    keyed::Purpose,
    policy::{AddressForm, Arrival, Facts, Verdict},
    record::{Action, Assurance, Declaration, Http, OnFailure, Record},
    text::Text,
};

use super::{
    Rules, axum_parts,
    client::{Claimed, Origins},
    doors::Pass,
    grpc,
    headers::Taken,
    kept::Kept,
    layer::Config,
    presented::{Authorization, Presented},
    session::RawSession,
    template::{Template, template},
};

/// A request as it arrived.
pub(super) struct Arrived {
    config: Arc<Config>,
    method: Method,
    template: OnceLock<Template>,
    taken: Taken,
    claimed: Claimed,
    peer: Option<IpAddr>,
    session: Presented,
    authorization: Authorization,
    /// What a closure of the layer named it.
    named: Option<Action>,
    kept: Option<Box<Kept>>,
    arrival: Arrival,
    is_grpc: bool,
    /// How much of its address its own record has.
    form: OnceLock<AddressForm>,
    /// It said that it was gRPC, and turned out to be for no method of it.
    is_astray: AtomicBool,
    /// Strict work that its client was let in for, until it ends.
    pass: OnceLock<Pass>,
}

impl Arrived {
    /// Takes what a record may need; `None` when the policy says already that there is none.
    pub(super) fn look(config: &Arc<Config>, parts: &request::Parts) -> Option<Self> {
        let rules = config.recorder.rules();
        let is_grpc = grpc::is_grpc(&parts.headers);
        let template = template(config, parts, is_grpc);
        let route = template
            .as_ref()
            .and_then(|template| template.as_str(false));
        let method = parts.method.as_str();
        // What a client of gRPC calls is noted once the answer shows that there is such a method.
        if let (Some(route), false) = (route, matches!(template, Some(Template::Called(..)))) {
            rules.seen.note(method, route);
        }
        let named = config.ask(config.action.as_ref(), parts);
        let mut arrival = on_arrival(rules, (method, route), named.as_ref());
        if let Some(Template::Called(_, matched)) = &template
            && let Some(matched) = matched.get()
        {
            // It may be no gRPC at all: what axum matched counts as well.
            let matched = (method, Some(matched.as_str()));
            arrival = arrival.or_stricter(on_arrival(rules, matched, named.as_ref()));
        }
        if arrival.verdict == Verdict::Skip {
            return None;
        }
        let kept = arrival
            .keep
            .as_deref()
            .map(|keep| Box::new(Kept::take(keep, parts, route)));
        let arrived = Self {
            config: Arc::clone(config),
            method: parts.method.clone(),
            template: template.map(OnceLock::from).unwrap_or_default(),
            taken: Taken::take(&parts.headers, &config.request_id),
            claimed: config.client.take(&parts.headers),
            peer: peer(config, parts),
            session: config.session_of(parts),
            authorization: Authorization::take(&parts.headers),
            named,
            kept,
            arrival,
            is_grpc,
            form: OnceLock::new(),
            is_astray: AtomicBool::new(false),
            pass: OnceLock::new(),
        };
        Some(arrived)
    }

    pub(super) const fn assurance(&self) -> Assurance {
        self.arrival.assurance
    }

    pub(super) const fn on_failure(&self) -> OnFailure {
        self.arrival.on_failure
    }

    /// What was decided when it arrived.
    pub(super) const fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    pub(super) const fn is_grpc(&self) -> bool {
        self.is_grpc
    }

    pub(super) const fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Learns the template from within, where a layer around the router cannot see it.
    pub(super) fn learn(&self, parts: &request::Parts) {
        let matched = || axum_parts::matched(&parts.extensions);
        match self.template.get() {
            None => {
                if let Some(matched) = matched() {
                    let _ = self.template.set(Template::Matched(matched));
                }
            }
            // Who says that it is gRPC may be on any route.
            Some(Template::Called(_, known)) if known.get().is_none() => {
                if let Some(matched) = matched() {
                    let _ = known.set(matched);
                }
            }
            Some(_) => {}
        }
    }

    /// The template of the route, unless the request turned out to be for none.
    fn route(&self) -> Option<&str> {
        let is_astray = self.is_astray.load(Ordering::Relaxed);
        self.template.get()?.as_str(is_astray)
    }

    /// The answer does not show that there is such a method of gRPC. One that was seen before is
    /// believed all the same, so that a refusal says what was refused.
    pub(super) fn went_astray(&self, rules: &Rules) {
        let called = self.route().filter(|_| self.is_call());
        let is_known = called.is_some_and(|path| rules.seen.is_known(self.method.as_str(), path));
        self.is_astray.store(!is_known, Ordering::Relaxed);
    }

    /// Notes the route for the inventory, and what somebody named it.
    pub(super) fn note(&self, record: &Record, is_named: bool, rules: &Rules) {
        let Some(route) = self.route() else { return };
        let method = self.method.as_str();
        rules.seen.note(method, route);
        if is_named {
            rules.seen.named(method, route, record.action.as_str());
        }
    }

    /// Whether the route is the name of a gRPC method.
    pub(super) fn is_call(&self) -> bool {
        let is_astray = self.is_astray.load(Ordering::Relaxed);
        !is_astray && matches!(self.template.get(), Some(Template::Called(..)))
    }

    /// Texts that must not be in any record: what the request proves itself with.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let sessions = self.session.secrets();
        sessions.chain(self.authorization.secrets()).collect()
    }

    /// What a policy looks at.
    pub(super) fn facts<'a>(
        &'a self,
        record: Option<&'a Record>,
        annotated: bool,
        rules: &'a Rules,
    ) -> Facts<'a> {
        let declared = self.declared(rules);
        let own = record.map(|record| &record.action);
        let own = own
            .filter(|action| !action.is_unknown())
            .map(Action::as_str);
        Facts {
            method: Some(self.method.as_str()),
            route: self.route(),
            action: own.or_else(|| action_name(self.named.as_ref(), declared)),
            outcome: record.and_then(|record| record.outcome),
            status: None,
            actor: record
                .and_then(|record| record.actor.as_ref())
                .map(|actor| actor.kind),
            annotated: annotated || self.named.is_some() || declared.is_some(),
        }
    }

    /// The assurance that the catalogue declares for an action, or else for the route.
    pub(super) fn declared_assurance(
        &self,
        action: Option<&str>,
        rules: &Rules,
    ) -> Option<Assurance> {
        let by_action = action.and_then(|action| rules.catalogue.get(action));
        by_action
            .or_else(|| self.declared(rules))
            .and_then(|declared| declared.assurance)
    }

    fn declared<'a>(&self, rules: &'a Rules) -> Option<&'a Declaration> {
        let route = self.route()?;
        rules.catalogue.for_route(self.method.as_str(), route)
    }

    /// Gives the draft of an intent what is known so far.
    pub(super) fn complete_so_far(&self, draft: &mut Record, annotated: bool, rules: &Rules) {
        let form = self.form(annotated, rules);
        self.fill(draft, self.origins(), form, rules);
    }

    /// Gives a further record of the same request its context.
    pub(super) fn give_context(&self, record: &mut Record, rules: &Rules) {
        let form = self.form(false, rules);
        self.put_context(record, self.origins(), form, rules);
    }

    /// Gives the request's own record all that the request itself says; answers whether somebody
    /// named what is done. `form`: what the rule says that records it; `None` if it is recorded all
    /// the same.
    pub(super) fn complete(
        &self,
        record: &mut Record,
        origins: Origins,
        form: Option<AddressForm>,
        rules: &Rules,
    ) -> bool {
        let form = form.unwrap_or_else(|| self.form(false, rules));
        let _ = self.form.set(form);
        self.fill(record, origins, form, rules)
    }

    /// How much of the address is written into records of this request: what its own has, or the
    /// least that its own may yet have.
    fn form(&self, annotated: bool, rules: &Rules) -> AddressForm {
        let decided = self.form.get().copied();
        decided.unwrap_or_else(|| {
            let facts = self.facts(None, annotated, rules);
            rules.policy.address_so_far(&facts)
        })
    }

    /// Answers whether somebody named what is done.
    fn fill(
        &self,
        record: &mut Record,
        origins: Origins,
        form: AddressForm,
        rules: &Rules,
    ) -> bool {
        let is_named = !record.action.is_unknown() || self.name(record, rules);
        if let Some(kept) = &self.kept {
            kept.write(record);
        }
        self.put_context(record, origins, form, rules);
        is_named
    }

    /// Asks for its client to be let in for strict work.
    pub(super) fn enter(&self, rules: &Rules, now: Timestamp) -> bool {
        let client = self.origins().client;
        let pass = rules.doors.enter(client, now, rules.policy.folds_above());
        pass.is_some_and(|pass| self.pass.set(pass).is_ok())
    }

    /// The pass of strict work that was let in.
    pub(super) fn pass(&self) -> Option<&Pass> {
        self.pass.get()
    }

    /// Where the request came from.
    pub(super) fn origins(&self) -> Origins {
        self.config.client.resolve(self.peer, &self.claimed)
    }

    fn put_context(&self, record: &mut Record, origins: Origins, form: AddressForm, rules: &Rules) {
        let context = &mut record.context;
        self.taken.write(context);
        origins.write(context, form, &rules.key);
        if let Some(session) = self.session.get() {
            context.session_id = Some(hashed(session, rules));
        }
        let http = context.http.get_or_insert_with(Http::new);
        http.method = Some(method_text(&self.method));
        http.route = self.route().map(Text::from);
    }

    fn name(&self, record: &mut Record, rules: &Rules) -> bool {
        let declared = self.declared(rules).map(|declared| &declared.action);
        if let Some(named) = self.named.as_ref().or(declared) {
            record.action = named.clone();
            return true;
        }
        let method = spelled(&self.method);
        let name = match self.route() {
            Some(route) if self.is_call() => route.trim_start_matches('/').to_owned(),
            Some(route) => format!("{method} {route}"),
            None => method.to_owned(),
        };
        record.action = Action::from(name);
        record.category.get_or_insert(Text::fixed("request"));
        false
    }
}

/// What is decided when a request arrives that may be on this route.
fn on_arrival(
    rules: &Rules,
    (method, route): (&str, Option<&str>),
    named: Option<&Action>,
) -> Arrival {
    let declared = route.and_then(|route| rules.catalogue.for_route(method, route));
    let facts = Facts {
        method: Some(method),
        route,
        action: action_name(named, declared),
        annotated: named.is_some() || declared.is_some(),
        ..Facts::default()
    };
    let assurance = declared.and_then(|declared| declared.assurance);
    rules.policy.on_arrival(&facts, assurance)
}

/// A session as it may be written.
pub(super) fn hashed(session: &RawSession, rules: &Rules) -> Text {
    rules.key.hash(Purpose::Session, session.as_bytes())
}

fn peer(config: &Config, parts: &request::Parts) -> Option<IpAddr> {
    let told = config.ask(config.peer.as_ref(), parts);
    told.or_else(|| axum_parts::peer(&parts.extensions))
}

fn action_name<'a>(
    named: Option<&'a Action>,
    declared: Option<&'a Declaration>,
) -> Option<&'a str> {
    let declared = declared.map(|declared| &declared.action);
    named.or(declared).map(Action::as_str)
}

/// A method as a part of an action. Clients make methods up, and `user.delete` is one as HTTP spells
/// them: what could be the name of an action is not taken for one.
fn spelled(method: &Method) -> &str {
    let is_usual = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    let name = method.as_str();
    if name.bytes().all(is_usual) {
        name
    } else {
        "OTHER"
    }
}

/// Known methods are not copied.
fn method_text(method: &Method) -> Text {
    match *method {
        Method::GET => Text::fixed("GET"),
        Method::POST => Text::fixed("POST"),
        Method::PUT => Text::fixed("PUT"),
        Method::PATCH => Text::fixed("PATCH"),
        Method::DELETE => Text::fixed("DELETE"),
        Method::HEAD => Text::fixed("HEAD"),
        Method::OPTIONS => Text::fixed("OPTIONS"),
        _ => Text::from(method.as_str()),
    }
}
