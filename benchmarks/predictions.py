"""Two predictions of ``benchmarks.scale`` beside runs: the streams in one process, and in two.

    python -m benchmarks.predictions [STREAMS] [--results FILE]

All of the streams' users have their page open. They open, 64 at a time; then half of them get a
message each, 200 a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from pathlib import Path

import psutil

from benchmarks import scale
from benchmarks.pages import allow_many_files
from benchmarks.streams import SETTLED, SUBJECTS, Pages, cpu
from benchmarks.streams.subjects import serve
from tests.support.waiting import wait_until

RATE = 200
WARM = 50


def predicted(costs: scale.Costs, streams: int) -> dict[str, float]:
    load = scale.Load(pages=streams, messages=RATE, jobs=0, present=1.0)
    needs = scale.needs(costs, load, max_age=math.inf)
    return {
        "to open them, CPU s": streams * costs.connect,
        "cores, with messages": needs["web: cores for streams"],
        "MiB": 1024 * needs["web: GiB for streams"],
    }


async def measured(streams: int, processes: int) -> dict[str, float]:
    with serve("monitio", streams + WARM, processes=processes) as site:
        first = psutil.Process(site.pid)
        if processes > 1:
            # And the process that frees what they share.
            wait_until(lambda: len(first.children()) > processes)
        servers = first.children() if processes > 1 else [first]
        pages = Pages(site.port, SUBJECTS["monitio"])
        await pages.open(range(streams + 1, streams + WARM + 1))
        memory, spent = sum(map(_rss, servers)), sum(map(cpu, servers))
        await pages.open(range(1, streams + 1))
        opened = sum(map(cpu, servers)) - spent
        memory = sum(map(_rss, servers)) - memory
        await asyncio.sleep(SETTLED)
        spent, begin, count = sum(map(cpu, servers)), time.monotonic(), streams // 2
        site.send(count, RATE)
        await pages.receive(count, count / RATE + 60)
        cores = (sum(map(cpu, servers)) - spent) / (time.monotonic() - begin)
        # A page that gets a snapshot meanwhile has a message twice.
        assert len(pages.delays) >= count, f"{count - len(pages.delays)} messages were lost"
        pages.close()
    return {
        "to open them, CPU s": opened,
        "cores, with messages": cores,
        "MiB": memory / 2**20,
    }


def _rss(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.predictions")
    parser.add_argument("streams", nargs="?", type=int, default=10_000)
    parser.add_argument("--results", type=Path, default=scale.RESULTS)
    options = parser.parse_args()
    if not options.results.exists():
        parser.error(f"{options.results} does not exist: run `make bench` first")
    allow_many_files()
    costs = scale.Costs.from_results(json.loads(options.results.read_text()))
    columns = {"predicted": predicted(costs, options.streams)}
    for processes in (1, 2):
        name = "1 process" if processes == 1 else f"{processes} processes"
        columns[name] = asyncio.run(measured(options.streams, processes))
    print(f"{options.streams:,} streams, {RATE} messages a second")
    print(f"{'':22}" + "".join(f"{name:>14}" for name in columns))
    for row in columns["predicted"]:
        print(f"{row:22}" + "".join(f"{column[row]:14.3g}" for column in columns.values()))


if __name__ == "__main__":
    main()
