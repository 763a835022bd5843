"""Helpers for tests of jobs: reporters whose texts show the job's state, and a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import transaction

from monitio.jobs.reporter import JobReporter, MessageContent, Outcome, Render
from monitio.models import Message
from monitio.recipients import Recipient
from monitio.testing import Event


def plainly(outcome: Outcome) -> MessageContent:
    """Render state and attempt as the subject, progress as the text."""
    return MessageContent(
        subject=f"{outcome.state} {outcome.attempt}", message=f"{outcome.done} of {outcome.total}"
    )


def mailing(outcome: Outcome) -> MessageContent:
    return MessageContent(subject=outcome.state, message="text", email=True)


def reporter(
    *recipients: Any, task: str = "task-1", render: Render = plainly, **more: Any
) -> JobReporter:
    """A reporter for users or Recipients."""
    people = [Recipient.of(who) for who in recipients]
    return JobReporter(task, name="shop.report", recipients=people, render=render, **more)


def report(reporter: JobReporter, event: str) -> bool:
    """``"started"``, ``"started 1"``, ``"failed boom"``: the method and its argument."""
    name, _, argument = event.partition(" ")
    method: Callable[..., bool] = getattr(reporter, name)
    return method(int(argument) if argument.isdigit() else argument) if argument else method()


def subjects_of(who: Any) -> list[str]:
    """The subjects of the recipient's messages, oldest first."""
    rows = Message.objects.of(Recipient.of(who)).filter(hidden=False).order_by("pk")
    return list(rows.values_list("subject", flat=True))


class _Undone(Exception):
    pass


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back the transaction, or the savepoint inside one, at the end."""
    with suppress(_Undone), transaction.atomic():
        yield
        raise _Undone


def payloads(events: Iterable[Event]) -> list[dict[str, Any]]:
    return [event.data for event in events if event.data is not None]


class FakeClock:
    """Replaces ``time`` in the given modules; it stands still except for ``forward``, in seconds.

    Threads and event loops of the process keep the real clock. For their sake time-machine does not
    replace ``time.monotonic``, so it cannot be used here.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
        self.now = 1000.0
        for module in modules:
            monkeypatch.setattr(f"{module}.time", self)

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def forward(self, seconds: float) -> None:
        self.now += seconds
