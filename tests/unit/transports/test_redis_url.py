"""MONITIO_REDIS_URL: the servers of each valid form, and the errors of invalid ones."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from monitio.transports import load
from monitio.transports.redis_url import Nodes, Sentinels, parse

WAITS = {"socket_timeout": 0.2}


def connection(url: str) -> dict[str, Any]:
    """The arguments with which redis-py connects."""
    kwargs: dict[str, Any] = parse(url).client(WAITS, 0.5).connection_pool.connection_kwargs
    return kwargs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis.example", {"host": "redis.example"}),
        ("redis://ann:s%40crt@host:1234/5", {"username": "ann", "password": "s@crt", "db": 5}),
        ("rediss://host/0?ssl_ca_certs=/ca.pem", {"ssl_ca_certs": "/ca.pem"}),
        ("unix:///run/redis.sock?db=3", {"path": "/run/redis.sock", "db": 3}),
        ("redis+cluster://host", {"host": "host", "port": 6379}),
        ("redis+cluster://:s%40crt@[::1]:7000/0", {"host": "::1", "password": "s@crt"}),
        ("rediss+cluster://host:1?ssl_ca_certs=/ca.pem", {"ssl_ca_certs": "/ca.pem"}),
        ("redis+sentinel://:s%40crt@host/news/4", {"password": "s@crt", "db": 4}),
        ("rediss+sentinel://host/news?ssl_ca_certs=/ca.pem", {"ssl_ca_certs": "/ca.pem"}),
    ],
)
def test_options_in_the_address_reach_redis_py(url: str, expected: dict[str, Any]) -> None:
    assert connection(url).items() >= {**expected, "socket_timeout": 0.5}.items()


def test_each_sentinel_has_its_own_password_and_a_short_timeout() -> None:
    address = parse(
        "redis+sentinel://:one@a,b:1/news?sentinel_password=t%40o&health_check_interval=9"
    )
    client = address.client(WAITS, 9.0)
    asked = [one.connection_pool.connection_kwargs for one in
             client.connection_pool.sentinel_manager.sentinels]  # fmt: skip
    assert [(one["host"], one["port"]) for one in asked] == [("a", 26379), ("b", 1)]
    assert all(one["password"] == "t@o" and one["socket_timeout"] == 0.2 for one in asked)
    master = client.connection_pool.connection_kwargs
    assert (master["password"], master["health_check_interval"]) == ("one", 9)


def test_timeouts_in_the_address_take_precedence() -> None:
    for url in ("redis://host", "redis+cluster://host", "redis+sentinel://host/news"):
        assert connection(f"{url}?socket_timeout=0.7")["socket_timeout"] == 0.7


def test_a_sentinel_gets_no_database_number() -> None:
    client = parse("redis+sentinel://host/news?db=3").client(WAITS, 1.0)
    (sentinel,) = client.connection_pool.sentinel_manager.sentinels
    assert client.connection_pool.connection_kwargs["db"] == 3
    assert not sentinel.connection_pool.connection_kwargs.get("db")


def test_sentinels_use_tls_too() -> None:
    client = parse("rediss+sentinel://a/news").client(WAITS, 1.0)
    (sentinel,) = client.connection_pool.sentinel_manager.sentinels
    for pool in (client.connection_pool, sentinel.connection_pool):
        assert "SSL" in pool.connection_class.__name__


def test_every_node_is_tried() -> None:
    address = parse("redis+cluster://a,b,c,d,e")
    asked = [address.client(WAITS, 1.0).connection_pool.connection_kwargs["host"] for _ in "12345"]
    assert sorted(asked) == list("abcde")


@pytest.mark.parametrize(
    ("url", "tries", "waits"),
    [
        ("redis://a", 1, 1),
        ("redis+cluster://a,b", 2, 2),
        ("redis+cluster://a,b,c,d,e", 3, 3),
        ("redis+sentinel://a,b,c/news", 1, 4),
    ],
)
def test_the_timeout_is_shared_among_all_servers(url: str, tries: int, waits: int) -> None:
    address = parse(url)
    assert (address.tries, address.waits) == (tries, waits)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://host", "cannot be read"),
        ("host:6379", "cannot be read"),
        ("", "cannot be read"),
        ("redis://host:port", "cannot be read"),
        ("redis://a,b:6379/0", "names several servers"),
        ("unix://", "names no socket"),
        ("redis+sentinel://host:26379", "names no service"),
        ("redis+sentinel://host/news/first", "'first' that is no number"),
        ("redis+sentinel:///news", "without a host"),
        ("redis+cluster://a,,b", "without a host"),
        ("redis+cluster://a:b", "a port that is no number, in 'a:b'"),
        ("redis+cluster://a/1", "a Cluster has only 0"),
        ("unix+cluster:///run/redis.sock", "cannot be read"),
    ],
)
def test_a_wrong_address_is_refused_with_the_valid_forms(
    url: str, reason: str, settings: Any
) -> None:
    settings.MONITIO_REDIS_URL = url
    with pytest.raises(ImproperlyConfigured, match="redis\\+sentinel://host") as error:
        load("redis")
    assert reason in str(error.value)


def test_no_password_is_shown() -> None:
    for url in (
        "redis://:secret@host:port",
        "redis+sentinel://u:secret@h?sentinel_password=secret",
    ):
        with pytest.raises(ImproperlyConfigured) as error:
            parse(url)
        assert "secret" not in str(error.value)


def test_kinds() -> None:
    assert isinstance(parse("rediss+cluster://a"), Nodes)
    assert isinstance(parse("rediss+sentinel://a/news"), Sentinels)
