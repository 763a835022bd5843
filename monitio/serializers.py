"""The JSON that browsers get: one message, and the snapshot of a recipient.

Plain text only. A message marked safe shows as HTML in Django templates and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from django.utils import timezone

from monitio.conf import settings
from monitio.constants import is_persistent, level_name
from monitio.models import Job, Message, plain_text, reading
from monitio.models.texts import tags_of
from monitio.recipients import Recipient, name_of
from monitio.utils.icons import ICONS, avatar_of

Payload = dict[str, Any]
# What makes a message of a snapshot another one.
MARKED = ("id", "version", "read", "seen", "from_user_id", "running")


def payload(message: Message) -> Payload:
    """One message. Queries ``job`` and ``from_user`` unless they are loaded."""
    job = message.job if message.job_id else None
    return _payload(message, job, message.from_user if message.from_user_id else None)


def _payload(message: Message | reading.Shown, job: Job | None, sender: Any) -> Payload:
    level, seconds_left = message.level, None
    if message.expires is not None:
        seconds_left = max(0.0, round((message.expires - timezone.now()).total_seconds(), 1))
    sent = {
        "id": message.id,
        "version": message.version,
        "seq": job.seq if job else 0,
        "level": level_name(level),
        "tags": tags_of(message.extra_tags, level),
        "title": message.subject,
        "body": plain_text(message.message),
        "url": message.url or None,
        "url_label": message.url_label,
        "persistent": is_persistent(level),
        "read": message.read,
        "seen": message.seen,
        "created": message.created.isoformat(),
        "expires_in": seconds_left,
        "close_timeout": message.close_timeout,
        "from": name_of(sender) or None,
        "job": job_payload(job) if job else None,
    }
    if path := ICONS.get(message.icon):
        sent["icon"] = path
    if picture := avatar_of(sender):
        sent["avatar"] = picture
    return sent


def job_payload(job: Job) -> Payload:
    """The part of a job's message that moves.

    ``percent`` is None when the total is unknown. ``eta`` (seconds left) and ``rate`` (steps a
    second) are None until they can be estimated, and at the end.
    """
    moving = {
        "task": job.task_id,
        "state": job.state,
        "percent": job.percent,
        "done": job.completed,
        "total": job.total,
        "text": job.status_text,
        "eta": job.eta,
        "rate": job.pace,
        "cancel": job.may_be_cancelled,
        "retry": job.may_be_retried,
    }
    return moving | {"files": job.attached} if job.files else moving


def snapshot(recipient: Recipient, *, marked: bool = False) -> Payload:
    """What ``recipient`` should see now.

    ``{"messages", "unread", "unread_capped", "floor", "heartbeat"}``.
    The newest ``MONITIO_SNAPSHOT_SIZE`` messages and every running job. The list is complete from
    the id ``floor`` on: a browser drops what it has at or above it and does not find here.
    ``heartbeat`` is the longest time, in seconds, for which a working stream is silent.
    ``marked`` adds ``snapshot_mark`` as ``mark``.
    """
    rows, jobs, floor = reading.shown(recipient, settings.SNAPSHOT_SIZE)
    senders = reading.senders({row.from_user_id for row in rows} - {None})
    unread = (
        reading.count_unread(recipient)
        if floor
        else sum(1 for row in rows if not row.read and is_persistent(row.level))
    )
    mark = {}
    if marked:
        mark = {"mark": _mark(map(attrgetter(*MARKED), rows), senders, floor and unread)}
    return {
        "messages": [
            _payload(row, jobs.get(row.job_id), senders.get(row.from_user_id)) for row in rows
        ],
        **unread_payload(unread),
        "floor": floor,
        # A hub sends no heartbeats, but renews its streams.
        "heartbeat": settings.STREAM_RECHECK if settings.STREAM else settings.STREAM_HEARTBEAT,
        **mark,
    }


def snapshot_mark(recipient: Recipient) -> str:
    """Differs when another snapshot would; "" while jobs run, whose bars move without a version.

    A page that has a snapshot's mark, and no later event, needs no other: 3 queries of some numbers
    and names instead of 100 messages.
    """
    rows, floor = reading.newest_rows(recipient, settings.SNAPSHOT_SIZE, MARKED)
    senders = reading.senders({row[MARKED.index("from_user_id")] for row in rows} - {None})
    return _mark(rows, senders, floor and reading.count_unread(recipient))


def _mark(rows: Iterable[Sequence[Any]], senders: dict[Any, Any], unread_below: int) -> str:
    shown = [tuple(row) for row in rows]
    if any(running for *_, running in shown):
        return ""
    # A new name is no new version.
    names = sorted((pk, name_of(sender)) for pk, sender in senders.items())
    content = shown, names, unread_below
    return blake2b(repr(content).encode(), digest_size=12).hexdigest()


def unread_payload(count: int) -> Payload:
    """``unread_capped``: there may be more, so that changes of the number are unknown."""
    return {"unread": count, "unread_capped": count >= reading.MOST_COUNTED}
