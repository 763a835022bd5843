"""The asynchronous driver of streams, without a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from monitio.stream.broadcaster import Limits, get_broadcaster
from monitio.stream.drivers import LOADERS, drive_async, with_database
from monitio.stream.protocol import Query, StreamSource
from monitio.testing import capture_events
from tests.support.threads import Running
from tests.support.waiting import wait_until

TOPIC = "user:1"


def snapshot(has: str) -> bytes:
    return b"event: snapshot\ndata: {}\n\n"


def after_turns(turns: int, call: Callable[[], object]) -> None:
    """Call it after this many iterations of the event loop."""
    loop = asyncio.get_running_loop()
    if turns:
        loop.call_soon(after_turns, turns - 1, call)
    else:
        call()


@pytest.mark.parametrize("turns", range(8))
def test_a_client_that_disconnects_at_the_moment_of_an_event_ends_the_stream(turns: int) -> None:
    """asyncio.wait_for of Python 3.11 loses a cancellation at the moment when the wait ends."""
    frames: list[bytes] = []

    async def serve() -> None:
        source = StreamSource(snapshot=snapshot, still_valid=lambda: True, stopping=lambda: False)
        async for frame in drive_async(TOPIC, source, Limits(10, 10)):
            frames.append(frame)

    async def leave() -> None:
        stream = asyncio.create_task(serve())
        while len(frames) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        get_broadcaster().on_gap(TOPIC)
        after_turns(turns, stream.cancel)
        done, _ = await asyncio.wait([stream], timeout=20)
        stream.cancel()
        assert done and stream.cancelled()

    with capture_events():
        asyncio.run(leave())
        assert get_broadcaster().open_streams(TOPIC) == 0


def test_all_streams_together_read_the_database_a_few_at_a_time() -> None:
    inside: set[int] = set()
    most: list[int] = []
    go_on = threading.Event()

    def read() -> None:
        inside.add(threading.get_ident())
        most.append(len(inside))
        go_on.wait(20)
        inside.discard(threading.get_ident())

    loads = [Running(lambda: with_database(Query(read))) for _ in range(5 * LOADERS)]
    wait_until(lambda: len(inside) >= LOADERS)
    go_on.set()
    for load in loads:
        load.result()
    assert len(most) == len(loads) and max(most) == LOADERS
