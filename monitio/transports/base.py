"""What every transport offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from django.core.checks import CheckMessage

from monitio.transports.breaker import Breaker
from monitio.transports.events import Event


class Listener(Protocol):
    """Whom a listening transport tells: the hub."""

    def receive(self, bell: Event) -> None:
        """A bell rang."""

    def on_gap(self, topic: str | None = None) -> None:
        """Bells of this topic, or of all, may have been missed."""

    def topics(self) -> set[str]:
        """The topics of the open streams. Asked again and again: they come and go.

        Bells of ``EVERYBODY`` are taken as well.
        """

    def on_tick(self) -> None:
        """Called about once a second from the listening thread."""

    def stopping(self) -> bool:
        """True when listening should end."""


class Transport(ABC):
    """Carries bells between processes. A new one is a file with this class and its tests.

    It may lose bells when it has to, but must then call ``Ears.gap``, and does so for each topic
    once it hears that topic.
    """

    # Bells are rows: one that rings inside a transaction would wait for its commit, or block it.
    in_database = False
    # Seconds between two bells of a moving bar.
    push_interval = 0.25

    breaker: Breaker

    @abstractmethod
    def publish(self, bells: Sequence[Event]) -> None:
        """Ring. Returns within about a second or raises."""

    @abstractmethod
    def listen(self, ears: Listener) -> None:
        """Tell ``ears`` what rings until it says ``stopping``. Blocks; raises when cut off."""

    def check(self) -> list[CheckMessage]:
        """What is wrong with how it is configured. May open connections."""
        return []
