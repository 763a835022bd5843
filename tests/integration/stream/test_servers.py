"""Streams on real servers: events, authentication, limits and shutdown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from monitio.stream.threads import LOADERS
from tests.integration.stream.base import PROMPT
from tests.integration.stream.page import Page
from tests.integration.stream.servers import Server
from tests.support.peers import Peer
from tests.support.servers.postgres import Postgres
from tests.support.waiting import wait_until

PROCESS = "tests.integration.stream.process"
RECHECK = 1
SETTINGS = {
    "MONITIO_STREAM_HEARTBEAT": 0.5,
    "MONITIO_STREAM_RECHECK": RECHECK,
    "MONITIO_STREAMS_PER_USER": 3,
    "MONITIO_STREAMS_PER_ADDRESS": 2,
    # A proxy would set it. Without it, a client is not counted.
    "MONITIO_CLIENT_ADDRESS": "HTTP_X_REAL_IP",
}
Browser = dict[str, str]


@pytest.fixture(scope="module", params=["uvicorn", "endpoint", "gthread", "runserver"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(kind: str, site: Peer, database: str, transport: dict[str, str]) -> Iterator[Server]:
    server = Server(kind, database, **SETTINGS, **transport)
    yield server
    server.close()


@pytest.fixture
def browser(site: Peer, server: Server, name: str) -> Browser:
    """A signed-in user's browser, once all streams of earlier tests have ended."""
    wait_until(lambda: server.open_streams() == 0, message="earlier streams have ended")
    return dict(site.sign_in(name))


@pytest.fixture
def by_events_alone(server: Server) -> Iterator[None]:
    """Disable rechecks of sessions during the test, so that only events end streams."""
    server.get("/recheck/3600/")
    yield
    server.get(f"/recheck/{RECHECK}/")


