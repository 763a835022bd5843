"""Channels: the ways to reach a user who has no page open."""

from __future__ import annotations

from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from monitio.channels.base import Channel, PermanentFailure, Skipped, TemporaryFailure
from monitio.conf import settings

__all__ = ["Channel", "PermanentFailure", "Skipped", "TemporaryFailure", "get_channel"]


def get_channel(name: str) -> Channel:
    """The channel of this name in ``MONITIO_CHANNELS``.

    Raises ``ImproperlyConfigured`` for an unknown name.
    """
    try:
        path = settings.CHANNELS[name]
    except KeyError:
        raise ImproperlyConfigured(
            f"There is no channel {name!r}; MONITIO_CHANNELS has {', '.join(settings.CHANNELS)}."
        ) from None
    return _load(name, path)


@cache
def _load(name: str, path: str) -> Channel:
    channel = import_string(path)()
    if not isinstance(channel, Channel):
        raise ImproperlyConfigured(f"{path} is not a subclass of monitio.channels.base.Channel.")
    channel.name = name
    return channel
