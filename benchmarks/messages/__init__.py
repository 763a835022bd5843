"""Writing messages beside the same written by hand: an insert and a publish in a transaction.

python -m benchmarks messages
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing

from benchmarks.overhead.__main__ import database_of
from benchmarks.table import Row, Table
from tests.support.servers.valkey import Valkey

COLUMNS = ("one message, CPU ms", "10,000 recipients, CPU s", "prune 10,000, CPU s")


def measure(rounds: int) -> Table:
    rows: dict[str, list[Row]] = {}
    with closing(Valkey()) as valkey:
        valkey.start()
        for kind in ("sqlite", "postgres"):
            with database_of(kind) as address:
                environment = {
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "benchmarks.overhead.settings",
                    "BENCHMARK_DATABASE": address,
                    "BENCHMARK_REDIS": valkey.url,
                }
                command = [sys.executable, "-m", "benchmarks.messages.run", str(rounds)]
                found = subprocess.run(
                    command, env=environment, check=True, stdout=subprocess.PIPE, text=True
                )
                for subject, row in json.loads(found.stdout):
                    rows.setdefault(f"{subject}, {kind}", []).append(row)
    return Table(
        title="Messages",
        method=(
            "By hand: one row in a table with one index, one publish for each recipient, in a "
            f"transaction. Process CPU, medians of {rounds} rounds in turn."
        ),
        columns=COLUMNS,
        rounds=rows,
    )
