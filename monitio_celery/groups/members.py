"""The parts of a group, and the one job that speaks for all of them.

Every part that begins or ends has one row (``GroupPart``). The rows are counted after each change
has been committed, so the last part to come sees them all and ends the group, whatever runs at the
same time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import connections, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from monitio import dispatch
from monitio import scope as scopes
from monitio.conf import settings
from monitio.constants import State
from monitio.integrations.run import Carried
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome
from monitio.jobs.reporter import JobReporter
from monitio.jobs.states import FINAL_KEY
from monitio.models import Job
from monitio.recipients import Recipient
from monitio.utils.compiled_sql import insert_if_new
from monitio.utils.text import json_safe
from monitio_celery.headers import recipients_in
from monitio_celery.models import GroupMember

logger = logging.getLogger("monitio")

QUEUE = "celery.group"
# Half-open ranges of numbers of parts.
Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Member:
    """Which part of which group a task is, as its header says."""

    group: str
    number: int
    total: int
    title: str
    # The parts that never run when this one does not succeed, and those that have succeeded when
    # this one runs: Celery starts it before it says so of them.
    successors: Ranges = ()
    predecessors: Ranges = ()
    options: dict[str, Any]
    # ``lost_after=`` of its task, noted by the worker that begins it: the sweep need not know it.
    lost_after: float | None = None

    @property
    def own_limit(self) -> float | None:
        """Seconds it may give no sign of life, where its task or its group says so."""
        limit: float | None = self.options.get("lost_after")
        return limit if self.lost_after is None else self.lost_after


def member_id(group: str, number: int) -> str:
    """The id of the task that is this part: whoever cancels the group can name them all."""
    return str(uuid5(UUID(group), str(number)))


def member_in(carried: Carried | None) -> Member | None:
    """The part a header speaks of; None when the task is in no group."""
    part = carried.get("part") if carried else None
    if not isinstance(part, dict):
        return None
    try:
        return Member(**part)
    except TypeError:
        return None


class MemberReporter:
    """Reports what becomes of one part to its group's job. A part has no message of its own."""

    def __init__(
        self,
        part: Member,
        recipients: list[Recipient],
        task_id: str = "",
        carried: Carried | None = None,
        lost_after: float | None = None,
    ) -> None:
        if carried is not None and lost_after is not None:
            carried = {**carried, "part": {**carried["part"], "lost_after": lost_after}}
        self.part, self.task_id, self.carried = part, task_id, carried
        self.group = group_reporter(part, recipients)
        self.scope = self.group.scope
        self._next = 0.0

    def queued(self, due_at: datetime | None = None) -> bool:
        return False

    @scopes.in_own_scope
    def started(self, attempt: int = 0) -> bool:
        part, carried = self.part, json_safe(self.carried)
        row = GroupMember(
            group=part.group,
            number=part.number,
            task_id=self.task_id,
            header=carried,
            alive_at=timezone.now(),
            ended=False,
        )
        if not insert_if_new(row, dispatch.database()):
            # Another task may go on in the place of the one that began.
            self._rows().open().update(carried=carried)
            self.recovered()
        return self.group.started()

    @scopes.in_own_scope
    def recovered(self) -> bool:
        """It runs, or runs again, even if it was given up for lost."""
        changes = {"ended": False, "failed": False, "lost": False, "fraction": 0.0}
        if not self._rows().open().update(**changes, alive_at=timezone.now()):
            return False
        GroupMember.objects.of(self.part.group, _numbers(self.part.successors)).filter(
            lost=True
        ).delete()
        return True

    @scopes.in_own_scope
    def retrying(
        self, attempt: int, reason: str | BaseException = "", due_at: datetime | None = None
    ) -> bool:
        # It waits for its turn, as before its first: nobody expects a sign of life.
        self._rows().filter(ended=False).update(alive_at=None, fraction=0.0)
        return False

    def succeeded(self, result: Any = None) -> bool:
        return self._settle(failed=False, result=result)

    def failed(self, error: BaseException | str, attempt: int | None = None) -> bool:
        return self._settle(failed=True, lost=attempt is not None)

    def revoked(self, reason: str = "") -> bool:
        return self._settle(failed=True)

    def lost(self) -> bool:
        """No sign of life for too long. While the group runs, a real end overrides this."""
        return self._settle(failed=True, lost=True)

    def cancel_requested(self) -> bool:
        return self.group.cancel_requested()

    @scopes.in_own_scope
    def progressed(
        self, done: float | None, total: float | None = None, text: str = "", *, final: bool = False
    ) -> bool:
        """The part fills its own share of the group's bar; in its own transaction it waits."""
        now = timezone.now()
        if not total or done is None or dispatch.in_transaction() or now.timestamp() < self._next:
            return False
        self._next = now.timestamp() + settings.PROGRESS_WRITE_INTERVAL
        share = round(max(0.0, min(1.0, done / total)), 3)
        if not self._rows().filter(ended=False).update(fraction=share, alive_at=now):
            return False
        return self.show()

    @scopes.in_own_scope
    def _settle(self, *, failed: bool, lost: bool = False, result: Any = None) -> bool:
        part = self.part
        numbers = [part.number, *_numbers(part.successors if failed else part.predecessors)]
        ended = {"ended": True, "failed": failed, "lost": lost, "fraction": 0.0}
        rows = GroupMember.objects.of(part.group, numbers)
        known = rows.filter(ended=False) if lost else rows.open()
        if known.update(**ended) < len(numbers):
            missing = [GroupMember(group=part.group, number=number, **ended) for number in numbers]
            GroupMember.objects.bulk_create(missing, ignore_conflicts=True)
        # Counted after the commit: before it, two last parts would not see each other.
        dispatch.after_commit(lambda: self.show(result))
        return True

    @scopes.in_own_scope
    def show(self, result: Any = None) -> bool:
        """Bring the group to where its parts stand."""
        ended, failed, share = GroupMember.objects.counts(self.part.group)
        if ended >= self.part.total and not failed and self.part.successors:
            # A part that comes after this one has just ended, and brings the result: if it can.
            refresh_later.call(self.part.group, lambda: self._end(failed, result))
            return False
        if ended >= self.part.total:
            return self._end(failed, result)
        shown = self._move(ended + share)
        if not shown:
            # Another process has just moved the bar. Within a second one will again, with this.
            refresh_later.call(self.part.group, self._show_again)
        return shown

    @scopes.in_own_scope
    def _show_again(self) -> None:
        ended, _failed, share = GroupMember.objects.counts(self.part.group)
        if ended < self.part.total:
            self._move(ended + share)

    def _move(self, done: float) -> bool:
        return self.group.progressed(round(done, 3), self.part.total, shared=True)

    @scopes.in_own_scope
    def _end(self, failed: int, result: Any) -> bool:
        total = self.part.total
        self.group.started()
        with transaction.atomic(using=dispatch.database()):
            # Holds the row: a late bar of another part waits, and then finds the job ended.
            job = Job.objects.of_task(self.part.group)
            job.filter(rank__lt=FINAL_KEY).update(completed=total - failed, total=total)
            if failed and self.group.cancel_requested():
                return self.group.revoked()
            if failed:
                # A part that was given up may still succeed.
                lost = GroupMember.objects.filter(group=self.part.group, lost=True).exists()
                text = f"{failed} of {total} parts failed"
                return self.group.failed(text, attempt=0 if lost else None)
            return self.group.succeeded(result)

    def _rows(self) -> Any:
        return GroupMember.objects.of(self.part.group, [self.part.number])


