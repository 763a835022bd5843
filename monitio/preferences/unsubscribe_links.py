"""Links that work without a log-in: the user and one category, signed.

They neither expire nor depend on the password: the link of an old e-mail always works.
``SECRET_KEY_FALLBACKS`` keeps them valid when the key changes. A link is valid in its scope only.
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
    """A user, and the category to unsubscribe from (None: all but essential)."""

    user_pk: str
    category: str | None
    # The former mode or frequency; only in tokens for resubscribing.
    before: str = ""

    @property
    def user_id(self) -> Any:
        """The user's primary key in the type the user model gives it."""
        return Recipient.for_user(self.user_pk).user_id


def sign(token: UnsubscribeToken, salt: str = UNSUBSCRIBE) -> str:
    values = [token.user_pk, token.category, token.before]
    return _signer(salt).sign_object(values)


def read(token: str, salt: str = UNSUBSCRIBE) -> UnsubscribeToken:
    """The content of a token. Raises ``BadToken`` for an invalid signature."""
    try:
        user_pk, category, before = _signer(salt).unsign_object(token)
    except (signing.BadSignature, ValueError):
        raise BadToken from None
    return UnsubscribeToken(user_pk, category, before)


def _signer(salt: str) -> signing.Signer:
    return signing.Signer(salt=scopes.key_in(scopes.current(), salt))
