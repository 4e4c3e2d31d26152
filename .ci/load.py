"""Holds the records of the demo (JSON Lines on standard input) against the answers that wrk got.

Usage: load.py CONNECTIONS FILE... ; each line of a file: a status, and the name of the document made."""

import collections
import json
import sys

connections, *files = sys.argv[1:]
runs = len({name.rsplit("-", 1)[0] for name in files})

# What is asked for, by the status of the answer.
ACTIONS = {"200": "GET /health", "201": "document.create", "204": "user.change_role"}

answers = [line.split() for name in files for line in open(name)]
made = {name for status, name in answers if status == "201"}
answered = collections.Counter(ACTIONS.get(status, status) for status, _ in answers)

recorded = collections.Counter()
outcomes = collections.Counter()
for record in map(json.loads, sys.stdin):
    request_id = record.get("context", {}).get("request_id")
    if request_id:
        recorded[record["action"], request_id] += 1
        outcomes[record["action"], record["outcome"]] += 1

documents = {name for action, name in recorded if action == "document.create"}
actions = collections.Counter(action for action, _ in recorded)
checks = {
    "other answers than asked for": sorted(answered.keys() - ACTIONS.values()),
    "nothing answered": sorted(ACTIONS.values() - answered.keys()),
    "twice in the trail": [key for key, count in recorded.items() if count != 1][:5],
    "answered, but not in the trail": sorted(made - documents)[:5],
    "more answers than records": [action for action in answered if answered[action] > actions[action]],
}
# What was under way when a run ended: recorded, but its answer reached nobody.
spare = len(recorded) - len(answers)
if not 0 <= spare <= runs * int(connections):
    checks["more or fewer records than can be"] = [spare]
print(f"{len(answers)} answers, {len(recorded)} records of requests: {spare} were under way when a run ended")
print(", ".join(f"{action} {outcome} {count}" for (action, outcome), count in sorted(outcomes.items())))
wrong = [f"{what}: {which}" for what, which in checks.items() if which]
print("\n".join(wrong) or "none is lost, none is doubled")
sys.exit(1 if wrong else 0)
