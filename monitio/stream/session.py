"""One stream as a conversation without I/O: commands out, answers in.

A driver (serving.py) carries the commands out in its own world, threads or an event loop. So every
rule of a stream stands here once, and is tested without a server.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from monitio.conf import settings
from monitio.stream import frames
from monitio.stream.hub import Mailbox
from monitio.stream.payload import Payload


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes to the client."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep until the mailbox wakes or this many seconds have passed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """Call this where the database may be used, give the connection back, answer its result."""

    function: Callable[[], Any]


Command = Send | Wait | Load
Conversation = Generator[Command, Any, None]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a conversation asks the database."""

    snapshot: Callable[[], Payload]
    # Whether whoever opened the stream still is who they were.
    still_valid: Callable[[], bool]
    # Set when the process is about to stop.
    stopping: Callable[[], bool]


def conversation(mailbox: Mailbox, source: Source) -> Conversation:
    """A stream from its first to its last byte."""
    now = time.monotonic()
    end = now + settings.STREAM_MAX_AGE * random.uniform(0.8, 1.2)  # noqa: S311 - spreads reconnects
    recheck_at = now + settings.STREAM_RECHECK
    yield Send(frames.retry(settings.STREAM_RETRY))
    mailbox.take()
    yield Send(frames.event("snapshot", (yield Load(source.snapshot))))
    while not source.stopping():
        now = time.monotonic()
        if now >= end:
            yield _bye("age")
            return
        # Taken before the database is read: what arrives during the reading comes after it.
        news = mailbox.take()
        if news.recheck or now >= recheck_at:
            recheck_at = now + settings.STREAM_RECHECK
            if not (yield Load(source.still_valid)):
                yield _bye("signed-out")
                return
        if news.resync:
            yield Send(frames.event("snapshot", (yield Load(source.snapshot))))
        elif news.frames:
            yield Send(b"".join(news.frames))
        else:
            woken = yield Wait(
                max(0.0, min(settings.STREAM_HEARTBEAT, end - now, recheck_at - now))
            )
            if not woken:
                # Also how a server without another sign notices that the client has left.
                yield Send(frames.PING)
    yield _bye("shutdown")


def finite(source: Source) -> Conversation:
    """One snapshot and an end: for a process that cannot hold another stream open.

    EventSource comes back after ``retry``, so the page polls and misses nothing.
    """
    yield Send(frames.retry(settings.STREAM_RETRY))
    yield Send(frames.event("snapshot", (yield Load(source.snapshot))))
    yield _bye("busy")


def _bye(reason: str) -> Send:
    data = {"reason": reason, "retry": settings.STREAM_RETRY}
    return Send(frames.event("bye", data))
