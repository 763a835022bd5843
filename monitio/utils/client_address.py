"""The address of a client, for the limit on streams per address."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string

from monitio.conf import settings

Address = IPv4Address | IPv6Address


def client_address(request: HttpRequest) -> str:
    """The client's address, of IPv6 its /64 network; "" when no trusted source names it.

    Raises ``ImproperlyConfigured`` when MONITIO_CLIENT_ADDRESS cannot work.
    """
    look = load()
    if look is not None:
        address = _parse(str(look(request) or ""))
        return "" if address is None else _network_key(address)
    address = _parse(request.META.get("REMOTE_ADDR") or "")
    # A private one is a proxy's or an intranet's, and may stand for many clients.
    return "" if address is None or not address.is_global else _network_key(address)


def load() -> Callable[[HttpRequest], Any] | None:
    """The function of MONITIO_CLIENT_ADDRESS, None without one.

    Raises ``ImproperlyConfigured`` when that is neither a key of request.META nor a callable.
    """
    source = settings.CLIENT_ADDRESS
    if source is None:
        return None
    if isinstance(source, str) and "." in source:
        try:
            source = import_string(source)
        except ImportError as error:
            raise ImproperlyConfigured(f"MONITIO_CLIENT_ADDRESS: {error}") from error
    if callable(source):
        return source  # type: ignore[no-any-return]
    if isinstance(source, str) and source == source.upper() and "-" not in source:
        return lambda request: request.META.get(source)
    raise ImproperlyConfigured(
        f"MONITIO_CLIENT_ADDRESS: {source!r} is neither a key of request.META nor a callable."
    )


@lru_cache  # usually it is a proxy's, or the page of a client that comes again
def _parse(header: str) -> Address | None:
    """The last address of a header, which the nearest proxy wrote; some add the port."""
    text = header.rpartition(",")[2].strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network_key(address: Address) -> str:
    """One subscriber: an IPv4 address or an IPv6 /64 network."""
    if address.version == 4:
        return str(address)
    return f"{IPv6Address(address.packed[:8] + bytes(8))}/64"
