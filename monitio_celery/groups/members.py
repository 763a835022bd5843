"""The members of a group, reported as one job.

Every member that begins or ends has one row (``GroupMember``). In the transaction that ends it the
count of its group (``Group``) rises: the row's lock puts concurrent members in an order, and the
last of them ends the group.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from monitio import dispatch
from monitio import scope as scopes
from monitio.conf import settings
from monitio.constants import State
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome
from monitio.jobs.reporter import JobReporter
from monitio.jobs.states import FINAL_KEY
from monitio.models import Job
from monitio.recipients import Recipient
from monitio.utils.compiled_sql import (
    CHANGED,
    CompiledUpdate,
    Placeholder,
    insert_if_new,
    update_both,
)
from monitio.utils.text import json_safe
from monitio_celery.groups.refresh import looks, refresh_later, starts
from monitio_celery.headers import Member, Ranges, TaskHeader
from monitio_celery.models import Group, GroupMember

logger = logging.getLogger("monitio")

QUEUE = "celery.group"


def member_id(group: str, number: int) -> str:
    """The task id of a member, computable for the cancelling of a whole group."""
    return str(uuid5(UUID(group), str(number)))


class MemberReporter:
    """Reports a member's events to its group's job. A member has no message of its own."""

    def __init__(
        self,
        member: Member,
        recipients: list[Recipient],
        task_id: str = "",
        header: TaskHeader | None = None,
        lost_after: float | None = None,
    ) -> None:
        if header is not None and lost_after is not None:
            header = replace(header, group_member=replace(member, lost_after=lost_after))
        self.member, self.task_id, self.header = member, task_id, header
        self.recipients, self.scope = recipients, scopes.current()
        self._next = 0.0

    @cached_property
    def group(self) -> JobReporter:
        """Made where the group's job is changed: most members only raise its count."""
        with scopes.activate(self.scope):
            return group_reporter(self.member, self.recipients)

    @property
    def job_id(self) -> str:
        """That of the group."""
        return self.member.group

    def succeeding(self, result: Any) -> Outcome:
        """The outcome of a member that has returned ``result``."""
        return replace(self.group.succeeding(result), task_id=self.task_id)

    def queued(self, due_at: datetime | None = None) -> bool:
        return False

    @scopes.in_own_scope
    def started(self, attempt: int = 0) -> bool:
        member = self.member
        header = None if self.header is None else json_safe(self.header.to_dict())
        row = GroupMember(
            group=member.group,
            number=member.number,
            task_id=self.task_id,
            header=header,
            alive_at=timezone.now(),
            ended=False,
        )
        if not insert_if_new(row, dispatch.database(), durable=False):
            # Another task may have replaced the one that began.
            self._rows().open().update(header=header)
            self.recovered()
        if not (starts.is_open(member.group) and self.group.started()):
            return False
        if member.options.get("retryable") and (ended := _count(member.group)):
            # Tried again: its bar continues.
            self._move(ended)
        return True

    @scopes.in_own_scope
    def recovered(self) -> bool:
        """It runs, even if it was marked as lost."""
        changes: dict[str, Any] = {"ended": False, "failed": False, "lost": False, "fraction": 0.0}
        changes["alive_at"] = timezone.now()
        with transaction.atomic(using=dispatch.database()):
            if self._rows().filter(lost=True).update(**changes):
                numbers = _numbers(self.member.successors)
                GroupMember.objects.of(self.member.group, numbers).filter(lost=True).delete()
                _recount(self.member.group)
                return True
            return bool(self._rows().filter(ended=False).update(**changes))

    @scopes.in_own_scope
    def retrying(
        self, attempt: int, reason: str | BaseException = "", due_at: datetime | None = None
    ) -> bool:
        # It waits in the queue again, where no heartbeat is expected.
        self._rows().filter(ended=False).update(alive_at=None, fraction=0.0)
        return False

    def succeeded(self, result: Any = None) -> bool:
        return self._settle(failed=False, result=result)

    def failed(self, error: BaseException | str, attempt: int | None = None) -> bool:
        return self._settle(failed=True, lost=attempt is not None)

    def revoked(self, reason: str = "") -> bool:
        return self._settle(failed=True)

    def lost(self) -> bool:
        """No heartbeat for too long. While the group runs, a reported end overrides this."""
        return self._settle(failed=True, lost=True)

    def cancel_requested(self) -> bool:
        return self.group.cancel_requested()

    @scopes.in_own_scope
    def progressed(
        self, done: float | None, total: float | None = None, text: str = "", *, final: bool = False
    ) -> bool:
        """Add the member's fraction to the group's bar, outside of transactions only."""
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
        member = self.member
        numbers = [member.number, *_numbers(member.successors if failed else member.predecessors)]
        changes = {"ended": True, "failed": failed, "lost": lost, "fraction": 0.0}
        ended = _end_one(member.group, member.number, changes) if len(numbers) == 1 else None
        if ended is None:
            ended = _end_all(member.group, numbers, changes)
        # After the commit: the bar shows nothing that a rollback takes back.
        dispatch.after_commit(lambda: self._show(ended, result))
        return True

    @scopes.in_own_scope
    def show(self) -> bool:
        """Update the group's job from the count of its members."""
        return self._show(_count(self.member.group), None)

    def _show(self, ended: int, result: Any) -> bool:
        if ended < self.member.total:
            # Throttled in this process, and by update_shared() in all of them.
            shown = looks.is_open(self.member.group) and self._move(ended)
            if not shown:
                refresh_later.call(self.member.group, self._show_again)
            return shown
        failed = GroupMember.objects.of_group(self.member.group).filter(failed=True).count()
        if not failed and self.member.successors:
            # A successor has just ended and reports the result, unless it fails to.
            refresh_later.call(self.member.group, lambda: self._end(failed, result))
            return False
        return self._end(failed, result)

    @scopes.in_own_scope
    def _show_again(self) -> None:
        ended = _count(self.member.group)
        if ended < self.member.total:
            self._move(ended)

    def _move(self, ended: int) -> bool:
        running = GroupMember.objects.of_group(self.member.group).filter(ended=False)
        fractions = running.aggregate(sum=Sum("fraction"))["sum"] or 0.0
        return self.group.progressed(round(ended + fractions, 3), self.member.total, shared=True)

    @scopes.in_own_scope
    def _end(self, failed: int, result: Any) -> bool:
        total = self.member.total
        self.group.started()
        with transaction.atomic(using=dispatch.database()):
            # Locks the row: a late progress write of another member waits, and then finds the end.
            job = Job.objects.of_task(self.member.group)
            job.filter(rank__lt=FINAL_KEY).update(completed=total - failed, total=total)
            if failed and self.group.cancel_requested():
                return self.group.revoked()
            if failed:
                # A member that is marked as lost may still succeed.
                lost = GroupMember.objects.filter(group=self.member.group, lost=True).exists()
                text = f"{failed} of {total} parts failed"
                return self.group.failed(text, attempt=0 if lost else None)
            return self.group.succeeded(result)

    def _rows(self) -> Any:
        return GroupMember.objects.of(self.member.group, [self.member.number])