class TestStream:
    def test_it_begins_with_what_is_there(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        site.write(browser["key"], "written before")
        with server.stream(browser) as stream:
            assert stream.status == 200
            first = stream.wait_for("snapshot")
            assert [message["body"] for message in first["messages"]] == ["written before"]
            assert (first["unread"], first["floor"], stream.retry) == (1, 0, 3000)

    def test_headers_prevent_buffering_and_caching(self, server: Server, browser: Browser) -> None:
        with server.stream(browser) as stream:
            assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert stream.headers["X-Accel-Buffering"] == "no"
            assert stream.headers["Content-Encoding"] == "identity"
            assert "no-store" in stream.headers["Cache-Control"]

    def test_what_another_process_writes_arrives_live(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            texts = [f"message {number}" for number in range(20)]
            for text in texts:
                site.write(browser["key"], text)
            stream.wait_until_it_shows(*texts)

    def test_events_reach_their_own_recipient_only(
        self, server: Server, site: Peer, browser: Browser, name: str
    ) -> None:
        other = site.sign_in(f"{name}-other")
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            site.write(other["key"], "not for her")
            site.write(browser["key"], "for her")
            stream.wait_until_it_shows("for her")
            assert "not for her" not in str(stream.events)

    def test_a_visitor_has_one_too(self, server: Server, site: Peer, browser: Browser) -> None:
        visitor = site.visit()
        with server.stream(visitor) as stream:
            stream.wait_for("snapshot")
            site.write(visitor["key"], "hello, whoever you are")
            stream.wait_until_it_shows("hello, whoever you are")

    def test_an_idle_stream_sends_heartbeats(self, server: Server, browser: Browser) -> None:
        with server.stream(browser) as stream:
            wait_until(lambda: len(stream.of("beat")) >= 2)

    def test_a_client_that_leaves_is_noticed(self, server: Server, browser: Browser) -> None:
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            assert server.open_streams() == 1
        wait_until(lambda: server.open_streams() == 0)

    def test_a_child_process_inherits_no_stream_and_takes_none_away(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            assert server.get("/fork/") == "0"
            stream.wait_until_it_receives(lambda: site.write(browser["key"], "still here"))


class TestWho:
    def test_a_page_of_another_user_is_stopped(
        self, server: Server, site: Peer, browser: Browser, name: str
    ) -> None:
        other = site.sign_in(f"{name}-other")
        for page in (other["page"], "", "u.forged", site.visit()["page"]):
            with server.stream(browser, page) as stream:
                assert (stream.status, stream.events) == (204, [])
                assert "no-store" in stream.headers["Cache-Control"]

    def test_an_unknown_client_is_stopped(self, server: Server, browser: Browser) -> None:
        with server.stream({**browser, "cookie": ""}) as stream:
            assert stream.status == 204

    @pytest.mark.usefixtures("by_events_alone")
    def test_logging_out_ends_it_at_once(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        with server.stream(browser) as stream:
            stream.wait_until_it_receives(lambda: site.write(browser["key"], "are you there?"))
            site.log_out(browser["cookie"])
            assert stream.wait_until_it_ends() == "signed-out"

    @pytest.mark.usefixtures("by_events_alone")
    def test_logging_out_while_it_opens_is_not_missed(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        with server.stream(browser) as stream:
            site.log_out(browser["cookie"])
            assert stream.wait_until_it_ends() == "signed-out"

    def test_logging_out_leaves_other_browsers_alone(
        self, server: Server, site: Peer, browser: Browser, name: str
    ) -> None:
        elsewhere = site.sign_in(name)
        with server.stream(browser) as stream, server.stream(elsewhere) as other:
            stream.wait_for("snapshot")
            other.wait_for("snapshot")
            site.log_out(browser["cookie"])
            stream.wait_until_it_ends()
            site.write(browser["key"], "still here")
            other.wait_until_it_shows("still here")

    def test_a_visitor_who_logs_in_gets_a_new_one(
        self, server: Server, site: Peer, browser: Browser, name: str
    ) -> None:
        visitor = site.visit()
        with server.stream(visitor) as stream:
            stream.wait_for("snapshot")
            site.log_in(visitor["cookie"], name)
            assert stream.wait_until_it_ends() == "signed-out"

    @pytest.mark.usefixtures("by_events_alone")
    def test_another_log_in_in_the_same_browser_stops_the_page(
        self, server: Server, site: Peer, browser: Browser, name: str
    ) -> None:
        with Page(server.port, browser) as page:
            page.wait_until_open()
            site.write(browser["key"], "are you there?")
            page.wait_until_it_shows("are you there?")
            browser["cookie"] = site.switch_user(browser["cookie"], f"{name}-other")
            page.wait_for_state("stopped")
            # Its snapshots and older messages are refused, too.
            with pytest.raises(LookupError):
                page.reload()

    @pytest.mark.usefixtures("by_events_alone")
    @pytest.mark.parametrize("action", ["new password", "deactivated", "deleted"])
    def test_an_account_that_changed_ends_it_at_once(
        self, server: Server, site: Peer, browser: Browser, name: str, action: str
    ) -> None:
        with server.stream(browser) as stream:
            stream.wait_until_it_receives(lambda: site.write(browser["key"], "are you there?"))
            site.change_account(name, action)
            assert stream.wait_until_it_ends() == "signed-out"

    def test_an_account_that_changed_without_an_event_ends_it_at_the_next_recheck(
        self, server: Server, site: Peer, browser: Browser, name: str
    ) -> None:
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            site.change_account(name, "deactivated in bulk")
            assert stream.wait_until_it_ends() == "signed-out"

    @pytest.mark.parametrize("action", ["flushed", "expired"])
    def test_a_session_that_ended_ends_it_at_the_next_recheck(
        self, server: Server, site: Peer, browser: Browser, action: str
    ) -> None:
        visitor = site.visit()
        with server.stream(browser) as stream, server.stream(visitor) as other:
            stream.wait_for("snapshot")
            other.wait_for("snapshot")
            site.end_sessions(action)
            assert stream.wait_until_it_ends() == "signed-out"
            assert other.wait_until_it_ends() == "signed-out"


class TestCaps:
    def test_above_the_limit_of_a_user_the_response_is_finite(
        self, server: Server, site: Peer, browser: Browser
    ) -> None:
        site.write(browser["key"], "all is here")
        streams = [server.stream(browser) for _ in range(3)]
        for stream in streams:
            stream.wait_for("snapshot")
        with server.stream(browser) as polling:
            assert polling.wait_until_it_ends() == "busy"
            assert polling.texts() == ["all is here"]
            assert polling.retry == 3000
        for stream in streams:
            assert not stream.ended.is_set()
            stream.close()

    def test_above_the_limit_of_an_address_the_response_is_finite(
        self, server: Server, site: Peer, browser: Browser, name: str
    ) -> None:
        people = [browser, *(site.sign_in(f"{name}-{number}") for number in range(3))]
        addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"]
        with ExitStack() as stack:
            streams = [
                stack.enter_context(server.stream(one, headers={"X-Real-IP": address}))
                for one, address in zip(people, addresses, strict=True)
            ]
            for stream in streams:
                stream.wait_for("snapshot")
            assert streams[2].wait_until_it_ends() == "busy"
            wait_until(lambda: server.open_streams() == 3)

    # The only one of these servers with a small pool of threads.
    @pytest.mark.parametrize("kind", ["gthread"], indirect=True, scope="module")
    def test_streams_leave_threads_for_pages(
        self, server: Server, site: Peer, browser: Browser, name: str, kind: str
    ) -> None:
        people = [browser, *(site.sign_in(f"{name}-{number}") for number in range(7))]
        streams = [server.stream(one) for one in people]
        for stream in streams:
            stream.wait_for("snapshot")
        wait_until(lambda: sum(stream.ended.is_set() for stream in streams) == 4)
        assert server.open_streams() == 4
        for stream in streams:
            stream.close()


@pytest.mark.parametrize("kind", ["uvicorn", "endpoint", "gthread", "runserver"])
class TestStop:
    @pytest.fixture
    def server(
        self, kind: str, site: Peer, database: str, transport: dict[str, str]
    ) -> Iterator[Server]:
        # Rare heartbeats and rechecks: the signal must end the streams.
        rare = {"MONITIO_STREAM_HEARTBEAT": 60, "MONITIO_STREAM_RECHECK": 60}
        server = Server(kind, database, **{**SETTINGS, **rare}, **transport)
        yield server
        server.close()

    def test_a_server_with_open_streams_stops_in_seconds(
        self, server: Server, site: Peer, browser: Browser, kind: str
    ) -> None:
        streams = [server.stream(browser) for _ in range(3)]
        for stream in streams:
            stream.wait_until_it_receives(lambda: site.write(browser["key"], "are you there?"))
        assert server.terminate() < PROMPT
        reasons = [stream.wait_until_it_ends() for stream in streams]
        # runserver has no signal handler: it ends at once, without a bye.
        assert reasons == [None if kind == "runserver" else "shutdown"] * 3
        for stream in streams:
            stream.close()


class TestSync:
    def test_a_server_of_one_thread_answers_and_is_free_again(
        self, site: Peer, database: str, transport: dict[str, str]
    ) -> None:
        server = Server("sync", database, **SETTINGS, **transport)
        browser = site.sign_in("sync")
        site.write(browser["key"], "nothing is missing")
        for _ in range(2):
            with server.stream(browser) as stream:
                assert stream.wait_until_it_ends() == "busy"
                assert stream.texts() == ["nothing is missing"]
        server.close()


class TestPolling:
    """The same with the default transport, polling."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> dict[str, Any]:
        return {**SETTINGS, "MONITIO_TRANSPORT": "polling", "MONITIO_STREAM_RECHECK": 3600}

    def test_live_messages_and_log_out(
        self, database: str, settings: dict[str, Any], site: Peer
    ) -> None:
        writer = Peer(PROCESS, database, MONITIO_TRANSPORT="polling")
        server = Server("uvicorn", database, **settings)
        browser = writer.sign_in("polling")
        with server.stream(browser) as stream:
            stream.wait_for("snapshot")
            writer.write(browser["key"], "by way of the database")
            stream.wait_until_it_shows("by way of the database")
            writer.log_out(browser["cookie"])
            assert stream.wait_until_it_ends() == "signed-out"
        server.close()
        writer.close()


@pytest.mark.parametrize("kind", ["uvicorn", "endpoint", "gthread"])
def test_idle_streams_hold_no_database_connection(
    kind: str, postgres_server: Postgres, transport: dict[str, str]
) -> None:
    url = postgres_server.database(f"idle_{kind}")
    site = Peer(PROCESS, url, **transport)
    site.migrate()
    server = Server(
        kind,
        f"{url}&application_name=server",
        threads=24,
        **transport,
        MONITIO_STREAMS_PER_PROCESS=20,
        MONITIO_STREAM_HEARTBEAT=0.5,
        MONITIO_STREAM_RECHECK=1,
    )
    browsers = [site.sign_in(f"user{number}") for number in range(20)]
    streams = [server.stream(browser) for browser in browsers]
    for stream in streams:
        stream.wait_for("snapshot")
        wait_until(lambda stream=stream: len(stream.of("beat")) >= 4)
    # Only the process's pool for rechecks holds connections, not the streams.
    wait_until(lambda: site.connections_of("server") <= LOADERS, message="all are given back")
    for browser, stream in zip(browsers, streams, strict=True):
        site.write(browser["key"], f"for {browser['key']}")
        stream.wait_until_it_shows(f"for {browser['key']}")
        stream.close()
    server.close()
    site.close()
