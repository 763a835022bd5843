"""Requests to URLs that users have entered.

A user's URL must not reach what is open to the site's servers alone: https and port 443, a host
with public addresses, no redirects. The host is resolved once, and the connection goes to an
address that was checked: a second look-up could lead elsewhere (DNS rebinding).
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from django.views.decorators.debug import sensitive_variables

from monitio.conf import settings

PORTS = {"https": 443, "http": 80}
# No spaces, control characters and backslashes: parsers disagree about them.
URL = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,2048}")
HOST = re.compile(r"([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
# Addresses of one host that are tried.
MOST_ADDRESSES = 4
# A list of our own: that of ``ipaddress`` depends on the version of Python.
REFUSED = {
    ip_network(network): what
    for network, what in {
        "0.0.0.0/8": "this host",
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "shared by a provider's customers",
        "127.0.0.0/8": "loopback",
        "168.63.129.16/32": "a service of the cloud",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "reserved",
        "192.0.2.0/24": "for documentation",
        "192.88.99.0/24": "a relay to IPv6",
        "192.168.0.0/16": "private",
        "198.18.0.0/15": "for benchmarks",
        "198.51.100.0/24": "for documentation",
        "203.0.113.0/24": "for documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
        "::/3": "loopback, or holds an IPv4 address (mapped, NAT64)",
        "2001::/23": "reserved, or a tunnel (Teredo)",
        "2001:db8::/32": "for documentation",
        "2002::/16": "a tunnel (6to4)",
        "3fff::/20": "for documentation",
        "4000::/2": "reserved",
        "8000::/1": "private, link-local, multicast or reserved",
    }.items()
}


class Refused(ValueError):
    """This URL must not be requested. Shows neither the URL nor an address."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """``path`` includes the query. ``is_exempt``: the site allows this scheme, host and port."""

    scheme: str
    host: str
    port: int
    path: str
    is_exempt: bool


@dataclass(frozen=True)
class Response:
    """The body is not read."""

    status: int
    # The header of this name.
    retry_after: str | None


def parse(url: str) -> Target:
    """Check what needs no look-up. Raises ``Refused``."""
    if not URL.fullmatch(url):
        raise Refused("The URL has to be of 1 to 2048 ASCII characters, without spaces.")
    try:
        parts = urlsplit(url)
        scheme, host, port = _origin(url)
    except ValueError:
        raise Refused("This is not a URL.") from None
    if scheme not in PORTS or not (HOST.fullmatch(host) or _is_address(host)):
        raise Refused("The URL has to be one with https:// and a host.")
    if "@" in parts.netloc:
        raise Refused("The URL may not hold a user name or password.")
    is_exempt = (scheme, host, port) in map(_origin, settings.OUTGOING_ORIGINS)
    if not is_exempt:
        if scheme != "https":
            raise Refused("The URL has to begin with https://.")
        if port != PORTS["https"]:
            raise Refused("The URL may have no port but 443.")
        if _is_address(host):
            check_address(host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=scheme, host=host, port=port, path=path, is_exempt=is_exempt)


def check_address(address: str) -> None:
    """Raises ``Refused`` for an IP address that is not public."""
    found = ip_address(address.partition("%")[0])
    for network, what in REFUSED.items():
        if found in network:
            raise Refused(f"The address of the host is not public: it is {what}.")


@sensitive_variables()
def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Response:
    """POST ``body``; all of it, with the look-up, takes ``timeout`` seconds at most.

    Raises ``Refused``, ``OSError`` (also ``TimeoutError``) or ``http.client.HTTPException``.
    """
    target, end = parse(url), time.monotonic() + timeout
    connection: Any = http.client.HTTPConnection(target.host, target.port)
    if target.scheme == "https":
        connection = http.client.HTTPSConnection(target.host, target.port, context=tls_context())
    with closing(_connect(target, end)) as sock:
        connection.sock = _TimedSocket(sock, end)
        more = {"User-Agent": "monitio", "Connection": "close"}
        connection.request("POST", target.path, body, {**more, **headers})
        with connection.getresponse() as response:
            return Response(response.status, response.getheader("Retry-After"))


@cache
def tls_context() -> ssl.SSLContext:
    """Trusts the authorities of the system, or those of the environment's SSL_CERT_FILE."""
    return ssl.create_default_context()


class _TimedSocket(io.RawIOBase):
    """A connected socket, as ``http.client`` uses it, all of whose operations end by ``end``.

    The time-out of a socket is for each operation, so that one byte at a time never ends.
    """

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._sock, self._end = sock, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._end))
        return self._sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        while data:
            self._sock.settimeout(_left(self._end))
            data = data[self._sock.send(data) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """``post`` closes the socket: ``http.client`` does so while it still reads."""


def _connect(target: Target, end: float) -> socket.socket:
    """A connection to the first address that takes it; none if any of them is not public."""
    addresses = _resolve(target, end)
    if not target.is_exempt:
        for *_, address in addresses:
            check_address(address[0])
    failure: OSError = OSError("The host has no address.")
    tried = addresses[:MOST_ADDRESSES]
    for others, (family, kind, protocol, _, address) in zip(
        range(len(tried), 0, -1), tried, strict=True
    ):
        sock = socket.socket(family, kind, protocol)
        try:
            # The next one gets its share of the time, too.
            sock.settimeout(_left(end) / others)
            sock.connect(address)
            if target.scheme == "https":
                sock.settimeout(_left(end))
                return tls_context().wrap_socket(sock, server_hostname=target.host)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure


def _resolve(target: Target, end: float) -> list[Any]:
    """The one look-up. It cannot be interrupted, so it has a thread of its own."""
    answers: SimpleQueue[Any] = SimpleQueue()

    def look_up() -> None:
        try:
            kind = socket.SOCK_STREAM
            answers.put(socket.getaddrinfo(target.host, target.port, type=kind))
        except OSError as error:
            answers.put(error)

    Thread(target=look_up, name="monitio-look-up", daemon=True).start()
    try:
        found = answers.get(timeout=_left(end))
    except Empty:
        raise TimeoutError("The look-up of the host took too long.") from None
    if isinstance(found, OSError):
        raise found
    return list(found)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("The time-out has passed.")
    return left


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ``ValueError``."""
    parts = urlsplit(url)
    port = PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    return parts.scheme, parts.hostname or "", port


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host
