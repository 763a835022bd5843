"""Handlers of Celery's signals: errors, heartbeats, deaths and cancellations."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery.utils.dispatch import Signal
from celery.worker import state
from django.db import InterfaceError
from django.utils import timezone

from monitio import dispatch
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import JobReporter
from monitio.models import Job, JobRun
from monitio.recipients import Recipient
from monitio_celery import tasks
from monitio_celery.calls import TaskCall
from monitio_celery.groups.members import reporter_of_member
from monitio_celery.headers import HEADER, Member, TaskHeader
from monitio_celery.models import GroupMember
from monitio_celery.signals import base, heartbeat, run, worker
from tests.support.jobs import FakeClock
from tests.support.people import user

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(hours=1)


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Signal:
    """A new signal; handlers that tests register for it are removed afterwards."""
    monkeypatch.setattr(base, "HANDLERS", {})
    return Signal(name="handled")


def test_an_error_of_a_handler_is_logged_and_not_raised(
    handled: Signal, caplog: pytest.LogCaptureFixture
) -> None:
    @base.on(handled)
    def with_a_bug(**_: Any) -> None:
        raise KeyError("nothing")

    base.connect()
    assert [answer for _, answer in handled.send(None)] == [None]
    assert "with_a_bug failed; the task is not affected" in caplog.text


def test_the_handlers_of_celery_are_all_guarded() -> None:
    assert all(hasattr(handler, "__wrapped__") for _, handler in base.HANDLERS.values())


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of three tasks that this worker runs."""
    ids = ["1", "2", "3"]
    for task_id in ids:
        JobReporter(task_id, integration="celery", recipients=[Recipient.of(user())]).started()
    task = SimpleNamespace(name="a.b", __monitio__=NotifyOptions())
    requests = [SimpleNamespace(id=pk, task=task, kwargs={}, request_dict={}) for pk in ids]
    monkeypatch.setattr(state, "active_requests", requests)
    monkeypatch.setattr(heartbeat, "_stamped_at", float("-inf"))
    Job.objects.update(alive_at=LONG_AGO)
    return ids


def silent_jobs() -> int:
    return Job.objects.filter(alive_at__lt=timezone.now() - timedelta(minutes=30)).count()


