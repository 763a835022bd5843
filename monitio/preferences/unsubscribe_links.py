"""Links that work without a log-in: who they are for is signed, and bound to one category.

They do not expire, and do not depend on the password: an old e-mail can always be unsubscribed
from. ``SECRET_KEY_FALLBACKS`` keeps them alive when the key changes. A link of one scope is worth
nothing in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core import signing

from monitio import scope as scopes
from monitio.exceptions import BadToken
from monitio.recipients import Recipient

UNSUBSCRIBE, RESUBSCRIBE = "monitio.unsubscribe", "monitio.resubscribe"


@dataclass(frozen=True)
class UnsubscribeToken:
    """Who leaves what: a category, or None for everything that can be left."""

    user_pk: str
    category: str | None
    # What to go back to; only in the token of a way back.
    before: str = ""

    @property
    def user_id(self) -> Any:
        """The user's primary key in the type the user model gives it."""
        return Recipient.for_user(self.user_pk).user_id


def sign(departure: UnsubscribeToken, salt: str = UNSUBSCRIBE) -> str:
    values = [departure.user_pk, departure.category, departure.before]
    return _signer(salt).sign_object(values)


def read(token: str, salt: str = UNSUBSCRIBE) -> UnsubscribeToken:
    """Who a token is for. Raises ``BadToken`` when it was not made here."""
    try:
        user_pk, category, before = _signer(salt).unsign_object(token)
    except (signing.BadSignature, ValueError):
        raise BadToken from None
    return UnsubscribeToken(user_pk, category, before)


def _signer(salt: str) -> signing.Signer:
    return signing.Signer(salt=scopes.key_in(scopes.current(), salt))
