"""Queries that a page can do without: if one fails, it shows no messages, and the log has a line.

A rolling deployment, for example, has code that is newer than the tables.
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
    """What ``query`` answers; ``default`` when the database refuses.

    The page's own transaction goes on.
    """
    alias = dispatch.database()
    # PostgreSQL alone spoils a transaction with a failed query; elsewhere it would only cost time.
    is_at_risk = connections[alias].in_atomic_block and connections[alias].vendor == "postgresql"
    try:
        with transaction.atomic(using=alias) if is_at_risk else contextlib.nullcontext():
            return query()
    except DatabaseError as error:
        logger.warning("%s %s", consequence, one_line(error))
        return default
