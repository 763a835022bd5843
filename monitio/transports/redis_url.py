"""The address of Redis: one server, the master that Sentinels name, or any node of a Cluster.

A publish must end within its second even when no server answers, so the servers that are asked one
after another share that second.
"""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured

from monitio.utils.optional import import_optional

FORMS = (
    "redis://host:6379/0, rediss://host:6379/0 (TLS), unix:///run/redis.sock?db=0, "
    "redis+sentinel://host:26379,host:26379/service/0 or redis+cluster://host:6379,host:6379 "
    "(both also with rediss+)"
)
SENTINEL_PORT, NODE_PORT = 26379, 6379
# Arguments of redis-py for a connection.
Options = dict[str, Any]


class Address(ABC):
    """Makes clients of the server to talk to."""

    # Servers that are tried before a publish has failed.
    tries = 1
    # Servers, one after another, that may leave such a publish without an answer.
    waits = 1

    @abstractmethod
    def client(self, options: Options, timeout: float) -> Any:
        """A client that reads for ``timeout`` seconds and otherwise waits as ``options`` allow.

        With several servers, each call returns a client of the next one.
        """


class OneServer(Address):
    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, options: Options, timeout: float) -> Any:
        return _client(self.url, options | {"socket_timeout": timeout})


class Nodes(Address):
    """A Cluster carries what is published on one node to all, so any node will do."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.tries = self.waits = min(len(urls), 3)
        # Each process begins with another one.
        self._turns = itertools.cycle(random.sample(urls, len(urls)))

    def client(self, options: Options, timeout: float) -> Any:
        return _client(next(self._turns), options | {"socket_timeout": timeout})


class Sentinels(Address):
    """redis-py asks them at each new connection; its default time-outs may add up to a minute."""

    def __init__(self, urls: Sequence[str], service: str, master: str) -> None:
        self.urls, self.service, self.master = urls, service, master
        self.waits = len(urls) + 1

    def client(self, options: Options, timeout: float) -> Any:
        redis = import_redis()
        sentinel = redis.sentinel.Sentinel([])
        sentinel.sentinels = [_client(url, options) for url in self.urls]
        in_url = redis.connection.parse_url(self.master)
        # The pool chooses a class of its own, which asks the Sentinels.
        in_url["ssl"] = in_url.pop("connection_class", None) is redis.SSLConnection
        del in_url["host"]
        # Options in the URL win, as with the other forms.
        merged = options | {"socket_timeout": timeout} | in_url
        return sentinel.master_for(self.service, **merged)


def _client(url: str, options: Options) -> Any:
    return import_redis().Redis.from_url(url, **options)


def import_redis() -> Any:
    """redis-py. Raises ``ImproperlyConfigured`` when it is not installed."""
    return import_optional("redis.sentinel", extra="redis", needed_by='MONITIO_TRANSPORT = "redis"')


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts that the URLs of all servers share."""

    scheme: str
    user: str
    path: str
    query: str

    def url(self, host: str, port: int) -> str:
        host = f"[{host}]" if ":" in host else host  # IPv6
        user = f"{self.user}@" if self.user else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{user}{host}:{port}{self.path}{query}"


def parse(url: str) -> Address:
    """The address in ``MONITIO_REDIS_URL``. Raises ``ImproperlyConfigured``."""
    try:
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        if kind == "sentinel" and scheme in ("redis", "rediss"):
            return _sentinels(parts, scheme)
        if kind == "cluster" and scheme in ("redis", "rediss"):
            if parts.path.strip("/") not in ("", "0"):
                raise ValueError("names a database, and a Cluster has only 0")
            common = _Parts(scheme, _user(parts), "", parts.query)
            return Nodes([common.url(*server) for server in _servers(parts, NODE_PORT)])
        return _one_server(url, parts)
    except ValueError as error:
        # Without what may hold a password.
        shown = f"{parts.scheme}://…{parts.netloc.rpartition('@')[2]}{parts.path}"
        raise ImproperlyConfigured(
            f"MONITIO_REDIS_URL = {shown!r} {error}. Use one of {FORMS}."
        ) from None


def _one_server(url: str, parts: SplitResult) -> Address:
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("names no socket")
    elif "," in parts.netloc:
        raise ValueError("names several servers, but not whether they are Sentinels or a Cluster")
    try:
        _client(url, {}).close()
    except ValueError as error:
        raise ValueError(f"cannot be read: {error}") from None
    return OneServer(url)


def _sentinels(parts: SplitResult, scheme: str) -> Address:
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("names no service, the name that the Sentinels have for the master")
    options = dict(parse_qsl(parts.query))
    # Sentinels themselves have no databases.
    db = options.pop("db", "") or db or "0"
    if not db.isdecimal():
        raise ValueError(f"names a database {db!r} that is no number")
    user, password = options.pop("sentinel_username", ""), options.pop("sentinel_password", "")
    log_in = f"{quote(user, '')}:{quote(password, '')}" if user or password else ""
    master = _Parts(scheme, _user(parts), f"/{db}", urlencode(options))
    common = replace(master, user=log_in, path="")
    urls = [common.url(*server) for server in _servers(parts, SENTINEL_PORT)]
    return Sentinels(urls, service, master.url("master", NODE_PORT))


def _user(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[0]


def _servers(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    found = []
    for one in parts.netloc.rpartition("@")[2].split(","):
        server = urlsplit(f"//{one}")
        try:
            port = server.port or default_port
        except ValueError:
            raise ValueError(f"names a port that is no number, in {one!r}") from None
        if not server.hostname:
            raise ValueError("names a server without a host")
        found.append((server.hostname, port))
    return found
