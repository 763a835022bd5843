"""Transports carry events between processes: ``polling``, ``redis``, ``postgres`` or a dotted path.

A hub (``nchan``, ``mercure``) is a transport that also holds the streams.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from monitio.conf import settings
from monitio.transports.base import Transport
from monitio.transports.breaker import Breaker
from monitio.transports.events import Event
from monitio.transports.hub import Hub

__all__ = ["Event", "Hub", "Transport", "get_hub", "get_transport", "reset_transport"]

BUILT_IN = {
    "polling": "monitio.transports.polling.PollingTransport",
    "redis": "monitio.transports.redis.RedisTransport",
    "postgres": "monitio.transports.postgres.PostgresTransport",
}

HUBS = {
    "nchan": "monitio.transports.nchan.NchanHub",
    "mercure": "monitio.transports.mercure.MercureHub",
}

_current: tuple[Any, Transport] | None = None
_lock = threading.Lock()


def get_transport() -> Transport:
    """The transport ``MONITIO_TRANSPORT`` names, or the hub of ``MONITIO_STREAM``; one a process.

    Raises ``ImproperlyConfigured`` when it cannot be loaded.
    """
    global _current
    # Where a hub holds the streams, no web process listens to a transport.
    name = settings.STREAM or settings.TRANSPORT
    current = _current
    if current is None or current[0] != name:
        with _lock:
            current = _current
            if current is None or current[0] != name:
                _current = current = (name, load_hub(name) if settings.STREAM else load(name))
    return current[1]


def get_hub() -> Hub | None:
    """The hub that holds the streams; None when the web processes do.

    Raises ``ImproperlyConfigured`` when ``MONITIO_STREAM`` cannot work.
    """
    if not settings.STREAM:
        return None
    hub = get_transport()
    if not isinstance(hub, Hub):
        raise ImproperlyConfigured(
            f"MONITIO_STREAM: {type(hub).__name__} is not a subclass of monitio.transports.Hub."
        )
    return hub


def reset_transport() -> None:
    """Forget the transport: its settings changed."""
    global _current
    former, _current = _current, None
    if former is not None:
        former[1].breaker.stop()


def load(name: str) -> Transport:
    """The transport of this name or dotted path. Raises ``ImproperlyConfigured``."""
    try:
        transport_class = import_string(BUILT_IN.get(name, HUBS.get(name, name)))
        if isinstance(transport_class, type) and issubclass(transport_class, Hub):
            raise ImproperlyConfigured(
                f"MONITIO_TRANSPORT = {name!r} is a hub, which holds the streams itself. Use "
                f'MONITIO_STREAM = {{"BACKEND": {name!r}, "PUBLISH_URL": "..."}} instead '
                "(docs/hubs.md)."
            )
        transport = transport_class()
    except ImportError as error:
        raise ImproperlyConfigured(
            f"MONITIO_TRANSPORT = {name!r} cannot be loaded: {error}. Use one of "
            f"{', '.join(sorted(BUILT_IN))}, or the dotted path of a Transport class."
        ) from error
    if not isinstance(transport, Transport):
        raise ImproperlyConfigured(
            f"MONITIO_TRANSPORT = {name!r} is not a subclass of monitio.transports.base.Transport."
        )
    transport.breaker = Breaker(transport.publish)
    return transport


def load_hub(options: Any) -> Transport:
    """The hub that ``MONITIO_STREAM`` describes."""
    backend = options.get("BACKEND") if isinstance(options, dict) else None
    if not isinstance(backend, str):
        raise ImproperlyConfigured(
            'MONITIO_STREAM is a dictionary, for example {"BACKEND": "nchan", "PUBLISH_URL": '
            f'"http://127.0.0.1:8081/publish"}}, with one of {", ".join(sorted(HUBS))} or the '
            "dotted path of a Hub class as BACKEND."
        )
    try:
        hub: Transport = import_string(HUBS.get(backend, backend))()
    except ImportError as error:
        raise ImproperlyConfigured(
            f"MONITIO_STREAM: BACKEND {backend!r} cannot be loaded: {error}. Use one of "
            f"{', '.join(sorted(HUBS))}, or the dotted path of a Hub class."
        ) from error
    hub.breaker = Breaker(hub.publish)
    return hub


def _forget_after_fork() -> None:
    # The child shares the parent's sockets, and a lock that the parent held stays locked.
    global _current, _lock
    _current, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
