"""The doctor's requests to a served site, and the errors of proxies that it finds."""

from __future__ import annotations

import http.client
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import redis
from django.http import HttpRequest

from monitio.management.doctor import client, web
from monitio.management.doctor.attempt import attempt
from monitio.management.doctor.registry import FAULTS, INFO, OK, SKIPPED, Site, examine
from monitio.models import Message
from monitio_celery import monitio_doctor
from tests.support.peers import TIMEOUT
from tests.support.people import user
from tests.support.servers.http import serving

pytestmark = pytest.mark.django_db(transaction=True)

POLICY = "default-src 'none'; script-src 'nonce-x'; style-src https://cdn.test; connect-src 'self'"


def headers(**values: str) -> http.client.HTTPMessage:
    message = http.client.HTTPMessage()
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.fixture
def site(live_server: Any, settings: Any) -> Site:
    settings.MONITIO_STREAM_HEARTBEAT = 0.5
    return Site(live_server.url, user())


def look(site: Site, identifier: str) -> str | None:
    return FAULTS[identifier].look(site)


def test_a_healthy_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine must not cause a finding.
    monkeypatch.setattr(web, "FIRST_BYTE", TIMEOUT)
    monkeypatch.setattr(client, "SPARE", TIMEOUT)
    names = {name for name in FAULTS if FAULTS[name].look.__module__ == web.__name__}
    found = {finding.id: finding for finding in examine(site) if finding.id in names}
    by_status = {name: finding.status for name, finding in found.items()}
    assert {by_status.pop("url.http2"), by_status.pop("url.certificate")} == {SKIPPED}
    assert set(by_status.values()) == {OK}, [it for it in found.values() if it.saw]
    client.end_session(site)


def test_without_an_address_these_checks_are_skipped(settings: Any) -> None:
    site = Site()
    for finding in examine(site):
        if finding.id.startswith(("url.", "stream.", "page.")):
            assert finding.status == SKIPPED, finding


def test_a_proxy_that_compresses_the_stream(site: Site) -> None:
    of_stream = headers(Content_Type="text/event-stream", Content_Encoding="gzip")
    site.asked[client.stream] = client.Stream(200, of_stream, first=0.1)
    assert look(site, "stream.compressed") == "Content-Encoding: gzip."


def test_a_proxy_that_does_not_pass_the_host_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpRequest, "get_host", lambda request: "app:8000")
    assert "is answered 403" in str(look(site, "proxy.forwarded"))


def test_a_policy_that_refuses_a_file(site: Site) -> None:
    of_page = headers(Content_Security_Policy=POLICY)
    body = '<script src="/static/monitio/monitio.js" nonce="x">'
    site.asked[client.page] = client.Answer(200, of_page, body)
    style = f"{site.url}/static/monitio/monitio.css"
    assert look(site, "page.csp") == f"style-src refuses {style}."


def test_a_server_that_holds_no_streams(site: Site, settings: Any) -> None:
    settings.MONITIO_STREAMS_PER_PROCESS = 0
    assert '"reason":"busy"' in str(look(site, "stream.polls"))


def test_a_page_that_has_no_tag(site: Site) -> None:
    site.asked[client.page] = client.Answer(200, headers(), "<html>")
    assert look(site, "page.tag")


def test_a_proxy_that_buffers(site: Site) -> None:
    of_stream = headers(Content_Type="text/event-stream")
    site.asked[client.stream] = client.Stream(200, of_stream, first=7.0)
    assert look(site, "stream.first_byte") == "The first byte came after 7.0 s."
    assert "No heartbeat" in str(look(site, "stream.beat"))


def test_an_address_where_nothing_listens() -> None:
    site = Site("http://127.0.0.1:1", user())
    assert "Connection refused" in str(look(site, "url.answers"))


def test_cookies_that_are_sent_without_tls(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = False
    site = Site("https://example.com")
    assert look(site, "cookies.flags") == "False: SESSION_COOKIE_SECURE, CSRF_COOKIE_SECURE."


def test_each_step_of_a_try_is_timed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from monitio.management.doctor import attempt as module

    monkeypatch.setattr(module, "starters", [])
    steps = list(attempt(site))
    assert [found.id for found in steps] == ["try.message", "try.event", "try.frame"]
    assert {found.status for found in steps} == {INFO}
    assert Message.objects.get().subject == "Test of monitio_doctor"
    assert monitio_doctor.starters == [monitio_doctor.start_attempt]


def test_static_files_of_another_host(site: Site, settings: Any) -> None:
    seen: list[Any] = []

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers)
            self.send_response(200)
            kind = "text/javascript" if self.path.endswith(".js") else "text/css"
            self.send_header("Content-Type", kind)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    with serving(Host) as origin:
        settings.STATIC_URL = f"{origin}/files/"
        found = str(look(site, "static.served"))
    assert f"{origin}/files/monitio/monitio.js has no Access-Control-Allow-Origin" in found
    assert seen and {headers["Cookie"] for headers in seen} == {None}


def test_a_redis_with_another_password(settings: Any, valkey_server: Any) -> None:
    with redis.Redis.from_url(valkey_server.url) as server:
        server.acl_setuser("shop", enabled=True, passwords=["+right"])
        settings.MONITIO_TRANSPORT = "redis"
        settings.MONITIO_REDIS_URL = valkey_server.url.replace("://", "://shop:wrong@")
        try:
            found = look(Site(), "transport.event")
        finally:
            server.acl_deluser("shop")
    assert "AuthenticationError: invalid username-password pair" in str(found)
    assert "wrong@" not in str(found)
