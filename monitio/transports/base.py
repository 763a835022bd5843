"""The interface of transports."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Protocol

from django.core.checks import CheckMessage

from monitio.transports.breaker import Breaker
from monitio.transports.events import Event


class Listener(Protocol):
    """Receives the events of a transport: the broadcaster of a web process."""

    def take_changes(self) -> tuple[set[str], set[str]]:
        """The topics that streams have opened and closed since the last call; first, all open ones.

        Call it before each read, and when ``Transport.wake`` is called. Events of ``EVERYBODY`` are
        received as well.
        """

    def on_subscribed(self, topics: Iterable[str]) -> None:
        """Every event of these topics is received from now on. Again after an interruption."""

    def receive(self, event: Event) -> None:
        """An event was published."""

    def on_gap(self, topic: str | None = None) -> None:
        """Events of this topic, or of all topics, may have been missed."""

    def event_loop(self) -> asyncio.AbstractEventLoop | None:
        """The running event loop of the streams, if they have one.

        There, too, the methods above may be called but ``take_changes``.
        """

    def on_tick(self) -> None:
        """Called about once a second from the listening thread."""

    def stopping(self) -> bool:
        """True when listening should end."""


class Waker:
    """Ends a wait for a socket from any thread: wait for this one, too."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._is_woken = False
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        return self._reader.fileno()

    def wake(self) -> None:
        # Each call of send may hand the interpreter over to another thread.
        if not self._is_woken:
            self._is_woken = True
            # Full: it will wake anyway. Closed: nothing waits any more.
            with contextlib.suppress(OSError):
                self._writer.send(b"!")

    def clear(self) -> None:
        """Call it before looking for what to do, never after."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)
        # Last: a call meanwhile finds it set, and what it is about is found by the look.
        self._is_woken = False

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class Transport(ABC):
    """Carries events between processes. A new one is a file with this class and its tests.

    It may lose events, but must then call ``Listener.on_gap``, or ``on_subscribed`` again. Streams
    wait for ``on_subscribed`` before they read the database.
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

    def wake(self) -> None:  # noqa: B027 - optional
        """End a wait of ``listen``: there are changes to take, or it has to stop.

        Called from any thread. Without it, a stream waits for the end of that wait.
        """

    def check(self) -> list[CheckMessage]:
        """Errors of the configuration. May open connections."""
        return []
