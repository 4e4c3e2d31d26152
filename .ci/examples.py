"""Holds what an example prints (standard input) against what it says it does. Usage: examples.py NAME"""

import json
import sys

# Of each example the records: action, outcome, and what else they say, by the path to it.
SESSION = {"context.session_id": "*"}
USER = {"actor.id": "flapjack", **SESSION}
PEER = {"context.ip_address": "127.0.0.1", "context.peer_address": "127.0.0.1"}
EXPECTED = {
    "axum_login_sessions": [
        ("POST /documents", "denied", {"actor": None, "context.http.status": 401, **PEER}),
        ("user.login", "denied", {"actor": None, **PEER}),
        ("user.login", "success", {**USER, **PEER}),
        ("document.create", "success", {"targets.0.id": "4cq1", **USER, **PEER}),
    ],
    "axum_minimal": [
        ("POST /documents/{id}", "success", {"context.http.status": 201, **PEER}),
        ("GET /vault", "denied", {"context.http.status": 403, **PEER}),
        ("GET /broken", "error", {"context.http.status": 500, **PEER}),
    ],
    "background_job": [
        ("backup.prune", "success", {"actor.type": "system", "details.removed": 3}),
        ("backup.upload", "error", {"error.message": "connection refused"}),
        ("index.rebuild", "cancelled", {}),
        ("key.rotate", "success", {}),
        ("session.expire", "success", {"targets.0.id": "146"}),
        ("license.renew", "success", {}),
    ],
    "hyper_plain": [
        ("document.delete", "success", {"context.http.route": "/documents/{id}", **PEER}),
        ("DELETE", "denied", {"context.http.route": None, **PEER}),
    ],
    "same_transaction": [
        ("document.create", "success", {"targets.0.id": "Plans"}),
        ("document.create", "success", {"targets.0.id": "Budget"}),
        ("document.create", "failure", {"targets.0.id": "Secrets", "context.http.status": 409}),
    ],
    "tonic_greeter": [
        ("secret.tell", "success", {"context.http.route": "/hello.Greeter/Greet", **PEER}),
        ("secret.tell", "denied", {"error.code": "PERMISSION_DENIED", "context.http.status": 200, **PEER}),
    ],
    "viewer_behind_login": [
        ("POST /documents", "success", {"actor.id": "admin"}),
        ("POST /documents", "success", {"actor.id": "alice"}),
    ],
}

# What else it says.
SAYS = {
    "same_transaction": "2 documents, 0 rows in the outbox",
    # Bob did nothing, and does not see what others did.
    "viewer_behind_login": '{"records":0,"is_exact":true}',
}


def at(value, path):
    for step in path.split("."):
        if value is None:
            return None
        value = value[int(step)] if isinstance(value, list) else value.get(step)
    return value


def differences(record, expected):
    action, outcome, facts = expected
    for path, wanted in {"action": action, "outcome": outcome, **facts}.items():
        found = at(record, path)
        if found != wanted and not (wanted == "*" and found):
            yield f"{path} is {found!r}, not {wanted!r}"


def is_json(line):
    return line.startswith("{")


def main(name):
    expected = EXPECTED.get(name)
    if expected is None:
        return [f"say in {__file__} what the records of this example are"]
    lines = sys.stdin.read().splitlines()
    # A line of a file says also where in the trail its record is; one of a store is the record.
    records = [record.get("record", record) for record in map(json.loads, filter(is_json, lines))]
    own, records = [
        [record for record in records if (record["category"] == "audit") == is_own] for is_own in (True, False)
    ]
    wrong = [f"{what} is missing" for what in ("audit.start", "audit.stop") if what not in [it["action"] for it in own]]
    if not any("closed in order" in line for line in lines):
        wrong.append("the trail was not closed in order")
    if not any(SAYS.get(name, "") in line for line in lines):
        wrong.append(f"it does not say: {SAYS[name]}")
    if len(records) != len(expected):
        wrong.append(f"{len(records)} records, not {len(expected)}: {[record['action'] for record in records]}")
    for number, pair in enumerate(zip(records, expected), 1):
        wrong += [f"record {number}: {difference}" for difference in differences(*pair)]
    return wrong


wrong = main(sys.argv[1])
for line in wrong:
    print(f"{sys.argv[1]}: {line}")
if not wrong:
    print(f"{sys.argv[1]}: as it says")
sys.exit(1 if wrong else 0)
