"""Parts that several models share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeVar

from django.db import models, router
from django.db.models.base import ModelState

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


class FromDatabase(models.Model):
    """Its rows become objects without ``Model.__init__``.

    That sends ``pre_init`` and ``post_init``, and looks at every field: 9 µs for a job.
    """

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, *, fetch_mode: Any = None) -> Self:
        made = cls.__new__(cls)
        state: Any = ModelState()
        made._state, state.adding, state.db = state, False, db
        if fetch_mode is not None:  # Django 6.1
            state.fetch_mode = fetch_mode
        made.__dict__.update(zip(field_names, values, strict=True))
        return made


class Index(models.Index):
    """Of the rows that meet ``partial``; on MySQL and MariaDB of all, with the fields ``full``.

    With Django's ``condition``, ``migrate`` warns on MySQL each time (models.W037), and the index
    there has the same fields, which without the condition answer nothing.
    SQLite uses it for a query with the terms of ``partial`` in its WHERE, without parameters.
    """

    def __init__(
        self, *, fields: Sequence[str], name: str, partial: models.Q, full: Sequence[str] = ()
    ) -> None:
        super().__init__(fields=fields, name=name)
        self.partial, self.full = partial, full

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        kwargs["partial"] = self.partial
        if self.full:
            kwargs["full"] = self.full
        return path, args, kwargs

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        if schema_editor.connection.features.supports_partial_indexes:
            plain = models.Index(fields=self.fields, name=self.name, condition=self.partial)
        else:
            plain = models.Index(fields=self.full or self.fields, name=self.name)
        return plain.create_sql(model, schema_editor, using, **kwargs)


class LiteralIn(models.Lookup):
    """``IN`` with its numbers written out: SQLite uses no partial index for parameters."""

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} IN ({', '.join(map(str, self.rhs))})", params


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
