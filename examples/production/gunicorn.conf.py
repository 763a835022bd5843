"""What gunicorn has to tell the streams: gunicorn --config gunicorn.conf.py …"""

from __future__ import annotations

from typing import Any


def post_worker_init(worker: Any) -> None:
    """With --preload, gunicorn installs its signal handlers after those of the apps."""
    from monitio.stream import shutdown

    shutdown.install()


def pre_request(worker: Any, request: Any) -> None:
    """With --max-requests, a worker waits for its streams after its last request."""
    if worker.nr + 1 >= worker.max_requests:
        from monitio.stream import shutdown

        shutdown.begin()
