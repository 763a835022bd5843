"""The reads that every page and stream makes of one recipient's messages.

Without joins: jobs and senders are read by their keys, where there are any. Each statement is
compiled once; its ``rows`` are the plain query.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import connections, router
from django.db.models import CharField, Count, DateTimeField, Field, Max, QuerySet, Sum
from django.db.models.manager import BaseManager
from django.utils import timezone
from django.utils.safestring import mark_safe

from monitio.models.jobs import Job
from monitio.models.messages import Message, MessageQuerySet, claims_end
from monitio.models.texts import stored_link
from monitio.recipients import Recipient, accounts
from monitio.utils.compiled_select import CompiledInBulk, CompiledSelect


class Shown(NamedTuple):
    """What a payload is made of: half the columns of a message, in half the time of a Message."""

    id: int
    version: int
    level: int
    extra_tags: str
    subject: str
    message: str
    safe: bool
    url: str
    url_label: str
    icon: str
    read: bool
    seen: bool
    created: datetime
    expires: datetime | None
    close_timeout: int | None
    from_user_id: Any
    job_id: Any
    running: bool


# What templates may show of messages: all but what monitio itself keeps there. Whose they are is
# known.
PAGE = (*Shown._fields, "category", "language", "modified")
_WHOSE = ("user_id", "session", "scope", "recipient_key")
COLUMNS = tuple(field.attname for field in Message._meta.concrete_fields)
# Unread messages above this number are not counted for pages.
MOST_COUNTED = 1000

_TYPES: dict[str, Field[Any, Any]] = {"key": CharField(), "now": DateTimeField()}
_STALE = DateTimeField()


def _of(key: Any) -> MessageQuerySet:
    rows: MessageQuerySet = Message.objects.filter(recipient_key=key)
    return rows.newest_first()


NEWEST = CompiledSelect(
    lambda columns, size, key, now, stale: (
        _of(key).for_inbox(now, stale).values_list(*columns)[:size]
    ),
    **_TYPES,
    stale=_STALE,
)
RUNNING = CompiledSelect(
    lambda columns, key, now, floor: (
        _of(key).visible(now).running().filter(pk__lt=floor).values_list(*columns)
    ),
    **_TYPES,
    floor=Message._meta.pk,
)
WAITING = CompiledSelect(
    lambda size, unread_only, key, now, stale: (
        _of(key)
        .visible(now)
        .unclaimed(stale)
        .filter(**({"read": False} if unread_only else {}))
        .values_list(*PAGE)[:size]
    ),
    **_TYPES,
    stale=_STALE,
)
# Read ones, too, which are few: with NOT read PostgreSQL may take monitio_unread, and then read
# every unread message (40 ms for 50,000).
ONCE = CompiledSelect(
    lambda key, now, stale, floor: (
        _of(key)
        .visible(now)
        .unclaimed(stale)
        .nonpersistent()
        .filter(pk__lt=floor)
        .values_list(*PAGE)
    ),
    **_TYPES,
    stale=_STALE,
    floor=Message._meta.pk,
)
UNREAD = CompiledSelect(
    lambda key, now: (
        _of(key).visible(now).persistent().unread().order_by().values_list("pk")[:MOST_COUNTED]
    ),
    **_TYPES,
)
CATEGORIES = CompiledSelect(
    lambda size, key, now, stale: _of(key).for_inbox(now, stale).values_list("category")[:size],
    **_TYPES,
    stale=_STALE,
)
# (count, sum of versions, highest id) of one recipient's messages; no row without messages.
FINGERPRINT = CompiledSelect(
    lambda key: (
        Message.objects.filter(recipient_key=key)
        .order_by()
        .values("recipient_key")
        .annotate(Count("pk"), Sum("version"), Max("pk"))
        .values_list("pk__count", "version__sum", "pk__max")
    ),
    key=_TYPES["key"],
)


def newest(who: Recipient, size: int) -> list[Message]:
    """The newest messages and below them those of running jobs, newest first."""
    alias = router.db_for_write(Message)
    rows, jobs, _floor = _rows_and_jobs(who, size, COLUMNS)
    messages = [Message.from_db(alias, COLUMNS, row) for row in rows]
    _set_jobs(messages, jobs)
    add_senders(messages)
    return messages


def shown(who: Recipient, size: int) -> tuple[list[Shown], dict[Any, Job], int]:
    """The same messages and their jobs; and the floor: from this id on they are complete."""
    rows, jobs, floor = _rows_and_jobs(who, size, Shown._fields)
    # As Message.from_db does.
    for row in rows:
        if row[_SAFE]:
            row[_TEXT] = mark_safe(row[_TEXT])  # noqa: S308 - it was stored as safe
        row[_URL] = stored_link(row[0], row[_URL])
    return [Shown._make(row) for row in rows], jobs, floor


_SAFE, _TEXT, _URL = map(Shown._fields.index, ("safe", "message", "url"))


def _rows_and_jobs(
    who: Recipient, size: int, columns: tuple[str, ...]
) -> tuple[list[Any], dict[Any, Job], int]:
    """One query for a small inbox, and one for jobs."""
    job_id, running = columns.index("job_id"), columns.index("running")
    for _attempt in range(2):
        rows, floor = newest_rows(who, size, columns)
        jobs = jobs_of({row[job_id] for row in rows} - {None})
        # A job that ended between the reads would appear beside the text of its run.
        if not any(
            row[running] and row[job_id] in jobs and jobs[row[job_id]].has_ended for row in rows
        ):
            break
    return rows, jobs, floor


def newest_rows(who: Recipient, size: int, columns: tuple[str, ...]) -> tuple[list[Any], int]:
    """The columns, with ``id``, of the rows of ``newest``; and the floor."""
    alias, now = router.db_for_write(Message), timezone.now()
    rows = NEWEST.run(alias, columns, size, key=who.key, now=now, stale=claims_end())
    floor = rows[-1][columns.index("id")] if len(rows) == size else 0
    if floor:
        rows += RUNNING.run(alias, columns, key=who.key, now=now, floor=floor)
    return rows, floor


def waiting(who: Recipient, size: int, unread_only: bool) -> list[Message]:
    """The newest messages for a page that no other request is showing."""
    alias = router.db_for_write(Message)
    rows = WAITING.run(
        alias, size, unread_only, key=who.key, now=timezone.now(), stale=claims_end()
    )
    messages = _messages_of(who, rows, alias)
    add_jobs(messages)
    return messages


def to_show_once(who: Recipient, below: int, unread_only: bool) -> list[Message]:
    """Messages of Django levels below this id that no other request is showing; newest first."""
    alias = router.db_for_write(Message)
    rows = ONCE.run(alias, key=who.key, now=timezone.now(), stale=claims_end(), floor=below)
    messages = _messages_of(who, rows, alias)
    return [message for message in messages if not (unread_only and message.read)]


def _messages_of(who: Recipient, rows: list[Any], alias: str) -> list[Message]:
    columns, whose = (*PAGE, *_WHOSE), (who.user_id, who.token or "", who.scope, who.key)
    return [Message.from_db(alias, columns, (*row, *whose)) for row in rows]


def count_unread(who: Recipient) -> int:
    """Unread persistent messages, ``MOST_COUNTED`` for more."""
    return UNREAD.count(router.db_for_write(Message), key=who.key, now=timezone.now())


def categories(who: Recipient, size: int) -> set[str]:
    """The categories of the newest messages."""
    alias = router.db_for_write(Message)
    rows = CATEGORIES.run(alias, size, key=who.key, now=timezone.now(), stale=claims_end())
    return {name for (name,) in rows}


def newest_ids(keys: Sequence[str]) -> dict[str, int]:
    """The highest id of each recipient's messages; recipients without messages are left out."""
    alias = router.db_for_write(Message)
    if connections[alias].vendor not in ("postgresql", "sqlite"):
        # MySQL skips from one recipient to the next in the index.
        rows = Message.objects.filter(recipient_key__in=keys).order_by()
        return dict(rows.values_list("recipient_key").annotate(Max("pk")))
    # One look into the index for each recipient: 8 µs instead of the 120 µs in which GROUP BY
    # reads a hundred messages (PostgreSQL, a million messages of 10,000 recipients).
    table = connections[alias].ops.quote_name(Message._meta.db_table)
    values = ", ".join(["(%s)"] * len(keys))
    sql = (
        f"WITH wanted(k) AS (VALUES {values}) "  # noqa: S608 - nothing in it comes from outside
        f"SELECT k, (SELECT MAX(id) FROM {table} WHERE recipient_key = k) FROM wanted"
    )
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, keys)
        return {key: newest for key, newest in cursor.fetchall() if newest is not None}


