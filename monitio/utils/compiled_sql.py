"""Statements that run for every task: compiled once, and returning the changed row.

Django compiles a query each time, which takes several times as long as the query itself, and reads
a changed row with a second one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from datetime import UTC
from typing import Any, Generic, TypeAlias, TypeVar, cast

from django.db import connections, transaction
from django.db.models import BooleanField, Expression, Field, Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.constants import OnConflict
from django.db.models.expressions import RawSQL
from django.db.models.sql import DeleteQuery, UpdateQuery

from monitio.constants import State

M = TypeVar("M", bound=Model)
# The statement, its parameters and placeholders, and the reader of its rows.
_Compiled: TypeAlias = "tuple[str, list[Any], _RowReader]"

# Types that every database driver takes unchanged.
PLAIN = frozenset({str, int, float})
# Frequent values: they become a part of the statement.
INLINED = frozenset({"", *State.ALL})

# What tells Django's expressions from values: ``F`` and functions share no class.
EXPRESSION = "resolve_expression"


class Placeholder(Expression):
    """The place of a value that is known when the statement runs."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]


def filled(places: Sequence[Any], values: Mapping[str, Any], connection: Any) -> list[Any]:
    """The parameters of a statement, with ``values`` in the place of its placeholders."""
    params = []
    for place in places:
        param = place
        if type(place) is Placeholder:
            param = values[place.name]
            if type(param) not in PLAIN:
                param = place.output_field.get_db_prep_save(param, connection)
        params.append(param)
    return params


def returns_rows(connection: Any) -> bool:
    # MariaDB returns inserted rows, but no updated ones.
    return connection.vendor in ("postgresql", "sqlite") and bool(
        connection.features.can_return_columns_from_insert
    )


def load_moments_in_c(connection: Any, cursor: Any) -> None:
    """Let psycopg's own loader read moments in UTC: .1 µs each.

    Django's, which sets their time zone, is written in Python: 3.5 µs each, and there are 200 in a
    snapshot of 100 messages.
    """
    is_utc = connection.vendor == "postgresql" and connection.timezone is UTC
    if is_utc and hasattr(connection.connection, "adapters"):  # psycopg 2 has none
        loader = connection.Database.types.datetime.TimestamptzLoader
        cursor.adapters.register_loader("timestamptz", loader)


class CompiledUpdate(Generic[M]):
    """``UPDATE … RETURNING``. ``rows`` makes the queryset, with placeholders in its filters.

    ``durable=False``: it need not survive a crash of the database, whose next commit need not wait
    for the disk (PostgreSQL, outside of transactions).
    """

    def __init__(self, rows: Callable[[], QuerySet[M]], *, durable: bool = True) -> None:
        self._rows, self._durable = rows, durable
        self._compiled: dict[Any, _Compiled] = {}

    def run(self, alias: str, changes: Mapping[str, Any], **slots: Any) -> list[M] | None:
        """The changed rows; None, with nothing done, on databases without ``RETURNING``.

        Expressions among ``changes`` must live as long as the process.
        """
        connection = connections[alias]
        if not returns_rows(connection):
            return None
        sql, places, reader = self.statement(alias, changes)
        params = filled(places, {**changes, **slots}, connection)
        return reader.rows(connection, sql, params, changes)

    def statement(self, alias: str, changes: Mapping[str, Any]) -> _Compiled:
        constants = _constants(changes)
        returned = "" if self._durable else _without_disk(connections[alias])
        key = alias, returned, *changes, *constants
        if key not in self._compiled:
            sql, places, reader = self._compile(alias, changes, constants)
            self._compiled[key] = sql + returned, places, reader
        return self._compiled[key]

    def _compile(
        self, alias: str, changes: Mapping[str, Any], constants: Sequence[Any]
    ) -> _Compiled:
        rows = self._rows()
        meta: Any = rows.model._meta
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(
            {
                name: Placeholder(name, meta.get_field(name)) if constant is None else value
                for (name, value), constant in zip(changes.items(), constants, strict=True)
            }
        )
        sql, slots = _written_out(*query.get_compiler(alias).as_sql())
        known = {name for name, value in changes.items() if not hasattr(value, EXPRESSION)}
        reader = _RowReader(rows.model, connections[alias], known)
        return f"{sql} RETURNING {', '.join(reader.columns)}", slots, reader


# A page shows few messages at once. Each number of keys is a statement of its own.
MOST_KEYS = 10


class CompiledByKeys(Generic[M]):
    """``UPDATE`` with the values named ``changes``, or ``DELETE`` without any, of a few rows.

    ``rows(pks, **values)`` makes the queryset; ``types`` are the fields of its values. It is itself
    the plain query, for more rows than ``MOST_KEYS``. A page that shows one message takes half the
    CPU of one whose two statements are compiled by Django each time (SQLite).
    """

    def __init__(
        self,
        rows: Callable[..., QuerySet[M]],
        changes: Mapping[str, str] | None = None,
        **types: Field[Any, Any],
    ) -> None:
        self._rows, self._changes, self._types = rows, changes or {}, types
        self._compiled: dict[tuple[str, int], tuple[str, list[Any]]] = {}

    def run(self, alias: str, pks: Collection[Any], **values: Any) -> int:
        """The number of rows."""
        changes = {column: values[name] for column, name in self._changes.items()}
        if len(pks) > MOST_KEYS:
            rows: Any = self._rows(pks, **{name: values[name] for name in self._types}).using(alias)
            return int(rows.update(**changes) if changes else rows._raw_delete(alias) or 0)
        connection = connections[alias]
        sql, places = self._statement(alias, len(pks))
        keys = {f"pk{number}": pk for number, pk in enumerate(pks)}
        params = filled(places, {**values, **keys}, connection)
        with transaction.mark_for_rollback_on_error(using=alias), connection.cursor() as cursor:
            cursor.execute(sql, params)
            return int(cursor.rowcount)

    def _statement(self, alias: str, count: int) -> tuple[str, list[Any]]:
        if (alias, count) not in self._compiled:
            values = {name: Placeholder(name, field) for name, field in self._types.items()}
            meta: Any = self._rows([], **values).model._meta
            keys = [Placeholder(f"pk{number}", meta.pk) for number in range(count)]
            rows = self._rows(keys, **values)
            query: Any = rows.query.chain(UpdateQuery if self._changes else DeleteQuery)
            if self._changes:
                query.add_update_values(
                    {
                        column: Placeholder(name, meta.get_field(column))
                        for column, name in self._changes.items()
                    }
                )
            self._compiled[alias, count] = _written_out(*query.get_compiler(alias).as_sql())
        return self._compiled[alias, count]


