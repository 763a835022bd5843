"""The lean ASGI endpoint: thousands of open streams in one process, no thread held by any.

    application = monitio.asgi.application(get_asgi_application())

A request for the stream passes Django's full handler, with every middleware of the site (hosts,
tenants, log-in, CORS headers). Its view leaves a ticket instead of a body. Django then lets go of
the request, its thread and its connection, and the endpoint goes on with the response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
# Mappings, which every framework types in its own way.
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def application(django: Application) -> Application:
    """Wrap Django's ASGI application; everything but the stream goes straight through.

    Call it after ``get_asgi_application()``, which makes Django's apps ready.
    """
    # Imported now: this module itself is imported before the apps are ready.
    from monitio.stream.asgi import serve

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await serve(django, scope, receive, send)
        else:
            await django(scope, receive, send)

    return app
