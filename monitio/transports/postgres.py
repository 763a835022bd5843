"""PostgreSQL's LISTEN/NOTIFY over a direct connection of its own, one channel for all topics.

One channel, because a LISTEN for a new topic would wait behind the reading of notifications. libpq
is driven by hand: every wait has a deadline, also when the server is frozen and answers
neither a connection nor a statement.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from monitio.conf import settings
from monitio.transports.base import Listener, Transport, Waker
from monitio.transports.events import SEPARATOR, Event, is_everybody, packed, unpacked
from monitio.utils.optional import import_optional

# A frozen server answers nothing and closes nothing: then this side closes the connection.
PING_EVERY, PONG_WITHIN = 3.0, 3.0
# One publish never holds a request longer than this.
PUBLISH_TIMEOUT = 1.0
# Seconds between two looks at the clock.
WAIT = 1.0
NOTIFY = b"SELECT pg_notify($1, payload) FROM json_array_elements_text($2::json) AS payload"


class PostgresTransport(Transport):
    def __init__(self) -> None:
        self._psycopg = import_optional(
            "psycopg.pq", extra="postgres", needed_by='MONITIO_TRANSPORT = "postgres"'
        )
        self._conninfo = _conninfo(self._psycopg)
        self._publisher: _Connection | None = None
        self._waker: Waker | None = None
        self._lock = threading.Lock()

    def publish(self, events: Sequence[Event]) -> None:
        deadline = time.monotonic() + PUBLISH_TIMEOUT
        if not self._lock.acquire(timeout=PUBLISH_TIMEOUT):
            raise TimeoutError("PostgreSQL does not answer another publisher of this process")
        try:
            self._notify([event.encode().decode() for event in packed(events)], deadline)
        finally:
            self._lock.release()

    def _notify(self, payloads: list[str], deadline: float) -> None:
        if self._publisher is not None:
            try:
                self._publisher.notify(_channel(), payloads, deadline)
                return
            except TimeoutError:
                self._disconnect()
                raise
            except ConnectionError:
                self._disconnect()  # it broke while it was idle: try once more
        self._publisher = self._connect(deadline)
        try:
            self._publisher.notify(_channel(), payloads, deadline)
        except OSError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None

    def _connect(self, deadline: float) -> _Connection:
        return _Connection(self._psycopg, self._conninfo, deadline)

    def listen(self, listener: Listener) -> None:
        connection = self._connect(time.monotonic() + PONG_WITHIN)
        try:
            connection.listen(_channel(), time.monotonic() + PONG_WITHIN)
            self._waker = connection.waker = Waker()
            _Subscription(connection, listener).run()
        finally:
            connection.close()

    def wake(self) -> None:
        if self._waker is not None:
            self._waker.wake()

    def check(self) -> list[checks.CheckMessage]:
        deadline = time.monotonic() + PUBLISH_TIMEOUT
        try:
            with (
                contextlib.closing(self._connect(deadline)) as listener,
                contextlib.closing(self._connect(deadline)) as publisher,
            ):
                if _receives(listener, publisher, deadline):
                    return []
        except OSError as error:
            return [
                checks.Warning(
                    f"monitio cannot reach PostgreSQL: {error}",
                    hint="Start it, or correct MONITIO_POSTGRES_DSN.",
                    id="monitio.W021",
                )
            ]
        return [
            checks.Warning(
                "monitio listens to PostgreSQL but receives nothing.",
                hint="A pooler such as pgbouncer drops LISTEN in transaction mode. "
                "Point MONITIO_POSTGRES_DSN directly at the server.",
                id="monitio.W022",
            )
        ]


class _Subscription:
    """Reads and pings one connection; raises ``TimeoutError`` when it stays silent."""

    def __init__(self, connection: _Connection, listener: Listener) -> None:
        self.connection, self.listener = connection, listener
        self.topics: set[str] = set()
        self.next_ping = time.monotonic() + PING_EVERY
        self.next_tick = 0.0

    def run(self) -> None:
        while not self.listener.stopping():
            opened, closed = self.listener.take_changes()
            if opened or closed:
                self.topics = (self.topics | opened) - closed
                self.listener.on_subscribed(opened)
            for payload in self.connection.notifications(time.monotonic() + min(WAIT, PING_EVERY)):
                event = Event.decode(payload)
                if event is None:
                    # Of another release, while one replaces the other: the topic stays its head.
                    self.listener.on_gap(payload.partition(SEPARATOR)[0].decode(errors="replace"))
                elif event.topic in self.topics or is_everybody(event.topic):
                    for change in unpacked(event, self.topics):
                        self.listener.receive(change)
            self._keep_alive(time.monotonic())

    def _keep_alive(self, now: float) -> None:
        if now >= self.next_ping:
            self.next_ping = now + PING_EVERY
            self.connection.execute(b"SELECT 1", deadline=now + PONG_WITHIN)
        if now >= self.next_tick:
            self.next_tick = now + 1.0
            self.listener.on_tick()


class _Connection:
    """An autocommit connection whose every call ends by its deadline (``time.monotonic()``).

    Raises ``TimeoutError`` then, and ``ConnectionError`` when the server refuses or hangs up.
    """

    def __init__(self, psycopg: Any, conninfo: str, deadline: float) -> None:
        self._psycopg, self._pq = psycopg, psycopg.pq
        # Ends the wait for notifications.
        self.waker: Waker | None = None
        self._libpq = self._pq.PGconn.connect_start(conninfo.encode())
        try:
            self._finish_connecting(deadline)
        except BaseException:
            self.close()
            raise
        self._libpq.nonblocking = 1

    def _finish_connecting(self, deadline: float) -> None:
        polling = self._pq.PollingStatus
        events = {
            polling.READING: selectors.EVENT_READ,
            polling.WRITING: selectors.EVENT_WRITE,
        }
        if self._libpq.status == self._pq.ConnStatus.BAD:
            raise self._error()
        # libpq requires a wait for WRITING before the first poll.
        status = polling.WRITING
        while status in events:
            if not self._wait(events[status], deadline):
                raise TimeoutError("PostgreSQL does not answer a connection")
            status = self._libpq.connect_poll()
        if status != polling.OK:
            raise self._error()

    def execute(self, command: bytes, *values: bytes, deadline: float) -> None:
        try:
            self._libpq.send_query_params(command, list(values))
            while self._libpq.flush():
                self._wait_for_answer(selectors.EVENT_READ | selectors.EVENT_WRITE, deadline)
            for result in self._results(deadline):
                if result.status == self._pq.ExecStatus.FATAL_ERROR:
                    raise ConnectionError(result.error_message.decode(errors="replace").strip())
        except self._psycopg.Error as error:
            raise ConnectionError(str(error)) from error

    def _results(self, deadline: float) -> Iterator[Any]:
        while True:
            while self._libpq.is_busy():
                self._wait_for_answer(selectors.EVENT_READ, deadline)
            result = self._libpq.get_result()
            if result is None:
                return
            yield result

    def notify(self, channel: str, payloads: list[str], deadline: float) -> None:
        # In one JSON parameter, which needs no quoting.
        self.execute(NOTIFY, channel.encode(), json.dumps(payloads).encode(), deadline=deadline)

    def listen(self, channel: str, deadline: float) -> None:
        name = channel.replace('"', '""')
        self.execute(f'LISTEN "{name}"'.encode(), deadline=deadline)

    def notifications(self, deadline: float) -> list[bytes]:
        """The payloads that have arrived, as soon as there is one; empty when it was woken."""
        found = list(self._received())
        if not found and self._wait_for_notifications(deadline):
            self._read()
            found = list(self._received())
        return found

    def _received(self) -> Iterator[bytes]:
        while (notification := self._libpq.notifies()) is not None:
            yield notification.extra

    def close(self) -> None:
        self._libpq.finish()
        if self.waker is not None:
            self.waker.close()

    def _wait_for_answer(self, events: int, deadline: float) -> None:
        if not self._wait(events, deadline):
            raise TimeoutError("PostgreSQL does not answer")
        self._read()

    def _read(self) -> None:
        try:
            self._libpq.consume_input()
        except self._psycopg.Error as error:
            raise ConnectionError(str(error)) from error

    def _wait(self, events: int, deadline: float) -> bool:
        # A new selector each time: while libpq connects, its socket may change.
        with selectors.DefaultSelector() as selector:
            selector.register(self._libpq.socket, events)
            return bool(selector.select(max(0.0, deadline - time.monotonic())))

    def _wait_for_notifications(self, deadline: float) -> bool:
        """Whether there is something to read; False at the deadline, and when it was woken."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._libpq.socket, selectors.EVENT_READ)
            if self.waker is not None:
                selector.register(self.waker, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(max(0.0, deadline - time.monotonic()))}
        if self.waker is not None and self.waker.fileno() in ready:
            self.waker.clear()
        return self._libpq.socket in ready

    def _error(self) -> ConnectionError:
        return ConnectionError(self._libpq.error_message.decode(errors="replace").strip())


