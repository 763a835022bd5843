"""The protocol of one stream, without I/O: commands out, answers in.

A driver (drivers.py, asgi.py) carries the commands out, with threads or an event loop. Every rule
of a stream stands here once, and is tested without a server.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import DatabaseError

from monitio.conf import settings
from monitio.stream import frames
from monitio.stream.identity import Identity, SiteUnavailable
from monitio.stream.mailbox import Mailbox, MailboxContents
from monitio.utils.measure import record

logger = logging.getLogger("monitio")

# Seconds that a first snapshot waits for the transport.
SUBSCRIBE_TIMEOUT = 1.0
# Seconds until the first check: a log-out between the request and the subscription is found then.
# Long enough for the broadcaster to make it before, for all new streams together: its looks are 2
# to 3 s apart, and snapshots go first. With 3.5, 450 of 1,000 new streams were checked one by one.
FIRST_CHECK = 6.0
# Seconds between the two checks of a session that may have ended.
SECOND_CHECK = 1.0


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes to the client."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep until the mailbox wakes or this many seconds have passed.

    A wake-up since the last wait, also one during another command, ends it at once.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Query:
    """Call this where the database may be used, close the connection, answer with the result.

    An exception is thrown into the protocol. One result serves all that wait with the same key.
    """

    function: Callable[[], Any]
    key: Hashable = None


Command = Send | Wait | Query
StreamProtocol = Generator[Command, Any, None]


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamSource:
    """The queries of a stream."""

    # The frame of a snapshot, or a "resync" for a page that has the one with this mark.
    snapshot: Callable[[str], bytes]
    # Whether the site would still open the stream for the same recipient. Raises SiteUnavailable.
    still_valid: Callable[[], bool]
    # Set when the process is about to stop.
    stopping: Callable[[], bool]
    # Who opened it; None: the broadcaster does not check it.
    identity: Identity | None = None
    # Equal for streams that get the same snapshot.
    key: Hashable = None
    # The mark of the snapshot that the page has, "" for none.
    has: str = ""

    def read(self, has: str) -> Query:
        return Query(partial(self.snapshot, has), self.key and (self.key, has))


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
    """Everything between ``retry`` and ``bye``; returns the reason of ``bye``."""
    clock = _Clock(mailbox)
    # Events are received before the snapshot is read, so one snapshot is enough; the page gets it
    # in any case, also when the transport does not answer.
    deadline = time.monotonic() + SUBSCRIBE_TIMEOUT
    while not mailbox.is_subscribed and not source.stopping() and time.monotonic() < deadline:
        yield Wait(max(0.0, deadline - time.monotonic()))
    mailbox.begin()
    has, reason = source.has, "open"
    opened = time.monotonic()
    while not source.stopping():
        if clock.is_old():
            return "age"
        # Before the database is read: what arrives during the reading is sent after it.
        contents = mailbox.take()
        if clock.must_recheck(contents) and not (yield Query(source.still_valid)):
            return "signed-out"
        if contents.resync:
            yield Send((yield source.read(has)))
            if reason == "open":
                record("first_event", time.monotonic() - opened)
            record("snapshots", reason="gap" if contents.gap and reason != "open" else reason)
            has, reason = "", "event"
            clock.sent()
        elif contents.frames:
            yield Send(b"".join(contents.frames))
            clock.sent()
        elif clock.is_silent():
            # Without writing, some servers do not notice that the client has left.
            yield Send(frames.BEAT)
            clock.sent()
        # What came meanwhile has woken the mailbox, and ends this wait at once.
        yield Wait(clock.until_next())
    return "shutdown"


class _Clock:
    """When a stream is too old or silent, and when its session has to be checked."""

    __slots__ = ("_beat_at", "_end", "_heartbeat", "_mailbox", "_second_check_at")

    def __init__(self, mailbox: Mailbox) -> None:
        now = time.monotonic()
        self._mailbox = mailbox
        self._heartbeat = float(settings.STREAM_HEARTBEAT)
        # Random, so that not all pages come back at once.
        self._end: float = now + settings.STREAM_MAX_AGE * random.uniform(0.8, 1.2)  # noqa: S311
        interval = float(settings.STREAM_RECHECK)
        mailbox.recheck_at = now + (min(interval, FIRST_CHECK) if mailbox.identity else interval)
        self._beat_at = self._second_check_at = math.inf

    def sent(self) -> None:
        """Something was written just now."""
        self._beat_at = time.monotonic() + self._heartbeat

    def is_silent(self) -> bool:
        return time.monotonic() >= self._beat_at

    def is_old(self) -> bool:
        return time.monotonic() >= self._end

    def must_recheck(self, contents: MailboxContents) -> bool:
        """Whether to check now: every STREAM_RECHECK seconds, after a gap, and after an event.

        After an event twice: Django sends ``user_logged_out`` before the session has ended.
        """
        now = time.monotonic()
        if not (contents.recheck or now >= min(self._mailbox.recheck_at, self._second_check_at)):
            return contents.gap
        self._mailbox.recheck_at = now + settings.STREAM_RECHECK
        self._second_check_at = now + SECOND_CHECK if contents.recheck else math.inf
        return True

    def until_next(self) -> float:
        """Seconds to sleep when nothing happens."""
        due = min(self._beat_at, self._end, self._mailbox.recheck_at, self._second_check_at)
        return max(0.0, due - time.monotonic())


def finite(source: StreamSource) -> StreamProtocol:
    """One snapshot and an end, for a process that cannot hold another stream.

    EventSource connects again after ``retry``: the page polls and misses nothing.
    """
    yield Send(frames.retry(settings.STREAM_RETRY))
    yield Send((yield source.read(source.has)))
    record("snapshots", reason="poll")
    yield _bye("busy")


def _bye(reason: str) -> Send:
    data = {"reason": reason, "retry": settings.STREAM_RETRY}
    return Send(frames.event("bye", data))
