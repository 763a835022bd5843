"""Fixtures: a site, a broker and a prefork worker, each in its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import uuid4

import pytest
import redis

from monitio.transports import Event
from tests.integration.celery.profiles import PROFILES, Profile, wanted
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
T = TypeVar("T")


def until(condition: Callable[[], T]) -> T:
    return wait_until(condition, 60, interval=0.02)


class Site:
    """The web process (project/site.py); its functions are called by JSON lines."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.celery.project.site"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __getattr__(self, order: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            stdin, stdout = self.process.stdin, self.process.stdout
            assert stdin is not None and stdout is not None
            print(json.dumps([order, args, kwargs]), file=stdin, flush=True)
            answer = json.loads(stdout.readline() or '{"error": "The site has died."}')
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return answer["answer"]

        return call

    def ends(self, task_id: str, state: str | None = None) -> dict[str, Any]:
        """The job, once it has ended (in ``state``)."""
        final = {state} if state else {"succeeded", "failed", "revoked", "lost"}
        return until(lambda: (job := self.job(task_id)) and job["state"] in final and job)

    def message(self, task_id: str) -> dict[str, Any]:
        """The only message of a job."""
        found = self.messages(task_id)
        assert len(found) == 1, found
        return dict(found[0])

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Worker:
    def __init__(self, environment: dict[str, str], log: IO[bytes], *options: str) -> None:
        self.log, self.name = Path(log.name), f"{uuid4()}@test"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.integration.celery.project.app", "worker",
             "-l", "info", "--without-gossip", "--without-mingle", "-n", self.name, *options],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        until(lambda: " ready." in self.log.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def kill(self) -> None:
        """Kill the process and its children, as when the machine loses power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def stop(self) -> None:
        """Stop the process and its children, by their process group."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            # Once waited for, its pid may belong to another process group.
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
        self.process.wait(60)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "profile" in metafunc.fixturenames:
        names = wanted(_named_in(metafunc, "also_on"), _named_in(metafunc, "only_on"))
        metafunc.parametrize("profile", names, indirect=True, scope="session")


def _named_in(metafunc: pytest.Metafunc, mark: str) -> list[str]:
    return [name for found in metafunc.definition.iter_markers(mark) for name in found.args]


@pytest.fixture(scope="session")
def profile(request: pytest.FixtureRequest) -> Profile:
    """The kind of the test's site; a test can run on several (profiles.py)."""
    return PROFILES[request.param]


@pytest.fixture(scope="session")
def environment(
    request: pytest.FixtureRequest,
    profile: Profile,
    valkey_server: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """The environment of the site's and the workers' processes."""
    home = tmp_path_factory.mktemp("celery")
    (home / "mail").mkdir()
    # Its own Redis databases, without data of a previous run.
    number = list(PROFILES.values()).index(profile)
    events = broker = f"{valkey_server.url.removesuffix('0')}{number}"
    database = f"sqlite://{home}/db.sqlite3"
    if profile.database == "postgres":
        server = request.getfixturevalue("postgres_server")
        database = server.database(f"celery{number}")
    if profile.broker == "rabbitmq":
        broker = request.getfixturevalue("rabbitmq_server").url
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.integration.celery.project.settings",
        "TEST_DATABASE": database,
        "TEST_BROKER": broker,
        "TEST_EVENTS": events,
        "TEST_RESULTS": events if profile.results == "redis" else profile.results,
        "TEST_MAIL": str(home / "mail"),
    }


@pytest.fixture(scope="session")
def site(environment: dict[str, str]) -> Iterator[Site]:
    """A site with the users ann and bob."""
    site = Site(environment)
    site.migrate()
    for name in ("ann", "bob"):
        site.add_user(name)
    yield site
    site.close()


class Shared:
    """The worker that all tests of a profile share.

    When a broker goes away, the worker may crash: kombu 5.7 fails when it closes a connection to
    Redis that has scheduled calls. ``alive`` starts a new one then.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.workers: list[Worker] = []

    def alive(self) -> Worker:
        if not self.workers or self.workers[-1].process.poll() is not None:
            with (self.folder / f"worker{uuid4()}.log").open("wb") as log:
                options = ("--concurrency", "2", "--pool", "prefork")
                self.workers.append(Worker(self.environment, log, *options))
        self.workers[-1].wait_until_ready()
        return self.workers[-1]

    def close(self) -> str:
        """Stop the workers; returns their logs."""
        for worker in self.workers:
            worker.stop()
        return "".join(worker.log.read_text() for worker in self.workers)


@pytest.fixture(scope="session")
def shared(
    site: Site, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    shared = Shared(environment, tmp_path_factory.mktemp("shared"))
    yield shared
    logged = shared.close()
    # Signal handlers log their exceptions instead of raising them; the tests must fail then.
    assert "the task is not affected" not in logged, logged


@pytest.fixture
def worker(shared: Shared) -> Worker:
    """The worker that serves the default queue."""
    return shared.alive()


class OwnWorkers:
    """Workers that a test may kill; they serve their own queue."""

    def __init__(self, environment: dict[str, str], folder: Path, pool: str = "prefork") -> None:
        self.environment, self.folder, self.pool = environment, folder, pool
        self.queue = f"doomed-{folder.name}-{time.monotonic_ns()}"
        self.options = {"queue": self.queue}
        self.workers: list[Worker] = []

    def start_worker(self, pool: str = "", **settings: str) -> Worker:
        log = (self.folder / f"worker{uuid4()}.log").open("wb")
        environment = {**self.environment, **settings}
        pool = pool or self.pool
        # Under gevent, kombu fetches the next task from Redis up to two seconds late.
        ahead = "4" if pool == "gevent" else "1"
        size = ("--concurrency", "1", "--prefetch-multiplier", ahead)
        options = (*size, "--pool", pool, "-Q", self.queue)
        worker = Worker(environment, log, *options)
        log.close()
        self.workers.append(worker)
        worker.wait_until_ready()
        return worker

    def kill_all(self) -> None:
        """Kill all of them; the shared worker tests a regular shutdown."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.workers.clear()


@pytest.fixture
def own_workers(environment: dict[str, str], tmp_path: Path) -> Iterator[OwnWorkers]:
    """Starts workers that the test may kill; they are killed at its end."""
    own_workers = OwnWorkers(environment, tmp_path)
    yield own_workers
    own_workers.kill_all()


def begin(site: Site, own_workers: OwnWorkers, what: str, gate: Path) -> str:
    """Start a task that runs until the file ``gate`` exists; its id."""
    task = site.start("ann", what, how="apply_async", args=[str(gate)], options=own_workers.options)
    until(lambda: (job := site.job(task)) and job["state"] == "started")
    return str(task)


def revoke_surely(site: Site, worker: Worker, task: str) -> None:
    """Revoke the task, and wait until the worker has received it."""
    asked = {"destination": [worker.name], "reply": True, "limit": 1, "timeout": 10}

    def revoked() -> Any:
        # A worker that starts may miss the first call, and the site's connection may have been
        # closed by another test's restart of the broker.
        with suppress(RuntimeError):
            return site.revoke(task, **asked)
        return None

    until(revoked)


# Module scope: tests of other modules close the connections to the database.
@pytest.fixture(scope="module")
def eager_site(site: Site, environment: dict[str, str]) -> Iterator[Site]:
    """The same site with ``task_always_eager``: tasks run inside the request."""
    eager = Site({**environment, "TEST_EAGER": ""})
    yield eager
    eager.close()


class EventListener:
    """Receives the events of the site's transport."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.events: list[dict[str, Any]] = []
        self.pubsub = self.client.pubsub()
        self.pubsub.psubscribe("monitio*")
        until(lambda: self.pubsub.get_message(timeout=1))

    def bars(self, task_id: str) -> list[dict[str, Any]]:
        """The job's progress in the events published so far, in order."""
        while entry := self.pubsub.get_message(timeout=0.01):
            if entry["type"] == "pmessage":
                event = Event.decode(entry["data"])
                if event is not None and event.kind == "message":
                    self.events.append(event.encoded().load())  # type: ignore[union-attr]
        jobs = [data.get("job") or {} for data in self.events]
        return [job for job in jobs if job.get("task") == task_id]

    def close(self) -> None:
        self.pubsub.close()
        self.client.close()


@pytest.fixture
def listener(environment: dict[str, str]) -> Iterator[EventListener]:
    listener = EventListener(environment["TEST_EVENTS"])
    yield listener
    listener.close()


@contextmanager
def opened(gate: Path) -> Iterator[Path]:
    """The path of a file that tasks wait for; it is created at the end at the latest."""
    try:
        yield gate
    finally:
        gate.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    with opened(tmp_path / "gate") as gate:
        yield gate
