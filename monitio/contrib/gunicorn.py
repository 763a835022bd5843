"""Hooks for gunicorn's configuration file:

from monitio.contrib.gunicorn import post_worker_init, pre_request
"""

from __future__ import annotations

from typing import Any


def post_worker_init(worker: Any) -> None:
    """Reserve some of a ``gthread`` worker's threads for streams, and end those when it stops."""
    from monitio.stream import capacity, shutdown

    # With --preload, gunicorn installs its signal handlers after those of the apps.
    shutdown.install()
    if worker.cfg.worker_class_str == "gthread":
        capacity.reserve(worker.cfg.threads)


def pre_request(worker: Any, request: Any) -> None:
    """With --max-requests, a worker waits for its streams after its last request: end them."""
    if worker.nr + 1 >= worker.max_requests:
        from monitio.stream import shutdown

        shutdown.begin()
