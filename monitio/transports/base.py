"""What every transport offers, and the bells it carries."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.core.checks import CheckMessage
from django.core.serializers.json import DjangoJSONEncoder

# What PostgreSQL's NOTIFY takes, and far more than a notification should be.
MAX_BYTES = 7_000

MESSAGE, GONE, RESYNC, RECHECK = "message", "gone", "resync", "recheck"
KINDS = frozenset({MESSAGE, GONE, RESYNC, RECHECK})


@dataclass(frozen=True, slots=True)
class Bell:
    """An announcement that a topic has news.

    ``message`` and ``gone`` carry the news as data; ``resync`` says to look it up; ``recheck`` says
    that a session of this recipient may have ended.
    """

    topic: str
    kind: str = RESYNC
    data: dict[str, Any] | None = None

    def encode(self) -> bytes:
        """JSON bytes; a bell too large to carry becomes ``resync``."""
        encoded = _dump({"topic": self.topic, "kind": self.kind, "data": self.data})
        if len(encoded) <= MAX_BYTES:
            return encoded
        return _dump({"topic": self.topic, "kind": RESYNC, "data": None})

    @classmethod
    def decode(cls, raw: bytes | str) -> Bell | None:
        """The bell in these bytes, None when they hold none: others may share the channel."""
        try:
            fields = json.loads(raw)
            bell = cls(fields["topic"], fields["kind"], fields.get("data"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return bell if bell.kind in KINDS else None


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, cls=DjangoJSONEncoder, separators=(",", ":")).encode()


class Ears(Protocol):
    """Whom a listening transport tells: the hub."""

    def hear(self, bell: Bell) -> None:
        """A bell rang."""

    def gap(self, topic: str | None = None) -> None:
        """Bells of this topic, or of all, may have been missed."""

    def topics(self) -> set[str]:
        """The topics of the open streams."""

    def tick(self) -> None:
        """Called about once a second from the listening thread."""

    def stopping(self) -> bool:
        """True when listening should end."""


class Transport(ABC):
    """Carries bells between processes. A new one is a file with this class and its tests.

    It may lose bells when it has to, but must then call ``Ears.gap``.
    """

    # Bells are rows: one that rings inside a transaction would wait for its commit, or block it.
    in_database = False
    # Seconds between two bells of a moving bar.
    push_interval = 0.25

    @abstractmethod
    def publish(self, bells: Sequence[Bell]) -> None:
        """Ring. Returns within about a second or raises."""

    @abstractmethod
    def listen(self, ears: Ears) -> None:
        """Tell ``ears`` what rings until it says ``stopping``. Blocks; raises when cut off."""

    def follow(self, topic: str) -> None:  # noqa: B027 - nothing to do for most
        """A first stream of this topic has opened. Called from any thread."""

    def unfollow(self, topic: str) -> None:  # noqa: B027
        """The last stream of this topic has closed. Called from any thread."""

    def check(self) -> list[CheckMessage]:
        """What is wrong with how it is configured. May open connections."""
        return []


class Breaker:
    """Lets a caller pay for a dead transport once: after a failure, nobody tries for a while."""

    def __init__(self, pause: float = 5.0) -> None:
        self.pause = pause
        self._retry_at = 0.0
        self._lock = threading.Lock()

    def may_try(self) -> bool:
        """Whether to try now. While broken, one caller in ``pause`` seconds is let through."""
        if not self._retry_at:
            return True
        with self._lock:
            if time.monotonic() < self._retry_at:
                return False
            self._retry_at = time.monotonic() + self.pause
            return True

    def failed(self) -> bool:
        """Note a failure; True when it is the first in a row, the one worth a log line."""
        with self._lock:
            first = not self._retry_at
            self._retry_at = time.monotonic() + self.pause
            return first

    def succeeded(self) -> None:
        self._retry_at = 0.0