def _end_one(group: str, number: int, changes: dict[str, Any]) -> int | None:
    """End a running member; how many have ended then. None: it does not run, or none was counted.

    One compiled statement, or two: this runs for every member, and the ORM takes three times as
    long.
    """
    alias = dispatch.database()
    end, slots = (_END, changes), {"of_group": group, "number": number}
    raised = update_both(alias, end, (_RAISE_IF_CHANGED, {"ended": _NEXT}), **slots)
    if raised is not None:
        return raised[0].ended if raised else None
    with transaction.atomic(using=alias):
        rows: Any = _END.run(alias, changes, **slots)
        if rows is None:
            rows = GroupMember.objects.of(group, [number]).filter(ended=False).update(**changes)
        if not rows:
            return None
        counted = _RAISE.run(alias, {"ended": _NEXT}, of_group=group)
        if counted is None:
            same = Group.objects.filter(group=group)
            same.update(ended=_NEXT)
            counted = list(same)
    return counted[0].ended if counted else None


def _placeholder(model: Any, name: str, slot: str = "") -> Placeholder:
    return Placeholder(slot or name, model._meta.get_field(name))


_NEXT = F("ended") + 1
_END = CompiledUpdate(
    lambda: GroupMember.objects.filter(
        group=_placeholder(GroupMember, "group", "of_group"),
        number=_placeholder(GroupMember, "number"),
        ended=False,
    )
)
_RAISE = CompiledUpdate(
    lambda: Group.objects.filter(group=_placeholder(Group, "group", "of_group"))
)
_RAISE_IF_CHANGED = CompiledUpdate(
    lambda: Group.objects.filter(CHANGED, group=_placeholder(Group, "group", "of_group"))
)


