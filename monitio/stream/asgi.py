"""The third driver, for ``monitio.asgi``: holds streams outside of Django's request cycle.

Everything happens in callbacks of the server's own event loop: no thread and no queue per stream,
and no task but the one that waits for the client to leave. A frame is sent by driving the server's
``send`` once, which ends at once unless the client's buffer is full. Then a task waits for this one
frame, and the mailbox, which is bounded, for everything after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import CoroutineType
from typing import Any
from weakref import WeakValueDictionary

from monitio.stream import shutdown
from monitio.stream.broadcaster import Mailbox, get_broadcaster
from monitio.stream.drivers import (
    HANDOFF_KEY,
    LOADERS,
    OpenStream,
    StreamHandoff,
    open_protocol,
    resume,
    with_database,
)
from monitio.stream.protocol import Query, Send, Wait
from monitio.utils.fork import ProcessLocal

logger = logging.getLogger("monitio")

Scope = dict[str, Any]
# ASGI's messages: mappings, which every framework types in its own way.
Event = Any
Receive = Callable[[], Awaitable[Event]]
SendEvent = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, SendEvent], Awaitable[None]]

# Seconds one frame may wait for a client that reads nothing, before its stream ends.
PATIENCE = 60.0


async def serve(django: Application, scope: Scope, receive: Receive, send: SendEvent) -> None:
    """One HTTP request: Django's, and the stream's when its view has left a ticket."""
    desk, client = StreamHandoff(), _Client(receive)
    try:
        await django({**scope, HANDOFF_KEY: desk}, client.receive, _head_only(desk, send))
        if desk.stream is not None:
            await _Stream(desk.stream, send).run(client.receive)
    finally:
        client.forget()


class _Client:
    """What the client says. Waits for it to leave only once, for Django first, then for the stream.

    Django stops waiting when its response is out. Did that reach the server, gunicorn would take
    the client for gone, and servers that say it only once would not say it to the stream.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_all = False
        self._leaving: asyncio.Future[Event] | None = None

    async def receive(self) -> Event:
        if self._has_all:
            if self._leaving is None:
                self._leaving = asyncio.ensure_future(self._receive())
            return await asyncio.shield(self._leaving)
        event = await self._receive()
        self._has_all = not event.get("more_body", False)
        return event

    def forget(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()


def _head_only(desk: StreamHandoff, send: SendEvent) -> SendEvent:
    """Django's response as it is; of one that leaves a ticket, the head."""

    async def relay(event: Event) -> None:
        if desk.stream is None:
            await send(event)

    return relay


class _Pump:
    """Wakes the streams of one event loop: one call into the loop, however many a bell woke."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._woken: dict[_Stream, None] = {}

    def wake(self, stream: _Stream) -> None:
        """Safe from any thread."""
        with self._lock:
            is_first = not self._woken
            self._woken[stream] = None
        if is_first:
            # A closed loop raises: nobody is left to wake.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        with self._lock:
            woken, self._woken = self._woken, {}
        for stream in woken:
            stream.context.run(stream.wake)


# Each lives as long as a stream that uses it.
_pumps: WeakValueDictionary[asyncio.AbstractEventLoop, _Pump] = WeakValueDictionary()
_loaders = ProcessLocal(lambda: ThreadPoolExecutor(LOADERS, thread_name_prefix="monitio-load"))


class _Stream:
    """One open response: carries out the commands of its conversation."""

    __slots__ = (
        "_ended", "_finishing", "_loop", "_mailbox", "_news", "_pump", "_send", "_talk", "_task",
        "_ticket", "_timer", "_writing", "context",
    )  # fmt: skip

    def __init__(self, ticket: OpenStream, send: SendEvent) -> None:
        self._loop = asyncio.get_running_loop()
        self._ticket, self._send = ticket, send
        # What the server and its wrappers have put there is there for each of their sends.
        self.context = copy_context()
        self._pump = _pumps.setdefault(self._loop, _Pump(self._loop))
        wake = partial(self._pump.wake, self)
        self._mailbox = Mailbox(ticket.topic, wake, ticket.source.identity)
        self._talk = open_protocol(self._mailbox, ticket.source, ticket.limits)
        # The server's task, while it waits for the client to leave.
        self._task: asyncio.Task[Any] | None = None
        # Runs while the conversation waits for the mailbox; what rings otherwise is noted as news.
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._news = self._finishing = self._ended = False

    async def run(self, receive: Receive) -> None:
        """Until the client leaves or the conversation has ended."""
        shutdown.install()  # here, the server's own handlers are in place
        try:
            self._advance()
            self._task = asyncio.current_task()
            while not self._ended:
                if (await receive())["type"] == "http.disconnect":
                    break
        except asyncio.CancelledError:
            # One of them may be ours (see _end); any other is the server's.
            if self._task is None or not self._ended or self._task.uncancel():
                raise
        finally:
            self._close()

    def wake(self) -> None:
        """There is news in the mailbox, or the process is about to stop."""
        if self._timer is None:
            self._news = True
            if self._writing is not None and shutdown.stopping():
                self._end()  # nobody reads a good-bye there
            return
        self._timer.cancel()
        self._timer = None
        self._advance(True)

    def _overslept(self) -> None:
        self._timer = None
        self._advance(False)

    def _advance(self, answer: Any = None) -> None:
        """Carry out commands until one has to be waited for."""
        while not self._ended:
            try:
                command = resume(self._talk, answer)
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
            elif self._news:
                self._news, answer = False, True
            else:
                self._sleep(command)
                return

    def _sleep(self, command: Wait) -> None:
        self._timer = self._loop.call_later(command.seconds, self._overslept, context=self.context)

    def _load(self, command: Query) -> None:
        future = self._loop.run_in_executor(
            _loaders.get(), self._ticket.context.run, with_database, command
        )
        future.add_done_callback(self._loaded, context=self.context)

    def _loaded(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled():
            self._advance(future.result())

    def _write(self, frame: bytes, more: bool = True) -> bool:
        """Hand a frame to the server. False: it goes on by itself, or the client has left."""
        event = {"type": "http.response.body", "body": frame, "more_body": more}
        try:
            sending = self._send(event)
            if isinstance(sending, CoroutineType):
                sending = _Continued(sending, sending.send(None))
        except StopIteration:
            return True
        except Exception as error:
            self._hang_up(error)
            return False
        self._writing = self._loop.create_task(self._write_later(sending), context=self.context)
        return False

    async def _write_later(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await sending
        except Exception as error:
            self._hang_up(error)
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

    def _hang_up(self, error: Exception) -> None:
        """The client has left in the middle of a frame; servers raise what they like."""
        logger.debug("A stream's client has left: %s", type(error).__name__)
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._task is not None:
            # Some servers never say that the client has left once the response is complete.
            self._task.cancel()

    def _close(self) -> None:
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()
        get_broadcaster().unsubscribe(self._mailbox)
        self._talk.close()


class _Continued:
    """The rest of a coroutine that was driven by hand until it had to wait for ``blocker``."""

    def __init__(self, coroutine: CoroutineType[Any, Any, None], blocker: Any) -> None:
        self._coroutine, self._blocker = coroutine, blocker

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            # As it came: the task waits for it as if the coroutine had been its own from the start.
            yield self._blocker
        except BaseException:
            self._coroutine.close()
            raise
        yield from self._coroutine.__await__()
