"""The second table of docs/outcomes.md, cell by cell: what tasks come to in other pools."""

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
    Site,
    Staff,
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
class Stage:
    """Where an outcome is brought about: a site, and the workers of one pool."""

    site: Site
    crew: Staff
    gate: Path

    def ready(self) -> Worker:
        """The pool's worker; a new one where the last has come to harm."""
        for worker in self.crew.workers:
            if worker.process.poll() is None:
                return worker
        return self.hire()

    def hire(self, **settings: str) -> Worker:
        return self.crew.hire(**settings)

    def start(self, what: str, *args: Any, **options: Any) -> str:
        self.ready()
        options = {**self.crew.options, **options}
        return str(
            self.site.start("ann", what, how="apply_async", args=list(args), options=options)
        )

    def begin(self, what: str = "wait_for") -> tuple[Worker, str]:
        return self.ready(), begin(self.site, self.crew, what, self.gate)

    def bury(self, worker: Worker, task: str) -> str:
        """The worker is dead, or about to die: the sweep looks for what it left."""
        until(lambda: worker.process.poll() is not None)
        self.site.forget_sign_of_life(task)
        self.site.sweep()
        return task


def bad_arguments(stage: Stage) -> str:
    stage.ready()
    header = {"monitio": {"to": [{"user": "1"}]}}
    return str(
        stage.site.send("owned", kwargs={"nonsense": 1}, headers=header, **stage.crew.options)
    )


def rejected_once(stage: Stage) -> str:
    return stage.start("requeued_once", f"{stage.gate}-been-here")


def revoked_before(stage: Stage) -> str:
    task = str(uuid4())
    revoke_surely(stage.site, stage.ready(), task)
    return stage.start("plain_success", task_id=task)


def terminated(stage: Stage) -> str:
    worker, task = stage.begin()
    stage.site.revoke(task, terminate=True)
    # The solo pool receives it too late.
    if stage.crew.pool != "solo":
        until(lambda: re.search(r"Terminating|rror", worker.log.read_text()))
    stage.gate.touch()
    return task


def exits(stage: Stage) -> str:
    worker, task = stage.ready(), stage.start("exits")
    # The solo pool is the worker.
    return stage.bury(worker, task) if stage.crew.pool == "solo" else task


def out_of_memory(stage: Stage) -> str:
    task = stage.start("out_of_memory")
    stage.site.ends(task)
    # Its worker may be about to end.
    stage.crew.dismiss()
    return task


def killed(stage: Stage) -> str:
    worker, task = stage.begin()
    worker.kill()
    return stage.bury(worker, task)


def shut_down(stage: Stage) -> str:
    worker, task = stage.begin()
    # The signal must meet the task, not the report of its start.
    until(Path(f"{stage.gate}.reached").exists)
    os.kill(worker.process.pid, signal.SIGQUIT)
    if stage.crew.pool == "threads" or (stage.crew.pool == "solo" and OLD):
        # It cannot be ended: the worker waits for it.
        stage.gate.touch()
    return stage.bury(worker, task)


def unknown(stage: Stage) -> str:
    stage.ready()
    return str(stage.site.announce_unknown("ann", **stage.crew.options))


def without_results(stage: Stage) -> str:
    stage.crew.dismiss()
    results = Valkey()
    results.start()
    try:
        stage.hire(TEST_RESULTS=results.url)
        _, task = stage.begin()
        results.kill()
        stage.gate.touch()
        stage.site.ends(task)
        stage.crew.dismiss()
        return task
    finally:
        results.close()


def runs(what: str, *args: Any, **options: Any) -> Callable[[Stage], str]:
    return lambda stage: stage.start(what, *args, **options)


SCENES: dict[str, Callable[[Stage], str]] = {
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
    """What happens, in which pool, and the state that the documentation promises."""
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
def crew(
    request: pytest.FixtureRequest,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Staff]:
    """The workers of one pool; as a rule one, which all its tests share."""
    if request.param == "gevent" and find_spec("gevent") is None:
        missing("pip install gevent")
    crew = Staff(environment, tmp_path_factory.mktemp(request.param), request.param)
    yield crew
    crew.dismiss()


# A test for each cell would need a worker of its own.
@pytest.mark.parametrize(
    "crew",
    ["threads", *(pytest.param(pool, marks=pytest.mark.variant) for pool in ("solo", "gevent"))],
    indirect=True,
)
def test_in_another_pool(
    site: Site, crew: Staff, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for number, (what, pool, state) in enumerate(cells()):
        if pool == crew.pool and state != "–":
            with subtests.test(what), opened(tmp_path / f"gate-{number}") as gate:
                expected = ON_OLD_CELERY.get((what, pool), state) if OLD else state
                if expected is None:
                    pytest.skip("Celery before 5.7 reports nothing and shows the task as running")
                task = SCENES[what](Stage(site, crew, gate))
                ended = site.ends(task)
                assert ended["state"] == expected, ended
                assert len(site.messages(task)) == 1


class EagerStage(Stage):
    """The same without a worker: the id of a task is that of the job it left."""

    def start(self, what: str, *args: Any, **options: Any) -> str:
        before = set(self.site.jobs())
        self.site.start("ann", what, args=list(args))
        (task,) = set(self.site.jobs()) - before
        return str(task)


@pytest.mark.parametrize(
    ("what", "state"),
    [(what, state) for what, pool, state in cells() if pool == "eager" and state != "–"],
)
def test_in_eager_mode(eager_site: Site, staff: Staff, gate: Path, what: str, state: str) -> None:
    task = SCENES[what](EagerStage(eager_site, staff, gate))
    ended = eager_site.ends(task)
    assert ended["state"] == state, ended
    assert len(eager_site.messages(task)) == 1


@pytest.mark.parametrize("crew", POOLS, indirect=True)
def test_its_running_tasks_give_signs_of_life(site: Site, crew: Staff, gate: Path) -> None:
    _, task = Stage(site, crew, gate).begin()
    site.forget_sign_of_life(task)
    long_ago = site.alive_at(task)
    until(lambda: site.alive_at(task) > long_ago)
    assert site.sweep() == 0
    gate.touch()
    site.ends(task, "succeeded")
