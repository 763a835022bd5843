"""The ASGI applications that are compared. ``GET /events/USER/`` opens a stream in each."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from typing import Any

Scope, Receive, Send = Any, Any, Any
SSE = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")],
}


def user_of(scope: Scope) -> str:
    return str(scope["path"]).strip("/").rpartition("/")[2]


def monitio(*, lean: bool) -> Any:
    """The stream's own URL with the session of the user: everything else is the site's."""
    import django

    django.setup()
    from django.core.asgi import get_asgi_application

    from benchmarks.streams.people import session_key
    from monitio import asgi
    from monitio.recipients import Recipient, page_token

    inner: Any = get_asgi_application()
    if lean:
        inner = asgi.application(inner)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/events/"):
            user = int(user_of(scope))
            token = page_token(Recipient.for_user(user))
            cookie = f"sessionid={session_key(user)}"
            scope = {
                **scope,
                "path": "/messages/stream/",
                "raw_path": b"/messages/stream/",
                "query_string": f"page={token}".encode(),
                "headers": [*scope["headers"], (b"cookie", cookie.encode())],
            }
        await inner(scope, receive, send)

    return app


def eventstream() -> Any:
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


def channels() -> Any:
    """A consumer of Server-Sent Events with one group a user: no session, no database."""
    import django

    django.setup()
    from channels.generic.http import AsyncHttpConsumer

    class Events(AsyncHttpConsumer):
        async def handle(self, body: bytes) -> None:
            await self.channel_layer.group_add(f"user-{user_of(self.scope)}", self.channel_name)
            await self.send_headers(headers=SSE["headers"])
            await self.send_body(b": ready\n\n", more_body=True)

        async def http_request(self, message: Any) -> None:
            # The base class ends the response when handle() returns.
            if "body" in message:
                self.body.append(message["body"])
            if not message.get("more_body"):
                await self.handle(b"".join(self.body))

        async def notice(self, event: Any) -> None:
            data = f"event: message\ndata: {event['text']}\n\n"
            await self.send_body(data.encode(), more_body=True)

    return Events.as_asgi()


def raw() -> Any:
    """The least a Python process can do: no user, no snapshot, a queue a stream."""
    import redis.asyncio

    subscribers: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)

    async def listen() -> None:
        pubsub = redis.asyncio.Redis.from_url(os.environ["BENCHMARK_REDIS"]).pubsub()
        await pubsub.subscribe("bus")
        async for message in pubsub.listen():
            if message["type"] == "message":
                user, _, text = message["data"].partition(b"\n")
                for queue in subscribers[user.decode()]:
                    queue.put_nowait(b"event: message\ndata: " + text + b"\n\n")

    tasks: list[asyncio.Task[None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not tasks:
            tasks.append(asyncio.create_task(listen()))
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        subscribers[user_of(scope)].add(queue)
        await send(SSE)
        body = {"type": "http.response.body", "more_body": True}
        await send({**body, "body": b": ready\n\n"})

        async def write() -> None:
            while True:
                await send({**body, "body": await queue.get()})

        writer = asyncio.create_task(write())
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            writer.cancel()
            subscribers[user_of(scope)].discard(queue)

    return app


MAKERS = {
    "monitio": lambda: monitio(lean=True),
    "monitio_view": lambda: monitio(lean=False),
    "eventstream": eventstream,
    "channels": channels,
    "raw": raw,
}
application = MAKERS[os.environ["BENCHMARK_SUBJECT"]]()
