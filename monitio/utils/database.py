"""Errors of databases by their cause, and a shorter wait for SQLite's lock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError, connections

# Seconds a live event, a progress bar or a heartbeat waits for SQLite's lock. Messages wait as long
# as the site's settings allow.
LOCK_TIMEOUT = 1.0
# MySQL: ER_LOCK_DEADLOCK. PostgreSQL: deadlock_detected.
MYSQL_DEADLOCK, POSTGRES_DEADLOCK = 1213, "40P01"
# MySQL: ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ER_CANNOT_CONVERT_STRING. The column's character set
# does not hold the text; mysqlclient raises OperationalError.
MYSQL_INCORRECT_STRING, MYSQL_CANNOT_CONVERT = 1366, 3988


def is_deadlock(error: OperationalError) -> bool:
    """Whether the database undid this transaction to let another one go on."""
    cause = error.__cause__
    # psycopg 3 and psycopg 2.
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return error.args[:1] == (MYSQL_DEADLOCK,) or state == POSTGRES_DEADLOCK


def is_incorrect_string(error: Exception) -> bool:
    """Whether MySQL refused a text that its column's character set does not hold."""
    return error.args[:1] == (MYSQL_INCORRECT_STRING,)


def is_unreachable(error: Exception) -> bool:
    """Whether the database was away or locked, so that the same statement may succeed later."""
    is_refusal = is_incorrect_string(error) or error.args[:1] == (MYSQL_CANNOT_CONVERT,)
    return isinstance(error, OperationalError | InterfaceError) and not is_refusal


def close_broken_connection(alias: str) -> None:
    """After an error that is not raised: else each later statement of this thread fails, too.

    Django looks at its connections only between requests, and Celery between tasks.
    """
    connection = connections[alias]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


@contextlib.contextmanager
def lock_timeout(alias: str) -> Iterator[None]:
    """Let statements inside wait ``LOCK_TIMEOUT`` for SQLite's lock, then raise OperationalError.

    Changes nothing on other databases, which lock rows, and these rows are locked for moments only.
    Nor inside a transaction, which holds the lock already or fails as a whole.
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