def add_jobs(messages: list[Message]) -> None:
    """Read the jobs of ``messages``, with one query where they have some."""
    _set_jobs(messages, jobs_of({message.job_id for message in messages} - {None}))


def _set_jobs(messages: list[Message], jobs: dict[Any, Job]) -> None:
    for message in messages:
        if message.job_id:
            message.job = jobs.get(message.job_id)


def jobs_of(pks: Collection[Any]) -> dict[Any, Job]:
    """The jobs by these keys."""
    return _JOBS.run(pks)


def add_senders(messages: list[Message]) -> None:
    """Read the senders of ``messages``, with one query where they have some."""
    if sent := [message for message in messages if message.from_user_id]:
        found = senders({message.from_user_id for message in sent})
        for message in sent:
            message.from_user = found.get(message.from_user_id)


def senders(pks: Collection[Any]) -> dict[Any, Any]:
    """The accounts by these keys."""
    manager: Any = get_user_model()._default_manager
    # What a manager of the site adds may differ each time.
    is_plain = type(manager).get_queryset is BaseManager.get_queryset
    if is_plain and manager._queryset_class is QuerySet:
        return _SENDERS.run(pks)
    return accounts().in_bulk(pks)


# Decoding JSON that pages do not show costs more than the rest of the row.
_JOBS = CompiledInBulk(lambda: Job.objects.defer("recipients", "arguments"))
_SENDERS = CompiledInBulk(accounts)
