"""Requests that open a stream, behind ``monitio.asgi``: few threads, and one step in each.

Django's ASGI handler makes a thread for each request, goes there and back for each middleware,
twice, and for its signals, and starts two tasks. For a stream that is most of the work. Here the
request passes the whole chain in one call, as under WSGI, in a thread whose database connection
stays open: half the CPU of opening a stream.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import cache
from io import BytesIO
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.signals import request_started
from django.urls import reverse, set_script_prefix
from django.utils import translation

from monitio.conf import when_overridden
from monitio.stream.lookups import StreamRequest, Waiting
from monitio.stream.threads import PATIENCE, REQUEST_THREADS, DatabaseThreads
from monitio.stream.view import HandedOff
from monitio.utils.fork import ProcessLocal

# More paths than a site has: one for each language and prefix.
PATHS = 1_000
# Seconds that a response may wait for a client that reads nothing.
SEND_TIMEOUT = 5.0

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

# Older releases have no such parameter: there each request keeps the thread that Django makes.
_IS_SUPPORTED = "executor" in inspect.signature(ThreadSensitiveContext).parameters
_request_threads: WeakKeyDictionary[
    asyncio.AbstractEventLoop, asyncio.LifoQueue[DatabaseThreads]
] = WeakKeyDictionary()
_waiting = ProcessLocal(Waiting)
# A call in one of these threads, made once: making it costs as much as calling it. Not
# run_in_executor: async middleware goes on using the event loop of the request.
_threads: Any = ProcessLocal(lambda: DatabaseThreads(REQUEST_THREADS, "monitio-request", PATIENCE))
_in_thread = ProcessLocal(
    lambda: sync_to_async(_call, thread_sensitive=False, executor=_threads.get())
)


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


async def handle(django: Application, scope: Scope, receive: Any, send: Any) -> None:
    """Django's answer; for a request at the path of a stream in one of our threads.

    Each has one request at a time, from its first middleware to its last: a middleware may leave
    the tenant of its request on the thread's connection.
    """
    if scope.get("path") not in stream_paths() or not _IS_SUPPORTED:
        await django(scope, receive, send)
        return
    # A client that never ends its body would hold a thread for ever: it waits without one.
    received = [await receive()]

    async def receive_again() -> Any:
        return received.pop() if received else await receive()

    async def send_in_time(event: Any) -> None:
        async with asyncio.timeout(SEND_TIMEOUT):
            await send(event)

    if received[0].get("more_body"):
        await django(scope, receive_again, send)
        return
    if type(django) is ASGIHandler and received[0]["type"] == "http.request":
        await _answer(scope, received[0].get("body", b""), send)
        return
    # Another application, which may wrap Django's.
    loop = asyncio.get_running_loop()
    free = _request_threads.get(loop)
    if free is None:
        free = _request_threads[loop] = asyncio.LifoQueue()
        for _ in range(REQUEST_THREADS):
            free.put_nowait(DatabaseThreads(1, "monitio-request"))
    thread = await free.get()
    try:
        async with ThreadSensitiveContext(executor=thread):
            await django(scope, receive_again, send_in_time)
    finally:
        free.put_nowait(thread)


async def _answer(scope: Scope, body: bytes, send: Any) -> None:
    """What Django's ASGI handler does, in one step of one thread."""
    in_thread = _in_thread.get()
    request, response = _BARE.create_request(scope, BytesIO(body))
    if request is not None:
        _waiting.get().add(request)
    response = await in_thread(_respond, scope, request, response)
    await _BARE.send_response(response, send)
    if _stays_open(response):
        await in_thread(response.close)


def _respond(scope: Scope, request: StreamRequest | None, response: Any) -> Any:
    set_script_prefix(get_script_prefix(scope))
    request_started.send(sender=ASGIHandler, scope=scope)
    if request is not None:
        _waiting.get().look_up(request)
        response = _handler().get_response(request)
    response._handler_class = ASGIHandler
    if not _stays_open(response):
        response.close()
    return response


def _stays_open(response: Any) -> bool:
    """Whether its content is still to be read; that of a stream is not Django's."""
    return response.streaming and not isinstance(response, HandedOff)


class _Handler(ASGIHandler):
    """Django's ASGI handler, whose middleware is that of WSGI: called in one piece."""

    request_class = StreamRequest

    def __init__(self) -> None:
        pass  # without middleware


_BARE: Any = _Handler()


@cache
def _handler() -> Any:
    handler = _Handler()
    handler.load_middleware()
    return handler


@cache
def stream_paths() -> set[str]:
    """Where the site serves streams; the paths of ``ROOT_URLCONF``, in every language, at first."""
    found = set()
    for language, _ in django_settings.LANGUAGES:
        with translation.override(language):
            try:
                found.add(reverse("message_stream"))
            except Exception:
                # It is in another URLconf, which a middleware chooses; or ROOT_URLCONF has an
                # error, which Django shows better than this request could.
                break
    return found


def learn_stream_path(path: str) -> None:
    """The view of the stream answers there."""
    if len(stream_paths()) < PATHS:
        stream_paths().add(path)


when_overridden(stream_paths.cache_clear, "ROOT_URLCONF", "LANGUAGES", "USE_I18N")
when_overridden(_handler.cache_clear, "MIDDLEWARE")
