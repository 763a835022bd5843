"""The second table of docs/outcomes.md, cell by cell: task outcomes in other pools."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import celery
import pytest

from monitio.constants import State
from tests.conftest import missing
from tests.integration.celery.conftest import (
    OwnWorkers,
    Site,
    Worker,
    begin,
    opened,
    revoke_surely,
    until,
)
from tests.support.servers.valkey import Valkey

DOCS = Path(__file__).parents[3] / "docs" / "outcomes.md"
POOLS = ("threads", "solo", "gevent")
PAST = "2020-01-01T00:00:00+00:00"
OLD = celery.VERSION < (5, 7)
# Where Celery 5.4 differs; None: it never reports the end of the task.
ON_OLD_CELERY = {
    ("cold shutdown (SIGQUIT)", "solo"): "succeeded",
    ("revoked with `terminate`", "gevent"): "succeeded",
    ("hard time limit", "gevent"): None,
}

pytestmark = [pytest.mark.usefixtures("worker"), pytest.mark.only_on("postgres")]


@dataclass
class Scenario:
    """A site and the workers of one pool, on which outcomes are produced."""

    site: Site
    pool_workers: OwnWorkers
    gate: Path

    def ready(self) -> Worker:
        """The pool's worker; a new one if the last one has ended."""
        for worker in self.pool_workers.workers:
            if worker.process.poll() is None:
                return worker
        return self.start_worker()

    def start_worker(self, **settings: str) -> Worker:
        return self.pool_workers.start_worker(**settings)

    def start(self, what: str, *args: Any, **options: Any) -> str:
        self.ready()
        options = {**self.pool_workers.options, **options}
        return str(
            self.site.start("ann", what, how="apply_async", args=list(args), options=options)
        )

    def begin(self, what: str = "wait_for") -> tuple[Worker, str]:
        return self.ready(), begin(self.site, self.pool_workers, what, self.gate)

    def sweep_after_death(self, worker: Worker, task: str) -> str:
        """Wait for the worker's death, and run the sweep for its task."""
        until(lambda: worker.process.poll() is not None)
        self.site.age_heartbeat(task)
        self.site.sweep()
        return task


def bad_arguments(scenario: Scenario) -> str:
    scenario.ready()
    header = {"monitio": {"to": [{"user": "1"}]}}
    return str(
        scenario.site.send(
            "owned", kwargs={"nonsense": 1}, headers=header, **scenario.pool_workers.options
        )
    )


def rejected_once(scenario: Scenario) -> str:
    return scenario.start("requeued_once", f"{scenario.gate}-been-here")


def revoked_before(scenario: Scenario) -> str:
    task = str(uuid4())
    revoke_surely(scenario.site, scenario.ready(), task)
    return scenario.start("plain_success", task_id=task)


def terminated(scenario: Scenario) -> str:
    worker, task = scenario.begin()
    scenario.site.revoke(task, terminate=True)
    # The solo pool receives signals only after the task.
    if scenario.pool_workers.pool != "solo":
        until(lambda: re.search(r"Terminating|rror", worker.log.read_text()))
    scenario.gate.touch()
    return task


def exits(scenario: Scenario) -> str:
    worker, task = scenario.ready(), scenario.start("exits")
    # The solo pool runs in the worker's process.
    return (
        scenario.sweep_after_death(worker, task) if scenario.pool_workers.pool == "solo" else task
    )


def out_of_memory(scenario: Scenario) -> str:
    task = scenario.start("out_of_memory")
    scenario.site.ends(task)
    # The worker may be ending.
    scenario.pool_workers.kill_all()
    return task


def killed(scenario: Scenario) -> str:
    worker, task = scenario.begin()
    worker.kill()
    return scenario.sweep_after_death(worker, task)


def shut_down(scenario: Scenario) -> str:
    worker, task = scenario.begin()
    # The signal must reach the task, not the report of its start.
    until(Path(f"{scenario.gate}.reached").exists)
    os.kill(worker.process.pid, signal.SIGQUIT)
    if scenario.pool_workers.pool == "threads" or (scenario.pool_workers.pool == "solo" and OLD):
        # It cannot be stopped: the worker waits for it.
        scenario.gate.touch()
    return scenario.sweep_after_death(worker, task)


def unknown(scenario: Scenario) -> str:
    scenario.ready()
    return str(scenario.site.announce_unknown("ann", **scenario.pool_workers.options))


def without_results(scenario: Scenario) -> str:
    scenario.pool_workers.kill_all()
    results = Valkey()
    results.start()
    try:
        scenario.start_worker(TEST_RESULTS=results.url)
        _, task = scenario.begin()
        results.kill()
        scenario.gate.touch()
        scenario.site.ends(task)
        scenario.pool_workers.kill_all()
        return task
    finally:
        results.close()


