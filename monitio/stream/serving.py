"""The drivers: one sync view serves streams under WSGI (threads) and ASGI (an event loop)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from monitio.conf import settings
from monitio.recipients import Recipient, page_fits
from monitio.stream import shutdown
from monitio.stream.hub import Mailbox, close_connections, get_hub
from monitio.stream.payload import snapshot
from monitio.stream.session import Conversation, Load, Send, Source, Wait, conversation, finite

HEADERS = {
    "Cache-Control": "no-store, no-cache, no-transform",
    # nginx would collect the response otherwise, and GZipMiddleware hold it back.
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}
WSGI_STREAMS, ASGI_STREAMS = 4, 1000


def respond(request: HttpRequest) -> HttpResponseBase:
    """The stream of whoever asks, or 204 when the page was rendered for somebody else."""
    recipient = Recipient.existing(request)
    if recipient is None or not page_fits(request.GET.get("page", ""), recipient):
        # The one status that tells EventSource to stop for good.
        return _no_store(HttpResponse(status=204))
    source = Source(
        snapshot=lambda: snapshot(recipient),
        still_valid=lambda: _still(request, recipient),
        stopping=shutdown.stopping,
    )
    drive = _drive_async if isinstance(request, ASGIRequest) else _drive_sync
    return _no_store(
        StreamingHttpResponse(
            drive(recipient.topic, source, _may_stay_open(request, recipient)),
            content_type="text/event-stream; charset=utf-8",
        )
    )


def _no_store(response: HttpResponseBase) -> HttpResponseBase:
    for name, value in HEADERS.items():
        response[name] = value
    return response


def _may_stay_open(request: HttpRequest, recipient: Recipient) -> bool:
    """Whether this process can hold one more stream without starving its other requests."""
    hub, is_async = get_hub(), isinstance(request, ASGIRequest)
    if not is_async and not request.META.get("wsgi.multithread", True):
        return False
    cap = settings.STREAMS_PER_PROCESS
    if cap is None:
        cap = ASGI_STREAMS if is_async else WSGI_STREAMS
    if hub.open_streams(recipient.topic) >= settings.STREAMS_PER_USER:
        return False
    return bool(hub.open_streams() < cap)


def _still(request: HttpRequest, recipient: Recipient) -> bool:
    """Look again, with a fresh session: log-out, new password, deactivation, expiry, flush."""
    session = getattr(request, "session", None)
    if session is None:
        return False
    fresh = HttpRequest()
    fresh.META = request.META
    fresh.session = type(session)(session.session_key)
    if recipient.is_visitor:
        return Recipient.existing(fresh) == recipient
    # get_user compares the password's hash and asks the backend, which refuses inactive users.
    user = get_user(fresh)
    return user.is_authenticated and Recipient.for_user(user) == recipient


def _drive_sync(topic: str, source: Source, stay: bool) -> Iterator[bytes]:
    woken = threading.Event()
    mailbox = Mailbox(topic, woken.set)
    talk = _open(mailbox, source, stay)
    answer: Any = None
    try:
        while True:
            command = talk.send(answer)
            answer = None
            if isinstance(command, Send):
                yield command.frame
            elif isinstance(command, Load):
                answer = _with_database(command)
            else:
                answer = woken.wait(command.seconds)
                woken.clear()
    except StopIteration:
        pass
    finally:
        get_hub().leave(mailbox)


async def _drive_async(topic: str, source: Source, stay: bool) -> AsyncIterator[bytes]:
    shutdown.install()  # here, the server's own handlers are in place
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    mailbox = Mailbox(topic, lambda: _wake(loop, woken))
    talk = _open(mailbox, source, stay)
    answer: Any = None
    try:
        while True:
            try:
                command = talk.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(command, Send):
                yield command.frame
            elif isinstance(command, Load):
                answer = await sync_to_async(_with_database)(command)
            else:
                answer = await _wait(woken, command)
    finally:
        get_hub().leave(mailbox)


def _open(mailbox: Mailbox, source: Source, stay: bool) -> Conversation:
    if not stay:
        return finite(source)
    # Joined before the first snapshot is read: what rings meanwhile is not missed.
    get_hub().join(mailbox)
    return conversation(mailbox, source)


def _with_database(command: Load) -> Any:
    try:
        return command.function()
    finally:
        close_connections()


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    # A closed loop raises: nobody is left to wake.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(woken.set)


async def _wait(woken: asyncio.Event, command: Wait) -> bool:
    try:
        await asyncio.wait_for(woken.wait(), command.seconds)
    except TimeoutError:
        return False
    woken.clear()
    return True
