"""The drivers: one sync view serves streams under WSGI (threads) and ASGI (an event loop)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from monitio.conf import settings
from monitio.recipients import Recipient, page_fits
from monitio.stream import shutdown
from monitio.stream.hub import Limits, Mailbox, close_connections, get_hub
from monitio.stream.payload import snapshot
from monitio.stream.session import (
    Command,
    Conversation,
    Load,
    Send,
    Source,
    Wait,
    conversation,
    finite,
)

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
        still_valid=_Visit(request, recipient).still_valid,
        stopping=shutdown.stopping,
    )
    drive = _drive_async if isinstance(request, ASGIRequest) else _drive_sync
    return _no_store(
        StreamingHttpResponse(
            drive(recipient.topic, source, _limits(request)),
            content_type="text/event-stream; charset=utf-8",
        )
    )


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
        per_process = ASGI_STREAMS if is_async else WSGI_STREAMS
    return Limits(per_process, settings.STREAMS_PER_USER)


class _Visit:
    """Who opened a stream, and whether they still are who they were.

    Holds nothing of the request that could keep its thread or connection.
    """

    def __init__(self, request: HttpRequest, recipient: Recipient) -> None:
        session: Any = getattr(request, "session", None)
        self.recipient = recipient
        self.store = type(session)
        self.session_key = getattr(session, "session_key", None)
        self.signed_in_as = None if session is None else session.get(SESSION_KEY)

    def still_valid(self) -> bool:
        """Look again, with a fresh session: log-out, new password, deactivation, expiry, flush."""
        fresh: Any = HttpRequest()
        if self.session_key is not None:
            fresh.session = self.store(self.session_key)
        if self.recipient.is_visitor:
            return Recipient.existing(fresh) == self.recipient
        if self.signed_in_as is None:
            # A token or the web server says who they are: no session that could end.
            return self._is_active()
        # get_user compares the password's hash and asks the backend, which refuses inactive users.
        user = get_user(fresh)
        if not user.is_authenticated or str(user.pk) != self.signed_in_as:
            return False
        return Recipient.for_user(user) == self.recipient or self._is_active()

    def _is_active(self) -> bool:
        users = get_user_model()._default_manager
        user: Any = users.filter(pk=self.recipient.user_id).first()
        return user is not None and user.is_active


def _drive_sync(topic: str, source: Source, limits: Limits) -> Iterator[bytes]:
    woken = threading.Event()
    mailbox = Mailbox(topic, woken.set)
    talk = _open(mailbox, source, limits)
    answer: Any = None
    try:
        while True:
            command = _resume(talk, answer)
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


async def _drive_async(topic: str, source: Source, limits: Limits) -> AsyncIterator[bytes]:
    shutdown.install()  # here, the server's own handlers are in place
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    mailbox = Mailbox(topic, lambda: _wake(loop, woken))
    talk = _open(mailbox, source, limits)
    answer: Any = None
    try:
        while True:
            try:
                command = _resume(talk, answer)
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


def _open(mailbox: Mailbox, source: Source, limits: Limits) -> Conversation:
    # Joined before the first snapshot is read: what rings meanwhile is not missed.
    if get_hub().join(mailbox, limits):
        return conversation(mailbox, source)
    return finite(source)


def _resume(talk: Conversation, answer: Any) -> Command:
    if isinstance(answer, Exception):
        return talk.throw(answer)
    return talk.send(answer)


def _with_database(command: Load) -> Any:
    """The answer, or the exception: a conversation decides itself what a failure means."""
    try:
        return command.function()
    except Exception as error:
        return error
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
