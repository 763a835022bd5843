"""Transports carry bells between processes: ``polling``, ``redis`` or a dotted path."""

from __future__ import annotations

import threading

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from monitio.conf import settings
from monitio.transports.base import Bell, Transport

__all__ = ["Bell", "Transport", "get_transport", "reset_transport"]

BUILT_IN = {
    "polling": "monitio.transports.polling.PollingTransport",
    "redis": "monitio.transports.redis.RedisTransport",
}

_current: tuple[str, Transport] | None = None
_lock = threading.Lock()


def get_transport() -> Transport:
    """The transport ``MONITIO_TRANSPORT`` names, one object a process.

    Raises ``ImproperlyConfigured`` when there is none of that name.
    """
    global _current
    name = settings.TRANSPORT
    if _current is None or _current[0] != name:
        with _lock:
            if _current is None or _current[0] != name:
                _current = (name, load(name))
    return _current[1]


def reset_transport() -> None:
    """Forget the transport: its settings changed, or this process was forked."""
    global _current
    _current = None


def load(name: str) -> Transport:
    try:
        transport = import_string(BUILT_IN.get(name, name))()
    except ImportError as error:
        raise ImproperlyConfigured(
            f"MONITIO_TRANSPORT = {name!r} cannot be loaded: {error}. Use one of "
            f"{', '.join(sorted(BUILT_IN))}, or the dotted path of a Transport class."
        ) from error
    if not isinstance(transport, Transport):
        raise ImproperlyConfigured(
            f"MONITIO_TRANSPORT = {name!r} is not a subclass of monitio.transports.base.Transport."
        )
    return transport
