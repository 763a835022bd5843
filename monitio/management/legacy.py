"""Messages of the packages that monitio follows, read from their tables.

- ``monitio_monit`` of django-monitio, and ``persistent_messages_message`` of the package by
  philomat and its forks: one row a recipient.
- ``persistent_messages_persistentmessage`` of django-persistent-messages on the package index: one
  row for an audience, of which only the users that it names can be converted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps.registry import Apps
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db import connections, models, router, transaction
from django.utils import timezone
from django.utils.safestring import mark_safe

from monitio import dispatch
from monitio.constants import LARGEST_INTEGER, OFFSET, PERSISTENT_LEVELS
from monitio.messages.create import BATCH, insert
from monitio.models import Message
from monitio.recipients import Recipient
from monitio.utils.text import check_url, clean_text, replace_wide

# How many ids of each finding are named.
NAMED = 20

IMPORTED = "imported"
PRESENT = "already there"
NO_USER = "without a user"
ORDINARY = "at one of Django's own levels, which are shown once"
EXPIRED = "expired"
NOT_YET = "not to be shown yet"
AUDIENCE = "for an audience: send them with notify_many()"
EMPTY = "without a text"
LINK = "imported without their link, which no browser may follow or which is too long"
CUT = "imported with a subject or tags cut to 255 characters"


@dataclass
class Report:
    """What became of the rows: their number and first ids by finding."""

    counts: Counter[str] = field(default_factory=Counter)
    ids: dict[str, list[Any]] = field(default_factory=dict)
    last: int = 0

    def add(self, finding: str, pk: Any) -> None:
        self.counts[finding] += 1
        named = self.ids.setdefault(finding, [])
        if pk not in named and len(named) < NAMED:
            named.append(pk)

    def lines(self) -> Iterator[str]:
        for finding, number in self.counts.items():
            ids = ", ".join(map(str, self.ids[finding]))
            more = ", …" if number > len(self.ids[finding]) else ""
            yield f"{number} {finding}" + (
                "" if finding in (IMPORTED, PRESENT) else f" (ids: {ids}{more})"
            )


def import_rows(table: str, *, safe: bool = False, dry_run: bool = False, after: int = 0) -> Report:
    """Copy the messages of ``table`` with an id above ``after`` into the current scope.

    Rows that were copied before are recognised by recipient, time, level and text. Nobody is
    notified. ``safe``: texts are HTML of trusted authors. Raises ``CommandError`` for a table that
    is missing or of another kind.
    """
    columns = _columns(table)
    if {"user_id", "message", "level", "created"} <= columns:
        read = _personal(table, columns)
    elif {"content", "target", "display_from"} <= columns:
        read = _for_audiences(table)
    else:
        raise CommandError(
            f"{table} has columns of no package that can be imported: {', '.join(sorted(columns))}."
        )
    report = Report(last=after)
    for rows, last in read(after, report):
        with transaction.atomic(using=dispatch.database()):
            _import_batch(rows, report, safe=safe, dry_run=dry_run)
        report.last = last
    return report


def _import_batch(rows: Sequence[Legacy], report: Report, *, safe: bool, dry_run: bool) -> None:
    now = timezone.now()
    users: Any = get_user_model()
    named = {row.user_id for row in rows} | {row.from_user_id for row in rows}
    manager = users._default_manager.using(router.db_for_write(users))
    existing_users = set(manager.filter(pk__in=named - {None}).values_list("pk", flat=True))
    messages = []
    for row in rows:
        if row.user_id not in existing_users:
            report.add(NO_USER, row.pk)
        elif row.level not in PERSISTENT_LEVELS:
            report.add(ORDINARY, row.pk)
        elif row.expires is not None and row.expires <= now:
            report.add(EXPIRED, row.pk)
        elif not (row.message or row.subject):
            report.add(EMPTY, row.pk)
        else:
            messages.append(_message(row, existing_users, report, safe=safe))
    known = _stored([message for _pk, message in messages])
    new = []
    for pk, message in messages:
        identity = _identity(message)
        if known[identity]:
            known[identity] -= 1
            report.add(PRESENT, pk)
        else:
            new.append(message)
            report.add(IMPORTED, pk)
    if not dry_run:
        insert(new, need_keys=False)


@dataclass
class Legacy:
    """A message to one user, in the fields of django-monitio."""

    pk: int
    user_id: Any
    message: str
    level: int
    created: datetime
    modified: datetime | None = None
    read: bool = False
    from_user_id: Any = None
    subject: str = ""
    extra_tags: str = ""
    expires: datetime | None = None
    close_timeout: int | None = None
    url: str = ""
    safe: bool = True


def _message(
    row: Legacy, existing_users: set[Any], report: Report, *, safe: bool
) -> tuple[int, Message]:
    subject, tags = clean_text(row.subject or ""), clean_text(row.extra_tags or "")
    if max(len(subject), len(tags)) > 255:
        report.add(CUT, row.pk)
    text = clean_text(row.message or "")
    timeout = row.close_timeout
    message = Message(
        subject=subject[:255],
        message=mark_safe(text) if safe and row.safe else text,  # noqa: S308 - asked for
        level=row.level,
        extra_tags=tags[:255],
        url=_link(row, report),
        from_user_id=row.from_user_id if row.from_user_id in existing_users else None,
        created=row.created,
        modified=row.modified or row.created,
        expires=row.expires,
        close_timeout=timeout if timeout and 0 < timeout <= LARGEST_INTEGER else None,
        read=bool(row.read),
        # Otherwise every old message pops up when its reader logs in.
        seen=True,
        live=False,
    )
    message.recipient = Recipient.for_user(row.user_id)
    message.prepare()
    return row.pk, message


def _link(row: Legacy, report: Report) -> str:
    """The link, in the original "relative to the site root"; "" for one that cannot be kept."""
    url = (row.url or "").strip()
    if not url:
        return ""
    try:
        if ":" not in url.split("/")[0] and not url.startswith(("/", "?", "#")):
            url = f"/{url}"
        return Message.stored_text("url", check_url(url))
    except ValueError:
        report.add(LINK, row.pk)
        return ""


def _identity(message: Message) -> tuple[Any, ...]:
    # As a table with three bytes a character holds it.
    text = replace_wide(str(message.message))
    return message.recipient_key, message.created, message.level, text


def _stored(messages: Sequence[Message]) -> Counter[tuple[Any, ...]]:
    if not messages:
        return Counter()
    moments = [message.created for message in messages]
    stored = Message.objects.filter(
        recipient_key__in={message.recipient_key for message in messages},
        created__range=(min(moments), max(moments)),
    )
    return Counter(
        map(_identity, stored.only("recipient_key", "created", "level", "message", "safe"))
    )


# Tables without a model.


def _columns(table: str) -> set[str]:
    connection = connections[dispatch.database()]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        if table not in tables:
            candidates = [name for name in tables if "persistent" in name or "monit" in name]
            raise CommandError(
                f"There is no table {table!r} in the database {connection.alias!r}. "
                f"Name it with --table; there are: {', '.join(candidates)}."
            )
        described = connection.introspection.get_table_description(cursor, table)
    return {column.name for column in described}


def _user_key(**options: Any) -> models.Field[Any, Any]:
    """A column that holds a user's primary key, without a relation."""
    key = get_user_model()._meta.pk
    if isinstance(key, models.IntegerField):
        return models.BigIntegerField(**options)
    copy: models.Field[Any, Any] = key.clone()
    copy.primary_key, copy.null = False, options.get("null", False)
    return copy


