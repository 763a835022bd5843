"""The client's address of a stream, from trusted sources only."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import RequestFactory

from monitio.utils.client_address import client_address


def request(remote: str = "127.0.0.1", **meta: str) -> HttpRequest:
    return RequestFactory().get("/", REMOTE_ADDR=remote, **meta)


def from_the_end(request: HttpRequest) -> str:
    """A function of the site that returns the address."""
    return request.META["HTTP_X_CHAIN"].split()[-1]


class TestWithoutASetting:
    def test_a_public_address_is_the_clients(self) -> None:
        assert client_address(request("8.8.4.4")) == "8.8.4.4"

    @pytest.mark.parametrize(
        "remote",
        ["127.0.0.1", "10.1.2.3", "192.168.0.7", "::1", "fd00::7", "", "unix:", "testserver"],
    )
    def test_a_private_address_is_that_of_a_proxy_and_not_counted(self, remote: str) -> None:
        assert client_address(request(remote)) == ""

    def test_headers_are_not_trusted(self) -> None:
        assert (
            client_address(request(HTTP_X_FORWARDED_FOR="8.8.4.4", HTTP_X_REAL_IP="8.8.4.4")) == ""
        )


class TestVersion6:
    def test_one_network_is_one_client(self) -> None:
        first = client_address(request("2a00:1450:4001:81b:1:2:3:4"))
        assert (
            first == client_address(request("2a00:1450:4001:81b::9")) == "2a00:1450:4001:81b::/64"
        )
        assert first != client_address(request("2a00:1450:4001:81c::9"))

    def test_a_mapped_version_4_address_is_version_4(self) -> None:
        assert client_address(request("::ffff:8.8.4.4")) == "8.8.4.4"


class TestNamedHeader:
    @pytest.fixture(autouse=True)
    def named(self, settings: Any) -> None:
        settings.MONITIO_CLIENT_ADDRESS = "HTTP_X_FORWARDED_FOR"

    @pytest.mark.parametrize(
        ("forwarded", "address"),
        [
            ("8.8.4.4", "8.8.4.4"),
            ("10.0.0.1", "10.0.0.1"),
            ("1.1.1.1, 8.8.4.4", "8.8.4.4"),
            ("8.8.4.4:5678", "8.8.4.4"),
            ("[2a00::1:0:0:0:1]:443", "2a00:0:0:1::/64"),
            ("unknown", ""),
            ("", ""),
        ],
    )
    def test_its_last_address_counts_because_the_nearest_proxy_adds_it(
        self, forwarded: str, address: str
    ) -> None:
        assert client_address(request(HTTP_X_FORWARDED_FOR=forwarded)) == address

    def test_without_it_no_client_is_counted(self) -> None:
        assert client_address(request("8.8.4.4")) == ""

    def test_the_connection_may_be_named_to_count_an_intranet(self, settings: Any) -> None:
        settings.MONITIO_CLIENT_ADDRESS = "REMOTE_ADDR"
        assert client_address(request("10.1.2.3")) == "10.1.2.3"


@pytest.mark.parametrize("named", [from_the_end, f"{__name__}.from_the_end"])
def test_a_site_can_have_its_own_function(named: Any, settings: Any) -> None:
    settings.MONITIO_CLIENT_ADDRESS = named
    assert client_address(request(HTTP_X_CHAIN="1.1.1.1 8.8.4.4")) == "8.8.4.4"


@pytest.mark.parametrize("wrong", ["X-Real-IP", "no.such.function", "monitio.INFO", 7])
def test_what_cannot_be_loaded_is_reported(wrong: Any, settings: Any) -> None:
    settings.MONITIO_CLIENT_ADDRESS = wrong
    with pytest.raises(ImproperlyConfigured, match="MONITIO_CLIENT_ADDRESS"):
        client_address(request())
