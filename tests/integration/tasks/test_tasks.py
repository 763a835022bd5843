"""django.tasks with a real worker on the database, and with the immediate backend."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.peers import ROOT, Peer
from tests.support.waiting import wait_until

pytest.importorskip("django_tasks_db")

SETTINGS = "tests.integration.tasks.settings"
RQ_SETTINGS = "tests.integration.tasks.rq_settings"


# Seconds. A busy machine starts two processes slowly.
TIMEOUT = 60.0


class Site:
    """A web process and a worker."""

    def __init__(self, database: str, *, in_redis: bool = False) -> None:
        self.database, self.in_redis = database, in_redis
        self.settings = RQ_SETTINGS if in_redis else SETTINGS
        self.web = Peer("tests.integration.tasks.process", database, settings_module=self.settings)
        self.web.migrate()
        self.worker = self._start_worker()

    def _start_worker(self) -> subprocess.Popen[bytes]:
        if self.in_redis:
            return self.start("rqworker", "--job-class", "monitio_tasks.rq.Job")
        return self.start("db_worker", "--interval", "0.05", "--no-startup-delay")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process of manage.py."""
        return subprocess.Popen(
            [sys.executable, "-m", "django", *command],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": self.settings,
                "MONITIO_TEST_DATABASE": self.database,
            },
        )

    def until(self, task_id: str, *states: str) -> dict[str, Any]:
        """The job, once it is in one of these states. Fails with the worker's current tasks."""
        wait_until(
            lambda: (self.web.job(task_id) or {}).get("state") in states,
            TIMEOUT,
            message=lambda: f"{self.web.job(task_id)}; {self._at_work()}",
        )
        return dict(self.web.job(task_id))

    def _at_work(self) -> str:
        return f"the worker (exit code {self.worker.poll()}) has to do {self.web.unfinished()}"

    def ended(self, task_id: str) -> dict[str, Any]:
        return self.until(task_id, "succeeded", "failed", "revoked")

    def settle(self) -> None:
        """Wait until no task is left for the next test; replace a worker that hangs."""
        try:
            wait_until(lambda: not self.web.unfinished(), TIMEOUT, self._at_work)
        except AssertionError:
            self.replace_worker()
            raise

    def replace_worker(self) -> None:
        """Kill the worker with its children, and start another one."""
        worker = psutil.Process(self.worker.pid)
        for process in (worker, *worker.children(recursive=True)):
            process.kill()
        self.worker.wait(20)
        self.worker = self._start_worker()

    def close(self) -> None:
        self.worker.send_signal(signal.SIGTERM)
        self.worker.wait(TIMEOUT)
        self.web.close()


@pytest.fixture(scope="module", params=["sqlite", "postgres", "rq"])
def running(request: pytest.FixtureRequest) -> Iterator[Site]:
    if request.param == "rq":
        pytest.importorskip("django_tasks_rq")
        folder = request.getfixturevalue("tmp_path_factory").mktemp("rq")
        # A separate Redis database.
        os.environ["TEST_REDIS"] = request.getfixturevalue("valkey_server").url[:-1] + "15"
        site = Site(f"sqlite://{folder}/site.sqlite3", in_redis=True)
        yield site
        site.close()
        return
    if request.param == "sqlite":
        folder = request.getfixturevalue("tmp_path_factory").mktemp("tasks")
        database = f"sqlite://{folder}/site.sqlite3"
    else:
        database = str(request.getfixturevalue("postgres_server").database("tasks"))
    site = Site(database)
    yield site
    site.close()


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    running.web.clear()
    yield running
    running.settle()


@pytest.fixture
def flag(site: Site, tmp_path: Path) -> Iterator[Path]:
    """A file; tasks wait until it is removed, at the end of the test at the latest."""
    flag = tmp_path / "flag"
    flag.touch()
    yield flag
    flag.unlink(missing_ok=True)


PARENT_AND_CHILD = ["Parent: done", "Report: done"]


def messages_of(site: Site) -> list[str]:
    return [message["subject"] for message in site.web.messages("ann")]


def test_success_is_reported_with_the_authors_texts(site: Site) -> None:
    task = site.web.ask("report", "ann", {"args": ["May"]})
    job = site.ended(task)
    assert (job["state"], job["integration"]) == ("succeeded", "django.tasks")
    assert job["queue"] == "default"
    (message,) = site.web.messages("ann")
    assert message["subject"] == "Report: done"
    assert message["message"] == "May: 3 pages"
    assert message["url"] == "/reports/May"


