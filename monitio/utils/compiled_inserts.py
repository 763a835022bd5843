"""Rows that belong to users, written by one ``INSERT … SELECT`` from the table of the users.

A user who does not exist gets no row, so no other query looks for them. Measured on PostgreSQL and
SQLite against the ORM's way, which ``messages/create.py`` keeps for all other cases: one row costs
a quarter to a third of the CPU time, rows in batches an eighth to a twentieth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.db import connections, router, transaction
from django.db.models import CharField, IntegerField, Model, TextField, signals

from monitio.utils.compiled_sql import returns_rows

USER = "user"
TEXTS = (CharField, TextField)


def can_insert_one(model: type[Model], alias: str) -> bool:
    """Whether ``insert_for_user`` does what ``save()`` would."""
    return (
        returns_rows(connections[alias])
        and router.db_for_write(get_user_model()) == alias
        # Receivers of the site expect its rows.
        and not signals.pre_save.has_listeners(model)
        and not signals.post_save.has_listeners(model)
    )


def can_insert_many(model: type[Model], alias: str) -> bool:
    """Whether ``insert_for_users`` does what ``bulk_create()`` would."""
    connection = connections[alias]
    is_plain = isinstance(_key(model), IntegerField) or connection.vendor == "postgresql"
    return (
        returns_rows(connection)
        and router.db_for_write(get_user_model()) == alias
        # SQLite stores UUIDs in another form than their text.
        and is_plain
    )


def insert_for_user(row: Model, alias: str) -> bool:
    """Write ``row``, which has a ``user``; False, with nothing written, when they do not exist."""
    connection = connections[alias]
    sql, fields = _statement(type(row), alias, ())
    user_field: Any = row._meta.get_field(USER)
    values = _values(row, fields, connection)
    values.append(user_field.get_db_prep_save(user_field.pre_save(row, True), connection))
    with transaction.mark_for_rollback_on_error(using=alias), connection.cursor() as cursor:
        cursor.execute(
            f"{sql} RETURNING {connection.ops.quote_name(cast(Any, row._meta.pk).column)}", values
        )
        found = cursor.fetchone()
    if found is None:
        return False
    row.pk = found[0]
    row._state.adding, row._state.db = False, alias
    return True


def insert_for_users(
    row: Model, own: Mapping[str, Sequence[Any]], alias: str, *, returning: Sequence[str] = ()
) -> tuple[int, list[Any]]:
    """Write a copy of ``row`` for each user, with ``own`` values of some fields.

    ``own["user"]`` are the primary keys as text, and the other sequences are as long. Returns how
    many rows were written (no rows for users who do not exist), and the columns ``returning`` of
    each, in any order.
    """
    connection = connections[alias]
    sql, fields = _statement(type(row), alias, tuple(name for name in own if name != USER))
    if returning:
        meta: Any = row._meta
        columns = [meta.get_field(name).column for name in returning]
        sql = f"{sql} RETURNING {', '.join(map(connection.ops.quote_name, columns))}"
    entries = list(zip(own[USER], *(own[name] for name in own if name != USER), strict=True))
    with transaction.mark_for_rollback_on_error(using=alias), connection.cursor() as cursor:
        cursor.execute(sql, [*_values(row, fields, connection), json.dumps(entries)])
        found = cursor.fetchall() if returning else []
        return (len(found) if returning else cursor.rowcount), found


def _values(row: Model, fields: Sequence[Any], connection: Any) -> list[Any]:
    values = [(field, field.pre_save(row, True)) for field in fields]
    # A text is what its column takes: half of the fields, a tenth of the CPU time of a row.
    return [
        value
        if type(value) is str and isinstance(field, TEXTS)
        else field.get_db_prep_save(value, connection)
        for field, value in values
    ]


@lru_cache(maxsize=32)
def _statement(model: type[Model], alias: str, own: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
    """The statement, and the fields whose values are its parameters.

    The last parameter is the user's key; with ``own`` names it is a JSON list of lists that begin
    with the keys.
    """
    connection = connections[alias]
    quote, meta, key = connection.ops.quote_name, cast(Any, model._meta), _key(model)
    fields: list[Any] = [field for field in meta.concrete_fields if not field.primary_key]
    shared = tuple(field for field in fields if field.name != USER and field.name not in own)
    names = [*shared, meta.get_field(USER), *(meta.get_field(name) for name in own)]
    users = f"{quote(get_user_model()._meta.db_table)} monitio_users"
    user = f"monitio_users.{quote(key.column)}"
    selected = ["%s"] * len(shared) + [user]
    if own:
        value = partial(_entry, connection)
        selected += [value(meta.get_field(name), at) for at, name in enumerate(own, 1)]
        source = (
            "json_array_elements(%s::json) entry(value)"
            if connection.vendor == "postgresql"
            else "json_each(%s) entry"
        )
        source = f"{source} JOIN {users} ON {user} = {value(meta.get_field(USER), 0)}"
    else:
        source = f"{users} WHERE {user} = %s"
    columns = ", ".join(quote(field.column) for field in names)
    into = f"INSERT INTO {quote(meta.db_table)} ({columns})"
    return f"{into} SELECT {', '.join(selected)} FROM {source}", shared  # noqa: S608


def _entry(connection: Any, field: Any, at: int) -> str:
    """The value of this field in an entry."""
    if connection.vendor != "postgresql":
        return f"json_extract(entry.value, '$[{at}]')"
    value = f"(entry.value ->> {at})"
    kind = field.db_type(connection)
    # A cast would cut what is too long, and so find another user; an assignment refuses it.
    return value if kind.startswith(("varchar", "char")) else f"{value}::{kind}"


def _key(model: type[Model]) -> Any:
    """The field of the user that ``user_id`` holds."""
    field: Any = model._meta.get_field(USER)
    return field.target_field
