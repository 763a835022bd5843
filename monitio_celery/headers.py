"""The one header that carries the recipients from the request to the worker and on.

Its value is JSON: ``{"to": [recipient, ...]}`` with ``Recipient.to_dict`` values, which hold a
primary key of a user or a token of a visitor, never a session key; ``"scope"``, the tenant or site
in which the task was started; ``"run"``, when it was published; ``"part"``, a member of a group;
``"heir"``, the run that a task replaces. Workers of other versions read these keys.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from monitio import scope as scopes
from monitio.exceptions import UnknownRecipient
from monitio.recipients import Recipient

HEADER = "monitio"
# The ids of the tasks that a canvas has published so far.
_published: ContextVar[set[str] | None] = ContextVar("monitio_published", default=None)
# Half-open ranges of numbers of members.
Ranges = Sequence[tuple[int, int]]
# Keys of the header that differ from the fields of ``Member``.
_FIELDS = {"skips": "successors", "follows": "predecessors"}

logger = logging.getLogger("monitio")


@dataclass(frozen=True, kw_only=True)
class Member:
    """A task's place in a group."""

    group: str
    number: int
    total: int
    title: str
    # The members that never run when this one fails, and those that have succeeded when this one
    # runs: Celery starts it before it sends their task_success.
    successors: Ranges = ()
    predecessors: Ranges = ()
    options: dict[str, Any]
    # ``lost_after=`` of its task, added by the worker: the sweep may not have the task.
    lost_after: float | None = None

    @property
    def own_limit(self) -> float | None:
        """``lost_after=`` of its task or its group, in seconds; None without either."""
        limit: float | None = self.options.get("lost_after")
        return limit if self.lost_after is None else self.lost_after

    @classmethod
    def from_dict(cls, value: object) -> Member | None:
        """None for what ``to_dict`` cannot have made."""
        if not isinstance(value, dict):
            return None
        fields = {_FIELDS.get(str(key), str(key)): part for key, part in value.items()}
        try:
            return cls(**fields)
        except TypeError:
            return None

    def to_dict(self) -> dict[str, Any]:
        names = {field: key for key, field in _FIELDS.items()}
        values = {names.get(field, field): value for field, value in vars(self).items()}
        if self.lost_after is None:
            del values["lost_after"]
        return values


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """The run that a task replaced by ``self.replace``."""

    task_id: str
    name: str
    run: int = 0
    member: Member | None = None


@dataclass(frozen=True, kw_only=True)
class TaskHeader:
    """The value of the header. ``to`` may be empty: the task has no recipients."""

    # Values of ``Recipient.to_dict``.
    to: list[Any]
    scope: str = ""
    # When the run was published, in milliseconds since 1970; 0 when unknown.
    run: int = 0
    group_member: Member | None = None
    replaces: Replaced | None = None

    @classmethod
    def for_recipients(cls, recipients: Iterable[Recipient]) -> TaskHeader:
        """A header in the current scope."""
        return cls(to=[recipient.to_dict() for recipient in recipients], scope=scopes.current())

    @classmethod
    def from_headers(cls, headers: object) -> TaskHeader | None:
        """monitio's entry in a task's headers; None when it is missing or malformed."""
        return cls.from_dict(headers.get(HEADER) if isinstance(headers, Mapping) else None)

    @classmethod
    def from_dict(cls, value: object) -> TaskHeader | None:
        if not isinstance(value, dict) or not isinstance(value.get("to"), list):
            return None
        replaced = value.get("heir")
        return cls(
            to=value["to"],
            scope=value.get("scope") or "",
            run=_milliseconds(value.get("run")),
            group_member=Member.from_dict(value["part"]) if "part" in value else None,
            replaces=Replaced(
                task_id=str(replaced.get("id")),
                name=str(replaced.get("name") or ""),
                run=_milliseconds(replaced.get("run")),
                member=Member.from_dict(replaced.get("part")),
            )
            if isinstance(replaced, dict)
            else None,
        )

    def to_dict(self) -> dict[str, Any]:
        value: dict[str, Any] = {"to": self.to}
        if self.scope:
            value["scope"] = self.scope
        if self.run:
            value["run"] = self.run
        if self.group_member is not None:
            value["part"] = self.group_member.to_dict()
        if (replaced := self.replaces) is not None:
            part = replaced.member and replaced.member.to_dict()
            own = {"id": replaced.task_id, "name": replaced.name, "run": replaced.run}
            value["heir"] = {**own, "part": part}
        return value

    def recipients(self) -> list[Recipient]:
        """The recipients, without malformed ones."""
        found = []
        for entry in self.to:
            try:
                found.append(Recipient.from_dict(entry))
            except UnknownRecipient:
                logger.warning("A task's header names a recipient that cannot be read.")
        return found

    def for_child(self) -> TaskHeader:
        """For tasks that this one starts: the same recipients, no group membership."""
        return replace(self, run=0, group_member=None)

    def of_a_new_run(self) -> TaskHeader:
        """For a run that is published now; an existing time of publishing stays."""
        return self if self.run else replace(self, run=time.time_ns() // 1_000_000)

    def replacing(self, task_id: str, name: str, header: TaskHeader | None) -> TaskHeader:
        """For a task that continues the run ``task_id``, whose header is given, under its id."""
        member, run = (None, 0) if header is None else (header.group_member, header.run)
        return replace(self, replaces=Replaced(task_id=task_id, name=name, run=run, member=member))

    def for_task(self, task_id: str) -> tuple[TaskHeader, str | None]:
        """As it applies to this task, and the name of the task it replaces, if any."""
        replaced = self.replaces
        if replaced is None or replaced.task_id != task_id:
            return self, None
        return replace(self, group_member=replaced.member, run=replaced.run), replaced.name or None


def _milliseconds(run: Any) -> int:
    return run if isinstance(run, int) and 0 < run < 2**62 else 0


def activate(header: TaskHeader | None) -> AbstractContextManager[Any]:
    """The scope a header names; without a header, the current one stays."""
    return nullcontext() if header is None else scopes.activate(header.scope)


def due_at(source: Mapping[str, Any]) -> datetime | None:
    """The latest time at which a worker should begin a task, by its ETA and expiry.

    ``source`` are the headers of its message, or the options of ``apply_async``.
    """
    moments = []
    for name in ("countdown", "eta", "expires"):
        value: Any = source.get(name)
        with suppress(TypeError, ValueError, OverflowError):  # missing, or malformed
            if isinstance(value, int | float):
                moment = datetime.now(UTC) + timedelta(seconds=value)
            else:
                moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            # Celery's own are in UTC unless they carry a time zone.
            moments.append(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return max(moments, default=None)


@contextmanager
def published_tasks() -> Iterator[set[str]]:
    """Collects the ids of the tasks that are published in this block."""
    published = set[str]()
    token = _published.set(published)
    try:
        yield published
    finally:
        _published.reset(token)


def note_published(task_id: str | None) -> None:
    published = _published.get()
    if published is not None and task_id:
        published.add(task_id)
