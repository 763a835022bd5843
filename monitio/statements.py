"""Statements that run for every task: compiled once, and answered with the row as it now is.

Django compiles a query each time anew, which takes several times as long as the query itself, and
asks for a changed row in a second one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast

from django.db import connections, transaction
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.constants import OnConflict
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=Model)


# What every database's driver takes as it is.
PLAIN = frozenset({str, int, float})


class Slot(Expression):
    """The place of a value that is known when the statement runs."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def fill(self, value: Any, connection: Any) -> Any:
        if type(value) in PLAIN:
            return value
        return self.output_field.get_db_prep_save(value, connection)


def _returns_rows(connection: Any) -> bool:
    # MariaDB returns inserted rows, but no updated ones.
    return connection.vendor in ("postgresql", "sqlite") and bool(
        connection.features.can_return_columns_from_insert
    )


class Update(Generic[M]):
    """``UPDATE … RETURNING`` of one row. ``rows`` makes the queryset, with slots in its filters."""

    def __init__(self, rows: Callable[[], QuerySet[M]]) -> None:
        self._rows = rows
        self._compiled: dict[Any, tuple[str, list[Any]]] = {}
        self._readers: dict[str, _RowReader] = {}

    def run(self, alias: str, changes: Mapping[str, Any], **slots: Any) -> list[M] | None:
        """The changed rows as they are now; None, with nothing done, where no database says so.

        An expression among ``changes`` must be one that lives as long as the process.
        """
        connection = connections[alias]
        if not _returns_rows(connection):
            return None
        key = alias, *((name, _fixed(value)) for name, value in changes.items())
        if key not in self._compiled:
            self._compiled[key] = self._compile(alias, changes)
        sql, places = self._compiled[key]
        values = {**changes, **slots}
        params = [
            place.fill(values[place.name], connection) if type(place) is Slot else place
            for place in places
        ]
        with transaction.mark_for_rollback_on_error(using=alias), connection.cursor() as cursor:
            cursor.execute(sql, params)
            found = cursor.fetchall()
        reader = self._readers[alias]
        return [reader.read(connection, row) for row in found]

    def _compile(self, alias: str, changes: Mapping[str, Any]) -> tuple[str, list[Any]]:
        rows = self._rows()
        meta: Any = rows.model._meta
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(
            {
                name: Slot(name, meta.get_field(name)) if _fixed(value) is None else value
                for name, value in changes.items()
            }
        )
        connection = connections[alias]
        sql, places = query.get_compiler(alias).as_sql()
        names = (connection.ops.quote_name(field.column) for field in meta.concrete_fields)
        self._readers[alias] = _RowReader(rows.model, connection)
        return f"{sql} RETURNING {', '.join(names)}", list(places)


class _RowReader:
    """Makes objects of whole rows."""

    def __init__(self, model: type[Model], connection: Any) -> None:
        self.model = model
        columns = [field.get_col(model._meta.db_table) for field in model._meta.concrete_fields]
        self.names = [field.attname for field in model._meta.concrete_fields]
        self.converters = [
            (number, convert, column)
            for number, column in enumerate(columns)
            for convert in (
                *connection.ops.get_db_converters(column),
                *column.get_db_converters(connection),
            )
        ]

    def read(self, connection: Any, row: Any) -> Any:
        values = list(row)
        for number, convert, column in self.converters:
            values[number] = convert(values[number], column, connection)
        return self.model.from_db(connection.alias, self.names, values)


def insert(row: Model, alias: str) -> None:
    """Write a new row. Raises ``IntegrityError`` when there is one like it."""
    _insert(row, alias, None)


def insert_if_new(row: Model, alias: str) -> bool:
    """Write a new row; False, with nothing done, when there is one like it."""
    return _insert(row, alias, OnConflict.IGNORE)


def _insert(row: Model, alias: str, on_conflict: OnConflict | None) -> bool:
    connection = connections[alias]
    sql, fields = _insertion(type(row), alias, on_conflict)
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    with transaction.mark_for_rollback_on_error(using=alias), connection.cursor() as cursor:
        cursor.execute(sql, values)
        if _returns_rows(connection):
            told = cursor.fetchone()
            row.pk = told[0] if told else None
        else:
            row.pk = cursor.lastrowid if cursor.rowcount > 0 else None
    row._state.adding, row._state.db = False, alias
    return row.pk is not None


_insertions: dict[Any, tuple[str, list[Any]]] = {}


def _insertion(
    model: type[Model], alias: str, on_conflict: OnConflict | None
) -> tuple[str, list[Any]]:
    key = model, alias, on_conflict
    if key not in _insertions:
        connection = connections[alias]
        quote, meta = connection.ops.quote_name, cast(Any, model._meta)
        fields = [field for field in meta.concrete_fields if not field.primary_key]
        parts = [
            connection.ops.insert_statement(on_conflict=on_conflict),
            quote(meta.db_table),
            f"({', '.join(quote(field.column) for field in fields)})",
            f"VALUES ({', '.join(['%s'] * len(fields))})",
            connection.ops.on_conflict_suffix_sql(fields, on_conflict, (), ()),
        ]
        if _returns_rows(connection):
            parts.append(f"RETURNING {quote(meta.pk.column)}")
        _insertions[key] = " ".join(filter(None, parts)), fields
    return _insertions[key]


def _fixed(value: Any) -> Any:
    """What makes this value a part of the statement; None for one that varies."""
    if value is None or type(value) is bool:
        return f"{value}"
    return id(value) if hasattr(value, "resolve_expression") else None
