"""Statements that need not survive a crash of the database."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from monitio.utils.compiled_sql import _without_disk


@pytest.mark.parametrize(
    ("vendor", "in_atomic_block", "waits"),
    [
        ("postgresql", False, False),
        # The whole transaction of the caller would not wait.
        ("postgresql", True, True),
        ("sqlite", False, True),
    ],
)
def test_a_statement_alone_does_not_wait_for_the_disk(
    vendor: str, in_atomic_block: bool, waits: bool
) -> None:
    connection = SimpleNamespace(vendor=vendor, in_atomic_block=in_atomic_block)
    assert ("synchronous_commit" not in _without_disk(connection)) is waits
