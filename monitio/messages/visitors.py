"""What happens to a visitor's messages when they log in: they become the user's.

Also what a job says later: the log-in is remembered for as long as a token lives, and whoever
writes for a token asks first. A write that crosses the log-in is moved after both are committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import transaction

from monitio import dispatch
from monitio.models import Job, Message, VisitorLogin
from monitio.models.querysets import ScopedQuerySet
from monitio.recipients import Recipient


def current_recipient(recipient: Recipient) -> Recipient:
    """Who is meant today: the user, for a visitor who has logged in since."""
    if not recipient.is_visitor:
        return recipient
    user_pk = _logins(recipient).values_list("user", flat=True)
    login = user_pk.first()
    return recipient if login is None else replace(recipient, user_pk=str(login), token=None)


def merge(token: str, user: Any) -> None:
    """Hand everything of this visitor to ``user``, now and in future."""
    # Whoever was first keeps the token: one that is shown again must not move to another account.
    visitor = Recipient.for_visitor(token)
    VisitorLogin.objects.get_or_create(token=token, scope=visitor.scope, defaults={"user": user})
    # After the line above is visible to others: see settle().
    merge_after_commit([visitor])


def merge_after_commit(recipients: Iterable[Recipient] | Recipient) -> None:
    """After commit, move what was written for visitors while they logged in."""
    everybody = [recipients] if isinstance(recipients, Recipient) else recipients
    for visitor in {recipient for recipient in everybody if recipient.is_visitor}:
        dispatch.after_commit(partial(_catch_up, visitor))


def _catch_up(visitor: Recipient) -> None:
    user = current_recipient(visitor)
    if not user.is_visitor:
        _move(visitor, user)


def _move(visitor: Recipient, user: Recipient) -> None:
    with transaction.atomic(using=dispatch.database()):
        # A write comes first: SQLite refuses a reader that turns into a writer too late.
        _logins(visitor).update(user=user.user_id)
        # Named by key: asked for by visitor, MySQL would wait for whoever is writing to them.
        pks = list(Message.objects.of(visitor).values_list("pk", flat=True))
        messages = Message.objects.of(visitor).filter(pk__in=pks)
        # One message a job and person: the user's own stays.
        messages.filter(job__in=Job.objects.filter(messages__recipient_key=user.key)).delete()
        moved = messages.touch(user=user.user_id, session="", recipient_key=user.key)
    if moved:
        dispatch.announce_news([user, visitor])


def _logins(visitor: Recipient) -> ScopedQuerySet[VisitorLogin]:
    rows: ScopedQuerySet[VisitorLogin] = VisitorLogin.objects.all()
    return rows.filter(token=visitor.token, scope=visitor.scope)
