"""Hand-off of the streams to an existing hub, by ``MONITIO_STREAM``.

The web process only says whose stream it is; nchan or Mercure holds it.
"""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from monitio.conf import settings
from monitio.handoff.base import Handoff
from monitio.transports import get_transport

__all__ = ["Handoff", "get_handoff"]


def get_handoff() -> Handoff | None:
    """The hub that holds the streams; None when the web processes do.

    Raises ``ImproperlyConfigured`` when ``MONITIO_STREAM`` cannot work.
    """
    if not settings.STREAM:
        return None
    hub = get_transport()
    if not isinstance(hub, Handoff):
        raise ImproperlyConfigured(
            f"MONITIO_STREAM: {type(hub).__name__} is not a subclass of monitio.handoff.Handoff."
        )
    return hub
