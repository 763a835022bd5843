"""The statement that inserts messages for many users."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from monitio.utils.compiled_inserts import _entry


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("integer", "(entry.value ->> 0)::integer"),
        ("uuid", "(entry.value ->> 0)::uuid"),
        ("varchar(5)", "(entry.value ->> 0)"),
        ("char(5)", "(entry.value ->> 0)"),
    ],
)
def test_postgresql_does_not_cut_a_key_to_that_of_another_user(kind: str, expected: str) -> None:
    connection: Any = Mock(vendor="postgresql")
    assert _entry(connection, Mock(db_type=lambda connection: kind), 0) == expected
