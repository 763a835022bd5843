"""Whether an event that is published arrives."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connections

from monitio import scope
from monitio.conf import settings
from monitio.management.doctor.registry import NOTHING_LIVE, Site, Skip, fault
from monitio.transports import Event, load
from monitio.transports.events import RESYNC
from monitio.utils.outage import one_line

# Seconds that an event may take.
WITHIN = 5.0


class Listening:
    """A ``Listener`` as a web process has it, of these topics."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._opened = set(topics)
        self._missing = set(topics)
        self.subscribed, self._stopped = threading.Event(), threading.Event()
        self.error = ""
        self._changed = threading.Condition()

    def take_changes(self) -> tuple[set[str], set[str]]:
        opened, self._opened = self._opened, set()
        return opened, set()

    def on_subscribed(self, topics: Iterable[str]) -> None:
        if set(topics):
            self.subscribed.set()

    def receive(self, event: Event) -> None:
        with self._changed:
            self._missing.discard(event.topic)
            self._changed.notify_all()

    def on_gap(self, topic: str | None = None) -> None: ...

    def event_loop(self) -> None: ...

    def on_tick(self) -> None: ...

    def stopping(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        self._stopped.set()

    def missing(self, seconds: float = WITHIN) -> set[str]:
        """The topics without an event, after this many seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._missing, seconds)
            return set(self._missing)


def topic_of(name: str) -> str:
    """A topic that belongs to no recipient."""
    return scope.key_in(scope.current(), f"doctor:{name}"[:150])


@contextmanager
def listening(topics: Iterable[str]) -> Iterator[Listening]:
    """Listen to these topics as a web process does. Raises ``Skip`` where a hub does it."""
    if settings.STREAM:
        raise Skip("A hub holds the streams (MONITIO_STREAM).")
    transport = load(settings.TRANSPORT)
    listener = Listening(topics)

    def listen() -> None:
        try:
            transport.listen(listener)
        except Exception as error:
            listener.error = one_line(error)
            listener.subscribed.set()
        finally:
            connections.close_all()

    thread = threading.Thread(target=scope.bind(listen), name="monitio-doctor", daemon=True)
    thread.start()
    try:
        listener.subscribed.wait(WITHIN)
        yield listener
    finally:
        listener.stop()
        transport.wake()
        thread.join(WITHIN)


@fault(
    "transport.event",
    symptom=NOTHING_LIVE,
    cause="The transport loses what is published: its server is down, or a pooler is in between.",
    cure="Start the server, and correct MONITIO_TRANSPORT with its URL or DSN.",
    docs="transports.md",
)
def an_event_arrives(site: Site) -> str | None:
    topic = topic_of(secrets.token_hex(8))
    with listening([topic]) as listener:
        if listener.error:
            return listener.error
        try:
            load(settings.TRANSPORT).publish([Event(topic, RESYNC)])
        except Exception as error:
            return one_line(error)
        return f"An event did not arrive in {WITHIN:.0f} s." if listener.missing() else None
