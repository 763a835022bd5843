"""Resolve users, primary keys, Recipients and querysets to Recipients that exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from monitio import scope as scopes
from monitio.exceptions import UnknownRecipient
from monitio.messages import visitors
from monitio.recipients import Recipient, accounts


def resolve_recipient(to_user: Any) -> Recipient:
    """The recipient, a logged-in visitor as the user. Raises ``UnknownRecipient``."""
    recipient = _resolve(to_user)
    if not recipient.is_visitor:
        _refuse_unknown([to_user], [recipient])
    return recipient


def iter_recipients(users: Iterable[Any], size: int) -> Iterable[list[Recipient]]:
    """Batches of ``size``, without duplicates in a batch. Raises ``UnknownRecipient``."""
    keys = _keys_of(users, size)
    everybody = iter(users if keys is None else keys)
    while batch := list(islice(everybody, size)):
        recipients = list(dict.fromkeys(map(_resolve, batch)))
        if keys is None:
            _refuse_unknown(batch, recipients)
        yield recipients


def _resolve(who: Any) -> Recipient:
    recipient = Recipient.of(who)
    here = scopes.current()
    if recipient.scope != here:
        # With a database per tenant, the recipient would never see the row.
        raise UnknownRecipient(
            f"This recipient belongs to scope {recipient.scope!r}, the current one is {here!r}: "
            f"write inside `with monitio.scope.activate({recipient.scope!r}):`."
        )
    return visitors.current_recipient(recipient)


def _keys_of(users: Iterable[Any], size: int) -> Iterable[Any] | None:
    """The distinct keys of a queryset of users (a join may repeat a user); None for other types."""
    if not isinstance(users, QuerySet) or not issubclass(users.model, get_user_model()):
        return None
    if not (users.query.is_sliced or users.query.distinct_fields):
        users = users.order_by("pk")
    keys = users.values_list("pk", flat=True).iterator(chunk_size=size)
    return (key for key, _group in groupby(keys))


def _refuse_unknown(batch: Sequence[Any], recipients: Sequence[Recipient]) -> None:
    """Without this check a missing user fails at the caller's commit, with no reason given."""
    given = {Recipient.of(who) for who in batch if not hasattr(who, "is_authenticated")}
    pks = {who.user_id for who in recipients if not who.is_visitor and who in given}
    known = accounts().filter(pk__in=pks)
    missing = pks - set(known.values_list("pk", flat=True)) if pks else set()
    if missing:
        names = ", ".join(sorted(repr(pk) for pk in missing)[:5])
        raise UnknownRecipient(f"There are no users with these primary keys: {names}.")
