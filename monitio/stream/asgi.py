"""The third driver, for ``monitio.asgi``: holds streams outside of Django's request cycle.

Everything happens in callbacks of the server's event loop: no thread and no queue per stream, and
no task but the one that waits for the client to leave. A frame is sent by one step of the server's
``send``, which ends at once unless the client's buffer is full. Then a task waits for this frame,
and the mailbox, which is bounded, collects everything after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from contextvars import Context, copy_context
from functools import partial
from types import CoroutineType
from typing import Any
from weakref import WeakValueDictionary

from monitio.stream import shutdown
from monitio.stream.broadcaster import get_broadcaster
from monitio.stream.drivers import (
    HANDOFF_KEY,
    OpenStream,
    StreamHandoff,
    open_protocol,
    result_of,
    resume,
)
from monitio.stream.mailbox import Mailbox
from monitio.stream.protocol import Query, Send
from monitio.stream.requests import handle, learn_stream_path
from monitio.stream.threads import get_loaders, refresh_connections

logger = logging.getLogger("monitio")

Scope = dict[str, Any]
# ASGI's messages: mappings, which every framework types in its own way.
Event = Any
Receive = Callable[[], Awaitable[Event]]
SendEvent = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, SendEvent], Awaitable[None]]

# Seconds a frame may wait for a client that reads nothing, before its stream ends.
SEND_TIMEOUT = 60.0
# Seconds by which a heartbeat may be late.
TOGETHER = 0.5
# Streams that are woken before the event loop looks for events and requests again.
AT_ONCE = 20


def serve(django: Application) -> Application:
    """Django's application, whose HTTP responses may be streams."""

    async def app(scope: Scope, receive: Receive, send: SendEvent) -> None:
        if scope["type"] != "http":
            await django(scope, receive, send)
            return
        client = _Client(receive)
        try:
            stream = await _respond(django, scope, client, send)
            if stream is not None:
                # Without a task of its own where nothing has begun to wait.
                await stream.run(client.receive if client.is_waiting else receive)
        finally:
            client.close()

    return app


async def _respond(
    django: Application, scope: Scope, client: _Client, send: SendEvent
) -> _Stream | None:
    """Django's response, but only the head of one whose view has left a stream."""
    handoff = StreamHandoff()

    async def relay(event: Event) -> None:
        if handoff.stream is None:
            await send(event)

    await handle(django, {**scope, HANDOFF_KEY: handoff}, client.receive, relay)
    if handoff.stream is None:
        return None
    learn_stream_path(scope.get("path", ""))
    return _Stream(handoff.stream, send)


