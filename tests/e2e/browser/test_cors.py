"""A page of another origin (the same host, another port) opens the stream with its cookies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page

from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.http import serving
from tests.support.waiting import wait_until

DEADLINE = 60.0
LISTEN = """(url) => {
  window.texts = [];
  window.failed = false;
  const source = new EventSource(url, { withCredentials: true });
  const take = (message) => window.texts.push(message.body);
  source.addEventListener("snapshot", (event) => {
    window.texts.push("snapshot");
    JSON.parse(event.data).messages.forEach(take);
  });
  source.addEventListener("message", (event) => take(JSON.parse(event.data)));
  source.addEventListener("error", () => { window.failed = source.readyState === 2; });
}"""


class EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Another origin, with an empty page."""
    with serving(EmptyPage) as origin:
        yield origin


Open = Callable[..., tuple[Page, dict[str, str]]]


@pytest.fixture
def open_page(browser: Browser, origin: str, site: Peer, database: str) -> Iterator[Open]:
    """Open a stream from the other origin as a signed-in user: the page, and the user."""
    with ExitStack() as stack:

        def one(kind: str, **settings: Any) -> tuple[Page, dict[str, str]]:
            # As documented.
            settings |= {
                "INSTALLED_APPS": [*django_settings.INSTALLED_APPS, "corsheaders"],
                "MIDDLEWARE": [
                    "corsheaders.middleware.CorsMiddleware",
                    *django_settings.MIDDLEWARE,
                ],
            }
            server = stack.enter_context(closing(Server(kind, database, **settings)))
            who = site.sign_in(f"{kind}-{server.port}")
            name, _, value = who["cookie"].partition("=")
            address = f"http://127.0.0.1:{server.port}"
            context = stack.enter_context(closing(browser.new_context()))
            cookie = {"name": name, "value": value, "url": address, "sameSite": "Lax"}
            context.add_cookies([cookie])  # type: ignore[list-item]
            page = context.new_page()
            page.goto(origin)
            page.evaluate(LISTEN, f"{address}/messages/stream/?page={who['page']}")
            return page, who

        yield one


@pytest.mark.parametrize("kind", ["uvicorn", "endpoint", "gthread"])
def test_with_the_documented_settings_it_receives_events(
    open_page: Open, origin: str, site: Peer, kind: str
) -> None:
    page, who = open_page(kind, CORS_ALLOWED_ORIGINS=[origin], CORS_ALLOW_CREDENTIALS=True)
    wait_until(lambda: page.evaluate("texts.includes('snapshot')"), DEADLINE, "the snapshot")
    site.write(who["key"], "to another origin")
    wait_until(
        lambda: page.evaluate("texts.includes('to another origin')"), DEADLINE, "the message"
    )


@pytest.mark.parametrize("missing", ["CORS_ALLOW_CREDENTIALS", "CORS_ALLOWED_ORIGINS"])
def test_without_one_of_them_it_receives_nothing(
    open_page: Open, origin: str, missing: str
) -> None:
    complete = {"CORS_ALLOWED_ORIGINS": [origin], "CORS_ALLOW_CREDENTIALS": True}
    del complete[missing]
    page, _ = open_page("endpoint", **complete)
    wait_until(lambda: page.evaluate("failed"), DEADLINE, "its end")
    assert page.evaluate("texts") == []
