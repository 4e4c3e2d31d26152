"""Holds the records of a flood (JSON Lines on standard input) against the answers that wrk counted.

Usage: flood.py CONNECTIONS ANSWERS"""

import json
import sys

connections, answers = map(int, sys.argv[1:])
records = [record for record in map(json.loads, sys.stdin) if record["action"] == "GET /documents"]
counted = sum(record.get("count", 1) for record in records)
print(f"{answers} answers, counted {counted} in {len(records)} records")

# Those of the last moment were recorded, but their answers reached nobody. 100 a minute are not folded.
exact = answers <= counted <= answers + connections
few = len(records) <= 2 * 100 + 10
outcomes = {record["outcome"] for record in records}
sys.exit(0 if exact and few and outcomes <= {"denied", "cancelled"} else 1)
