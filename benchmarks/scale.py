"""What a site needs, computed from the costs that ``make bench`` has measured.

    python -m benchmarks.scale [--results FILE] [--pages N] [--messages R] [--jobs R]

Rates are a second. A page's stream reopens after ``MONITIO_STREAM_MAX_AGE``; a web process is
planned at 60 % of a core, because a deploy moves its pages to the others. Databases and brokers are
given as statements, events and bytes: their own manuals give what they carry.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(tempfile.gettempdir()) / "benchmarks" / "results.json"
# Of a core that a web process may use, and the streams that it holds at most.
PLANNED, STREAMS_AT_MOST = 0.6, 10_000
MAX_AGE, BYTES_ON_THE_BUS = 300.0, 500
# A job: waiting, started, four steps of its bar, an end.
EVENTS_A_JOB, WRITES_A_JOB = 7, 7


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Of a processor's seconds, except ``stream_bytes``."""

    connect: float
    # Of one idle stream, a second.
    idle: float
    delivery: float
    message: float
    stream_bytes: float

    @classmethod
    def from_results(cls, results: dict[str, Any], database: str = "postgres") -> Costs:
        """Of ``monitio.asgi``, from the contents of ``results.json``."""
        streams = results["tables"]["streams"]["medians"]["monitio"]
        count = results["tables"]["streams"]["streams"]
        messages = results["tables"]["messages"]["medians"][f"monitio, {database}"]
        return cls(
            connect=streams["connect, CPU ms"] / 1000,
            idle=streams["idle, CPU s in 10 s"] / 10 / count,
            delivery=streams["CPU s for 1,000 deliveries"] / 1000,
            message=messages["one message, CPU ms"] / 1000,
            stream_bytes=streams["KiB a stream"] * 1024,
        )


@dataclass(frozen=True, kw_only=True)
class Load:
    """Open pages; messages and tasks a second; the share of their users with an open page."""

    pages: int
    messages: float
    jobs: float
    present: float = 0.5


def needs(costs: Costs, load: Load, *, max_age: float = MAX_AGE) -> dict[str, float]:
    """What carries this load, by name. ``max_age`` is MONITIO_STREAM_MAX_AGE, in seconds."""
    events = load.messages + load.jobs * EVENTS_A_JOB
    cores = (
        load.pages / max_age * costs.connect
        + load.pages * costs.idle
        + events * load.present * costs.delivery
    )
    processes = max(math.ceil(cores / PLANNED), math.ceil(load.pages / STREAMS_AT_MOST))
    return {
        "web: cores for streams": cores,
        "web: processes": processes,
        "web: GiB for streams": load.pages * costs.stream_bytes / 2**30,
        "bus: events a second": events,
        "bus: KiB a second": events * BYTES_ON_THE_BUS / 1024,
        "database: writes a second": load.messages + load.jobs * WRITES_A_JOB,
        "workers: cores for monitio": load.jobs * 2 * costs.message,
        # Each process asks every half minute for the topics it serves, in one query.
        "database: reconciling queries a second": processes / 30,
    }


SITES = {
    "1,000 open pages": Load(pages=1_000, messages=2, jobs=1),
    "100,000 open pages": Load(pages=100_000, messages=200, jobs=50),
    "1,000,000 open pages": Load(pages=1_000_000, messages=2_000, jobs=500),
}


def table(costs: Costs, sites: dict[str, Load]) -> str:
    """Markdown: a row for each need, a column for each site."""
    columns = {name: needs(costs, load) for name, load in sites.items()}
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    for need in next(iter(columns.values())):
        lines.append([need, *(f"{column[need]:,.3g}" for column in columns.values())])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--pages", type=int)
    parser.add_argument("--messages", type=float, default=10)
    parser.add_argument("--jobs", type=float, default=5)
    options = parser.parse_args()
    if not options.results.exists():
        parser.error(f"{options.results} does not exist: run `make bench` first")
    costs = Costs.from_results(json.loads(options.results.read_text()))
    sites = SITES
    if options.pages is not None:
        own = Load(pages=options.pages, messages=options.messages, jobs=options.jobs)
        sites = {"your site": own}
    print(table(costs, sites))


if __name__ == "__main__":
    main()