def test_one_query_stamps_all_running_jobs(
    running: list[str], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        heartbeat.stamp_running()
    assert silent_jobs() == 0


def test_the_heartbeats_of_the_next_half_minute_make_no_query(
    running: list[str], monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    clock = FakeClock(monkeypatch, heartbeat.__name__)
    heartbeat.stamp_running()
    with django_assert_num_queries(0):
        for seconds in (2, 27.9):
            clock.forward(seconds)
            heartbeat.stamp_running()
    clock.forward(0.2)
    with django_assert_num_queries(1):
        heartbeat.stamp_running()


def test_a_worker_without_a_notified_task_makes_no_query(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    task = SimpleNamespace(name="a.b")
    plain = SimpleNamespace(id="1", task=task, kwargs={}, request_dict={})
    monkeypatch.setattr(state, "active_requests", [plain])
    monkeypatch.setattr(heartbeat, "_stamped_at", float("-inf"))
    with django_assert_num_queries(0):
        heartbeat.stamp_running()


class TestWhatIsStamped:
    """Each heartbeat finds the job, or the member, that the child reports to."""

    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heartbeat, "_stamped_at", float("-inf"))

    @pytest.fixture
    def silent(self) -> str:
        """The name of a task with ``@notify_user``, whose job 1 has been silent for long."""
        JobReporter("1", integration="celery", recipients=[Recipient.of(user())]).started()
        Job.objects.update(alive_at=LONG_AGO)
        return str(tasks.doctor_attempt.name)

    @staticmethod
    def runs(monkeypatch: pytest.MonkeyPatch, **request: Any) -> None:
        task = SimpleNamespace(name="a.b")
        values = {"id": "1", "task": task, "kwargs": {}, "request_dict": {}, **request}
        monkeypatch.setattr(state, "active_requests", [SimpleNamespace(**values)])
        heartbeat.stamp_running()

    @pytest.mark.parametrize("task_id", ["1", "step of a chain"])
    def test_a_task_that_replaces_one(
        self, monkeypatch: pytest.MonkeyPatch, silent: str, task_id: str
    ) -> None:
        header = TaskHeader(to=[]).replacing("1", silent, None)
        self.runs(monkeypatch, id=task_id, request_dict={HEADER: header.to_dict()})
        assert silent_jobs() == 0

    def test_a_map(self, monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
        mapped = {"task": {"task": silent}, "it": []}
        self.runs(monkeypatch, task=SimpleNamespace(name="celery.map"), kwargs=mapped)
        assert silent_jobs() == 0

    @pytest.mark.parametrize(
        ("is_replaced", "task_id"), [(False, "1"), (True, "1"), (True, "step of a chain")]
    )
    def test_a_member(
        self, monkeypatch: pytest.MonkeyPatch, is_replaced: bool, task_id: str
    ) -> None:
        member = Member(group="g", number=4, total=9, title="Import", options={})
        GroupMember.objects.create(group="g", number=4, task_id="1", ended=False, alive_at=LONG_AGO)
        header = TaskHeader(to=[], group_member=member)
        if is_replaced:
            header = TaskHeader(to=[]).replacing("1", "a.b", header)
        self.runs(monkeypatch, id=task_id, request_dict={HEADER: header.to_dict()})
        assert not GroupMember.objects.silent_since(timezone.now() - timedelta(minutes=30)).exists()

    def test_a_member_that_is_marked_as_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        member = Member(group="g", number=4, total=9, title="Import", options={})
        header = TaskHeader(to=[], group_member=member).to_dict()
        lost = {"ended": True, "failed": True, "lost": True}
        GroupMember.objects.create(group="g", number=4, task_id="1", header=header, **lost)
        self.runs(monkeypatch, request_dict={HEADER: header})
        assert not GroupMember.objects.get().lost

    @pytest.mark.parametrize("task_id", ["1", "step of a chain"])
    def test_a_member_whose_start_was_not_written_gets_its_row(
        self, monkeypatch: pytest.MonkeyPatch, task_id: str
    ) -> None:
        member = Member(group="g", number=4, total=9, title="Import", options={})
        header = TaskHeader(to=[], group_member=member)
        if task_id != "1":
            header = TaskHeader(to=[]).replacing("1", "a.b", header)
        self.runs(monkeypatch, id=task_id, request_dict={HEADER: header.to_dict()})
        row = GroupMember.objects.get()
        assert (row.group, row.number, row.task_id, row.ended) == ("g", 4, "1", False)
        # The sweep can judge it.
        assert row.alive_at and reporter_of_member(row)

    def test_a_member_that_has_just_ended_stays_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        member = Member(group="g", number=4, total=9, title="Import", options={})
        header = TaskHeader(to=[], group_member=member).to_dict()
        GroupMember.objects.create(group="g", number=4, task_id="1", header=header)
        self.runs(monkeypatch, request_dict={HEADER: header})
        assert GroupMember.objects.get().ended


class Request:
    """A task's request in the main process of a worker."""

    def __init__(self, retries: int, time_start: float | None) -> None:
        self.id, self.time_start, self.request_dict = "1", time_start, {"retries": retries}


def test_a_death_is_that_of_the_attempt_that_had_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    dead, next_one, waiting = Request(1, 1.0), Request(2, 2.0), Request(3, None)
    other = Request(7, 1.0)
    other.id = "2"
    monkeypatch.setattr(state, "active_requests", [next_one])
    monkeypatch.setattr(worker, "_received", [dead, next_one, waiting, other])
    assert worker.dead_attempt("1") == 1
    assert worker.dead_attempt("3") is None


@pytest.mark.parametrize(
    ("run", "is_discarded"), [(7, True), (0, True), (8, False)], ids=["same", "unknown", "later"]
)
def test_cancelling_a_run_does_not_cancel_the_next_one(
    monkeypatch: pytest.MonkeyPatch, run: int, is_discarded: bool
) -> None:
    JobReporter("1", recipients=[Recipient.of(user())], cancellable=True, run=7).revoked()
    Job.objects.update(cancel_requested=True)
    monkeypatch.setattr(state, "revoked", set())
    task = SimpleNamespace(name="x", __monitio__=NotifyOptions(cancel=True))
    carried = {"monitio": {"to": [], "run": run}}
    request = SimpleNamespace(id="1", task=task, kwargs={}, request_dict=carried)
    worker.discard_cancelled(request=request)
    assert state.revoked == ({"1"} if is_discarded else set())


def test_a_cancelled_task_does_not_begin_its_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job.objects.create(task_id="2", state="queued", retryable=True)
    JobRun.objects.create(job=job, task_id="1", state="revoked", call="")
    monkeypatch.setattr(state, "revoked", set())
    task = SimpleNamespace(name="x", __monitio__=NotifyOptions(cancel=True))
    for task_id in ("1", "2"):
        request = SimpleNamespace(id=task_id, task=task, kwargs={}, request_dict={})
        worker.discard_cancelled(request=request)
    assert state.revoked == {"1"}


class Odd(Exception):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no attributes")

    __str__ = __bool__ = __len__ = __getattr__  # type: ignore[assignment]


def test_an_exception_is_unwrapped() -> None:
    odd, error = Odd(), ValueError("no")
    assert run._unwrap(odd) is odd
    assert run._unwrap(error) is error
    assert run._unwrap(SimpleNamespace(exc=odd)) is odd


@pytest.mark.django_db
def test_heartbeats_during_an_outage_are_one_line_each(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*args: object) -> int:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(heartbeat, "stamp_alive", away)
    monkeypatch.setattr(heartbeat, "call_of", lambda request: TaskCall(task=None, options=None))
    monkeypatch.setattr(TaskCall, "job_id", "1")
    heartbeat._stamp(scope="", requests=[object()], keep_lost=False)
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "connection already closed" in record.getMessage()


@pytest.mark.parametrize("in_main_process", [True, False])
def test_only_receivers_of_the_main_process_close_their_connection(
    monkeypatch: pytest.MonkeyPatch, in_main_process: bool
) -> None:
    closed: list[bool] = []
    connection = SimpleNamespace(in_atomic_block=False, close=lambda: closed.append(True))
    monkeypatch.setattr(base, "HANDLERS", {})
    monkeypatch.setattr(base, "connections", {dispatch.database(): connection})

    @base.on(Signal(), in_main_process=in_main_process)
    def handler(**kwargs: object) -> None: ...

    handler()
    assert closed == [True] * in_main_process
