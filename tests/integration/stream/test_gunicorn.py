"""Workers that gunicorn recycles or preloads, with the configuration of examples/production."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.stream.base import PROMPT, Browser
from tests.integration.stream.page import Page
from tests.integration.stream.servers import Server
from tests.support.peers import ROOT, Peer
from tests.support.waiting import wait_until

CONFIG = "examples/production/gunicorn.conf.py"
SETTINGS = {"MONITIO_STREAM_RETRY": 200, "MONITIO_STREAM_HEARTBEAT": 0.5}
RECYCLED = ("--workers", "1", "--max-requests", "8")
# By gunicorn's documentation: patch first, because preloaded modules are imported before.
PATCHED_EARLY = """
from gevent import monkey

monkey.patch_all()
"""
Start = Callable[..., Server]
# Only `make test-full` runs these.
RARE = {
    kind: pytest.param(kind, marks=pytest.mark.variant)
    for kind in ("gunicorn-asgi", "uvicorn-worker", "waitress")
}


@pytest.fixture
def start(site: Peer, database: str, transport: dict[str, str]) -> Iterator[Start]:
    """Start a server: ``start(kind, *options, **settings)``."""
    with ExitStack() as stack:

        def one(kind: str, *options: str, **settings: object) -> Server:
            everything = {**SETTINGS, **transport, **settings}
            server = Server(kind, database, options=options, **everything)
            stack.callback(server.close)
            return server

        yield one


@pytest.fixture
def browser(site: Peer, name: str) -> Browser:
    return dict(site.sign_in(name))


def process_of(server: Server) -> str:
    """The responding process; "" when the connection is closed, as uvicorn's old worker may do."""
    try:
        return server.get("/process/")
    except OSError:
        return ""


def longest_wait_until_recycled(server: Server) -> float:
    """The longest wait for a page, in seconds, while a worker is replaced."""
    first, longest = process_of(server), 0.0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        begin = time.monotonic()
        now = wait_until(lambda: process_of(server), 60)
        longest = max(longest, time.monotonic() - begin)
        if now != first:
            return longest
    raise AssertionError("The worker was not recycled.")


def goes_on(site: Peer, page: Page, browser: Browser) -> None:
    """The page reconnects to the new worker and misses no message."""
    site.write(browser["key"], "after that")
    page.wait_until_it_shows("after that")


class TestRecycled:
    @pytest.mark.parametrize(
        "kind", ["gthread", "gevent", RARE["gunicorn-asgi"], "gunicorn-asgi-endpoint"]
    )
    def test_its_streams_end_with_the_last_request(
        self, start: Start, site: Peer, browser: Browser, kind: str
    ) -> None:
        server = start(kind, "--config", CONFIG, *RECYCLED)
        with Page(server.public_port, browser) as page:
            page.wait_until_open()
            assert longest_wait_until_recycled(server) < PROMPT
            goes_on(site, page, browser)
            assert set(page.reasons) == {"shutdown"}

    @pytest.mark.parametrize("kind", ["gthread", RARE["uvicorn-worker"], "uvicorn-worker-endpoint"])
    def test_without_the_hook_it_waits_until_streams_reach_their_age(
        self, start: Start, site: Peer, browser: Browser, kind: str
    ) -> None:
        server = start(kind, *RECYCLED, MONITIO_STREAM_MAX_AGE=4)
        with Page(server.public_port, browser) as page:
            page.wait_until_open()
            assert longest_wait_until_recycled(server) < PROMPT
            goes_on(site, page, browser)
            assert set(page.reasons) == {"age"}


@pytest.mark.parametrize("kind", ["gthread", "gevent", "uvicorn-worker-endpoint"])
def test_preloaded_workers_receive_events_and_stop_gracefully(
    start: Start, site: Peer, browser: Browser, kind: str, tmp_path: Path
) -> None:
    config = tmp_path / "gunicorn.conf.py"
    more = PATCHED_EARLY if kind == "gevent" else ""
    config.write_text((ROOT / CONFIG).read_text() + more)
    options = ("--preload", "--workers", "2", "--config", str(config))
    # Rare heartbeats: the signal must end the streams.
    server = start(kind, *options, MONITIO_STREAM_HEARTBEAT=60)
    with server.stream(browser) as stream:
        stream.wait_until_it_receives(lambda: site.write(browser["key"], "hello"))
        assert server.terminate() < PROMPT
        assert stream.wait_until_it_ends() == "shutdown"


class TestThreads:
    """gunicorn has fewer threads than there are open pages."""

    @pytest.fixture
    def people(self, site: Peer, request: pytest.FixtureRequest) -> list[Browser]:
        name = f"user-{abs(hash(request.node.nodeid))}"
        return [dict(site.sign_in(f"{name}-{number}")) for number in range(5)]

    @pytest.mark.parametrize("kind", ["gthread", RARE["waitress"]])
    def test_by_default_pages_poll_and_the_site_answers(
        self, start: Start, people: list[Browser], kind: str
    ) -> None:
        server = start(kind, MONITIO_STREAMS_PER_PROCESS=None)
        with ExitStack() as stack:
            streams = [stack.enter_context(server.stream(one)) for one in people]
            for stream in streams:
                assert stream.wait_until_it_ends() == "busy"
            assert server.open_streams() == 0

    def test_with_our_hooks_some_threads_hold_streams_and_others_pages(
        self, start: Start, people: list[Browser]
    ) -> None:
        options = ("--config", CONFIG, "--workers", "1", "--threads", "4")
        server = start("gthread", *options, MONITIO_STREAMS_PER_PROCESS=None)
        with ExitStack() as stack:
            streams = [stack.enter_context(server.stream(one)) for one in people]
            for stream in streams:
                stream.wait_for("snapshot")
            wait_until(lambda: sum(stream.ended.is_set() for stream in streams) == 3)
            assert server.open_streams() == 2

    def test_greenlets_hold_streams_by_default(self, start: Start, people: list[Browser]) -> None:
        server = start("gevent")
        with ExitStack() as stack:
            for one in people:
                stack.enter_context(server.stream(one)).wait_for("snapshot")
            assert server.open_streams() == len(people)
