"""The drivers of a stream: in a thread (WSGI) and in an event loop (ASGI).

They carry out the commands of ``stream_protocol``. asgi.py has a third one, for ``monitio.asgi``.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final

from asgiref.sync import sync_to_async

from monitio.stream import shutdown
from monitio.stream.broadcaster import Limits, get_broadcaster
from monitio.stream.mailbox import Mailbox
from monitio.stream.protocol import (
    Command,
    Query,
    Send,
    StreamProtocol,
    StreamSource,
    Wait,
    finite,
    stream_protocol,
)
from monitio.stream.threads import close_connections
from monitio.utils.fork import ProcessLocal

# Reads of the database at once, snapshots and checks of sessions, for all streams that the two
# drivers here serve.
LOADERS = 4
_loading = ProcessLocal(lambda: threading.BoundedSemaphore(LOADERS))

# The key of an ASGI scope that holds the StreamHandoff of the request.
HANDOFF_KEY: Final = "monitio.handoff"


@dataclass(frozen=True, slots=True)
class OpenStream:
    """What a driver needs after the request is over."""

    topic: str
    source: StreamSource
    limits: Limits
    # The language, time zone and tenant that the middleware chose.
    context: Context


class StreamHandoff:
    """Where the view of one request leaves its stream for asgi.py."""

    stream: OpenStream | None = None


def drive_sync(topic: str, source: StreamSource, limits: Limits) -> Iterator[bytes]:
    """The frames of a stream, for a server with threads."""
    woken = threading.Event()
    mailbox = Mailbox(topic, woken.set, source.identity)
    protocol = open_protocol(mailbox, source, limits)
    answer: Any = None
    try:
        while True:
            command = resume(protocol, answer)
            answer = None
            if isinstance(command, Send):
                yield command.frame
            elif isinstance(command, Query):
                answer = with_database(command)
            else:
                answer = woken.wait(command.seconds)
                woken.clear()
    except StopIteration:
        pass
    finally:
        get_broadcaster().unsubscribe(mailbox)


async def drive_async(topic: str, source: StreamSource, limits: Limits) -> AsyncIterator[bytes]:
    """The frames of a stream, for a server with an event loop."""
    shutdown.install()  # by now the server has installed its own handlers
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    mailbox = Mailbox(topic, lambda: _wake(loop, woken), source.identity)
    protocol = open_protocol(mailbox, source, limits)
    answer: Any = None
    try:
        while True:
            try:
                command = resume(protocol, answer)
            except StopIteration:
                return
            answer = None
            if isinstance(command, Send):
                yield command.frame
            elif isinstance(command, Query):
                answer = await sync_to_async(with_database)(command)
            else:
                answer = await _wait(woken, command)
    finally:
        get_broadcaster().unsubscribe(mailbox)


def open_protocol(mailbox: Mailbox, source: StreamSource, limits: Limits) -> StreamProtocol:
    """Subscribe the mailbox; above the limits one snapshot and an end."""
    # Before the first snapshot is read, so that no event is missed meanwhile.
    if get_broadcaster().subscribe(mailbox, limits):
        return stream_protocol(mailbox, source)
    return finite(source)


def resume(protocol: StreamProtocol, answer: Any) -> Command:
    """Send the answer, or throw it when it is an exception; returns the next command."""
    if isinstance(answer, Exception):
        return protocol.throw(answer)
    return protocol.send(answer)


def with_database(command: Query) -> Any:
    """The result, or the exception: the protocol decides what a failure means.

    ``LOADERS`` at once: after a gap every stream of the process needs a snapshot, and a database
    that refuses the hundredth connection would end them all.
    """
    turn = _loading.get()
    if not turn.acquire(blocking=False):
        # Another thread may wait for the connection that the middleware left open in this one.
        close_connections()
        turn.acquire()
    try:
        return result_of(command)
    finally:
        close_connections()
        turn.release()


def result_of(command: Query) -> Any:
    """The result of the query, or the exception."""
    try:
        return command.function()
    except Exception as error:
        return error


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    # A closed loop raises: there is no stream left to wake.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(woken.set)


async def _wait(woken: asyncio.Event, command: Wait) -> bool:
    # Not wait_for: Python 3.11's loses a cancellation at the end of the wait, and the stream of a
    # client that has left would go on.
    try:
        async with asyncio.timeout(command.seconds):
            await woken.wait()
    except TimeoutError:
        return False
    woken.clear()
    return True
