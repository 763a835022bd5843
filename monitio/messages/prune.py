"""Delete rows of the current scope that no user will see again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from monitio.conf import DAY, settings
from monitio.messages import create
from monitio.models import Digest, Job, LastEvent, Message, Repeat, VisitorLogin


def prune_scope(now: datetime) -> dict[str, int]:
    yesterday = now - timedelta(seconds=DAY)
    # All tokens that are older have expired: no visitor can read what was sent to them.
    tokens_end = now - timedelta(seconds=settings.VISITOR_AGE)
    quarter = now - timedelta(seconds=90 * DAY)
    days = settings.KEEP_READ_DAYS
    keep_read_since = None if days is None else now - timedelta(days=days)
    messages = Message.objects.here()
    _delete_rows(VisitorLogin.objects.here().filter(created__lt=tokens_end))
    _delete_rows(Repeat.objects.filter(created__lt=yesterday))
    return {
        "expired": _delete_rows(messages.filter(expires__lte=now, hidden=False)),
        "visitors": _delete_rows(
            messages.filter(user=None, session__gt="", created__lt=tokens_end)
        ),
        "shown": _delete_rows(messages.without_pending_delivery().filter(hidden=True)),
        "read": _delete_rows(messages.read_until(keep_read_since)),
        "jobs": _delete_rows(
            Job.objects.here().ended().filter(messages=None, finished_at__lt=yesterday)
        ),
        "digests": _delete_rows(
            Digest.objects.here().filter(created__lt=quarter).exclude(state="pending")
        ),
        "bells": _delete_rows(LastEvent.objects.filter(modified__lt=yesterday)),
    }


def _delete_rows(rows: QuerySet[Any]) -> int:
    """Delete in batches, which bounds the memory; the number of rows without cascaded ones."""
    deleted = 0
    while pks := list(rows.order_by().values_list("pk", flat=True)[: create.BATCH]):
        by_model = rows.model._default_manager.filter(pk__in=pks).delete()[1]
        deleted += by_model.get(rows.model._meta.label, 0)
    return deleted
