"""One stream as a conversation without I/O: commands out, answers in.

A driver (serving.py) carries the commands out in its own world, threads or an event loop. So every
rule of a stream stands here once, and is tested without a server.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError

from monitio.conf import settings
from monitio.serializers import Payload
from monitio.stream import frames
from monitio.stream.broadcaster import Mailbox, MailboxContents
from monitio.stream.identity import Identity, SiteUnavailable

logger = logging.getLogger("monitio")

# Seconds between the two looks at a session that may have ended.
LOOK_AGAIN = 1.0


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes to the client."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep until the mailbox wakes or this many seconds have passed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Query:
    """Call this where the database may be used, give the connection back, answer its result.

    What it raises is thrown into the conversation.
    """

    function: Callable[[], Any]


Command = Send | Wait | Query
StreamProtocol = Generator[Command, Any, None]


@dataclass(frozen=True, kw_only=True)
class StreamSource:
    """What a conversation asks the database."""

    snapshot: Callable[[], Payload]
    # Whether the site would still open the stream for the same recipient; or SiteUnavailable.
    still_valid: Callable[[], bool]
    # Set when the process is about to stop.
    stopping: Callable[[], bool]
    # Who opened it; None: that is not compared with others at once.
    identity: Identity | None = None


def stream_protocol(mailbox: Mailbox, source: StreamSource) -> StreamProtocol:
    """A stream from its first to its last byte."""
    yield Send(frames.retry(settings.STREAM_RETRY))
    try:
        reason = yield from _until_the_end(mailbox, source)
    except DatabaseError as error:
        logger.warning("A stream ends because the database does not answer: %s", error)
        reason = "busy"
    except SiteUnavailable as error:
        logger.info("A stream ends for now: %s.", error)
        reason = "busy"
    yield _bye(reason)


def _until_the_end(mailbox: Mailbox, source: StreamSource) -> Generator[Command, Any, str]:
    """Everything between the first line and ``bye``; the reason to say there."""
    clock = _Clock(mailbox)
    mailbox.resync()
    while not source.stopping():
        if clock.is_old():
            return "age"
        # Taken before the database is read: what arrives during the reading comes after it.
        news = mailbox.take()
        if clock.must_recheck(news) and not (yield Query(source.still_valid)):
            return "signed-out"
        if news.resync:
            yield Send(frames.event("snapshot", (yield Query(source.snapshot))))
        elif news.frames:
            yield Send(b"".join(news.frames))
        elif not (yield Wait(clock.until_next())):
            # Also how a server without another sign notices that the client has left.
            yield Send(frames.BEAT)
    return "shutdown"


class _Clock:
    """When a stream is too old, and when its session has to be looked at again."""

    def __init__(self, mailbox: Mailbox) -> None:
        now = time.monotonic()
        self._mailbox = mailbox
        # Spread, so that not all pages come back at once.
        self._end: float = now + settings.STREAM_MAX_AGE * random.uniform(0.8, 1.2)  # noqa: S311
        mailbox.recheck_at = now + settings.STREAM_RECHECK
        self._look_again_at = math.inf

    def is_old(self) -> bool:
        return time.monotonic() >= self._end

    def must_recheck(self, news: MailboxContents) -> bool:
        """Whether to look now: every while, after a gap, and when a bell asks.

        Then once more a moment later: Django says that somebody logs out before it is done.
        """
        now = time.monotonic()
        if not (news.recheck or now >= min(self._mailbox.recheck_at, self._look_again_at)):
            return news.gap
        self._mailbox.recheck_at = now + settings.STREAM_RECHECK
        self._look_again_at = now + LOOK_AGAIN if news.recheck else math.inf
        return True

    def until_next(self) -> float:
        """Seconds to sleep when nothing happens."""
        now, heartbeat = time.monotonic(), float(settings.STREAM_HEARTBEAT)
        next_look = min(self._mailbox.recheck_at, self._look_again_at)
        return max(0.0, min(heartbeat, self._end - now, next_look - now))


def finite(source: StreamSource) -> StreamProtocol:
    """One snapshot and an end: for a process that cannot hold another stream open.

    EventSource comes back after ``retry``, so the page polls and misses nothing.
    """
    yield Send(frames.retry(settings.STREAM_RETRY))
    yield Send(frames.event("snapshot", (yield Query(source.snapshot))))
    yield _bye("busy")


def _bye(reason: str) -> Send:
    data = {"reason": reason, "retry": settings.STREAM_RETRY}
    return Send(frames.event("bye", data))
