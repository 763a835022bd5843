"""Limits for streams: queries, connections, snapshots, bytes, encodings and wake-ups.

These numbers do not depend on the machine.
"""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextvars import copy_context
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.handlers.asgi import ASGIHandler
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper
from django.test import Client

import monitio.asgi
from monitio import urls
from monitio.messages.create import build_message
from monitio.preferences import last_language
from monitio.recipients import Recipient, page_token
from monitio.stream import asgi, frames, protocol, view
from monitio.stream import broadcaster as broadcasters
from monitio.stream.broadcaster import Broadcaster
from monitio.stream.identity import Identity
from monitio.stream.mailbox import Mailbox
from monitio.stream.threads import LOADERS, REQUEST_THREADS, DatabaseThreads
from monitio.transports import Event
from monitio.transports import publish as publishing
from monitio.utils.fork import ProcessLocal
from tests.support.jobs import FakeClock
from tests.support.people import request_of, user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class SubscribedBroadcaster(Broadcaster):
    """A broadcaster as with a transport that has subscribed to every topic."""

    def _ensure_running(self) -> None:
        self.on_subscribed(self.take_changes()[0])


@pytest.fixture
def broadcaster(monkeypatch: pytest.MonkeyPatch) -> Broadcaster:
    broadcaster = SubscribedBroadcaster()
    monkeypatch.setattr(broadcasters, "_broadcaster", ProcessLocal(lambda: broadcaster))
    return broadcaster


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counters over all threads; queries of the test's own thread are not counted."""
    counts: Counter[str] = Counter()
    main, execute = threading.get_ident(), CursorWrapper._execute_with_wrappers  # type: ignore[attr-defined]
    snapshot = view.snapshot

    def counted_execute(*args: Any, **kwargs: Any) -> Any:
        counts["queries"] += threading.get_ident() != main
        return execute(*args, **kwargs)

    def counted_snapshot(*args: Any, **kwargs: Any) -> Any:
        counts["snapshots"] += 1
        return snapshot(*args, **kwargs)

    submit = DatabaseThreads.submit

    def counted_submit(*args: Any) -> Any:
        counts["calls into threads"] += 1
        return submit(*args)

    def connected(**kwargs: Any) -> None:
        counts["connections"] += threading.get_ident() != main

    monkeypatch.setattr(CursorWrapper, "_execute_with_wrappers", counted_execute)
    monkeypatch.setattr(view, "snapshot", counted_snapshot)
    monkeypatch.setattr(DatabaseThreads, "submit", counted_submit)
    connection_created.connect(connected)
    yield counts
    connection_created.disconnect(connected)


class Page:
    """The server's side of one open stream of a signed-in user."""

    def __init__(self, name: str) -> None:
        client, who = Client(), user(name)
        client.force_login(who)
        self.recipient = Recipient.for_user(who)
        cookie = f"sessionid={client.cookies['sessionid'].value}"
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": "/messages/stream/",
            "query_string": f"page={page_token(self.recipient)}".encode(),
            "headers": [(b"cookie", cookie.encode()), (b"host", b"testserver")],
        }
        self.body, self.left = b"", asyncio.Event()
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if self._asked:
            await self.left.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request"}

    async def send(self, event: dict[str, Any]) -> None:
        self.body += event.get("body", b"")

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(60):
            while text not in self.body:
                await asyncio.sleep(0.002)


def with_open(pages: list[Page], test: Callable[[], Awaitable[None]]) -> None:
    """Open a stream for each page, run the test, and disconnect."""

    async def main() -> None:
        app = monitio.asgi.application(ASGIHandler())
        tasks = [asyncio.ensure_future(app(page.scope, page.receive, page.send)) for page in pages]
        for page in pages:
            await page.until(b"event: snapshot")
        await test()
        for page in pages:
            page.left.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())


async def nothing() -> None:
    pass


def test_a_stream_opens_with_four_queries_and_one_snapshot(
    broadcaster: Broadcaster, counted: Counter[str]
) -> None:
    """Session and user, fingerprint and messages. Many streams share a few connections.

    The languages were compared less than ten minutes ago.
    Two calls into threads: the request, and the snapshot.
    """
    pages = [Page(f"user{number}") for number in range(20)]
    for page in pages:
        last_language.note(replace(page.recipient, language="en"))
    counted.clear()
    with_open(pages, nothing)
    assert counted["calls into threads"] == 2 * len(pages)
    # A new connection may query the server's version and set options.
    assert counted["queries"] <= 4 * len(pages)
    assert counted["snapshots"] == len(pages)
    # Twice, if a busy machine left the threads idle for long.
    assert counted["connections"] <= 2 * (REQUEST_THREADS + LOADERS)


def test_a_closed_stream_needs_no_garbage_collection(broadcaster: Broadcaster) -> None:
    gc.collect()
    gc.disable()
    try:
        with_open([Page("ann"), Page("bob")], nothing)
        # A thread that has just read for it may be about to let it go.
        wait_until(lambda: not any(isinstance(one, asgi._Stream) for one in gc.get_objects()))
    finally:
        gc.enable()


