"""Delete messages, where possible without reading them first."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef, Q
from django.db.models.signals import post_delete, pre_delete

from monitio.models import Delivery, Message
from monitio.models.messages import MessageQuerySet
from monitio.utils.compiled_sql import CompiledByKeys


def delete_or_hide(rows: MessageQuerySet, count: int) -> None:
    """Delete ``count`` messages; one whose e-mail is still to be sent is hidden until then.

    An e-mail with a condition ("unless_read") is deleted too: the recipient has seen the message.
    """
    # Nearly always all of them, with one statement instead of five and a transaction.
    alone = rows.exclude(Exists(Delivery.objects.filter(message=OuterRef("pk"))))
    if can_skip_collector() and raw_delete(alone) == count:
        return
    waiting = list(rows.with_pending_delivery().values_list("pk", flat=True))
    if waiting:
        Message.objects.filter(pk__in=waiting).touch(hidden=True)
    rows.exclude(pk__in=waiting).delete()


def delete_shown(pks: Collection[int], token: str) -> None:
    """Delete messages that a page has shown, which claimed them with ``token``.

    Also without a claim: the view was rolled back, but its page was sent.
    """
    alias = router.db_for_write(Message)
    if can_skip_collector() and _SHOWN.run(alias, pks, token=token) == len(pks):
        return
    mine = Message.objects.filter(Q(claim=token) | Q(claim=""), pk__in=pks)
    delete_or_hide(mine, len(pks))


_SHOWN = CompiledByKeys(
    lambda pks, token: Message.objects.filter(
        ~Exists(Delivery.objects.filter(message=OuterRef("pk"))),
        Q(claim=token) | Q(claim=""),
        pk__in=pks,
    ),
    token=Message._meta.get_field("claim"),
)


def can_skip_collector() -> bool:
    """Whether only deliveries depend on messages: no model or signal handler of the site's own."""
    if pre_delete.has_listeners(Message) or post_delete.has_listeners(Message):
        return False
    related: set[Any] = {
        field.related_model
        for field in Message._meta.get_fields(include_hidden=True)
        if field.auto_created and not field.concrete
    }
    return all(model._meta.app_label == "monitio" for model in related)


def raw_delete(rows: Any) -> int:
    """The number of rows: without signals, and nothing that refers to them is deleted."""
    return int(rows._raw_delete(rows.db) or 0)
