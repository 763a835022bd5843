"""The drivers: one sync view serves streams under WSGI (threads) and ASGI (an event loop).

Behind ``monitio.asgi`` it leaves a ticket instead, and endpoint.py drives the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from monitio import scope
from monitio.conf import settings
from monitio.recipients import Recipient, page_fits
from monitio.serializers import snapshot
from monitio.stream import capacity, shutdown
from monitio.stream.broadcaster import Limits, Mailbox, close_connections, get_broadcaster
from monitio.stream.identity import Identity, answer_who_asks
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
from monitio.transports import get_hub
from monitio.utils.client_address import client_address
from monitio.utils.fork import ProcessLocal

logger = logging.getLogger("monitio")

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store, no-cache, no-transform",
    # nginx would collect the response otherwise, and GZipMiddleware hold it back.
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}

# Reads of the database at once, snapshots and looks at sessions, for all streams of the process.
LOADERS = 4
_loading = ProcessLocal(lambda: threading.BoundedSemaphore(LOADERS))

# The key of an ASGI scope where the endpoint has put its desk.
HANDOFF_KEY: Final = "monitio.desk"


@dataclass(frozen=True, slots=True)
class OpenStream:
    """All it takes to hold a stream after the request is over."""

    topic: str
    source: StreamSource
    limits: Limits
    # The language, time zone and tenant that the middleware chose.
    context: Context


class StreamHandoff:
    """Where the view of one request may leave a ticket for the endpoint."""

    stream: OpenStream | None = None


def respond(request: HttpRequest) -> HttpResponseBase:
    """The stream of whoever asks, or 204 when the page was rendered for somebody else.

    503 when the database does not say who they are: every open page asks again and again, and
    nobody needs an e-mail about each.
    """
    try:
        return _no_store(_answer(request))
    except DatabaseError as error:
        logger.warning("No stream can open, the database does not answer: %s", error)
        headers = {"Retry-After": str(math.ceil(settings.STREAM_RETRY / 1000))}
        return _no_store(HttpResponse(status=503, headers=headers))


def _answer(request: HttpRequest) -> HttpResponseBase:
    recipient = Recipient.existing(request)
    answer_who_asks(request, recipient)
    if recipient is None or not page_fits(request.GET.get("page", ""), recipient):
        # The one status that tells EventSource to stop for good.
        return HttpResponse(status=204)
    hub = get_hub()
    if hub is not None:
        return hub.respond(request, recipient.topic)
    identity = Identity(request, recipient)
    # Loaded in other threads, whose connections know nothing of this request's tenant.
    source = StreamSource(
        snapshot=scope.bind(lambda: snapshot(recipient)),
        still_valid=scope.bind(identity.is_valid),
        stopping=shutdown.stopping,
        identity=identity,
    )
    return _response(request, recipient.topic, source)


def _response(request: HttpRequest, topic: str, source: StreamSource) -> StreamingHttpResponse:
    desk, limits = _handoff(request), _limits(request)
    body: Iterator[bytes] | AsyncIterator[bytes]
    if desk is not None:
        return _HandedOff(_hand_off(desk, topic, source, limits), content_type=CONTENT_TYPE)
    elif isinstance(request, ASGIRequest):
        body = _drive_async(topic, source, limits)
    else:
        body = _drive_sync(topic, source, limits)
    return StreamingHttpResponse(body, content_type=CONTENT_TYPE)


def _handoff(request: HttpRequest) -> StreamHandoff | None:
    return request.scope.get(HANDOFF_KEY) if isinstance(request, ASGIRequest) else None


async def _hand_off(
    desk: StreamHandoff, topic: str, source: StreamSource, limits: Limits
) -> AsyncIterator[bytes]:
    """An empty body. Only Django itself reads it, when no middleware has replaced the response."""
    desk.stream = OpenStream(topic, source, limits, copy_context())
    nothing: tuple[bytes, ...] = ()
    for frame in nothing:
        yield frame


class _HandedOff(StreamingHttpResponse):
    """The response of a request that has left a ticket."""

    def close(self) -> None:
        super().close()
        # In the request's thread, which ends now, also with a CONN_MAX_AGE.
        close_connections()


def _no_store(response: HttpResponseBase) -> HttpResponseBase:
    for name, value in HEADERS.items():
        response[name] = value
    return response


def _limits(request: HttpRequest) -> Limits:
    """How many streams this process can hold without starving its other requests."""
    is_async = isinstance(request, ASGIRequest)
    per_process = settings.STREAMS_PER_PROCESS
    if not is_async and not request.META.get("wsgi.multithread", True):
        # Its one thread would answer nobody else.
        per_process = 0
    elif per_process is None:
        per_process = capacity.default(request, behind_endpoint=_handoff(request) is not None)
    return Limits(
        per_process,
        settings.STREAMS_PER_USER,
        settings.STREAMS_PER_ADDRESS,
        client_address(request),
    )


def _drive_sync(topic: str, source: StreamSource, limits: Limits) -> Iterator[bytes]:
    woken = threading.Event()
    mailbox = Mailbox(topic, woken.set, source.identity)
    talk = open_protocol(mailbox, source, limits)
    answer: Any = None
    try:
        while True:
            command = resume(talk, answer)
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


async def _drive_async(topic: str, source: StreamSource, limits: Limits) -> AsyncIterator[bytes]:
    shutdown.install()  # here, the server's own handlers are in place
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    mailbox = Mailbox(topic, lambda: _wake(loop, woken), source.identity)
    talk = open_protocol(mailbox, source, limits)
    answer: Any = None
    try:
        while True:
            try:
                command = resume(talk, answer)
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
    """Join the hub; above the limits one snapshot and an end."""
    # Joined before the first snapshot is read: what rings meanwhile is not missed.
    if get_broadcaster().subscribe(mailbox, limits):
        return stream_protocol(mailbox, source)
    return finite(source)


def resume(talk: StreamProtocol, answer: Any) -> Command:
    """Hand over the answer, or throw it when it is an exception, and get the next command."""
    if isinstance(answer, Exception):
        return talk.throw(answer)
    return talk.send(answer)


def with_database(command: Query) -> Any:
    """The answer, or the exception: a conversation decides itself what a failure means.

    A few at once: after a gap every stream of the process wants a snapshot, and a database that
    refuses the hundredth connection would end them all.
    """
    turn = _loading.get()
    if not turn.acquire(blocking=False):
        # Whoever has a turn may wait for the very connection that the middleware left here.
        close_connections()
        turn.acquire()
    try:
        return command.function()
    except Exception as error:
        return error
    finally:
        close_connections()
        turn.release()


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    # A closed loop raises: nobody is left to wake.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(woken.set)


async def _wait(woken: asyncio.Event, command: Wait) -> bool:
    # Not wait_for: Python 3.11's forgets a cancellation that meets the end of the wait, and the
    # stream of a client that has left would go on.
    try:
        async with asyncio.timeout(command.seconds):
            await woken.wait()
    except TimeoutError:
        return False
    woken.clear()
    return True
