"""Try a group again: publish its canvas, with results in place of the parts that succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from celery import current_app, group, states
from celery.canvas import Signature, maybe_signature
from celery.utils import uuid

from monitio.jobs.recipients import recipients_of
from monitio.jobs.retry import StoredCall
from monitio.models import Job, JobRun
from monitio_celery.conf import settings
from monitio_celery.groups import members
from monitio_celery.groups.notify import enrol, number_members, publish
from monitio_celery.headers import Member, TaskHeader
from monitio_celery.models import GroupMember

# By its name: tasks.py imports this room.
RETURN_RESULT = "monitio_celery.tasks.return_result"


def retry_group(job: Job, call: StoredCall) -> None:
    """Publish the parts of a group that have not succeeded, under the new id of its job.

    Raises ``LookupError`` when others wait for the result of a part that succeeded and the result
    backend does not have it any more, and kombu's ``OperationalError``.
    """
    canvas = cast(Signature, maybe_signature(call.options["canvas"], app=current_app))
    places, whole = number_members(canvas), members.group_of(job)
    former = JobRun.objects.filter(job=job).exclude(task_id=job.task_id).latest("number")
    done = {
        number: task_id
        for number, task_id in _succeeded_in(former.task_id).items()
        # A part that ended while it was terminated: its worker has stored "revoked" in place of
        # the result that others wait for.
        if not (places[number][1] and str(current_app.AsyncResult(task_id).state) == states.REVOKED)
    }
    for number, (task, successors, _predecessors) in enumerate(places):
        if number in done:
            result = _result_of(done[number]) if successors else None
            known = current_app.signature(RETURN_RESULT, (result,), immutable=True)
            task.clear()
            own = {"queue": settings.CELERY_QUEUE, "task_id": uuid()}
            task.update(known.set(**own))
        else:
            # One of its own belongs to the former run.
            task.options.pop("task_id", None)
    if isinstance(canvas, group):
        # Nothing waits for their results.
        unneeded = {id(places[number][0]) for number in done}
        canvas["kwargs"]["tasks"] = [one for one in canvas.tasks if id(one) not in unneeded]
    header = TaskHeader.for_recipients(recipients_of(job))
    enrol(places, whole, header, done)
    _count_as_done(whole, done)
    # A user waits for the answer: no retries.
    publish(canvas, places, whole, header, done=done, retry=False)
    members.end_if_complete(job)


def _succeeded_in(group_id: str) -> dict[int, str]:
    """The task ids of the members that have succeeded, by their numbers."""
    rows = GroupMember.objects.of_group(group_id).filter(ended=True, failed=False)
    return {row.number: row.task_id or members.member_id(group_id, row.number) for row in rows}


def _count_as_done(whole: Member, done: Mapping[int, str]) -> None:
    rows = [
        GroupMember(group=whole.group, number=number, task_id=task_id)
        for number, task_id in done.items()
    ]
    GroupMember.objects.bulk_create(rows, 1000, ignore_conflicts=True)
    members.recount(whole.group)
    # Its bar continues.
    Job.objects.of_task(whole.group).update(completed=len(done), total=whole.total)


def _result_of(task_id: str) -> Any:
    stored = current_app.AsyncResult(task_id)
    if stored.state != states.SUCCESS:
        raise LookupError(f"The result backend has no result of the part {task_id} any more.")
    return stored.result
