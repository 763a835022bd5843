"""The embedded default: the database itself, no server to install.

An event writes one row per topic; every process that has open streams polls for changed rows. On
SQLite the poll is ``PRAGMA data_version`` (a few microseconds), elsewhere one indexed query a
process, however many streams.

A row carries no data: streams read what has changed. Only ``recheck`` has a row of its own, for a
log-out leaves no trace among the messages.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from monitio.conf import settings
from monitio.models import LastEvent
from monitio.scope import activate, by_scope
from monitio.transports.base import Listener, Transport
from monitio.transports.events import RECHECK, RESYNC, Event, everybody_in
from monitio.utils.database import lock_timeout

logger = logging.getLogger("monitio")

# Rows in one query: below SQLite's old limit of 999 parameters.
CHUNK = 500
RECHECK_MARK = "!"
# The nonce of each row; None: there is no such row.
Nonces = dict[str, int | None]


class PollingTransport(Transport):
    in_database = True
    # Every event is a write, so a progress bar moves as often as its job is written.
    push_interval = 1.0

    def __init__(self) -> None:
        self._woken = threading.Event()

    def publish(self, events: Sequence[Event]) -> None:
        # Sorted, so that no two publishers wait for each other.
        _in_scopes(sorted({_row_of(event) for event in events}), self._write)

    @staticmethod
    def _write(topics: list[str]) -> None:
        now = timezone.now()
        rows = [LastEvent(topic=row, nonce=secrets.randbits(62), modified=now) for row in topics]
        alias = router.db_for_write(LastEvent)
        connection = connections[alias]
        targets: dict[str, Any] = {"update_fields": ["nonce", "modified"]}
        if connection.features.supports_update_conflicts_with_target:
            targets["unique_fields"] = ["topic"]
        try:
            with lock_timeout(alias):
                LastEvent.objects.bulk_create(rows, CHUNK, update_conflicts=True, **targets)
        except DatabaseError:
            # Outside of requests Django does not replace a broken connection.
            connection.close_if_unusable_or_obsolete()
            raise

    def listen(self, listener: Listener) -> None:
        alias = router.db_for_write(LastEvent)
        # Its own connection: SQLite's data_version only counts what other connections write.
        connection = connections[alias].copy()
        try:
            self._watch(connection, listener)
        finally:
            connection.close()
            connections[alias].close()

    def _watch(self, connection: BaseDatabaseWrapper, listener: Listener) -> None:
        poll = _DataVersion(connection) if connection.vendor == "sqlite" else _Always()
        known: Nonces = {}
        followed: set[str] = set()
        topics: set[str] = set()
        next_tick = 0.0
        while not listener.stopping():
            self._woken.clear()
            opened, closed = listener.take_changes()
            if opened or closed:
                followed = (followed | opened) - closed
                topics = followed | {everybody_in(scope) for scope in by_scope(followed)}
            # Before the rows are read, so that the next poll finds a change during the reading.
            if poll.changed() or not topics <= known.keys():
                known = self._compare(topics, known, listener)
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + 1.0
                listener.on_tick()
            interval = settings.POLL_INTERVAL
            if interval is None:
                interval = 0.05 if connection.vendor == "sqlite" else 0.5
            self._woken.wait(interval)

    def wake(self) -> None:
        self._woken.set()

    def _compare(self, topics: set[str], known: Nonces, listener: Listener) -> Nonces:
        current: Nonces = {}
        _in_scopes(topics, lambda some: current.update(_nonces(some)))
        # Events before a first read are unknown.
        listener.on_subscribed((topics & current.keys()) - known.keys())
        for topic in topics & current.keys() & known.keys():
            for kind in (RECHECK, RESYNC):
                row = _row_of(Event(topic, kind))
                if current[row] != known[row]:
                    listener.receive(Event(topic, kind))
        return current


def _row_of(event: Event) -> str:
    return event.topic + RECHECK_MARK if event.kind == RECHECK else event.topic


class _DataVersion:
    """Whether another connection wrote to this SQLite file (https://sqlite.org/pragma.html)."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        connection.ensure_connection()
        # The driver's own cursor: Django's takes ten times as long as the statement.
        self.cursor = connection.connection.cursor()
        self.last = self._read()

    def changed(self) -> bool:
        previous, self.last = self.last, self._read()
        return previous != self.last

    def _read(self) -> int:
        (version,) = self.cursor.execute("PRAGMA data_version").fetchone()
        return int(version)


class _Always:
    def changed(self) -> bool:
        return True


def _in_scopes(topics: Iterable[str], work: Callable[[list[str]], object]) -> None:
    """Call ``work`` for the topics of each scope, in that scope.

    One that fails does not stop the others: its tenant may have been deleted. Raises when none
    succeeds, for then the database is away.
    """
    groups = by_scope(topics)
    failed: dict[str, Exception] = {}
    for scope, some in groups.items():
        try:
            with activate(scope):
                work(some)
            _left_out.discard(scope)
        except Exception as error:
            failed[scope] = error
    if failed and len(failed) == len(groups):
        raise next(iter(failed.values()))
    for scope in failed.keys() - _left_out:
        logger.warning("The events of scope %r are left out: %s", scope, failed[scope])
    _left_out.update(failed)


# Logged once, not at each poll.
_left_out: set[str] = set()


def _nonces(topics: Iterable[str]) -> Nonces:
    # Plain SQL: this runs several times a second, and the ORM would compile it each time.
    connection = connections[router.db_for_write(LastEvent)]
    quote = connection.ops.quote_name
    table, topic, nonce = quote(LastEvent._meta.db_table), quote("topic"), quote("nonce")
    wanted = sorted(_row_of(Event(name, kind)) for name in topics for kind in (RESYNC, RECHECK))
    found: Nonces = dict.fromkeys(wanted)
    with connection.cursor() as cursor:
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            marks = ", ".join(["%s"] * len(chunk))
            cursor.execute(
                f"SELECT {topic}, {nonce} FROM {table} WHERE {topic} IN ({marks})",  # noqa: S608
                chunk,
            )
            found.update(cursor.fetchall())
    return found
