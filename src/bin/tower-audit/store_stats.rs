//! `tower-audit stats --store`.

use serde::Serialize;
use tower_audit::{
    clock::Timestamp,
    store::{Field, Reach, Store, TrailState},
};
use uuid::Uuid;

use crate::{
    exit::{End, Failure},
    output::{Output, clean},
    seen::Seen,
    verify::open,
};

/// So many different actions and services are named.
const MAX_NAMES: usize = 1000;

/// What is in a store.
#[derive(Serialize)]
struct Overview {
    store: String,
    last_arrival: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
    services: Vec<String>,
    actions: usize,
    /// Whether these are all actions and services.
    is_complete: bool,
    trails: Vec<Trail>,
}

#[derive(Serialize)]
struct Trail {
    trail: Uuid,
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// The first number that is wanted.
    next: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    updated: Timestamp,
}

impl From<TrailState> for Trail {
    fn from(state: TrailState) -> Self {
        Self {
            trail: state.origin.trail,
            service: state.origin.service.to_string(),
            instance: state.origin.instance.map(|instance| instance.to_string()),
            next: state.next,
            head: state
                .head
                .map(|head| format!("{}:{}", head.size, head.root)),
            updated: state.updated,
        }
    }
}

pub(crate) async fn run(url: &str, is_json: bool, output: &mut Output) -> Result<End, Failure> {
    let overview = look(&open(url).await?).await?;
    if is_json {
        output.json(&overview)?;
    } else {
        show(&overview, output)?;
    }
    Ok(End::Good)
}

async fn look(store: &Store) -> Result<Overview, Failure> {
    let all = Reach::default();
    let names = |field| store.choices(field, &all, MAX_NAMES);
    let services = names(Field::Service).await.map_err(Failure::of)?;
    let actions = names(Field::Action).await.map_err(Failure::of)?;
    let trails = store.trails().await.map_err(Failure::of)?;
    Ok(Overview {
        store: store.address(),
        last_arrival: store.last_arrival().await.map_err(Failure::of)?,
        seen: Seen::all(store).await?,
        is_complete: services.is_complete && actions.is_complete,
        services: services.values,
        actions: actions.values.len(),
        trails: trails.into_iter().map(Trail::from).collect(),
    })
}

fn show(overview: &Overview, output: &mut Output) -> Result<(), Failure> {
    output.line(&clean(&format!("store {}", overview.store)))?;
    match &overview.seen {
        None => output.line("  no records")?,
        Some(seen) => {
            output.line(&format!("  records {}", seen.count()))?;
            output.line(&format!("  from {} to {}", seen.first, seen.last))?;
            for (outcome, count) in &seen.outcomes {
                output.line(&clean(&format!("  {outcome}: {count}")))?;
            }
        }
    }
    let more = if overview.is_complete {
        ""
    } else {
        " and more"
    };
    let services = overview.services.join(", ");
    output.line(&format!(
        "  actions {}{more}: see tower-audit catalog --store",
        overview.actions
    ))?;
    output.line(&clean(&format!("  services {services}")))?;
    output.line(&format!("  last arrival {}", overview.last_arrival))?;
    for trail in &overview.trails {
        let instance = trail
            .instance
            .as_deref()
            .map(|instance| format!(" / {instance}"));
        let instance = instance.unwrap_or_default();
        output.line(&clean(&format!(
            "trail {}  {}{instance}",
            trail.trail, trail.service
        )))?;
        output.line(&format!(
            "  wants {}, last batch {}",
            trail.next, trail.updated
        ))?;
        if let Some(head) = &trail.head {
            output.line(&format!("  head {head}"))?;
        }
    }
    Ok(())
}
