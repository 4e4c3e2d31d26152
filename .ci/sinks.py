"""Compares the ids of records in a store, in a file and in what a collector printed.

Usage: sinks.py STORE FILE COLLECTOR RESENT. Of a sink that keeps no position, a record that was sent
again after an unclear answer may be there twice: at most RESENT are.
"""

import json
import re
import sys

PRINTED = re.compile(r"-> audit\.record\.id: .*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def lines(path):
    with open(path, encoding="utf-8") as file:
        return list(file)


def main(store, file, collector, resent):
    stored = [json.loads(line)["id"] for line in lines(store)]
    filed = [json.loads(line)["record"]["id"] for line in lines(file)]
    printed = [found[1] for found in map(PRINTED.search, lines(collector)) if found]
    wrong = []
    for name, ids, doubles in (("store", stored, 0), ("file", filed, 0), ("collector", printed, resent)):
        twice = len(ids) - len(set(ids))
        if set(ids) != set(stored):
            wrong.append(f"{name}: {len(set(stored) - set(ids))} missing, {len(set(ids) - set(stored))} foreign")
        if twice > doubles:
            wrong.append(f"{name}: {twice} are there twice, {doubles} at most were sent again")
    # The login, the documents, and the trail's own start and stop.
    if len(stored) < 73:
        wrong.append(f"store: {len(stored)} records, at least 73 were made")
    print("\n".join(wrong) or f"{len(stored)} records in all three, {len(printed) - len(stored)} twice at the collector")
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:4], int(sys.argv[4])))
