"""``monitio.asgi``: idle streams hold no thread or connection; other requests pass unchanged."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

import monitio.asgi
from monitio.stream import asgi, frames, shutdown, threads
from monitio.stream import broadcaster as broadcasters
from monitio.stream.broadcaster import Broadcaster, Limits
from monitio.stream.drivers import HANDOFF_KEY, OpenStream
from monitio.stream.protocol import StreamSource
from monitio.transports import Event as TransportEvent
from monitio.utils.fork import ProcessLocal
from tests.integration.stream.servers import Server
from tests.support.databases import database
from tests.support.peers import Peer
from tests.support.servers.postgres import Postgres
from tests.support.waiting import wait_until

PROCESS = "tests.integration.stream.process"
TOPIC = "user:1"
Event = dict[str, Any]
language: ContextVar[str] = ContextVar("language", default="none")


class Wire:
    """The server's side of one ASGI request: ``sent`` are the events that the application sent."""

    def __init__(self) -> None:
        self.sent: list[Event] = []
        self.disconnected = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.error: Exception | None = None
        self.request_sent = False

    async def receive(self) -> Event:
        if not self.request_sent:
            self.request_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        await self.writable.wait()
        if self.error is not None:
            raise self.error
        self.sent.append(event)

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)


class QuietBroadcaster(Broadcaster):
    """A broadcaster without a transport: it delivers only what the test publishes."""

    def _ensure_running(self) -> None:
        self.on_subscribed(self.take_changes()[0])


@pytest.fixture(autouse=True)
def broadcaster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcaster]:
    broadcaster = QuietBroadcaster()
    monkeypatch.setattr(broadcasters, "_broadcaster", ProcessLocal(lambda: broadcaster))
    # New threads: those of an earlier test may hold a connection, which tests without a database
    # must not use.
    loaders = threads.DatabaseThreads(threads.LOADERS, "monitio-load")
    monkeypatch.setattr(threads, "_loaders", ProcessLocal(lambda: loaders))
    yield broadcaster
    assert broadcaster.open_streams() == 0, "a stream is still open"


def open_stream(limits: Limits | None = None, **changes: Any) -> OpenStream:
    answers: dict[str, Any] = {
        "snapshot": lambda has: frames.event("snapshot", {"messages": []}),
        "still_valid": lambda: True,
        "stopping": lambda: False,
    }
    source = StreamSource(**{**answers, **changes})
    return OpenStream(TOPIC, source, limits or Limits(9, 9), copy_context())


