"""Queries that a page can do without: if one fails, the page shows no messages and logs a warning.

During a rolling deployment, for example, the code is newer than the tables.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, connections, transaction

from monitio import dispatch
from monitio.utils.outage import one_line

logger = logging.getLogger("monitio")
T = TypeVar("T")


WITHOUT = "The page goes without messages; has the database been migrated?"


def ask(query: Callable[[], T], default: T, consequence: str = WITHOUT) -> T:
    """The result of ``query``; ``default`` on a ``DatabaseError``.

    The page's own transaction stays usable.
    """
    alias = dispatch.database()
    # Only PostgreSQL aborts a transaction after a failed query; elsewhere a savepoint is a waste.
    is_at_risk = connections[alias].in_atomic_block and connections[alias].vendor == "postgresql"
    try:
        with transaction.atomic(using=alias) if is_at_risk else contextlib.nullcontext():
            return query()
    except DatabaseError as error:
        logger.warning("%s %s", consequence, one_line(error))
        return default