def test_the_decorator_stands_above_or_below_the_other(site: Site) -> None:
    assert site.ended(site.web.ask("below", "ann", {}))["state"] == "succeeded"


def test_a_task_that_takes_its_context_is_reported(site: Site) -> None:
    site.ended(site.web.ask("with_context", "ann", {"args": ["May"]}))
    (message,) = site.web.messages("ann")
    assert message["message"] == "May"


def test_a_reason_meant_for_people_is_reported(site: Site) -> None:
    assert site.ended(site.web.ask("fails", "ann", {"args": ["The file is empty."]}))
    (message,) = site.web.messages("ann")
    assert (message["subject"], message["job__state"]) == ("Fails: failed", "failed")
    # The worker has the exception object.
    assert message["message"] == "The file is empty."


def test_any_other_reason_stays_with_the_developers(site: Site) -> None:
    job = site.ended(site.web.ask("fails", "ann", {}))
    (message,) = site.web.messages("ann")
    assert "for developers" not in message["message"]
    assert "for developers" in job["error"]


def test_an_exception_that_cannot_be_printed_is_a_failure(site: Site) -> None:
    assert site.ended(site.web.ask("fails_unprintably", "ann", {}))["state"] == "failed"
    (message,) = site.web.messages("ann")
    assert message["subject"] == "Fails unprintably: failed"


def test_a_task_that_exits_fails(site: Site) -> None:
    assert site.ended(site.web.ask("exits", "ann", {}))["state"] == "failed"


def test_the_bar_moves_while_it_runs_and_stands_full_at_the_end(site: Site, flag: Path) -> None:
    task = site.web.ask("counts", "ann", {"args": [str(flag)]})
    wait_until(lambda: (site.web.job(task) or {}).get("done") == 2, TIMEOUT)
    assert site.web.job(task)["text"] == "reading"
    flag.unlink()
    job = site.ended(task)
    assert (job["state"], job["done"], job["total"]) == ("succeeded", 4, 4)


def test_a_task_that_a_task_started_notifies_the_same_recipient(site: Site) -> None:
    site.ended(site.web.ask("parent", "ann", {}))
    wait_until(
        lambda: messages_of(site) == PARENT_AND_CHILD, TIMEOUT, lambda: str(messages_of(site))
    )


@pytest.mark.parametrize("name", ["raises_cancelled", "stops_by_itself"])
def test_a_task_that_checks_for_its_cancellation_stops(site: Site, flag: Path, name: str) -> None:
    task = site.web.ask(name, "ann", {"args": [str(flag)]})
    site.until(task, "started")
    assert site.web.cancel(task, "ann") == 302
    assert site.ended(task)["state"] == "revoked"


def test_a_task_cancelled_while_it_waits_stops_when_it_begins(site: Site, flag: Path) -> None:
    busy = site.web.ask("counts", "ann", {"args": [str(flag)]})
    site.until(busy, "started")
    # The task would run for ever: this file is never removed.
    task = site.web.ask("stops_by_itself", "bob", {"args": [str(flag.parent)]})
    assert site.web.cancel(task, "bob") == 302
    assert site.web.job(task)["state"] == "queued"
    flag.unlink()
    assert site.ended(task)["state"] == "revoked"


def test_a_task_that_does_not_check_for_its_cancellation_runs_to_its_end(
    site: Site, flag: Path
) -> None:
    task = site.web.ask("unaware", "ann", {"args": [str(flag)]})
    site.until(task, "started")
    assert site.web.cancel(task, "ann") == 302
    flag.unlink()
    assert site.ended(task)["state"] == "succeeded"


def test_cancelling_is_not_offered_unless_the_author_allows_it(site: Site, flag: Path) -> None:
    task = site.web.ask("counts", "ann", {"args": [str(flag)]})
    assert site.web.cancel(task, "ann") == 404


def test_a_job_whose_worker_was_killed_is_interrupted(site: Site, flag: Path) -> None:
    task = site.web.ask("counts", "ann", {"args": [str(flag)]})
    site.until(task, "started")
    begun = site.web.alive_at(task)
    wait_until(lambda: site.web.alive_at(task) > begun, TIMEOUT, "a heartbeat")
    assert site.web.sweep() == 0
    site.replace_worker()
    site.web.age(task, 301)
    work = site.start("monitio_work", "--interval", "0.2")
    site.until(task, "lost")
    work.terminate()
    assert work.wait(TIMEOUT) == 0
    (message,) = site.web.messages("ann")
    assert (message["subject"], message["job__state"]) == ("Counts: interrupted", "lost")
    # The queue itself never ends the task.
    site.web.give_up()


