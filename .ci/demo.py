"""Holds the records of the demo (JSON Lines on standard input) against what `.ci/demo` did."""

import json
import re
import sys

# The label of a request, and what its record says: action, outcome, status, actor, session.
# No record: the policy skips it.
EXPECTED = {
    "login": ("user.login", "success", 200, "flapjack", "flapjack"),
    "login-admin": ("user.login", "success", 200, "admin", "admin"),
    "login-wrong": ("user.login", "denied", 401, None, None),
    "login-unreadable": ("user.login", "failure", 400, None, None),
    "list-nobody": ("GET /documents", "denied", 401, None, None),
    "create-nobody": ("document.create", "denied", 401, None, None),
    "create": ("document.create", "success", 201, "flapjack", "flapjack"),
    "list": None,
    "read": None,
    "head": None,
    "update": ("document.update", "success", 200, "flapjack", "flapjack"),
    "update-missing": ("document.update", "failure", 404, "flapjack", "flapjack"),
    "delete": ("document.delete", "success", 204, "flapjack", "flapjack"),
    "too-large": ("document.create", "failure", 413, "flapjack", "flapjack"),
    "forged": ("document.create", "success", 201, "flapjack", "flapjack"),
    "role-denied": ("user.change_role", "denied", 403, "flapjack", "flapjack"),
    "audit-nobody": ("audit.read", "denied", None, None, None),
    "audit-user": ("audit.read", "denied", None, "flapjack", "flapjack"),
    "audit-admin": ("audit.read", "success", None, "admin", "admin"),
    "role": ("user.change_role", "success", 204, "admin", "admin"),
    "role-given": ("user.change_role", "success", 204, "admin", "admin"),
    "audit-given": ("audit.read", "success", None, "flapjack", "flapjack"),
    "role-taken": ("user.change_role", "success", 204, "admin", "admin"),
    "audit-taken": ("audit.read", "denied", None, "flapjack", "flapjack"),
    "panic": ("POST /panic", "error", None, "flapjack", "flapjack"),
    "health": None,
    "no-route": None,
    "no-method": ("PATCH /documents", "failure", 405, "flapjack", "flapjack"),
    "slow-killed": ("report.build", "cancelled", None, "flapjack", "flapjack"),
    # The handler is not dropped here: it is told that the body broke, and answers.
    "upload-killed": ("document.create", "failure", 400, "flapjack", "flapjack"),
    "logout": ("user.logout", "success", 204, "flapjack", "flapjack"),
    "after-logout": ("document.create", "denied", 401, None, "flapjack"),
    "slow": ("report.build", "success", 200, "admin", "admin"),
    "upload-hangs": ("document.create", "failure", 408, "admin", "admin"),
    "proxied": ("user.login", "success", 200, "flapjack", "again"),
}
ADDRESSES = {"proxied": "198.51.100.7"}
HASH = re.compile(r"hmac-sha256:[^:]+:[0-9a-f]{64}")

wrong = []


def check(label, what, found, expected):
    if found != expected:
        wrong.append(f"{label}: {what} is {found!r}, not {expected!r}")


def check_request(label, record, sessions):
    action, outcome, status, actor, session = EXPECTED[label]
    context, who = record["context"], record.get("actor", {})
    check(label, "action", record["action"], action)
    check(label, "outcome", record["outcome"], outcome)
    check(label, "status", context["http"].get("status"), status)
    check(label, "actor", who.get("id"), actor)
    check(label, "address", context.get("ip_address"), ADDRESSES.get(label, "127.0.0.1"))
    check(label, "peer", context.get("peer_address"), "127.0.0.1")
    check(label, "user agent", context.get("user_agent"), f"ci/{label}")
    # What was read is no request: it has neither status nor duration.
    check(label, "whether it took time", context.get("duration_us", 0) > 0, action != "audit.read")
    hashed = context.get("session_id")
    if session is None:
        check(label, "session", hashed, None)
    else:
        check(label, "whether the session is hashed", bool(HASH.fullmatch(hashed or "")), True)
        check(label, "session", hashed, sessions.setdefault(session, hashed))


def check_details(records):
    """What only some records say."""

    def changes(label):
        return [(c["field"], c["previous"], c["current"]) for c in records[label]["changes"]]

    def target(label):
        (target,) = records[label]["targets"]
        return target

    document = target("create")
    check("create", "target", (document["type"], document["name"]), ("document", "Breakfast"))
    check("update", "target", target("update"), document)
    check("update", "changes", changes("update"), [("name", "Breakfast", "Brunch")])
    check("delete", "target", target("delete"), {**document, "name": "Brunch"})
    check("role", "changes", changes("role"), [("role", "editor", "viewer")])
    check("login-wrong", "actor", records["login-wrong"]["actor"], {"type": "anonymous", "claimed": "flapjack"})
    check("panic", "error", records["panic"]["error"]["message"], "on purpose")
    check("slow", "whether it took 5 seconds", records["slow"]["context"]["duration_us"] >= 5_000_000, True)


def main():
    found, others = {}, []
    for record in map(json.loads, sys.stdin):
        label = record.get("context", {}).get("request_id")
        if label is None:
            others.append(record["action"])
        elif label in found:
            wrong.append(f"{label}: two records")
        else:
            found[label] = record
    expected = {label for label, what in EXPECTED.items() if what}
    check("requests", "what was recorded", sorted(found), sorted(expected))
    sessions = {}
    for label in sorted(expected & found.keys()):
        check_request(label, found[label], sessions)
    check("sessions", "how many there are", len(set(sessions.values())), 3)
    if expected <= found.keys():
        check_details(found)
    # Two runs, and the one session that ended by itself.
    own = ["audit.start", "audit.start", "audit.stop", "audit.stop", "session.expire"]
    check("everything else", "what was recorded", sorted(others), own)
    print("\n".join(wrong) or f"{len(found)} requests, one record each, as expected")
    return 1 if wrong else 0


sys.exit(main())