def django(left: OpenStream) -> monitio.asgi.Application:
    """A double of Django's application: a head, a stream to open, an empty body."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        scope[HANDOFF_KEY].stream = left
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def run(
    left: OpenStream, test: Callable[[Wire, asyncio.Task[None]], Awaitable[None]]
) -> asyncio.Task[None]:
    """Open a stream, and call ``test`` with the server's side and the server's task."""

    async def main() -> asyncio.Task[None]:
        wire = Wire()
        app = monitio.asgi.application(django(left))
        task = asyncio.ensure_future(app({"type": "http"}, wire.receive, wire.send))
        try:
            await test(wire, task)
        finally:
            wire.disconnected.set()
            async with asyncio.timeout(60):
                await asyncio.wait([task])
        return task

    return asyncio.run(main())


def message(number: int) -> Event:
    return TransportEvent(TOPIC, "message", {"id": number, "version": 1, "body": f"text {number}"})


class TestOneStream:
    def test_its_head_is_djangos_and_its_body_the_streams(self, broadcaster: Broadcaster) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            broadcaster.receive(message(7))
            await wire.until(lambda: b"text 7" in wire.body)
            assert wire.sent[0]["headers"] == [(b"a", b"b")]
            assert all(event["more_body"] for event in wire.sent[1:])
            assert not task.done()

        assert run(open_stream(), test).exception() is None

    def test_a_signed_out_stream_completes_its_response(self, broadcaster: Broadcaster) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            broadcaster.receive(TransportEvent(TOPIC, "recheck"))
            await wire.until(task.done)
            assert b"signed-out" in wire.body
            assert [event.get("more_body") for event in wire.sent[-2:]] == [True, False]

        task = run(open_stream(still_valid=lambda: False), test)
        assert task.exception() is None and not task.cancelling()

    def test_above_the_limits_it_is_a_snapshot_and_an_end(self) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(task.done)
            assert b"snapshot" in wire.body and b"busy" in wire.body

        run(open_stream(Limits(0, 9)), test)

    def test_the_database_is_queried_in_a_thread_in_the_context_of_the_view(self) -> None:
        seen: list[Any] = []

        def look(has: str) -> bytes:
            seen.append((language.get(), threading.current_thread() is threading.main_thread()))
            return frames.event("snapshot", {})

        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)

        token = language.set("pl")
        left = open_stream(snapshot=look)
        language.reset(token)
        run(left, test)
        assert seen == [("pl", False)]

    def test_what_fails_in_it_ends_it_and_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail(has: str) -> bytes:
            raise ZeroDivisionError

        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(task.done)

        assert run(open_stream(snapshot=fail), test).exception() is None
        assert "A stream has failed." in caplog.text

    def test_one_event_wakes_many_by_one_call_into_the_loop(
        self, broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def main() -> None:
            wires = [Wire() for _ in range(5)]
            app = monitio.asgi.application(django(open_stream()))
            tasks = [
                asyncio.ensure_future(app({"type": "http"}, wire.receive, wire.send))
                for wire in wires
            ]
            for wire in wires:
                await wire.until(lambda wire=wire: b"snapshot" in wire.body)  # type: ignore[misc]
            loop, calls = asyncio.get_running_loop(), []
            original = loop.call_soon_threadsafe
            monkeypatch.setattr(
                loop, "call_soon_threadsafe", lambda *args: calls.append(args) or original(*args)
            )
            thread = threading.Thread(target=broadcaster.receive, args=[message(1)])
            thread.start()
            thread.join()
            for wire in wires:
                await wire.until(lambda wire=wire: b"text 1" in wire.body)  # type: ignore[misc]
                wire.disconnected.set()
            await asyncio.gather(*tasks)
            assert len(calls) == 1

        asyncio.run(main())


class TestSlowClient:
    def test_events_meanwhile_become_a_snapshot(self, broadcaster: Broadcaster) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            wire.writable.clear()
            broadcaster.receive(message(0))
            await asyncio.sleep(0)  # the first event now waits in the server's send
            for number in range(1, 500):
                broadcaster.receive(message(number))
                await asyncio.sleep(0)
            wire.writable.set()
            await wire.until(lambda: wire.body.count(b"event: snapshot") == 2)
            assert wire.body.count(b"event: message") == 1
            broadcaster.receive(message(1000))
            await wire.until(lambda: b"text 1000" in wire.body)

        run(open_stream(), test)

    def test_its_task_sends_in_the_servers_context(self, broadcaster: Broadcaster) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            wire.writable.clear()
            broadcaster.receive(message(1))
            await asyncio.sleep(0.01)
            wire.error = OSError("gone")
            wire.writable.set()
            await wire.until(task.done)

        assert run(open_stream(), test).exception() is None

    def test_one_that_reads_nothing_for_long_is_given_up(
        self, broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asgi, "SEND_TIMEOUT", 0.05)

        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            wire.writable.clear()
            broadcaster.receive(message(1))
            await wire.until(task.done)

        assert run(open_stream(), test).exception() is None

    def test_a_stopping_server_does_not_wait_for_it(
        self, broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            wire.writable.clear()
            broadcaster.receive(message(1))
            await asyncio.sleep(0.01)
            monkeypatch.setattr(shutdown, "stopping", lambda: True)
            broadcaster.wake_all()
            await wire.until(task.done)

        run(open_stream(), test)


class TestGone:
    @pytest.mark.parametrize("error", [OSError, RuntimeError, ConnectionResetError])
    def test_a_server_may_raise_any_exception(
        self, broadcaster: Broadcaster, error: type[Exception]
    ) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            wire.error = error("gone")
            broadcaster.receive(message(1))
            await wire.until(task.done)

        assert run(open_stream(), test).exception() is None

    def test_a_cancelling_server_sees_its_own_cancel(self) -> None:
        async def test(wire: Wire, task: asyncio.Task[None]) -> None:
            await wire.until(lambda: b"snapshot" in wire.body)
            task.cancel()
            await wire.until(task.done)

        assert run(open_stream(), test).cancelled()

    def test_a_client_that_leaves_during_the_request_gets_no_stream(self) -> None:
        async def app_that_receives(scope: Any, receive: Any, send: Any) -> None:
            assert (await receive())["type"] == "http.request"
            assert (await receive())["type"] == "http.disconnect"
            scope[HANDOFF_KEY].stream = open_stream()

        words: list[Event] = [{"type": "http.request"}, {"type": "http.disconnect"}]

        async def receive_once() -> Event:
            return words.pop(0)

        async def main() -> None:
            app = monitio.asgi.application(app_that_receives)
            async with asyncio.timeout(60):
                await app({"type": "http"}, receive_once, Wire().send)

        asyncio.run(main())

    def test_cancelling_djangos_receive_does_not_cancel_the_servers(self) -> None:
        cancelled: list[bool] = []

        class Sensitive(Wire):
            """As gunicorn, which treats a cancelled receive() as a disconnected client."""

            async def receive(self) -> Event:
                try:
                    return await super().receive()
                except asyncio.CancelledError:
                    cancelled.append(True)
                    raise

        async def app_that_listens(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            listening = asyncio.ensure_future(receive())
            await asyncio.sleep(0.01)
            await django(open_stream())(scope, receive, send)
            listening.cancel()
            await asyncio.wait([listening])

        async def main() -> None:
            wire = Sensitive()
            app = monitio.asgi.application(app_that_listens)
            task = asyncio.ensure_future(app({"type": "http"}, wire.receive, wire.send))
            await wire.until(lambda: b"snapshot" in wire.body)
            assert not cancelled
            wire.disconnected.set()
            async with asyncio.timeout(60):
                await task

        asyncio.run(main())


class TestEverythingElse:
    def test_other_responses_pass_unchanged(self) -> None:
        head = {
            "type": "http.response.start",
            "status": 404,
            "headers": [(b"content-length", b"2")],
        }
        body = {"type": "http.response.body", "body": b"no"}

        async def page(scope: Any, receive: Any, send: Any) -> None:
            assert scope["path"] == "/x"
            assert (await receive())["type"] == "http.request"
            await send(head)
            await send(body)

        async def main() -> None:
            wire = Wire()
            wire.disconnected.set()
            app = monitio.asgi.application(page)
            await app({"type": "http", "path": "/x"}, wire.receive, wire.send)
            assert wire.sent == [head, body]

        asyncio.run(main())

    @pytest.mark.parametrize("kind", ["websocket", "lifespan"])
    def test_other_protocols_are_not_touched(self, kind: str) -> None:
        calls: list[tuple[Any, ...]] = []

        async def other(*args: Any) -> None:
            calls.append(args)

        async def main() -> None:
            wire, scope = Wire(), {"type": kind}
            receive, send = wire.receive, wire.send
            await monitio.asgi.application(other)(scope, receive, send)
            assert calls == [(scope, receive, send)]
            assert scope == {"type": kind}

        asyncio.run(main())


@pytest.fixture
def later() -> Iterator[ExitStack]:
    """Closes what a test has started, also when it fails."""
    with ExitStack() as stack:
        yield stack


def test_two_hundred_streams_hold_no_thread_and_no_connection(
    postgres_server: Postgres, transport: dict[str, Any], later: ExitStack
) -> None:
    url = postgres_server.database("endpoint")
    site = later.enter_context(closing(Peer(PROCESS, url, **transport)))
    site.migrate()
    server = Server(
        "endpoint", f"{url}&application_name=server", **transport, MONITIO_STREAMS_PER_USER=999
    )
    later.callback(server.close)
    browser = site.sign_in("many")
    streams = [server.stream(browser)]
    streams[0].wait_until_it_receives(lambda: site.write(browser["key"], "are you there?"))
    streams += [server.stream(browser) for _ in range(19)]
    for stream in streams:
        stream.wait_for("snapshot")
    # Threads of the pools that were not needed before.
    few = server.threads() + threads.REQUEST_THREADS + threads.LOADERS
    streams += [server.stream(browser) for _ in range(200)]
    most = 0
    for stream in streams[20:]:
        most = max(most, site.connections_of("server"))
        stream.wait_for("snapshot")
    assert most <= threads.REQUEST_THREADS + threads.LOADERS
    wait_until(lambda: site.connections_of("server") == 0, message="all are given back")
    assert server.threads() <= few
    site.write(browser["key"], "to all tabs")
    for stream in streams:
        wait_until(lambda stream=stream: stream.texts()[-1:] == ["to all tabs"])  # type: ignore[misc]
        stream.close()


def test_middleware_and_persistent_connections_hold_nothing(
    postgres_server: Postgres, transport: dict[str, Any], settings: Any, later: ExitStack
) -> None:
    url = postgres_server.database("middleware")
    site = later.enter_context(closing(Peer(PROCESS, url, **transport)))
    site.migrate()
    lasting = {**database(f"{url}&application_name=lasting"), "CONN_MAX_AGE": None}
    middleware = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    server = Server(
        "endpoint", url, **transport, MIDDLEWARE=middleware, DATABASES={"default": lasting}
    )
    later.callback(server.close)
    browser = site.sign_in("middleware")
    for _ in range(2):
        with server.stream(browser) as stream:
            assert stream.headers["X-Frame-Options"] == "DENY"
            assert stream.headers["Content-Encoding"] == "identity"
            assert "Content-Length" not in stream.headers
            stream.wait_for("snapshot")
            wait_until(lambda: site.connections_of("lasting") == 0, message="given back")
            site.write(browser["key"], "live")
            wait_until(lambda: stream.texts()[-1:] == ["live"])


@pytest.mark.parametrize("kind", ["uvicorn", "endpoint"])
def test_a_client_that_reads_nothing_costs_nothing_and_gets_everything_in_the_end(
    kind: str, tmp_path: Any, transport: dict[str, Any], later: ExitStack
) -> None:
    url = f"sqlite://{tmp_path}/site.sqlite3"
    site = later.enter_context(closing(Peer(PROCESS, url, **transport)))
    site.migrate()
    server = later.enter_context(closing(Server(kind, url, **transport)))
    browser, reads = site.sign_in("slow"), threading.Event()
    with server.stream(browser) as other, server.stream(browser, reads=reads) as stalled:
        other.wait_until_it_receives(lambda: site.write(browser["key"], "are you there?"))
        wait_until(lambda: server.open_streams() == 2)
        server.get(f"/flood/{browser['key']}/1000/")
        before = server.memory()
        server.get(f"/flood/{browser['key']}/8000/")
        assert server.memory() - before < 10_000_000, "of 48 MB"
        site.write(browser["key"], "after the flood")
        wait_until(lambda: other.texts()[-1:] == ["after the flood"])
        reads.set()
        wait_until(lambda: stalled.texts()[-1:] == ["after the flood"])
        stalled.wait_for("snapshot", 2)
        assert len(stalled.of("message")) < 9000
