"""A visitor's messages become the user's at log-in.

So do those that jobs write later: the log-in is stored for the lifetime of a token, and each write
looks it up first. A write that races with the log-in is moved after both have been committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import transaction

from monitio import dispatch
from monitio.models import Job, Message, VisitorLogin
from monitio.models.rows import ScopedQuerySet
from monitio.recipients import Recipient


def current_recipient(recipient: Recipient) -> Recipient:
    """``recipient``, or the user for a visitor who has logged in since."""
    if not recipient.is_visitor:
        return recipient
    user_pk = _logins(recipient).values_list("user", flat=True).first()
    return recipient if user_pk is None else replace(recipient, user_pk=str(user_pk), token=None)


def merge(token: str, user: Any) -> None:
    """Move all messages of this visitor to ``user``, now and in future."""
    # The first user keeps the token: a token that is used again must not move to another account.
    visitor = Recipient.for_visitor(token)
    VisitorLogin.objects.get_or_create(token=token, scope=visitor.scope, defaults={"user": user})
    # After commit, when other transactions see the row above.
    merge_after_commit([visitor])


def merge_after_commit(recipients: Iterable[Recipient] | Recipient) -> None:
    """After commit, move messages that were written for visitors while they logged in."""
    everybody = [recipients] if isinstance(recipients, Recipient) else recipients
    for visitor in {recipient for recipient in everybody if recipient.is_visitor}:
        dispatch.after_commit(partial(_move, visitor))


def _move(visitor: Recipient) -> None:
    user = current_recipient(visitor)
    if user.is_visitor:
        return
    with transaction.atomic(using=dispatch.database()):
        # A write comes first: SQLite refuses to turn a read transaction into a write one.
        _logins(visitor).update(user=user.user_id)
        # By primary key: a filter by recipient would make MySQL wait for concurrent inserts.
        pks = list(Message.objects.of(visitor).values_list("pk", flat=True))
        messages = Message.objects.of(visitor).filter(pk__in=pks)
        # One message per job and recipient: the user's own stays.
        messages.filter(job__in=Job.objects.filter(messages__recipient_key=user.key)).delete()
        moved = messages.touch(user=user.user_id, session="", recipient_key=user.key)
    if moved:
        dispatch.announce_news([user, visitor])


def _logins(visitor: Recipient) -> ScopedQuerySet[VisitorLogin]:
    rows: ScopedQuerySet[VisitorLogin] = VisitorLogin.objects.all()
    return rows.filter(token=visitor.token, scope=visitor.scope)
