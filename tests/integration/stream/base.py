"""The suite that streams pass on every web server, with or without a proxy.

``test_servers.py`` has further tests on four of the servers.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.integration.stream.page import Page
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.waiting import wait_until

Browser = dict[str, str]
SETTINGS = {
    "MONITIO_STREAM_HEARTBEAT": 0.5,
    "MONITIO_STREAM_RETRY": 200,
    "MONITIO_STREAMS_PER_USER": 3,
}
# These may abort open responses instead of waiting for them.
CUT = ("waitress", "runserver", "granian-wsgi", "daphne", "daphne-endpoint")
# Seconds: far more than any of them needs, far less than gunicorn's time-out and a stream's age.
PROMPT = 20


class ServerSuite:
    """Needs a ``server`` with ``SETTINGS``, and the ``site`` behind it."""

    @pytest.fixture
    def browser(self, site: Peer, server: Server, name: str) -> Browser:
        """A signed-in user's browser, once all streams of earlier tests have ended."""
        wait_until(lambda: server.open_streams() == 0, 60, "earlier streams have ended")
        return dict(site.sign_in(name))

    def test_it_begins_at_once_and_goes_on_live(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        site.write(browser["key"], "before")
        with server.stream(browser) as stream:
            first = stream.wait_for("snapshot")["messages"]
            assert [message["body"] for message in first] == ["before"]
            site.write(browser["key"], "live")
            stream.wait_until_it_shows("before", "live")

    def test_pages_are_served_while_streams_are_open(
        self, server: Server, browser: Browser
    ) -> None:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(server.stream(browser)).wait_for("snapshot")
            for _ in range(20):
                assert 'name="username"' in server.get("/login/")

    def test_above_a_limit_the_answer_is_finite(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        site.write(browser["key"], "all is here")
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(server.stream(browser)).wait_for("snapshot")
            polling = stack.enter_context(server.stream(browser))
            assert polling.wait_until_it_ends() == "busy"
            assert polling.texts() == ["all is here"]

    def test_a_client_that_leaves_is_noticed(self, server: Server, browser: Browser) -> None:
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            assert server.open_streams() == 1
        wait_until(lambda: server.open_streams() == 0, 60, "it has gone")

    def test_a_restart_with_open_pages_is_prompt_and_loses_nothing(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        with ExitStack() as stack:
            pages = [stack.enter_context(Page(server.public_port, browser)) for _ in range(3)]
            for page in pages:
                page.wait_until_open()
            site.begin("write_many", browser["key"], 40, 1.0)
            assert server.terminate() < PROMPT
            server.start()
            texts = site.end()
            for page in pages:
                page.wait_until_it_shows(*texts)
                assert page.equals_its_reload()
                assert len(page.shown) == 40, "each once"
                assert set(page.reasons) == {"shutdown"} or server.kind in CUT
