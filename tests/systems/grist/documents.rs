//! What is done to documents.

use serde_json::{Value, json};

use super::deeds::{Deed, change, deed, document, nameless};

/// A document as it is told, and what else there is to the action.
fn beside(document: Value, rest: &Value) -> Value {
    let mut told = json!({"document": document});
    let rest = rest.as_object().unwrap();
    told.as_object_mut().unwrap().extend(rest.clone());
    told
}

fn named() -> Value {
    json!({"id": "4cq", "name": "Plans"})
}

/// In its workspace, which Grist has inside of the document.
fn placed(id: u64, name: &str) -> Value {
    json!({"document": {"id": "4cq", "name": "Plans", "workspace": {"id": id, "name": name}}})
}

pub(super) fn of_documents() -> Vec<Deed> {
    let (none, plain) = (json!({}), json!({"document": named()}));
    let [secret, public] = [(97, "Secret"), (98, "Public")];
    let workspace = |(id, name)| json!({"id": id, "name": name});
    let within = json!({"workspace": workspace(secret)});
    let told = placed(secret.0, secret.1);
    let mut deeds: Vec<_> = [
        "document.create",
        "document.disable",
        "document.enable",
        "document.restore_from_trash",
    ]
    .map(|action| deed(action, document(), within.clone(), told.clone()))
    .into();
    deeds.extend(
        [
            "document.delete",
            "document.move_to_trash",
            "document.pin",
            "document.unpin",
        ]
        .map(|action| deed(action, document(), none.clone(), plain.clone())),
    );
    deeds.push(change(
        "document.move",
        document(),
        &[("workspace", workspace(secret), workspace(public))],
        (placed(secret.0, secret.1), placed(public.0, public.1)),
    ));
    let untitled = json!({"document": {"id": "4cq", "name": "Untitled"}});
    deeds.push(change(
        "document.rename",
        document(),
        &[("name", json!("Untitled"), json!("Plans"))],
        (untitled, plain),
    ));
    deeds
}

/// Where only the id of the document is told.
pub(super) fn of_what_is_in_them() -> Vec<Deed> {
    let queue = json!({"webhook": {"id": "w-1"}});
    let sent = json!({"delivered_to": "https://hooks.example", "quantity": 4});
    let query = json!({"statement": "SELECT * FROM Table1", "arguments": [1, "a"]});
    [
        ("document.clear_all_webhook_queues", json!({})),
        ("document.clear_webhook_queue", queue),
        (
            "document.deliver_webhook_events",
            json!({"webhook": {"id": "w-1", "events": sent}}),
        ),
        (
            "document.modify",
            json!({"action": {"num": 12, "hash": null}}),
        ),
        ("document.reload", json!({})),
        ("document.replace", json!({"snapshot": {"id": "s-1"}})),
        (
            "document.run_sql_query",
            json!({"sql_query": query, "options": {"timeout_ms": 800}}),
        ),
        ("document.send_to_google_drive", json!({})),
        (
            "document.truncate_history",
            json!({"options": {"keep_n_most_recent": 3}}),
        ),
    ]
    .map(|(action, details)| {
        let told = beside(json!({"id": "4cq"}), &details);
        deed(action, nameless(), details, told)
    })
    .into()
}

pub(super) fn of_looks_and_copies() -> Vec<Deed> {
    let users = json!([{"id": 147, "name": "Noor", "access": null}]);
    let access = json!({"access_changes": {"public_access": "viewers", "users": users}});
    let fork = json!({"fork": {"id": "f-1", "document_id": "4cq~f-1", "url_id": "4cq1m~f-1"}});
    let copy = json!({"id": "5dr", "name": "Plans (2)", "workspace": {"id": 97}});
    let both = json!({
        "original": {"document": named()},
        "duplicate": {"document": copy},
        "options": {"as_template": false},
    });
    let opened = json!({"id": "4cq", "name": "Plans", "url_id": "4cq1m", "fork_id": "f-1", "snapshot_id": "s-1"});
    vec![
        deed(
            "document.change_access",
            document(),
            access.clone(),
            beside(named(), &access),
        ),
        deed(
            "document.fork",
            document(),
            fork.clone(),
            beside(named(), &fork),
        ),
        // What was copied is in its own place too, by which it is found.
        deed(
            "document.duplicate",
            document(),
            both.clone(),
            beside(named(), &both),
        ),
        deed(
            "document.open",
            document(),
            json!({"url_id": "4cq1m", "fork_id": "f-1", "snapshot_id": "s-1"}),
            json!({"document": opened}),
        ),
    ]
}
