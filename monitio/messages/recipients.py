"""Resolve users, primary keys, Recipients and querysets to Recipients that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from monitio import scope as scopes
from monitio.exceptions import UnknownRecipient
from monitio.messages import visitors
from monitio.recipients import Recipient, accounts


def resolve_recipient(who: Any) -> Recipient:
    """The recipient, a logged-in visitor as the user. A primary key may be of no user.

    Raises ``UnknownRecipient`` for what cannot be a recipient.
    """
    recipient = Recipient.of(who)
    here = scopes.current()
    if recipient.scope != here:
        # With a database per tenant, the recipient would never see the row.
        raise UnknownRecipient(
            f"This recipient belongs to scope {recipient.scope!r}, the current one is {here!r}: "
            f"write inside `with monitio.scope.activate({recipient.scope!r}):`."
        )
    return visitors.current_recipient(recipient)


def iter_recipients(users: Iterable[Any], size: int) -> Iterator[list[Recipient]]:
    """Batches of ``size``, without duplicates in a batch. Raises ``UnknownRecipient``."""
    scope = scopes.current()
    keys = _keys_of(users, size)
    everybody = iter(users if keys is None else keys)
    while batch := list(islice(everybody, size)):
        if keys is None:
            yield list(dict.fromkeys(map(resolve_recipient, batch)))
        else:
            # They come from the database: there is nothing to check.
            yield [Recipient(user_pk=str(key), scope=scope) for key in dict.fromkeys(batch)]


def _keys_of(users: Iterable[Any], size: int) -> Iterable[Any] | None:
    """The distinct keys of a queryset of users (a join may repeat a user); None for other types."""
    if not isinstance(users, QuerySet) or not issubclass(users.model, get_user_model()):
        return None
    if not (users.query.is_sliced or users.query.distinct_fields):
        users = users.order_by("pk")
    keys = users.values_list("pk", flat=True).iterator(chunk_size=size)
    return (key for key, _group in groupby(keys))


def refuse_unknown(recipients: Iterable[Recipient]) -> None:
    """Raise ``UnknownRecipient`` that names the users who do not exist."""
    pks = {recipient.user_id for recipient in recipients if not recipient.is_visitor}
    # Also those whom a site's own manager hides.
    users = get_user_model()._base_manager.using(accounts().db)
    missing = pks - set(users.filter(pk__in=pks).values_list("pk", flat=True))
    if missing:
        names = ", ".join(sorted(repr(pk) for pk in missing)[:5])
        raise UnknownRecipient(f"There are no users with these primary keys: {names}.")