def _rows(table: str, **fields: Any) -> models.QuerySet[Any]:
    """The rows of ``table`` by a model that exists for this query alone."""
    meta = type(
        "Meta",
        (),
        {"managed": False, "db_table": table, "apps": Apps(), "app_label": "monitio_legacy"},
    )
    fields.setdefault("id", models.BigAutoField(primary_key=True))
    model: Any = type("Row", (models.Model,), {**fields, "Meta": meta, "__module__": __name__})
    return model._default_manager.using(dispatch.database())  # type: ignore[no-any-return]


def _batches(rows: models.QuerySet[Any], after: int) -> Iterator[list[Any]]:
    while batch := list(rows.filter(pk__gt=after).order_by("pk")[:BATCH]):
        yield batch
        after = batch[-1].pk


def _personal(table: str, columns: set[str]) -> Any:
    known: dict[str, Any] = {
        "user_id": _user_key(null=True),
        "from_user_id": _user_key(null=True),
        "subject": models.TextField(),
        "message": models.TextField(),
        "level": models.IntegerField(),
        "extra_tags": models.TextField(),
        "created": models.DateTimeField(),
        "modified": models.DateTimeField(),
        "read": models.BooleanField(),
        "expires": models.DateTimeField(null=True),
        "close_timeout": models.IntegerField(null=True),
        "url": models.TextField(null=True),
    }
    fields = {name: known[name] for name in known if name in columns}

    def read(after: int, report: Report) -> Iterator[tuple[list[Legacy], int]]:
        for batch in _batches(_rows(table, **fields), after):
            yield (
                [
                    Legacy(pk=row.pk, **{name: getattr(row, name) for name in fields})
                    for row in batch
                ],
                batch[-1].pk,
            )

    return read


