"""What one open stream still has to send or to do."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from monitio.stream.identity import Identity

CAPACITY = 100
# (version, seq) of a message
Rank = tuple[int, int]


@dataclass(slots=True)
class MailboxContents:
    """What a stream takes from its mailbox."""

    frames: list[bytes] = field(default_factory=list)
    # Take a new snapshot.
    resync: bool = False
    # Check the session: it may have ended.
    recheck: bool = False
    # Events may have been missed, also one that a session has ended.
    gap: bool = False


class Mailbox:
    """The frames that one stream has not sent yet; more than ``CAPACITY`` become a snapshot.

    Only the newest state of a message is kept, so a slow client gets fewer frames, not older ones.
    """

    __slots__ = (
        "_begun", "_frames", "_gap", "_lock", "_recheck", "_resync", "_wake", "address", "identity",
        "is_subscribed", "recheck_at", "topic",
    )  # fmt: skip

    def __init__(
        self, topic: str, wake: Callable[[], None], identity: Identity | None = None
    ) -> None:
        self.topic = topic
        self.identity = identity
        # time.monotonic() at which the stream itself checks its session.
        self.recheck_at = math.inf
        # Counts against the limit of this address.
        self.address = ""
        # Whether the transport brings every event of the topic.
        self.is_subscribed = False
        self._wake = wake
        self._lock = threading.Lock()
        self._frames: dict[object, tuple[Rank, bytes]] = {}
        self._begun = self._resync = self._recheck = self._gap = False

    def begin(self) -> None:
        """The stream is about to take its first snapshot, which holds all that came before."""
        with self._lock:
            self._frames.clear()
            self._begun = self._resync = True

    def subscribed(self) -> None:
        """Every event is received from now on, but some since ``begin`` may have been missed."""
        if self._begun:
            self.resync(gap=True)
        self.is_subscribed = True
        self._wake()

    def put(self, key: object, frame: bytes, rank: Rank = (0, 0)) -> None:
        with self._lock:
            if not self._resync:  # else the snapshot will hold it
                waiting = self._frames.pop(key, (rank, frame))
                # Events may overtake each other: the higher version is newer.
                self._frames[key] = (rank, frame) if rank >= waiting[0] else waiting
                if len(self._frames) > CAPACITY:
                    self._frames.clear()
                    self._resync = True
        self._wake()

    def resync(self, *, gap: bool = False) -> None:
        """Ask for a snapshot. ``gap``: events may have been missed, also that of a log-out."""
        with self._lock:
            self._frames.clear()
            self._resync = True
            self._gap |= gap
        self._wake()

    def recheck(self) -> None:
        with self._lock:
            self._recheck = True
        self._wake()

    def take(self) -> MailboxContents:
        """Empty the mailbox. Call it before the database is read, never after."""
        with self._lock:
            waiting = [frame for _, frame in self._frames.values()]
            contents = MailboxContents(waiting, self._resync, self._recheck, self._gap)
            self._frames.clear()
            self._resync = self._recheck = self._gap = False
            return contents

    def wake(self) -> None:
        self._wake()

    def close(self) -> None:
        """Let the stream go, so that its memory needs no garbage collection."""
        self._wake = _wake_nothing


def _wake_nothing() -> None:
    pass