def _receives(listener: _Connection, publisher: _Connection, deadline: float) -> bool:
    """Two connections: one that notifies itself would succeed behind a pooler, too."""
    channel = f"{_channel()}_check"
    listener.listen(channel, deadline)
    publisher.notify(channel, ["check"], deadline)
    while time.monotonic() < deadline:
        if listener.notifications(deadline):
            return True
    return False


def _channel() -> str:
    return str(settings.POSTGRES_CHANNEL)


def _conninfo(psycopg: Any) -> str:
    """``MONITIO_POSTGRES_DSN``, or the settings of Django's default database."""
    from psycopg.conninfo import make_conninfo

    named = settings.POSTGRES_DSN
    if named:
        try:
            return make_conninfo(str(named))
        except psycopg.ProgrammingError:
            # Without the cause, which may show the password.
            raise ImproperlyConfigured(
                "MONITIO_POSTGRES_DSN is not valid, for example "
                '"postgresql://user@host/name" or "host=… dbname=…".'
            ) from None
    default = connections["default"]
    if default.vendor != "postgresql":
        raise ImproperlyConfigured(
            'MONITIO_TRANSPORT = "postgres" needs MONITIO_POSTGRES_DSN, for example '
            '"postgresql://user@host/name": the default database is not PostgreSQL.'
        )
    configured = default.settings_dict
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    options = {name: value for name, value in configured["OPTIONS"].items() if name in known}
    parameters = {
        "dbname": configured["NAME"],
        "user": configured["USER"],
        "password": configured["PASSWORD"],
        "host": configured["HOST"],
        "port": configured["PORT"],
    }
    given = {name: value for name, value in parameters.items() if value}
    return make_conninfo(**{"fallback_application_name": "monitio", **options, **given})
