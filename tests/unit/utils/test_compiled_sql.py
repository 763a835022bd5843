"""Statements without synchronous commit, and psycopg's reading of timestamps."""

from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest

from monitio.utils.compiled_sql import _without_disk, load_moments_in_c


@pytest.mark.parametrize(
    ("vendor", "in_atomic_block", "waits"),
    [
        ("postgresql", False, False),
        # It would affect the caller's whole transaction.
        ("postgresql", True, True),
        ("sqlite", False, True),
    ],
)
def test_a_statement_alone_does_not_wait_for_the_disk(
    vendor: str, in_atomic_block: bool, waits: bool
) -> None:
    connection = SimpleNamespace(vendor=vendor, in_atomic_block=in_atomic_block)
    assert ("synchronous_commit" not in _without_disk(connection)) is waits


@pytest.mark.parametrize(
    ("vendor", "timezone", "has_adapters", "in_c"),
    [
        ("postgresql", UTC, True, True),
        ("postgresql", UTC, False, False),
        # Django sets or removes the time zone of each value.
        ("postgresql", ZoneInfo("Europe/Warsaw"), True, False),
        ("postgresql", None, True, False),
        ("sqlite", UTC, True, False),
    ],
)
def test_psycopg_reads_moments_in_utc_itself(
    vendor: str, timezone: Any, has_adapters: bool, in_c: bool
) -> None:
    made = Mock(spec=["adapters"] if has_adapters else [])
    connection, cursor = Mock(vendor=vendor, timezone=timezone, connection=made), Mock()
    load_moments_in_c(connection, cursor)
    assert cursor.adapters.register_loader.called is in_c
