"""The model of docs/scaling.md: a site's resources, computed from measured costs."""

from __future__ import annotations

import math

import pytest

from benchmarks import scale
from benchmarks.table import Table

COSTS = scale.Costs(connect=0.003, idle=1e-6, delivery=0.0002, message=0.001, stream_bytes=20_480)


def test_costs_are_read_from_the_results_of_make_bench() -> None:
    def table(name: str, row: dict[str, float]) -> dict[str, object]:
        rounds = {name: [row]}
        facts = {"streams": 1000}
        result = Table(title="", method="", columns=tuple(row), rounds=rounds, facts=facts)
        return result.to_dict()

    streams = {
        "connect, CPU ms": 3.0,
        "idle, CPU s in 10 s": 0.01,
        "CPU s for 1,000 deliveries": 0.2,
        "KiB a stream": 20.0,
    }
    results = {
        "streams": table("monitio", streams),
        "messages": table("monitio, postgres", {"one message, CPU ms": 1.0}),
    }
    costs = scale.Costs.from_results({"tables": results})
    assert vars(costs) == pytest.approx(vars(COSTS))


def test_streams_that_reopen_are_most_of_a_quiet_site() -> None:
    needs = scale.needs(COSTS, scale.Load(pages=100_000, messages=0, jobs=0))
    assert needs["web: cores for streams"] == pytest.approx(100_000 / 300 * 0.003 + 0.1)


def test_a_process_holds_a_limited_number_of_streams() -> None:
    free = scale.Costs(connect=0, idle=0, delivery=0, message=0, stream_bytes=0)
    assert scale.needs(free, scale.Load(pages=25_000, messages=0, jobs=0))["web: processes"] == 3


def test_a_task_is_seven_events_and_seven_writes() -> None:
    needs = scale.needs(COSTS, scale.Load(pages=1, messages=0, jobs=10))
    assert needs["bus: events a second"] == needs["database: writes a second"] == 70


def test_ratios_are_those_of_the_medians() -> None:
    rounds = {"raw": [{"ms": 1.0}, {"ms": 2.0}, {"ms": 30.0}], "ours": [{"ms": 4.0}]}
    table = Table(title="", method="", columns=("ms",), rounds=rounds, reference="raw")
    assert table.ratios() == {"ours": {"ms": 2.0}}
    assert "| ours | 2 |" in table.markdown()


def test_streams_that_never_reopen_cost_what_they_are_sent() -> None:
    load = scale.Load(pages=10_000, messages=200, jobs=0, present=1.0)
    needs = scale.needs(COSTS, load, max_age=math.inf)
    assert needs["web: cores for streams"] == pytest.approx(0.01 + 200 * 0.0002)