def _for_audiences(table: str) -> Any:
    rows = _rows(
        table,
        content=models.TextField(),
        mark_content_safe=models.BooleanField(),
        level=models.IntegerField(),
        target=models.TextField(),
        display_from=models.DateTimeField(),
        display_until=models.DateTimeField(null=True),
        custom_tags=models.TextField(),
        created_at=models.DateTimeField(),
        updated_at=models.DateTimeField(),
    )
    app = table.rpartition("_")[0]
    users = _members(f"{table}_target_users", "persistentmessage_id", _user_key())
    groups = _members(f"{table}_target_groups", "persistentmessage_id", models.IntegerField())
    dismissals = _members(f"{app}_messagedismissal", "message_id", _user_key())

    def read(after: int, report: Report) -> Iterator[tuple[list[Legacy], int]]:
        now = timezone.now()
        for batch in _batches(rows, after):
            pks = [row.pk for row in batch]
            named, grouped, dismissed = users(pks), groups(pks), dismissals(pks)
            found = []
            for row in batch:
                if row.target != "USERS_OR_GROUPS" or row.pk in {pk for pk, _group in grouped}:
                    report.add(AUDIENCE, row.pk)
                if row.target != "USERS_OR_GROUPS":
                    continue
                if row.display_from > now:
                    report.add(NOT_YET, row.pk)
                    continue
                found += [
                    Legacy(
                        pk=row.pk,
                        user_id=user,
                        message=row.content,
                        # There, every message is kept.
                        level=row.level if row.level >= OFFSET else row.level + OFFSET,
                        extra_tags=row.custom_tags,
                        created=row.created_at,
                        modified=row.updated_at,
                        expires=row.display_until,
                        read=(row.pk, user) in dismissed,
                        safe=row.mark_content_safe,
                    )
                    for pk, user in named
                    if pk == row.pk
                ]
            yield found, pks[-1]

    return read


def _members(table: str, message: str, member: models.Field[Any, Any]) -> Any:
    """A function from ids of messages to the pairs (message, member) of a table between them."""
    (name,) = _columns(table) - {"id", message, "dismissed_at"}
    rows = _rows(table, **{message: models.BigIntegerField(), name: member})

    def pairs(pks: list[int]) -> set[tuple[int, Any]]:
        return set(rows.filter(**{f"{message}__in": pks}).values_list(message, name))

    return pairs
