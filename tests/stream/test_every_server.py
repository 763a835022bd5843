"""What every web server must do with a stream, by the view and by ``monitio.asgi``.

``test_servers.py`` holds the rest of the promises, on four of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.peers import Peer
from tests.servers.valkey import Valkey
from tests.stream.page import Page
from tests.stream.servers import ASGI, WSGI, Server
from tests.waiting import wait_until

Browser = dict[str, str]
# gunicorn's sync worker holds no streams; TestSync says what it does.
KINDS = [
    *(name for kind in ASGI for name in (kind, f"{kind}-endpoint")),
    *(kind for kind in WSGI if kind != "sync"),
]
SETTINGS = {
    "MONITIO_STREAM_HEARTBEAT": 0.5,
    "MONITIO_STREAM_RETRY": 200,
    "MONITIO_STREAMS_PER_USER": 3,
}
# These cut their responses instead of waiting for them, or may do so.
CUT = ("waitress", "runserver", "granian-wsgi", "daphne", "daphne-endpoint")
# Seconds: far above what any of them needs, far below gunicorn's patience and a stream's age.
PROMPT = 15


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite://{tmp_path_factory.mktemp('servers')}/site.sqlite3"


@pytest.fixture(scope="module")
def transport(valkey_server: Valkey) -> dict[str, str]:
    return {"MONITIO_TRANSPORT": "redis", "MONITIO_REDIS_URL": valkey_server.url}


@pytest.fixture(scope="module")
def site(database: str, transport: dict[str, str]) -> Iterator[Peer]:
    """Another process of the same site."""
    peer = Peer("tests.stream.process", database, **transport)
    peer.migrate()
    yield peer
    peer.close()


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(kind: str, site: Peer, database: str, transport: dict[str, str]) -> Iterator[Server]:
    server = Server(kind, database, **SETTINGS, **transport)
    yield server
    server.close()


@pytest.fixture
def browser(site: Peer, server: Server, request: pytest.FixtureRequest) -> Browser:
    """Somebody signed in, when all streams of earlier tests are over."""
    wait_until(lambda: server.open_streams() == 0, message="earlier streams have ended")
    return dict(site.sign_in(f"user-{abs(hash(request.node.nodeid))}"))


def test_it_begins_at_once_and_goes_on_live(server: Server, site: Peer, browser: Browser) -> None:
    site.write(browser["key"], "before")
    with server.stream(browser) as stream:
        assert [message["body"] for message in stream.wait_for("snapshot")["messages"]] == [
            "before"
        ]
        site.write(browser["key"], "live")
        stream.wait_until_it_shows("before", "live")


def test_pages_are_served_while_streams_are_open(
    server: Server, site: Peer, browser: Browser
) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(server.stream(browser)).wait_for("snapshot")
        for _ in range(20):
            assert 'name="username"' in server.get("/login/")


def test_above_a_limit_the_answer_is_finite(server: Server, site: Peer, browser: Browser) -> None:
    site.write(browser["key"], "all is here")
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(server.stream(browser)).wait_for("snapshot")
        polling = stack.enter_context(server.stream(browser))
        assert polling.wait_until_it_ends() == "busy"
        assert polling.texts() == ["all is here"]


def test_a_client_that_leaves_is_noticed(server: Server, browser: Browser) -> None:
    with server.stream(browser) as stream:
        stream.wait_for("snapshot")
        assert server.open_streams() == 1
    wait_until(lambda: server.open_streams() == 0, message="it has gone")


def test_a_restart_with_open_pages_is_prompt_and_loses_nothing(
    server: Server, site: Peer, browser: Browser, kind: str
) -> None:
    with ExitStack() as stack:
        pages = [stack.enter_context(Page(server.port, browser)) for _ in range(3)]
        for page in pages:
            page.wait_until_open()
        site.begin("write_many", browser["key"], 40, 2.0)
        assert server.terminate() < PROMPT
        server.start()
        texts = site.end()
        for page in pages:
            page.wait_until_it_shows(*texts)
            assert page.equals_its_reload()
            assert len(page.shown) == 40, "each once"
            assert set(page.reasons) == {"shutdown"} or kind in CUT


def test_hypercorns_worker_processes_stop_when_their_streams_are_old(
    site: Peer, database: str, transport: dict[str, str]
) -> None:
    """They hear no signal, and from Python 3.12 on hypercorn waits for them without an end."""
    age = {"MONITIO_STREAM_MAX_AGE": 2}
    server = Server("hypercorn", database, options=("--workers", "1"), **age, **transport)
    with server.stream(site.sign_in("hypercorn")) as stream:
        stream.wait_for("snapshot")
        assert server.terminate() < PROMPT
    server.close()
