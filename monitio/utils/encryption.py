"""``MONITIO_ENCRYPTION``: what is stored of the site's secrets is encrypted at rest."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from monitio.conf import settings

MARK = "encrypted:"


def encrypt(text: str) -> str:
    """``text`` as it is stored. Raises ``ImproperlyConfigured`` for an invalid setting."""
    return MARK + load().encrypt(text) if settings.ENCRYPTION else text


def decrypt(stored: str) -> str:
    """The inverse of ``encrypt``; what was stored without encryption is returned as it is."""
    if not is_encrypted(stored):
        return stored
    if not settings.ENCRYPTION:
        raise ImproperlyConfigured(
            "An encrypted value cannot be read: set MONITIO_ENCRYPTION to what has encrypted it."
        )
    return str(load().decrypt(stored.removeprefix(MARK)))


def is_encrypted(stored: object) -> bool:
    return isinstance(stored, str) and stored.startswith(MARK)


def load() -> Any:
    """The object of ``MONITIO_ENCRYPTION``, which has ``encrypt`` and ``decrypt`` of str to str."""
    path = settings.ENCRYPTION
    try:
        named = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"MONITIO_ENCRYPTION = {path!r} cannot be imported: {error}."
        ) from error
    found = named() if isinstance(named, type) else named
    if not (hasattr(found, "encrypt") and hasattr(found, "decrypt")):
        raise ImproperlyConfigured(
            f"MONITIO_ENCRYPTION = {path!r} needs encrypt(text) and decrypt(text)."
        )
    return found