def reporter_of_member(row: GroupMember) -> MemberReporter | None:
    """For a part that is known already, in whatever process."""
    part = member_in(row.header)
    if part is None:
        return None
    return MemberReporter(part, recipients_in(row.header), row.task_id, row.header)


def end_if_complete(job: Job) -> None:
    """End a group all of whose parts have ended."""
    whole = group_of(job)
    ended, _failed, _share = GroupMember.objects.counts(job.task_id)
    if 0 < whole.total <= ended:
        MemberReporter(whole, []).show()


def group_reporter(part: Member, recipients: list[Recipient]) -> JobReporter:
    return JobReporter(
        part.group,
        integration=QUEUE,
        name=part.title,
        recipients=recipients,
        render=_wording(part),
        # For whoever finds the group and has none of its parts.
        arguments={"total": part.total, "options": part.options},
        cancellable=bool(part.options.get("cancel")),
    )


def _wording(part: Member) -> _GroupContent:
    try:
        return _GroupContent(part.title, part.options)
    except (TypeError, ValueError):
        # Of another version of monitio, or cut because they were too long.
        logger.exception("The options of the group %s are not used.", part.title)
        return _GroupContent(part.title, {})


def group_of(job: Job) -> Member:
    """What is known of a group by its job alone, as if it were a part."""
    known = job.arguments or {}
    options = known.get("options")
    return Member(
        group=job.task_id,
        number=0,
        total=known.get("total", 0),
        title=job.name,
        options=options if isinstance(options, dict) else {},
    )


