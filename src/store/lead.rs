//! Which index a question is answered along, and what else must hold.
//!
//! It is decided here, not by the database, which knows little of how many records match: the
//! leading filter is written plainly, every other one so that no index serves for it. All indexes
//! end with `id`, so that what was asked for comes in its order.
//!
//! Within a reach, its own index leads, whatever else is asked for: how far a search comes, and
//! where it stops, must not depend on what is out of reach. Only a session or a request leads before
//! it, each of few records by its nature.

use super::{ActionPattern, Query, needle::Needle, statement::Tables};

/// An indexed column of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// What the name of its index ends with.
    pub(super) index: &'static str,
}

const fn column(name: &'static str, index: &'static str) -> Column {
    Column { name, index }
}

pub(super) const ACTION: Column = column("action", "action");
pub(super) const CATEGORY: Column = column("category", "category");
pub(super) const OUTCOME: Column = column("outcome", "outcome");
pub(super) const ACTOR: Column = column("actor_id", "actor");
pub(super) const TENANT: Column = column("tenant", "tenant");
pub(super) const APPLICATION: Column = column("application", "application");
pub(super) const SERVICE: Column = column("service", "service");
const IP: Column = column("ip", "ip");
const SESSION: Column = column("session", "session");
const REQUEST: Column = column("request_id", "request");
/// It has no index, and never leads.
const ACTOR_TYPE: Column = column("actor_type", "");

/// What an answer is read along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    /// The index on `id`.
    Id,
    /// The index on this column and `id`, at each of these values.
    Column(Column, Vec<String>),
    /// The index of the targets, at this id of each of these types.
    Target { types: Vec<String>, id: String },
    /// The order of arrival, behind the first and up to the second (inclusive).
    Arrival(i64, i64),
}

/// What must hold beside the lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Also {
    /// A column is this text.
    Is(Column, String),
    /// The action begins so.
    Below(String),
    /// It is no record of reading.
    NoRead,
    /// It had arrived by then.
    ArrivedBy(i64),
    /// It has a target of this type, with this id.
    Target(Option<String>, Option<String>),
    /// Its text holds these letters or digits, in any case.
    Holds(String),
}

/// How a question is answered.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) tables: Tables,
    pub(super) lead: Lead,
    /// What the reach asks for beside the lead. An entry of the lead counts as one only if it holds.
    pub(super) within: Vec<Also>,
    pub(super) also: Vec<Also>,
    /// What the database cannot check.
    pub(super) needle: Option<Needle>,
    /// The texts of the lead were found by a scan, which in MySQL finds one of those that differ only
    /// in spaces at their end; all of them match.
    pub(super) is_found: bool,
}

/// What must be asked before it is known along what a question is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Draft {
    /// Nothing can match.
    Nothing,
    /// Nothing.
    Ready(Lead),
    /// Which actions begin so.
    Actions(ActionPattern),
    /// Of which types there are targets; one of them with this id is wanted.
    Types(String),
}

/// The texts that columns must be: those of the query and of its reach, the best to lead first.
/// None when two ask for different ones.
pub(super) fn texts(query: &Query) -> Option<Vec<(Column, &str)>> {
    let reach = &query.reach;
    if reach.is_nothing {
        return None;
    }
    let action = query.action.as_ref().and_then(ActionPattern::as_exact);
    let asked = [
        (SESSION, query.session.as_deref()),
        (REQUEST, query.request.as_deref()),
        (ACTOR, query.actor.as_deref()),
        (ACTOR, reach.actor.as_deref()),
        (IP, query.ip.as_deref()),
        (ACTION, action),
        (APPLICATION, query.application.as_deref()),
        (APPLICATION, reach.application.as_deref()),
        (TENANT, query.tenant.as_deref()),
        (TENANT, reach.tenant.as_deref()),
        (CATEGORY, query.category.as_deref()),
        (OUTCOME, query.outcome.as_deref()),
        (SERVICE, query.service.as_deref()),
        (ACTOR_TYPE, query.actor_type.as_deref()),
    ];
    let mut texts: Vec<(Column, &str)> = Vec::new();
    for (column, text) in asked {
        let Some(text) = text else { continue };
        match texts.iter().find(|(there, _)| *there == column) {
            Some((_, there)) if *there != text => return None,
            Some(_) => {}
            None => texts.push((column, text)),
        }
    }
    Some(texts)
}

/// The columns of a reach, the one of fewest records to lead first, as a rule.
const OF_REACH: [Column; 3] = [ACTOR, TENANT, APPLICATION];

