"""Authentication by ``Authorization: Bearer …``, with a signed user id as the token."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core import signing
from django.http import HttpRequest


def token_of(pk: str) -> str:
    return signing.dumps(pk, salt="tests.tokens")


def authenticate(request: HttpRequest) -> Any:
    """The token's user; a function for MONITIO_AUTHENTICATION."""
    try:
        text = request.headers.get("Authorization", "").removeprefix("Bearer ")
        pk = signing.loads(text, salt="tests.tokens")
    except signing.BadSignature:
        return None
    return get_user_model()._default_manager.filter(pk=pk).first()