class _Client:
    """Waits for the client to leave, once for both Django and the stream.

    Django cancels its wait when its response is sent. If that reached the server, gunicorn would
    treat the client as gone, and servers that send ``http.disconnect`` only once would not send it
    to the stream.
    """

    __slots__ = ("_has_body", "_leaving", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_body = False
        self._leaving: asyncio.Future[Event] | None = None

    async def receive(self) -> Event:
        if self._has_body:
            if self._leaving is None:
                self._leaving = asyncio.ensure_future(self._receive())
            return await asyncio.shield(self._leaving)
        event = await self._receive()
        self._has_body = not event.get("more_body", False)
        return event

    @property
    def is_waiting(self) -> bool:
        return self._leaving is not None

    def close(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()


class _Pump:
    """Wakes the streams of one event loop.

    One call into the loop serves all that an event woke, one timer all that wait for the same time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._calls: dict[Callable[[], None], Context] = {}
        self._waiting: dict[float, set[_Stream]] = {}

    def call(self, function: Callable[[], None], context: Context) -> None:
        """Soon, and once for all calls until then. Safe from any thread."""
        with self._lock:
            is_first = not self._calls
            self._calls[function] = context
        if not is_first:
            return
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self._run)
        else:
            # A closed loop raises: there is no stream left to wake.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, {}
        for function, context in calls.items():
            context.run(function)

    def wait(self, stream: _Stream, due: float) -> None:
        """Call ``stream.timed_out`` at this time of the loop."""
        if due not in self._waiting:
            self._waiting[due] = set()
            self._loop.call_at(due, self._time_out, due)
        self._waiting[due].add(stream)

    def forget(self, stream: _Stream, due: float) -> None:
        self._waiting.get(due, set()).discard(stream)

    def _time_out(self, due: float) -> None:
        waiting = self._waiting[due]
        for stream in [waiting.pop() for _ in range(min(AT_ONCE, len(waiting)))]:
            stream.context.run(stream.timed_out)
        if waiting:
            self._loop.call_soon(self._time_out, due)
        else:
            del self._waiting[due]


# Each lives as long as a stream that uses it.
_pumps: WeakValueDictionary[asyncio.AbstractEventLoop, _Pump] = WeakValueDictionary()


class _Stream:
    """One open response: carries out the commands of its protocol."""

    __slots__ = (
        "_due",
        "_ended",
        "_finishing",
        "_is_waiting",
        "_is_woken",
        "_loop",
        "_mailbox",
        "_protocol",
        "_pump",
        "_reading",
        "_send",
        "_task",
        "_writing",
        "context",
    )  # fmt: skip

    def __init__(self, stream: OpenStream, send: SendEvent) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading, self._send = stream.context, send
        # Each send runs with the context variables of the server and its middleware.
        self.context = copy_context()
        pump = _pumps.get(self._loop)
        if pump is None:
            shutdown.install()  # by now the server has installed its own handlers
            pump = _pumps[self._loop] = _Pump(self._loop)
        self._pump = pump
        get_broadcaster().loop = self._loop
        self._mailbox = Mailbox(stream.topic, self._ask_to_wake, stream.source.identity)
        self._protocol = open_protocol(self._mailbox, stream.source, stream.limits)
        # The server's task, which waits for the client to leave.
        self._task: asyncio.Task[Any] | None = None
        # When timed_out is called; not later than the protocol wants it.
        self._due = math.inf
        self._writing: asyncio.Task[None] | None = None
        # Whether the protocol waits for the mailbox; at other times _is_woken keeps the wake-up.
        self._is_waiting = self._is_woken = False
        self._finishing = self._ended = False

    async def run(self, receive: Receive) -> None:
        """Until the client leaves or the protocol has ended."""
        try:
            self._advance()
            self._task = asyncio.current_task()
            while not self._ended:
                if (await receive())["type"] == "http.disconnect":
                    break
        except asyncio.CancelledError:
            # One cancellation may come from _end; any other is the server's.
            if self._task is None or not self._ended or self._task.uncancel():
                raise
        finally:
            self._close()

    def _ask_to_wake(self) -> None:
        self._pump.call(self.wake, self.context)

    def wake(self) -> None:
        """Called when the mailbox was filled, and when the process is about to stop."""
        if self._is_waiting:
            self._advance(True)
            return
        self._is_woken = True
        if self._writing is not None and shutdown.stopping():
            self._end()  # this client does not read, so not "bye" either

    def timed_out(self) -> None:
        self._due = math.inf
        if self._is_waiting:
            self._advance(False)

    def _wait(self, seconds: float) -> None:
        """Until ``wake``, and at most so long; also shorter."""
        self._is_waiting = True
        due = self._loop.time() + seconds
        if seconds > 2 * TOGETHER:
            # Longer waits end together, by one timer for many streams.
            due = math.ceil(due / TOGETHER) * TOGETHER
        # An earlier timer stays: to change it at each event would cost more than to wait again.
        if due < self._due:
            self._pump.forget(self, self._due)
            self._due = due
            self._pump.wait(self, due)

    def _advance(self, answer: Any = None) -> None:
        """Carry out commands until one has to wait."""
        self._is_waiting = False
        while not self._ended:
            try:
                command = resume(self._protocol, answer)
            except StopIteration:
                self._finish()
                return
            except Exception:
                logger.exception("A stream has failed.")
                self._end()
                return
            answer = None
            if isinstance(command, Send):
                if not self._write(command.frame):
                    return
            elif isinstance(command, Query):
                self._load(command)
                return
            elif self._is_woken:
                self._is_woken, answer = False, True
            else:
                self._wait(command.seconds)
                return

    def _load(self, command: Query) -> None:
        def loaded(future: Future[Any]) -> None:
            # Not asyncio.wrap_future, with which each result would wake the event loop by itself.
            self._pump.call(partial(self._loaded, future), self.context)

        loading = get_loaders().share(command.key, self._reading.run, _read, command)
        loading.add_done_callback(loaded)

    def _loaded(self, future: Future[Any]) -> None:
        if not future.cancelled():
            self._advance(future.result())

    def _write(self, frame: bytes, more: bool = True) -> bool:
        """Send a frame. False: _write_later goes on, or the client has left."""
        event = {"type": "http.response.body", "body": frame, "more_body": more}
        try:
            sending = self._send(event)
            if isinstance(sending, CoroutineType):
                sending = _Continued(sending, sending.send(None))
        except StopIteration:
            return True
        except Exception as error:
            self._end_broken(error)
            return False
        self._writing = self._loop.create_task(self._write_later(sending), context=self.context)
        return False

    async def _write_later(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await sending
        except Exception as error:
            self._end_broken(error)
            return
        finally:
            self._writing = None
        if self._finishing:
            self._end()
        else:
            self._advance()

    def _finish(self) -> None:
        self._finishing = True
        if self._write(b"", more=False):
            self._end()

    def _end_broken(self, error: Exception) -> None:
        """The client has left in the middle of a frame; each server raises its own errors."""
        logger.debug("A stream's client has left: %s", type(error).__name__)
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._task is not None:
            # Some servers do not send http.disconnect after a complete response.
            self._task.cancel()

    def _close(self) -> None:
        self._ended = True
        self._pump.forget(self, self._due)
        if self._writing is not None:
            self._writing.cancel()
        get_broadcaster().unsubscribe(self._mailbox)
        self._mailbox.close()
        self._protocol.close()


def _read(command: Query) -> Any:
    """The result of the query, or the exception, on a connection that stays open."""
    try:
        refresh_connections()
        answer = result_of(command)
        refresh_connections()  # a pool gets its own back
    except Exception as error:
        return error
    return answer


class _Continued:
    """The rest of a coroutine that was run by hand until it had to wait for ``blocker``."""

    def __init__(self, coroutine: CoroutineType[Any, Any, None], blocker: Any) -> None:
        self._coroutine, self._blocker = coroutine, blocker

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            # Unchanged: the task waits for it as if it had run the coroutine from the start.
            yield self._blocker
        except BaseException:
            self._coroutine.close()
            raise
        yield from self._coroutine.__await__()
