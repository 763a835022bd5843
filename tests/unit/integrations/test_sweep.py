"""Heartbeats and the sweep for queues without periodic tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from monitio import dispatch, scope
from monitio.constants import State
from monitio.integrations import base, run
from monitio.integrations.base import End, Integration
from monitio.integrations.decorators import notify_user
from monitio.integrations.heartbeat import stamp_running
from monitio.integrations.run import TaskRun
from monitio.models import Job
from monitio.recipients import Recipient
from tests.support import scopes
from tests.support.jobs import plainly, reporter
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@notify_user(lost_after=10_000)
def with_longer_limit() -> None: ...


class Queue(Integration):
    names = ("mine",)
    end: End | None = None

    def known_end(self, job: Job) -> End | None:
        if job.task_id == "broken":
            raise RuntimeError("the queue does not answer")
        return self.end


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(base, "_registered", [])
    monkeypatch.setattr(dispatch, "hooks", dispatch.Hooks())
    queue = Queue()
    base.register(queue)
    return queue


def silent(seconds: float, *, state: str = State.STARTED, **fields: object) -> Job:
    """A job of the queue whose last heartbeat is ``seconds`` old."""
    moment = timezone.now() - timedelta(seconds=seconds)
    recipients = [Recipient.of(user()).to_dict()]
    values = {"task_id": "1", "integration": "mine", "recipients": recipients, "rank": 1, **fields}
    return Job.objects.create(state=state, alive_at=moment, created=moment, **values)


def states() -> list[str]:
    return list(Job.objects.order_by("pk").values_list("state", flat=True))


def test_a_job_without_a_heartbeat_is_interrupted() -> None:
    silent(301)
    assert base.sweep() == 1
    assert states() == [State.LOST]


@pytest.mark.parametrize(
    "fields", [{}, {"name": f"{__name__}.with_longer_limit"}, {"integration": "another"}]
)
def test_a_job_is_not_swept(fields: dict[str, object]) -> None:
    """It has a recent heartbeat, its task has ``lost_after=``, or it belongs to another queue."""
    silent(9_000 if fields else 290, **fields)
    assert base.sweep() == 0
    assert states() == [State.STARTED]


@pytest.mark.parametrize(
    "end", [(State.SUCCEEDED, 3), (State.FAILED, "boom"), (State.REVOKED, None)]
)
def test_an_end_stored_by_the_queue_is_reported_instead(queue: Queue, end: End) -> None:
    silent(301)
    queue.end = end
    assert base.sweep() == 0
    assert states() == [end[0]]


def test_an_error_of_one_job_does_not_stop_the_sweep() -> None:
    silent(400, task_id="broken")
    silent(301)
    assert base.sweep() == 1
    assert states() == [State.STARTED, State.LOST]


def test_a_job_that_no_worker_begins_is_given_up(settings: object) -> None:
    silent(25 * 60 * 60, state=State.QUEUED)
    assert base.sweep() == 1
    settings.MONITIO_JOB_WAITING_LOST_AFTER = None  # type: ignore[attr-defined]
    silent(25 * 60 * 60, state=State.QUEUED, task_id="2")
    assert base.sweep() == 0


def test_each_scope_is_swept(settings: object) -> None:
    settings.MONITIO_SCOPE = scopes.PATH  # type: ignore[attr-defined]
    silent(301, scope="a")
    silent(301, scope="b")
    call_command("monitio_sweep", verbosity=0)
    assert states() == [State.LOST, State.LOST]


def test_one_round_of_work_sweeps_and_prunes() -> None:
    silent(301)
    old = timezone.now() - timedelta(days=3)
    silent(0, state=State.SUCCEEDED, task_id="2", finished_at=old)
    call_command("monitio_work", once=True)
    assert states() == [State.LOST]


class TestHeartbeat:
    @pytest.fixture
    def running(self, queue: Queue, settings: object, monkeypatch: pytest.MonkeyPatch) -> str:
        """The id of a job whose task runs in this process; its last heartbeat is old."""
        settings.MONITIO_SCOPE = scopes.PATH  # type: ignore[attr-defined]
        with scope.activate("a"):
            mine = reporter(user(), render=plainly, integration="mine")
            mine.started()
        Job.objects.update(alive_at=timezone.now() - timedelta(seconds=301))
        task = TaskRun(mine.task_id, carried=None, reporter=mine, scope="a", integration=queue)
        monkeypatch.setattr(run, "_runs", {mine.task_id: task})
        return mine.task_id

    def test_is_written_in_the_scope_of_the_run(self, running: str) -> None:
        stamp_running(run._running())
        assert base.sweep() == 0

    def test_reopens_a_job_that_was_marked_as_lost(self, running: str) -> None:
        assert base.sweep() == 1
        stamp_running(run._running())
        assert states() == [State.STARTED]

    def test_a_queue_that_writes_its_own_gets_none(
        self, running: str, queue: Queue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queue, "needs_heartbeat", False)
        assert run._running() == {}
