"""Retrying a failed group: which tasks are published."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery, _state, chord, current_app, group, signals
from celery.exceptions import TaskRevokedError
from django.utils import timezone
from kombu import Producer
from kombu.exceptions import OperationalError

from monitio.exceptions import RetryFailed
from monitio.jobs.retry import retry_job
from monitio.models import Job, JobRun, Message
from monitio_celery import notify_group, tasks
from monitio_celery.groups.members import MemberReporter, member_id
from monitio_celery.headers import TaskHeader
from monitio_celery.models import GroupMember
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


class Queue:
    """Tasks published last: members by number, as reporters of their runs; other tasks by name."""

    def __init__(self) -> None:
        self.parts: dict[int, MemberReporter] = {}
        self.others: list[tuple[str, Any]] = []

    def note(self, sender: str, headers: dict[str, Any], body: Any, **_: Any) -> None:
        header = TaskHeader.from_headers(headers)
        member = None if header is None else header.group_member
        if header is None or member is None:
            self.others.append((sender, body[0]))
            return
        part = MemberReporter(member, header.recipients(), headers["id"], header)
        self.parts[member.number] = part

    def clear(self) -> None:
        self.parts.clear()
        self.others.clear()


def numbers_of(*numbers: int) -> tuple[int, ...]:
    return numbers


@pytest.fixture
def queue() -> Iterator[Queue]:
    """The queue of a separate app without workers."""
    before, current = set(_state._on_app_finalizers), _state._get_current_app()
    queue = Queue()
    with Celery("again", broker="memory://", backend="cache+memory://") as app:
        app.task(numbers_of, name="part")
        signals.after_task_publish.connect(queue.note)
        yield queue
    signals.after_task_publish.disconnect(queue.note)
    _state._set_current_app(current)
    _state._on_app_finalizers.intersection_update(before)


def part(*numbers: Any) -> Any:
    return current_app.tasks["part"].s(*numbers)


def begin(canvas: Any, **options: Any) -> Job:
    notify_group("Import", canvas, user=user().pk, retryable=True, **options).delay()
    return Job.objects.get()


def fail_one(queue: Queue, number: int) -> Job:
    """Fail this member; the others succeed."""
    for reporter in queue.parts.values():
        reporter.started()
        reporter.failed("no") if reporter.member.number == number else reporter.succeeded()
    queue.clear()
    return Job.objects.get()


def test_a_succeeded_part_that_others_wait_for_is_replaced_by_its_result(queue: Queue) -> None:
    begin(chord([part(0), part(1), part(2)], part()))
    first = {number: reporter.task_id for number, reporter in queue.parts.items()}
    current_app.backend.store_result(first[0], "zero", "SUCCESS")
    current_app.backend.store_result(first[2], "two", "SUCCESS")
    job = fail_one(queue, 1)
    assert (job.state, job.completed, job.total) == ("failed", 2, 4)
    assert retry_job(job)
    assert list(queue.parts) == [1]
    results = [
        args[0] for name, args in queue.others if name == "monitio_celery.tasks.return_result"
    ]
    assert results == ["zero", "two"]
    job = Job.objects.get()
    assert (job.state, job.completed, job.total) == ("queued", 2, 4)


def test_a_part_whose_result_was_replaced_when_it_was_terminated_runs_again(queue: Queue) -> None:
    begin(chord([part(0), part(1), part(2)], part()))
    first = {number: reporter.task_id for number, reporter in queue.parts.items()}
    current_app.backend.store_result(first[0], "zero", "SUCCESS")
    current_app.backend.store_result(first[2], TaskRevokedError("terminated"), "REVOKED")
    assert retry_job(fail_one(queue, 1))
    assert sorted(queue.parts) == [1, 2]


def test_its_progress_continues_where_it_stopped(queue: Queue) -> None:
    begin(group(part(number) for number in range(4)))
    retry_job(fail_one(queue, 1))
    # The last update was longer ago than the throttle's interval.
    Job.objects.update(seq=0)
    queue.parts[1].started()
    job = Job.objects.get()
    assert (job.state, job.completed, job.total) == ("started", 3, 4)


def test_a_part_that_fails_again_is_tried_again(queue: Queue) -> None:
    begin(group(part(number) for number in range(3)))
    retry_job(fail_one(queue, 1))
    retry_job(fail_one(queue, 1))
    queue.parts[1].started()
    queue.parts[1].succeeded()
    assert Job.objects.get().state == "succeeded"
    assert list(JobRun.objects.order_by("number").values_list("state", flat=True)[:2]) == [
        "failed",
        "failed",
    ]


class Broker:
    """Accepts ``left`` tasks, then its connections fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: float = math.inf
        self.publish = Producer.publish
        monkeypatch.setattr(Producer, "publish", lambda *args, **more: self.take(*args, **more))

    def take(self, *args: Any, **more: Any) -> Any:
        if self.left <= 0:
            raise OperationalError("the broker is down")
        self.left -= 1
        return self.publish(*args, **more)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def try_again(broker: Broker, job: Job, *, after: float) -> None:
    """Retry; the broker fails after it has accepted ``after`` tasks."""
    broker.left = after
    with pytest.raises(RetryFailed, match="broker is down"):
        retry_job(job)
    broker.left = math.inf


