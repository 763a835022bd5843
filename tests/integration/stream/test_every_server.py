"""The suite of ``base.py`` on every server, with the view and with ``monitio.asgi``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.stream.base import PROMPT, SETTINGS, ServerSuite
from tests.integration.stream.servers import ASGI, WSGI, Server
from tests.support.peers import Peer

# gunicorn's sync worker holds no streams; TestSync covers it.
KINDS = [
    *(name for kind in ASGI for name in (kind, f"{kind}-endpoint")),
    *(kind for kind in WSGI if kind != "sync"),
]


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, site: Peer, database: str, transport: dict[str, str]
) -> Iterator[Server]:
    server = Server(request.param, database, **SETTINGS, **transport)
    yield server
    server.close()


class TestEveryServer(ServerSuite):
    pass


def test_hypercorns_worker_processes_stop_when_their_streams_are_old(
    site: Peer, database: str, transport: dict[str, str]
) -> None:
    """They ignore signals, and on Python 3.12 and later hypercorn waits for them for ever."""
    age = {"MONITIO_STREAM_MAX_AGE": 2}
    server = Server("hypercorn", database, options=("--workers", "1"), **age, **transport)
    with server.stream(site.sign_in("hypercorn")) as stream:
        stream.wait_for("snapshot")
        assert server.terminate() < PROMPT
    server.close()