@pytest.mark.parametrize("running", ["rq"], indirect=True)
def test_a_task_whose_own_process_was_killed_fails(site: Site, flag: Path) -> None:
    task = site.web.ask("counts", "ann", {"args": [str(flag)]})
    site.until(task, "started")
    (process,) = psutil.Process(site.worker.pid).children()
    process.kill()
    wait_until(lambda: site.web.status(task) == "FAILED", TIMEOUT)
    # rq calls no callback, but stores the end.
    site.web.age(task, 301)
    assert site.web.sweep() == 0
    assert site.web.job(task)["state"] == "failed"


def test_an_end_that_was_never_reported_is_found_in_the_queue(site: Site) -> None:
    task = site.web.enqueue_unreported("report_of_may")
    wait_until(lambda: site.web.status(task) == "SUCCESSFUL", TIMEOUT)
    site.web.begin_unreported(task, "ann")
    assert site.web.sweep() == 0
    (message,) = site.web.messages("ann")
    assert (message["subject"], message["job__state"]) == ("Report of may: done", "succeeded")


@pytest.mark.parametrize("backend", ["default", "at_once"])
def test_a_failed_task_is_tried_again_in_the_same_message(
    site: Site, tmp_path: Path, backend: str
) -> None:
    path = tmp_path / "rows"
    asked = {"backend": backend, "args": [str(path)]}
    site.ended(site.web.ask("needs", "ann", asked))
    (before,) = site.web.messages("ann")
    assert before["job__state"] == "failed"
    path.write_text("123")
    assert site.web.retry("ann") == 302
    (message,) = site.web.messages("ann")
    assert message["job__task_id"] != before["job__task_id"]
    site.ended(message["job__task_id"])
    (message,) = site.web.messages("ann")
    assert (message["subject"], message["job__state"]) == ("Needs: done", "succeeded")


def test_user_names_an_argument(site: Site) -> None:
    bob = site.web.make("bob")
    site.ended(site.web.ask("for_owner", "ann", {"args": [bob]}))
    assert len(site.web.messages("bob")) == 1
    assert site.web.messages("ann") == []


def test_a_task_without_the_decorator_notifies_no_one(site: Site) -> None:
    site.web.ask("silent", "ann", {})
    site.ended(site.web.ask("below", "ann", {}))
    assert len(site.web.messages("ann")) == 1


def test_a_task_that_no_request_started_notifies_no_one(site: Site) -> None:
    task = site.web.enqueue("below")
    site.ended(site.web.ask("below", "ann", {}))
    assert site.web.job(task) is None


def test_a_rollback_removes_the_task_and_its_message(site: Site) -> None:
    site.web.ask("below", "ann", {"rolled_back": True})
    assert site.web.messages("ann") == []


@pytest.mark.parametrize(
    ("name", "state"), [("below", "succeeded"), ("fails", "failed"), ("gives_up", "revoked")]
)
def test_a_job_whose_worker_ended_before_the_commit_gets_its_end(
    site: Site, name: str, state: str
) -> None:
    task = site.web.enqueue_unreported(name)
    wait_until(lambda: site.web.status(task) in ("SUCCESSFUL", "FAILED"), TIMEOUT)
    site.web.report("ann")
    assert [message["job__state"] for message in site.web.messages("ann")] == [state]


# rq ends the process that waits for the row.
@pytest.mark.parametrize("running", ["sqlite", "postgres"], indirect=True)
def test_a_task_of_a_quicker_worker_notifies_the_same_recipient(site: Site) -> None:
    task = site.web.enqueue_unreported("parent")
    wait_until(lambda: site.web.status(task) in ("SUCCESSFUL", "FAILED"), TIMEOUT)
    site.web.report("ann")
    wait_until(
        lambda: messages_of(site) == PARENT_AND_CHILD, TIMEOUT, lambda: str(messages_of(site))
    )


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("below", "succeeded"),
        ("fails", "failed"),
        ("fails_unprintably", "failed"),
        ("gives_up", "revoked"),
    ],
)
def test_tasks_run_at_once_are_reported_too(site: Site, name: str, state: str) -> None:
    task = site.web.ask(name, "ann", {"backend": "at_once"})
    assert site.web.job(task)["state"] == state
    (message,) = site.web.messages("ann")
    assert message["job__state"] == state


def test_the_email_is_sent_by_the_process_that_ran_the_task(site: Site) -> None:
    site.web.ask("fails", "ann", {"backend": "at_once"})
    assert site.web.mails() == ["Fails: failed"]