def test_pages_of_one_user_share_a_snapshot(
    broadcaster: Broadcaster, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a gap every page needs one: those that wait share one that is encoded once."""
    pages = [Page("ann") for _ in range(9)]
    event = frames.event

    def counted_event(name: str, data: Any) -> bytes:
        counted["encodings"] += 1
        return event(name, data)

    async def test() -> None:
        counted.clear()
        monkeypatch.setattr(frames, "event", counted_event)
        for page in pages:
            page.body = b""
        broadcaster._resync(pages[0].recipient.topic)
        for page in pages:
            await page.until(b"event: snapshot")
        assert counted["snapshots"] <= 2
        assert counted["encodings"] <= 2

    with_open(pages, test)


@pytest.mark.parametrize("received_in", ["thread", "event loop"])
def test_an_event_is_one_wake_up_and_no_query_or_encoding(
    broadcaster: Broadcaster,
    counted: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    received_in: str,
) -> None:
    pages = [Page("ann") for _ in range(5)]
    raw = Event(pages[0].recipient.topic, "message", {"id": 1, "version": 1}).encode()

    async def test() -> None:
        counted.clear()
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        calls: list[Any] = []
        with monkeypatch.context() as patch:
            patch.setattr(loop, "call_soon_threadsafe", lambda *a: calls.append(a) or wake(*a))
            patch.setattr(json, "dumps", None)
            patch.setattr(json, "loads", None)
            event = Event.decode(raw)
            assert event is not None
            if received_in == "thread":
                thread = threading.Thread(target=broadcaster.receive, args=[event])
                thread.start()
                thread.join()
            else:
                broadcaster.receive(event)
            for page in pages:
                await page.until(b'event: message\ndata: {"id":1,"version":1}\n\n')
        assert len(calls) == (received_in == "thread")
        assert not +counted

    with_open(pages, test)


def test_streams_that_wait_share_a_timer_and_an_event_starts_none(
    broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MONITIO_STREAM_HEARTBEAT = 200
    settings.MONITIO_STREAM_RECHECK = settings.MONITIO_STREAM_MAX_AGE = 9_000
    monkeypatch.setattr(protocol, "FIRST_CHECK", 9_000.0)
    # Seconds. The pages opened within less, so they share one timer, or two.
    monkeypatch.setattr(asgi, "TOGETHER", 60.0)
    pages = [Page("ann") for _ in range(8)]
    started: list[float] = []
    call_at = asyncio.BaseEventLoop.call_at

    def counted_call_at(self: Any, when: float, callback: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(getattr(callback, "__self__", None), asgi._Pump):
            started.append(when)
        return call_at(self, when, callback, *args, **kwargs)

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_at", counted_call_at)

    async def test() -> None:
        assert 1 <= len(started) <= 2
        for number in range(5):
            data = {"id": number, "version": 1}
            broadcaster.receive(Event(pages[0].recipient.topic, "message", data))
            for page in pages:
                await page.until(b'"id":%d' % number)
        assert len(started) <= 2

    with_open(pages, test)


def test_the_address_of_streams_is_resolved_first() -> None:
    assert urls.urlpatterns[0].name == "message_stream"


def test_an_event_has_a_small_head_and_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = build_message(Recipient.for_user(user()), 110, "text")
    message.pk, message.version = 1_000_000, 1
    event = publishing.message_event(message)
    data = event.encoded()
    assert data is not None
    assert len(event.encode()) - len(data.json) <= len(event.topic) + 25


@pytest.mark.parametrize("streams", [3, 30])
def test_an_idle_minute_does_not_depend_on_the_number_of_streams(
    broadcaster: Broadcaster,
    counted: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    streams: int,
) -> None:
    """Two comparisons, and common rechecks of all sessions due in the same second."""
    clock = FakeClock(monkeypatch, "monitio.stream.broadcaster")
    monkeypatch.setattr("monitio.stream.broadcaster.random.uniform", lambda low, high: high)
    for number in range(streams):
        client, who = Client(), user(f"user{number}")
        client.force_login(who)
        identity = Identity(request_of(who, client.session), Recipient.for_user(who))
        mailbox = Mailbox(identity.recipient.topic, lambda: None, identity)
        mailbox.recheck_at = clock.now + 3.5
        broadcaster.subscribe(mailbox)
        mailbox.begin()
        mailbox.take()
        broadcaster.before_snapshot(mailbox.topic)
    assert Session.objects.count() == streams
    broadcaster._next_reconcile = clock.now + 30
    counted.clear()
    for _ in range(60):
        clock.forward(1)
        broadcaster.on_tick()
        if broadcaster._checking is not None:
            broadcaster._checking.result()
    # Three rechecks of two queries, two comparisons of one or two.
    assert counted["queries"] <= 3 * 2 + 2 * 2
    assert counted["connections"] <= 2
    assert not any(mailbox.take().resync for mailbox in broadcaster._mailboxes_of())


def test_events_need_not_wait_for_all_the_heartbeats_of_one_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "AT_ONCE", 2)
    order: list[str] = []

    class Quiet:
        context = copy_context()

        def timed_out(self) -> None:
            order.append("heartbeat")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pump = asgi._Pump(loop)
        due = loop.time()
        streams: list[Any] = [Quiet() for _ in range(5)]
        for stream in streams:
            pump.wait(stream, due)
        pump.forget(streams[0], due)
        while not order:
            await asyncio.sleep(0)
        order.append("event")
        while order.count("heartbeat") < 4:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert order == ["heartbeat", "heartbeat", "event", "heartbeat", "heartbeat"]