# Whether the first statement of ``update_both`` has changed a row.
CHANGED = RawSQL("EXISTS (SELECT 1 FROM changed)", (), BooleanField())


def update_both(
    alias: str,
    first: tuple[CompiledUpdate[Any], Mapping[str, Any]],
    second: tuple[CompiledUpdate[M], Mapping[str, Any]],
    **slots: Any,
) -> list[M] | None:
    """The rows of ``second``, which filters by ``CHANGED``. None, with nothing done, but on
    PostgreSQL: there two updates are one statement, and need no transaction around them.
    """
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return None
    sql, places, _ = first[0].statement(alias, first[1])
    then, more, reader = second[0].statement(alias, second[1])
    params = filled(places, {**first[1], **slots}, connection)
    params += filled(more, {**second[1], **slots}, connection)
    return reader.rows(connection, f"WITH changed AS ({sql}) {then}", params, second[1])


class _RowReader:
    """Makes objects of rows; the database returns the columns that the statement did not set."""

    def __init__(self, model: type[Model], connection: Any, known: Set[str]) -> None:
        returned: Any = [field for field in model._meta.concrete_fields if field.name not in known]
        self.model, self.known = model, known
        self.names = [field.attname for field in returned]
        self.columns = [connection.ops.quote_name(field.column) for field in returned]
        self.converters = [
            (field.attname, convert, column)
            for field in returned
            for column in [field.get_col(model._meta.db_table)]
            for convert in (
                *connection.ops.get_db_converters(column),
                *column.get_db_converters(connection),
            )
        ]

    def rows(
        self, connection: Any, sql: str, params: Sequence[Any], changes: Mapping[str, Any]
    ) -> list[Any]:
        """The rows that the statement returns."""
        with (
            transaction.mark_for_rollback_on_error(using=connection.alias),
            connection.cursor() as cursor,
        ):
            load_moments_in_c(connection, cursor)
            cursor.execute(sql, params)
            found = cursor.fetchall()
        return [self._read(connection, row, changes) for row in found]

    def _read(self, connection: Any, row: Any, changes: Mapping[str, Any]) -> Any:
        # A statement that is not durable returns one more column.
        values = dict(zip(self.names, row, strict=False))
        for name, convert, column in self.converters:
            values[name] = convert(values[name], column, connection)
        for name in self.known:
            values[name] = changes[name]
        # Model.__init__ takes as long as the rest of the statement.
        made = self.model.__new__(self.model)
        made._state = ModelState()
        made._state.adding, made._state.db = False, connection.alias
        made.__dict__.update(values)
        return made


def insert(row: Model, alias: str) -> None:
    """Write a new row. Raises ``IntegrityError`` when there is one like it."""
    _insert(row, alias, None)


def insert_if_new(row: Model, alias: str, *, durable: bool = True) -> bool:
    """Write a new row; False, with nothing done, when there is one like it.

    ``durable`` as in ``CompiledUpdate``.
    """
    return _insert(row, alias, OnConflict.IGNORE, durable)


def _without_disk(connection: Any) -> str:
    """What a statement returns, too, so that its commit does not wait for the disk.

    A setting of this transaction alone, which is this statement, without another round trip.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return ""
    return ", set_config('synchronous_commit', 'off', true)"


def _insert(row: Model, alias: str, on_conflict: OnConflict | None, durable: bool = True) -> bool:
    connection = connections[alias]
    sql, fields = _insertion(type(row), alias, on_conflict)
    if not durable:
        sql += _without_disk(connection)
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    with transaction.mark_for_rollback_on_error(using=alias), connection.cursor() as cursor:
        cursor.execute(sql, values)
        if returns_rows(connection):
            returned = cursor.fetchone()
            row.pk = returned[0] if returned else None
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
        if returns_rows(connection):
            parts.append(f"RETURNING {quote(meta.pk.column)}")
        _insertions[key] = " ".join(filter(None, parts)), fields
    return _insertions[key]


def _constants(changes: Mapping[str, Any]) -> list[Any]:
    """For each value a key if it is a part of the statement, None if it is a parameter."""
    constants: list[Any] = []
    for value in changes.values():
        if type(value) is str:
            constants.append(value if value in INLINED else None)
        elif value is None or type(value) is bool:
            constants.append(repr(value))
        else:
            constants.append(id(value) if hasattr(value, EXPRESSION) else None)
    return constants


def _written_out(sql: str, params: Sequence[Any]) -> tuple[str, list[Any]]:
    """The statement with its constants inlined: each parameter costs a driver time."""
    written, *rest = sql.split("%s")
    varying = []
    for value, following in zip(params, rest, strict=True):
        if type(value) in (bool, int):
            written += f"{value}{following}"
        elif type(value) is str and re.fullmatch("[a-z]*", value):
            written += f"'{value}'{following}"
        else:
            written += f"%s{following}"
            varying.append(value)
    return written, varying