@pytest.mark.parametrize("taken", [1, 2])
def test_parts_that_a_dying_broker_did_not_take_are_tried_again(
    queue: Queue, broker: Broker, taken: int
) -> None:
    begin(group(part(number) for number in range(5)))
    for reporter in queue.parts.values():
        reporter.succeeded() if reporter.member.number in (0, 4) else reporter.failed("no")
    queue.clear()
    try_again(broker, Job.objects.get(), after=taken)
    assert list(queue.parts) == [1, 2, 3][:taken]
    assert Job.objects.get().state == "queued"
    for reporter in queue.parts.values():
        reporter.started()
        reporter.succeeded()
    job = Job.objects.get()
    assert (job.state, job.completed) == ("failed", 2 + taken)
    queue.clear()
    assert retry_job(job)
    assert list(queue.parts) == [1, 2, 3][taken:]
    for reporter in queue.parts.values():
        reporter.started()
        reporter.succeeded()
    assert Job.objects.get().state == "succeeded"
    assert Message.objects.count() == 1


def test_a_broker_that_takes_no_part_leaves_the_message_as_it_was(
    queue: Queue, broker: Broker
) -> None:
    begin(group(part(number) for number in range(3)))
    job = fail_one(queue, 1)
    before = Message.objects.values().get()
    try_again(broker, job, after=0)
    assert Message.objects.values().get() == before
    assert Job.objects.get().state == "failed"


def test_a_body_whose_header_a_dying_broker_did_not_take_has_failed(
    queue: Queue, broker: Broker
) -> None:
    """It would wait for ever, also for a known result that was not published."""
    begin(chord([part(0), part(1), part(2)], part()))
    for number in (0, 2):
        current_app.backend.store_result(queue.parts[number].task_id, number, "SUCCESS")
    job = fail_one(queue, 1)
    # The known result of the first part, and the second part.
    try_again(broker, job, after=2)
    assert list(queue.parts) == [1]
    queue.parts[1].started()
    queue.parts[1].succeeded()
    job = Job.objects.get()
    assert (job.state, job.completed, job.total) == ("failed", 3, 4)


def test_a_part_that_a_dying_broker_took_nevertheless_counts(queue: Queue, broker: Broker) -> None:
    begin(group(part(number) for number in range(3)))
    parts = dict(queue.parts)
    for reporter in parts.values():
        reporter.failed("no")
    queue.clear()
    try_again(broker, Job.objects.get(), after=2)
    member = replace(queue.parts[0].member, number=2)
    late = MemberReporter(member, [], member_id(member.group, 2))
    for reporter in (*queue.parts.values(), late):
        reporter.started()
        reporter.succeeded()
    assert Job.objects.get().state == "succeeded"


def test_a_broker_that_dies_when_a_group_begins_leaves_no_part_waiting(
    queue: Queue, broker: Broker
) -> None:
    broker.left = 2
    with pytest.raises(OperationalError):
        begin(group(part(number) for number in range(4)))
    for reporter in queue.parts.values():
        reporter.started()
        reporter.succeeded()
    job = Job.objects.get()
    assert (job.state, job.completed, job.total) == ("failed", 2, 4)
    broker.left = math.inf
    assert retry_job(job)
    assert sorted(queue.parts) == [0, 1, 2, 3]


def test_a_result_that_is_gone_leaves_the_message_as_it_was(queue: Queue) -> None:
    begin(chord([part(0), part(1)], part()))
    job = fail_one(queue, 1)
    message = Message.objects.get()
    with pytest.raises(RetryFailed, match="no result"):
        retry_job(job)
    assert (queue.parts, queue.others) == ({}, [])
    assert Job.objects.get().task_id == job.task_id
    assert Message.objects.get().version == message.version


def test_a_part_of_the_former_run_changes_nothing(queue: Queue) -> None:
    begin(group(part(number) for number in range(3)))
    former = dict(queue.parts)
    retry_job(fail_one(queue, 1))
    former[1].recovered()
    former[1].started()
    former[1].succeeded()
    assert Job.objects.get().state == "queued"
    assert Message.objects.count() == 1


def test_a_worker_faster_than_its_publisher_does_not_lose_the_canvas(
    queue: Queue,
) -> None:
    def be_quick(**_: Any) -> None:
        queue.parts[0].started()

    signals.after_task_publish.connect(be_quick)
    begin(group(part(number) for number in range(2)))
    signals.after_task_publish.disconnect(be_quick)
    assert retry_job(fail_one(queue, 1))
    assert list(queue.parts) == [1]


def test_arguments_that_are_no_json_have_no_button(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    begin(group([part(timezone.now())]))
    assert not fail_one(queue, 0).may_be_retried
    assert (
        "Import cannot be tried again: its arguments are no JSON (Object of type date"
        in caplog.text
    )


def test_its_parts_are_kept_while_it_may_be_tried_again(queue: Queue) -> None:
    begin(group(part(number) for number in range(3)))
    job = fail_one(queue, 1)
    GroupMember.objects.update(created=timezone.now() - timedelta(days=8))
    tasks.prune()
    assert GroupMember.objects.count() == 3
    retry_job(job)
    assert list(queue.parts) == [1]
