"""The interface of transports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from django.core.checks import CheckMessage

from monitio.transports.breaker import Breaker
from monitio.transports.events import Event


class Listener(Protocol):
    """Receives the events of a transport: the broadcaster of a web process."""

    def receive(self, event: Event) -> None:
        """An event was published."""

    def on_gap(self, topic: str | None = None) -> None:
        """Events of this topic, or of all topics, may have been missed."""

    def topics(self) -> set[str]:
        """The topics of the open streams. They change: ask before each read.

        Events of ``EVERYBODY`` are received as well.
        """

    def on_tick(self) -> None:
        """Called about once a second from the listening thread."""

    def stopping(self) -> bool:
        """True when listening should end."""


class Transport(ABC):
    """Carries events between processes. A new one is a file with this class and its tests.

    It may lose events, but must then call ``Listener.on_gap``. It also calls it once for each topic
    as soon as it receives that topic.
    """

    # Events are rows: one that is published inside a transaction waits for its commit or blocks it.
    in_database = False
    # Seconds between two events of a progress bar, at least; MONITIO_PROGRESS_PUSH_INTERVAL is the
    # other limit.
    push_interval = 0.0

    breaker: Breaker

    @abstractmethod
    def publish(self, events: Sequence[Event]) -> None:
        """Publish. Returns within about a second or raises."""

    @abstractmethod
    def listen(self, listener: Listener) -> None:
        """Pass events to ``listener`` until its ``stopping()``. Blocks; raises when cut off."""

    def check(self) -> list[CheckMessage]:
        """Errors of the configuration. May open connections."""
        return []
