from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery import chain, chord, current_app
from celery.canvas import Signature

from monitio.jobs.reporter import JobReporter
from monitio.models import Job, Message
from monitio.recipients import Recipient
from monitio_celery import notify_user
from monitio_celery.calls import TaskCall
from monitio_celery.groups import members
from monitio_celery.groups.members import MemberReporter
from monitio_celery.groups.notify import number_members
from monitio_celery.headers import Member, TaskHeader
from monitio_celery.reporters import reporter_for
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_row_committed_during_the_workers_report_is_updated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row is committed between the worker's failed update and its check for a row."""
    recipients = [Recipient.of(user())]
    worker = JobReporter("1", integration="celery", recipients=recipients)
    advance = worker._advance

    def outrun(*args: Any) -> bool:
        if Job.objects.exists():
            return advance(*args)
        JobReporter("1", integration="celery", recipients=recipients).queued()
        return False

    monkeypatch.setattr(worker, "_advance", outrun)
    assert worker.started()
    assert Job.objects.get().state == "started"


def test_each_part_stores_its_successors_and_predecessors() -> None:
    def part(name: str) -> Signature[Any]:
        return Signature(name, app=current_app)

    inner = chain(part("a"), part("b"), app=current_app)
    canvas = chord([inner, part("c")], part("d"), app=current_app)
    places = {task.task: (skips, follows) for task, skips, follows in number_members(canvas)}
    assert places == {
        "a": ([(1, 2), (3, 4)], []),
        "b": ([(3, 4)], [(0, 1)]),
        "c": ([(3, 4)], []),
        "d": ([], [(0, 3)]),
    }


def test_the_body_ends_the_group_before_its_parts_are_reported() -> None:
    """Celery starts the body before the last member's success signal."""
    shared = {"group": "g", "total": 3, "title": "Sum", "options": {"success": "Sum: {result}"}}
    recipients = [Recipient.of(user())]
    MemberReporter(Member(**shared, number=0), recipients).succeeded(1)
    MemberReporter(Member(**shared, number=2, predecessors=[(0, 2)]), recipients).succeeded(28)
    MemberReporter(Member(**shared, number=1), recipients).succeeded(7)
    job = Job.objects.get()
    assert (job.state, job.completed) == ("succeeded", 3)
    assert Message.objects.get().message == "Sum: 28"


def test_a_part_that_meets_the_bodys_end_half_way_leaves_the_result_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again: list[Callable[[], object]] = []
    monkeypatch.setattr(members.refresh_later, "call", lambda group, call: again.append(call))
    shared = {"group": "g", "total": 2, "title": "Sum", "options": {"success": "Sum: {result}"}}
    recipients = [Recipient.of(user())]
    header = MemberReporter(Member(**shared, number=0, successors=[(1, 2)]), recipients)
    body = MemberReporter(Member(**shared, number=1, predecessors=[(0, 1)]), recipients)
    with monkeypatch.context() as patched:
        # Between the body's commit and its notification.
        patched.setattr(body, "_show", lambda ended, result: header.succeeded(7))
        body.succeeded(28)
    assert not Job.objects.filter(state="succeeded").exists()
    body._show(2, 28)
    assert Message.objects.get().message == "Sum: 28"
    # If the body's process had died there, the member would have ended the group a second later.
    assert [call() for call in again] == [False]


def test_a_task_without_options_has_no_reporter() -> None:
    header = TaskHeader(to=[{"user": "1"}])
    assert reporter_for(TaskCall.of(lambda: None, header=header, task_id="1")) is None


def test_a_map_is_reported_as_the_mapped_task(monkeypatch: pytest.MonkeyPatch) -> None:
    @notify_user(user=7)
    def step(number: int) -> None: ...

    monkeypatch.setitem(current_app.tasks, "shop.step", step)
    wrapper = SimpleNamespace(name="celery.map")
    call = TaskCall.of(wrapper, (), {"task": {"task": "shop.step"}, "it": [1, 2]})
    assert (call.task, call.args, call.kwargs) == (step, (), {})
    header = call.choose_header(None)
    assert header is not None and header.to_dict() == {"to": [{"user": "7"}]}
