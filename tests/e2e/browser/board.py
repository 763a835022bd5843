"""One hour of jobs for the admin's board."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

import monitio
from monitio.constants import State
from monitio.jobs.retry import stored_call
from monitio.models import Job, JobRun, Message
from monitio.recipients import Recipient

PATH = "/admin/monitio/job/board/"
IMPORT, BANK, ARCHIVE = "contacts.import_contacts", "bank.exchange_rates", "archive.yearly_archive"
REPORT, VIDEO, BRANCHES = "reports.monthly_report", "media.video_preview", "Branch check"
ENDED_IN_THE_HOUR = 1200


def fill(ann: Any, bob: Any) -> None:
    """Create running, waiting, failed and ended jobs; one running job sends no heartbeats."""
    now, dice = timezone.now(), random.Random(7)
    people = [Recipient.of(ann), Recipient.of(bob)]
    ended = [_ended(number, now, dice, people) for number in range(ENDED_IN_THE_HOUR)]
    Job.objects.bulk_create(ended)
    for number in range(37):
        _failed(f"bank{number}", now - timedelta(seconds=100 + 30 * number), people)
    rows: list[dict[str, Any]] = [
        {"name": IMPORT, "completed": 8000, "total": 20_000, "rate": 1700},
        {"name": ARCHIVE, "completed": 37, "total": 52, "rate": 0.9, "cancellable": True},
        {"name": BRANCHES, "completed": 18, "total": 84, "rate": 1.4},
        {"name": REPORT, "completed": 48, "total": 50, "alive_at": now - timedelta(minutes=3)},
    ]
    for number, fields in enumerate(rows):
        _open(f"running{number}", State.STARTED, people[: 1 + number % 2], now, 40, **fields)
    for number, (name, age) in enumerate([("mails.newsletter", 48), (REPORT, 6), (VIDEO, 2)]):
        _open(f"waiting{number}", State.QUEUED, people[:1], now, age, name=name)
    _open("later", State.RETRYING, people[:1], now, 9, name=BANK, attempt=2,
          due_at=now + timedelta(minutes=1))  # fmt: skip


def _open(
    task_id: str, state: str, people: list[Recipient], now: datetime, age: float, **fields: Any
) -> None:
    begun = {"alive_at": now, "started_at": now - timedelta(seconds=age)}
    Job.objects.create(
        task_id=task_id,
        state=state,
        queue="mail" if "newsletter" in fields["name"] else "default",
        recipients=[person.to_dict() for person in people],
        created=now - timedelta(seconds=age),
        **{**(begun if state == State.STARTED else {}), **fields},
    )


def _ended(number: int, now: datetime, dice: random.Random, people: list[Recipient]) -> Job:
    # Most of them are in the middle of the hour.
    age = dice.triangular(5, 3595, 1500)
    state = dice.choices((State.SUCCEEDED, State.REVOKED, State.LOST), (97, 2, 1))[0]
    end = now - timedelta(seconds=age)
    began = end - timedelta(seconds=dice.expovariate(0.2))
    return Job(
        task_id=f"ended{number}",
        name=dice.choice((IMPORT, REPORT, VIDEO, ARCHIVE)),
        state=state,
        recipients=[dice.choice(people).to_dict()],
        created=began - timedelta(seconds=dice.expovariate(1)),
        started_at=began,
        finished_at=end,
        alive_at=end,
    )


def _failed(task_id: str, end: datetime, people: list[Recipient]) -> None:
    """A failed job that can be retried, with its message."""
    person = people[0]
    job = Job.objects.create(
        task_id=task_id,
        name=BANK,
        state=State.FAILED,
        error="ConnectionError: bank.example does not answer",
        recipients=[person.to_dict()],
        retryable=True,
        integration="tests",
        created=end - timedelta(seconds=10),
        started_at=end - timedelta(seconds=9.8),
        finished_at=end,
    )
    JobRun.objects.create(job=job, task_id=task_id, call=stored_call(BANK, (), {}) or "")
    message = Message(job=job, level=monitio.ERROR, message="The bank did not answer.")
    message.recipient = person
    message.prepare()
    message.save()