def _end_all(group: str, numbers: list[int], changes: dict[str, Any]) -> int:
    """End members, also those without a row; how many have ended then."""
    rows = GroupMember.objects.of(group, numbers)
    missing = set(numbers) - set(rows.values_list("number", flat=True))
    # In transactions of their own: on MySQL an UPDATE that finds no row locks the place where
    # others insert, and two that then insert wait for each other.
    new = [GroupMember(group=group, number=number, ended=False) for number in sorted(missing)]
    GroupMember.objects.bulk_create(new, 1000, ignore_conflicts=True)
    _ensure_row(group)
    with transaction.atomic(using=dispatch.database()):
        (rows.filter(ended=False) if changes["lost"] else rows.open()).update(**changes)
        return _recount(group)


def recount(group: str) -> int:
    """Count the members that have ended, and store the number."""
    _ensure_row(group)
    with transaction.atomic(using=dispatch.database()):
        return _recount(group)


def _ensure_row(group: str) -> None:
    if not Group.objects.filter(group=group).exists():
        insert_if_new(Group(group=group), dispatch.database())


def _recount(group: str) -> int:
    count = Group.objects.filter(group=group)
    # The lock comes first: members that end now raise the count after this commit.
    count.update(ended=F("ended"))
    ended = GroupMember.objects.of_group(group).filter(ended=True).count()
    count.update(ended=ended)
    return ended


def _count(group: str) -> int:
    ended = Group.objects.filter(group=group).values_list("ended", flat=True).first()
    return recount(group) if ended is None else ended


def reporter_of_member(row: GroupMember) -> MemberReporter | None:
    """The reporter of an existing row; None when its header is malformed."""
    header = TaskHeader.from_dict(row.header)
    if header is None or header.group_member is None:
        return None
    return MemberReporter(header.group_member, header.recipients(), row.task_id, header)


def end_if_complete(job: Job) -> None:
    """End a group all of whose members have ended."""
    whole = group_of(job)
    if 0 < whole.total <= recount(job.task_id):
        MemberReporter(whole, []).show()


def group_reporter(
    member: Member, recipients: list[Recipient], call: str | None = None
) -> JobReporter:
    """``call`` is the stored canvas, which only the publisher knows."""
    try:
        render = _GroupContent(member.title, member.options)
    except (TypeError, ValueError):
        # From another version of monitio, or truncated because they were too long.
        logger.exception("The options of the group %s are not used.", member.title)
        render = _GroupContent(member.title, {})
    return JobReporter(
        member.group,
        integration=QUEUE,
        name=member.title,
        recipients=recipients,
        render=render,
        # So that group_of() can restore the group from its job alone.
        arguments={"total": member.total, "options": member.options},
        cancellable=bool(member.options.get("cancel")),
        call=call or ("" if member.options.get("retryable") else None),
    )


def group_of(job: Job) -> Member:
    """A group restored from its job, as a member with the number 0."""
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
    """End the members of a cancelled group that have not begun; the ids of those that may run."""
    whole = group_of(job)
    numbers = GroupMember.objects.filter(group=job.task_id).values_list("number", "ended")
    known = dict(numbers)
    waiting = [number for number in range(whole.total) if number not in known]
    rows = [GroupMember(group=job.task_id, number=number, failed=True) for number in waiting]
    GroupMember.objects.bulk_create(rows, 1000, ignore_conflicts=True)
    recount(job.task_id)
    running = [number for number, ended in known.items() if not ended]
    return [member_id(job.task_id, number) for number in (*running, *waiting)]


class _GroupContent:
    """Renders a group's message: the counts replace the reason of a failure."""

    def __init__(self, title: str, options: dict[str, Any]) -> None:
        self.options = NotifyOptions(title=lambda outcome: title, arguments=("failed",), **options)
        self.has_failure_text = options.get("failure") is not None

    def __call__(self, outcome: Outcome) -> MessageContent | None:
        # Only completed members count.
        done, total = int(outcome.done or 0), int(outcome.total or 0)
        failed = total - done if outcome.state == State.FAILED else 0
        whole = None if outcome.done is None else done
        content = self.options.content(replace(outcome, done=whole, arguments={"failed": failed}))
        if content is None or outcome.state != State.FAILED or self.has_failure_text:
            return content
        counts = {"done": done, "total": total, "failed": failed}
        text = _("%(done)d of %(total)d parts are done, %(failed)d failed.") % counts
        return replace(content, message=text)


def check(title: str, options: dict[str, Any]) -> None:
    """Raise ``TypeError`` or ``ValueError`` for invalid options."""
    _GroupContent(title, options)


def _numbers(ranges: Ranges) -> list[int]:
    return [number for start, stop in ranges for number in range(start, stop)]
