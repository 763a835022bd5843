"""Delete rows of the current scope that no user will see again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from monitio.conf import DAY, settings
from monitio.constants import EMAIL, levels_named
from monitio.messages import create
from monitio.messages.deletion import can_skip_collector, raw_delete
from monitio.models import (
    Delivery,
    Digest,
    Heartbeat,
    Job,
    LastEvent,
    Message,
    Repeat,
    VisitorLogin,
)
from monitio.recipients import LARGEST_KEY

# Rows of one step of a walk. Its statement locks those that it deletes.
WINDOW = 5000


def prune_scope(now: datetime) -> dict[str, int]:
    yesterday = now - timedelta(seconds=DAY)
    # All tokens that are older have expired: no visitor can read what was sent to them.
    tokens_end = now - timedelta(seconds=settings.VISITOR_AGE)
    quarter = now - timedelta(seconds=90 * DAY)
    days = settings.KEEP_READ_DAYS
    keep_read_since = None if days is None else now - timedelta(days=days)
    messages = Message.objects.here()
    retained = _walk(
        **{f"rule{number}": matching(rule, now) for number, rule in enumerate(settings.RETENTION)}
    )
    unread = Message.objects.filter(pk=OuterRef("message_id"), read=False)
    _delete_rows(VisitorLogin.objects.here().filter(created__lt=tokens_end))
    _delete_rows(Heartbeat.objects.here().filter(at__lt=now - timedelta(seconds=7 * DAY)))
    _delete_rows(Repeat.objects.filter(created__lt=yesterday))
    return {
        "expired": _delete_rows(messages.filter(expires__lte=now, hidden=False)),
        "visitors": _delete_rows(
            messages.filter(user=None, session__gt="", created__lt=tokens_end)
        ),
        **_walk(
            shown=messages.without_pending_delivery().filter(hidden=True),
            read=messages.read_until(keep_read_since),
        ),
        "retention": sum(retained.values()),
        **_walk(
            # An unread message without its e-mail would get into the next digest.
            deliveries=Delivery.objects.here()
            .filter(state__in=("sent", "failed", "skipped"), created__lt=quarter)
            .exclude(Q(channel=EMAIL) & Exists(unread))
        ),
        **_walk(jobs=Job.objects.here().ended().filter(messages=None, finished_at__lt=yesterday)),
        "digests": _delete_rows(
            Digest.objects.here().filter(created__lt=quarter).exclude(state="pending")
        ),
        "events": _delete_rows(LastEvent.objects.filter(modified__lt=yesterday)),
    }


def matching(rule: Mapping[str, Any], now: datetime) -> QuerySet[Message]:
    """The messages that a rule of ``MONITIO_RETENTION`` deletes; none for an empty list."""
    changed_before = now - timedelta(days=rule["days"])
    rows = Message.objects.here().persistent().without_pending_delivery()
    rows = rows.filter(modified__lt=changed_before, hidden=False, running=False)
    if "read" in rule:
        rows = rows.filter(read=rule["read"])
    if "categories" in rule:
        rows = rows.filter(category__in=rule["categories"])
    if "levels" in rule:
        parts = chain.from_iterable(map(levels_named, rule["levels"]))
        rows = rows.filter(level__in=list(chain.from_iterable(parts)))
    return rows


def _delete_rows(rows: QuerySet[Any]) -> int:
    """Delete rows that an index finds, in batches; their number without cascaded ones."""
    deleted = 0
    while pks := list(rows.order_by().values_list("pk", flat=True)[: create.BATCH]):
        deleted += delete_batch(rows.model._default_manager.filter(pk__in=pks))
    return deleted


def _walk(**kinds: QuerySet[Any]) -> dict[str, int]:
    """Delete rows of one table that no index finds; the number of each kind.

    One walk along the primary key: batches that begin at the first row would scan all those that
    earlier batches have deleted.
    """
    deleted, last = dict.fromkeys(kinds, 0), 0
    if not kinds:
        return {}
    (model,) = {rows.model for rows in kinds.values()}
    while True:
        after = model._default_manager.filter(pk__gt=last).order_by("pk")
        end = next(iter(after.values_list("pk", flat=True)[WINDOW - 1 : WINDOW]), LARGEST_KEY)
        for name, rows in kinds.items():
            deleted[name] += delete_batch(rows.filter(pk__gt=last, pk__lte=end))
        if end == LARGEST_KEY:
            return deleted
        last = end


def delete_batch(rows: QuerySet[Any]) -> int:
    """Delete these rows with what depends on them; their number."""
    if rows.model is Message and can_skip_collector():
        # Two statements: MySQL deletes no deliveries by a subquery that reads deliveries.
        sent = Delivery.objects.filter(message__in=rows).values_list("message", flat=True)
        if pks := list(sent.order_by().distinct()):
            raw_delete(Delivery.objects.filter(message__in=pks))
        return raw_delete(rows)
    return rows.delete()[1].get(rows.model._meta.label, 0)