def runs(what: str, *args: Any, **options: Any) -> Callable[[Scenario], str]:
    return lambda scenario: scenario.start(what, *args, **options)


SCENES: dict[str, Callable[[Scenario], str]] = {
    "it returns": runs("plain_success"),
    "it raises": runs("fail"),
    "arguments it does not take": bad_arguments,
    "a result that cannot be encoded": runs("unencodable"),
    "retries, then success": runs("flaky"),
    "retries exhausted": runs("hopeless"),
    "`Ignore`": runs("ignored"),
    "`Reject`": runs("rejected"),
    "`Reject(requeue=True)`, late ack": rejected_once,
    "`Reject(requeue=True)`, early ack": runs("requeued_in_vain"),
    "it is replaced": runs("replacing"),
    "revoked before it starts": revoked_before,
    "expired": runs("plain_success", expires=PAST),
    "revoked with `terminate`": terminated,
    "soft time limit": runs("too_slow_softly", 1.5),
    "hard time limit": runs("too_slow", 1.5),
    "`sys.exit()`": exits,
    "`MemoryError`": out_of_memory,
    "the worker is killed, early ack": killed,
    "cold shutdown (SIGQUIT)": shut_down,
    "no worker knows the task": unknown,
    "the result backend is down at the end": without_results,
}


def cells() -> Iterator[tuple[str, str, str]]:
    """Event, pool and documented state of each cell."""
    table = DOCS.read_text().partition("| threads | solo | gevent | eager |")[2]
    for line in table.partition("\n\n")[0].splitlines()[2:]:
        what, *states = (cell.strip() for cell in line.strip("|").split(" | "))
        yield from (
            (what, pool, state.strip("`"))
            for pool, state in zip((*POOLS, "eager"), states, strict=True)
        )


def test_the_table_is_found() -> None:
    assert {what for what, _, _ in cells()} == SCENES.keys()
    assert {state for _, _, state in cells()} <= {*State.ENDED, "–"}


@pytest.fixture(scope="module")
def pool_workers(
    request: pytest.FixtureRequest,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OwnWorkers]:
    """The workers of one pool; usually one, which the pool's tests share."""
    if request.param == "gevent" and find_spec("gevent") is None:
        missing("pip install gevent")
    pool_workers = OwnWorkers(environment, tmp_path_factory.mktemp(request.param), request.param)
    yield pool_workers
    pool_workers.kill_all()


# One test per pool: a test per cell would start a worker each time.
@pytest.mark.parametrize(
    "pool_workers",
    ["threads", *(pytest.param(pool, marks=pytest.mark.variant) for pool in ("solo", "gevent"))],
    indirect=True,
)
def test_in_another_pool(
    site: Site, pool_workers: OwnWorkers, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for number, (what, pool, state) in enumerate(cells()):
        if pool == pool_workers.pool and state != "–":
            with subtests.test(what), opened(tmp_path / f"gate-{number}") as gate:
                expected = ON_OLD_CELERY.get((what, pool), state) if OLD else state
                if expected is None:
                    pytest.skip("Celery before 5.7 reports nothing and shows the task as running")
                task = SCENES[what](Scenario(site, pool_workers, gate))
                ended = site.ends(task)
                assert ended["state"] == expected, ended
                assert len(site.messages(task)) == 1


class EagerScenario(Scenario):
    """The same without a worker; the task's id is read from its job."""

    def start(self, what: str, *args: Any, **options: Any) -> str:
        before = set(self.site.jobs())
        self.site.start("ann", what, args=list(args))
        (task,) = set(self.site.jobs()) - before
        return str(task)


@pytest.mark.parametrize(
    ("what", "state"),
    [(what, state) for what, pool, state in cells() if pool == "eager" and state != "–"],
)
def test_in_eager_mode(
    eager_site: Site, own_workers: OwnWorkers, gate: Path, what: str, state: str
) -> None:
    task = SCENES[what](EagerScenario(eager_site, own_workers, gate))
    ended = eager_site.ends(task)
    assert ended["state"] == state, ended
    assert len(eager_site.messages(task)) == 1


@pytest.mark.parametrize("pool_workers", POOLS, indirect=True)
def test_its_running_tasks_send_heartbeats(
    site: Site, pool_workers: OwnWorkers, gate: Path
) -> None:
    _, task = Scenario(site, pool_workers, gate).begin()
    site.age_heartbeat(task)
    long_ago = site.alive_at(task)
    until(lambda: site.alive_at(task) > long_ago)
    assert site.sweep() == 0
    gate.touch()
    site.ends(task, "succeeded")
