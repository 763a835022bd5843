"""The ASGI application for thousands of open streams in one process, none of which holds a thread.

    application = monitio.asgi.application(get_asgi_application())

A request for the stream passes Django's full handler, with every middleware of the site (hosts,
tenants, log-in, CORS headers). The view leaves a stream instead of a body. Django then ends the
request and frees its thread and connection, and ``monitio.stream.asgi`` sends the response.
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
    """Wrap Django's ASGI application; everything but the stream passes unchanged.

    Call it after ``get_asgi_application()``, which makes Django's apps ready.
    """
    # Late: this module itself is imported before the apps are ready.
    from monitio.stream.asgi import serve

    return serve(django)
