"""What the models have in common."""

from __future__ import annotations

from typing import Any

# 190 characters of four bytes each are what the strictest supported index holds.
KEY_LENGTH = 190


def delete_along(collector: Any, field: Any, rows: Any, using: str) -> None:
    """``CASCADE`` for a field that may be null and must not become it.

    Where constraints cannot wait for the commit (MySQL), Django's own sets the field to NULL before
    it deletes the row, and a message of nobody is refused by ``monitio_user_xor_session``.
    """
    collector.collect(
        rows,
        source=field.remote_field.model,
        source_attr=field.name,
        nullable=False,
        fail_on_restricted=False,
    )
