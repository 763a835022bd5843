"""The JSON that browsers get: one message, and the snapshot of a recipient.

Plain text only. A message marked safe shows as HTML in Django templates and nowhere else.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from monitio.conf import settings
from monitio.models import Job, Message, reading
from monitio.recipients import Recipient

Payload = dict[str, Any]


def payload(message: Message) -> Payload:
    """One message. Queries ``job`` and ``from_user`` unless they are loaded."""
    job, seconds_left = message.job, None
    if message.expires is not None:
        seconds_left = max(0.0, round((message.expires - timezone.now()).total_seconds(), 1))
    return {
        "id": message.pk,
        "version": message.version,
        "seq": job.seq if job else 0,
        "level": message.level_name,
        "tags": message.tags,
        "title": message.subject,
        "body": message.text,
        "url": message.url or None,
        "url_label": message.url_label,
        "persistent": message.is_persistent(),
        "read": message.read,
        "seen": message.seen,
        "created": message.created.isoformat(),
        "expires_in": seconds_left,
        "close_timeout": message.close_timeout,
        "from": message.sender or None,
        "job": job_payload(job) if job else None,
    }


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


def snapshot(recipient: Recipient) -> Payload:
    """What ``recipient`` should see now.

    ``{"messages", "unread", "unread_capped", "floor", "heartbeat"}``.
    The newest ``MONITIO_SNAPSHOT_SIZE`` messages and every running job. The list is complete from
    the id ``floor`` on: a browser drops what it has at or above it and does not find here.
    ``heartbeat`` is the longest time, in seconds, for which a working stream is silent.
    """
    messages, floor = reading.newest(recipient, settings.SNAPSHOT_SIZE, reading.PAYLOAD)
    unread = (
        reading.count_unread(recipient)
        if floor
        else sum(1 for message in messages if not message.read and message.is_persistent())
    )
    return {
        "messages": [payload(message) for message in messages],
        **unread_payload(unread),
        "floor": floor,
        # A hub sends no heartbeats, but renews its streams.
        "heartbeat": settings.STREAM_RECHECK if settings.STREAM else settings.STREAM_HEARTBEAT,
    }


def unread_payload(count: int) -> Payload:
    """``unread_capped``: there may be more, so that changes of the number are unknown."""
    return {"unread": count, "unread_capped": count >= reading.MOST_COUNTED}