def cancel_waiting(job: Job) -> list[str]:
    """End the parts of a cancelled group that nobody has begun; the ids of all that may run."""
    whole = group_of(job)
    numbers = GroupMember.objects.filter(group=job.task_id).values_list("number", "ended")
    known = dict(numbers)
    waiting = [number for number in range(whole.total) if number not in known]
    rows = (GroupMember(group=job.task_id, number=number, failed=True) for number in waiting)
    GroupMember.objects.bulk_create(rows, 1000, ignore_conflicts=True)
    running = [number for number, ended in known.items() if not ended]
    return [member_id(job.task_id, number) for number in (*running, *waiting)]


class _GroupContent:
    """The wording of a group: its counts stand where a task has its reason."""

    def __init__(self, title: str, options: dict[str, Any]) -> None:
        self.options = NotifyOptions(title=lambda outcome: title, arguments=("failed",), **options)
        self.says_failure = options.get("failure") is not None

    def __call__(self, outcome: Outcome) -> MessageContent | None:
        # A part that is half done is not done.
        done, total = int(outcome.done or 0), int(outcome.total or 0)
        failed = total - done if outcome.state == State.FAILED else 0
        whole = None if outcome.done is None else done
        notice = self.options.content(replace(outcome, done=whole, arguments={"failed": failed}))
        if notice is None or outcome.state != State.FAILED or self.says_failure:
            return notice
        counts = {"done": done, "total": total, "failed": failed}
        text = _("%(done)d of %(total)d parts are done, %(failed)d failed.") % counts
        return replace(notice, message=text)


def check(title: str, options: dict[str, Any]) -> None:
    """Raise ``TypeError`` or ``ValueError`` for options that make no sense."""
    _GroupContent(title, options)


class _DebouncedRefresh:
    """Calls once more, a moment later, what came too soon; one call a group.

    In workers alone: elsewhere a request or a test is over by then.
    """

    in_worker = False

    def __init__(self) -> None:
        self._waiting: set[str] = set()

    def call(self, group: str, again: Any) -> None:
        if group in self._waiting or not self.in_worker:
            return
        self._waiting.add(group)
        timer = threading.Timer(settings.PROGRESS_WRITE_INTERVAL, self._run, (group, again))
        timer.daemon = True
        timer.start()

    def _run(self, group: str, again: Any) -> None:
        self._waiting.discard(group)
        try:
            again()
        finally:
            connections.close_all()


refresh_later = _DebouncedRefresh()


def _numbers(ranges: Ranges) -> list[int]:
    return [number for start, stop in ranges for number in range(start, stop)]