fn is_of_reach(query: &Query, column: Column) -> bool {
    let reach = &query.reach;
    match column {
        ACTOR => reach.actor.is_some(),
        TENANT => reach.tenant.is_some(),
        APPLICATION => reach.application.is_some(),
        _ => false,
    }
}

/// Along what a query is answered: its reach; otherwise the filter that matches fewest records, as a
/// rule.
pub(super) fn draft(query: &Query) -> Draft {
    let Some(texts) = texts(query) else {
        return Draft::Nothing;
    };
    let first = texts.first().filter(|(column, _)| *column != ACTOR_TYPE);
    let lead =
        |(column, text): (Column, &str)| Draft::Ready(Lead::Column(column, vec![text.to_owned()]));
    if let Some(found) = first.filter(|(column, _)| [SESSION, REQUEST].contains(column)) {
        return lead(*found);
    }
    let mut of_reach = OF_REACH.into_iter().filter(|it| is_of_reach(query, *it));
    let narrowest = of_reach.next();
    if let Some(found) = texts.iter().find(|(it, _)| Some(*it) == narrowest) {
        return lead(*found);
    }
    match (&query.target_type, &query.target) {
        (Some(kind), Some(id)) => {
            return Draft::Ready(Lead::Target {
                types: vec![kind.clone()],
                id: id.clone(),
            });
        }
        (None, Some(id)) => return Draft::Types(id.clone()),
        (_, None) => {}
    }
    if let Some(found) = first.filter(|(column, _)| [ACTOR, IP, ACTION].contains(column)) {
        return lead(*found);
    }
    match (&query.action, first) {
        (Some(pattern), _) => Draft::Actions(pattern.clone()),
        (None, Some(found)) => lead(*found),
        (None, None) => Draft::Ready(Lead::Id),
    }
}

/// The columns beside the lead: those of the reach, and the others.
fn columns(tables: &Tables, query: &Query, lead: &Lead) -> (Vec<Also>, Vec<Also>) {
    let (mut within, mut also) = (Vec::new(), Vec::new());
    for (column, text) in texts(query).unwrap_or_default() {
        let leads = matches!(lead, Lead::Column(leading, _) if *leading == column);
        if leads {
            continue;
        }
        let is = Also::Is(column, tables.stored(text));
        if is_of_reach(query, column) {
            within.push(is);
        } else {
            also.push(is);
        }
    }
    (within, also)
}

impl Plan {
    /// Everything that a query asks for beside its lead.
    pub(super) fn new(tables: &Tables, query: &Query, lead: Lead) -> Self {
        let (within, mut also) = columns(tables, query, &lead);
        let leads = matches!(&lead, Lead::Column(ACTION, _));
        if let Some(pattern) = query.action.as_ref().filter(|_| !leads)
            && pattern.as_exact().is_none()
        {
            also.push(Also::Below(tables.stored(&pattern.range().0)));
        }
        let has_target = query.target_type.is_some() || query.target.is_some();
        if has_target && !matches!(lead, Lead::Target { .. }) {
            let stored = |text: &Option<String>| text.as_deref().map(|text| tables.stored(text));
            also.push(Also::Target(
                stored(&query.target_type),
                stored(&query.target),
            ));
        }
        if query.without_reads {
            also.push(Also::NoRead);
        }
        if let Some(arrival) = query.arrived_by {
            also.push(Also::ArrivedBy(i64::try_from(arrival).unwrap_or(i64::MAX)));
        }
        let needle = query.text.as_deref().and_then(Needle::new);
        if let Some(run) = needle.as_ref().and_then(Needle::run) {
            also.push(Also::Holds(run));
        }
        let is_found = match &lead {
            Lead::Column(column, _) => {
                let exact = query
                    .action
                    .as_ref()
                    .is_none_or(|it| it.as_exact().is_some());
                *column == ACTION && !exact
            }
            Lead::Target { .. } => query.target_type.is_none(),
            Lead::Id | Lead::Arrival(..) => false,
        };
        let stored = |text: &String| tables.stored(text);
        let lead = match lead {
            Lead::Column(column, texts) => Lead::Column(column, texts.iter().map(stored).collect()),
            Lead::Target { types, id } => Lead::Target {
                types: types.iter().map(stored).collect(),
                id: stored(&id),
            },
            lead => lead,
        };
        Self {
            tables: tables.clone(),
            lead,
            within,
            also,
            needle,
            is_found,
        }
    }

    /// Whether everything along the lead matches that is in reach.
    pub(super) fn is_lead_alone(&self) -> bool {
        self.also.is_empty() && self.needle.is_none()
    }

    /// Whether the lead can come to a record twice.
    pub(super) fn has_doubles(&self) -> bool {
        matches!(self.lead, Lead::Target { .. })
    }
}
