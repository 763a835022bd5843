"""How long to wait, for a lock, a mail server or another attempt, and when it was in vain."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from contextvars import ContextVar

from django.db import InterfaceError, OperationalError, connections

# Seconds a bell, a bar or a sign of life waits; what matters waits as long as the site says.
LOCK_TIMEOUT = 1.0
# Seconds between two attempts to reach a dead transport, at most.
MAX_BACKOFF = 5.0


def backoff(failures: int) -> float:
    """Seconds before the next attempt; random, so that not all processes come at once."""
    longest = min(MAX_BACKOFF, 0.2 * 2.0 ** min(failures, 8))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


# MySQL: ER_LOCK_DEADLOCK. PostgreSQL: deadlock_detected.
MYSQL_DEADLOCK, POSTGRES_DEADLOCK = 1213, "40P01"


def is_deadlock(error: OperationalError) -> bool:
    """Whether the database undid this transaction to let another one go on."""
    cause = error.__cause__
    # psycopg 3 and psycopg 2.
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return error.args[:1] == (MYSQL_DEADLOCK,) or state == POSTGRES_DEADLOCK


# MySQL with mysqlclient: a text that its column's character set does not hold.
MYSQL_REFUSED = (1366, 3988)


def is_unreachable(error: Exception) -> bool:
    """Whether the database was away or locked, so that the same may succeed later."""
    is_away = isinstance(error, OperationalError | InterfaceError)
    return is_away and error.args[:1] not in [(code,) for code in MYSQL_REFUSED]


_end: ContextVar[float | None] = ContextVar("monitio_end", default=None)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """What happens inside shares this time; ``time_left`` tells what is left of it."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def remaining(seconds: float) -> float:
    """``seconds``, or what is left of the time of a surrounding ``at_most`` when that is less."""
    end = _end.get()
    return float(seconds) if end is None else max(0.0, min(seconds, end - time.monotonic()))


@contextlib.contextmanager
def lock_timeout(alias: str) -> Iterator[None]:
    """Statements inside wait for SQLite's one writer a second and then raise OperationalError.

    Elsewhere rows are locked, and nobody holds these rows for long: nothing is changed. Nor is it
    inside a transaction, which holds the lock already or fails as a whole.
    """
    connection = connections[alias]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        usual = int(cursor.fetchone()[0])
        cursor.execute(f"PRAGMA busy_timeout = {min(usual, int(LOCK_TIMEOUT * 1000))}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")
