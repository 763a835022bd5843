"""Parts that several models share."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db import models, router

from monitio import scope as scopes

M = TypeVar("M", bound=models.Model)

# 190 characters of four bytes each are what the strictest supported index holds.
KEY_LENGTH = 190


class PrimaryQuerySet(models.QuerySet[M]):
    """Reads from the database it writes to, whatever ``DATABASE_ROUTERS`` returns for reads.

    Nearly every read precedes a write or decides what an open page drops, and replicas lag.
    ``using()`` still selects another database.
    """

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model, **self._hints)  # type: ignore[attr-defined]


class ScopedQuerySet(PrimaryQuerySet[M]):
    def here(self) -> Self:
        """Those of the current scope."""
        return self.filter(scope=scopes.current())


def delete_along(collector: Any, field: Any, rows: Any, using: str) -> None:
    """``CASCADE`` for a field that may be null and must not become it.

    Where constraints cannot wait for the commit (MySQL), Django's own sets the field to NULL before
    it deletes the row, and ``monitio_user_xor_session`` refuses a message without recipient.
    """
    collector.collect(
        rows,
        source=field.remote_field.model,
        source_attr=field.name,
        nullable=False,
        fail_on_restricted=False,
    )


def scope_field() -> models.CharField[str, str]:
    """The tenant or site in which the row was created."""
    return models.CharField(
        max_length=scopes.LENGTH, default=scopes.current, db_default="", editable=False
    )
