"""Registration of the receivers of Celery's signals, whose errors never reach a task."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from celery.utils.dispatch import Signal
from django.db import connections

from monitio import dispatch
from monitio.integrations.context import run_off_loop
from monitio.integrations.run import Reporter, run_of
from monitio.utils.database import close_broken_connection
from monitio_celery.calls import TaskCall
from monitio_celery.headers import TaskHeader
from monitio_celery.reporters import reporter_for
from monitio_celery.retry import report_with_retry
from monitio_celery.time_limits import defer_soft_timeout

logger = logging.getLogger("monitio")

OWN_TASKS = "monitio_celery."
Handler = Callable[..., None]


def connect() -> None:
    """Connect the handlers of all imported modules, once."""
    for name in HANDLERS:
        connect_handler(name)


def disconnect() -> None:
    """The inverse of ``connect``."""
    for name in HANDLERS:
        disconnect_handler(name)


def connect_handler(name: str) -> None:
    signal, handler = HANDLERS[name]
    signal.connect(handler, weak=False, dispatch_uid=f"monitio_celery.{name}")


def disconnect_handler(name: str) -> None:
    signal, handler = HANDLERS[name]
    signal.disconnect(handler, dispatch_uid=f"monitio_celery.{name}")


HANDLERS: dict[str, tuple[Signal, Handler]] = {}


def on(signal: Signal, *, in_main_process: bool = False) -> Callable[[Handler], Handler]:
    """Register a handler of ``signal``; its errors are logged, never raised into the task.

    A handler in a worker's main process closes its database connection: no task does so there. One
    left open breaks with the next outage, and Celery, which then stores a result on it, exits.
    """

    def register(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def guarded(**kwargs: Any) -> None:
            kwargs.pop("signal", None)
            with defer_soft_timeout():
                safely(handler, **kwargs)
            if in_main_process:
                connection = connections[dispatch.database()]
                if not connection.in_atomic_block:
                    run_off_loop(connection.close)

        HANDLERS[handler.__name__] = (signal, guarded)
        return guarded

    return register


def safely(handler: Handler, **kwargs: Any) -> None:
    try:
        handler(**kwargs)
    except Exception:
        logger.exception("%s failed; the task is not affected.", handler.__name__)
        run_off_loop(functools.partial(close_broken_connection, dispatch.database()))


def report(
    task: Any,
    task_id: str,
    request: Any,
    event: Callable[[Reporter], object],
    args: Any = (),
    kwargs: Any = None,
) -> None:
    """Report an event of a run to its reporter, in this process or found by the message."""
    run = run_of(task_id)
    reporter = run.reporter if run else None
    if run is None:
        args = getattr(request, "args", None) or args
        kwargs = getattr(request, "kwargs", None) or kwargs
        header = _header_of(task_id, request)
        reporter = reporter_for(TaskCall.of(task, args, kwargs, header, task_id=task_id))
    if reporter is None:
        return

    def flush_and_report() -> None:
        if run is not None:
            run.flush()
        event(reporter)

    report_with_retry(flush_and_report)


def _header_of(task_id: str, request: Any) -> TaskHeader | None:
    found = TaskHeader.from_headers(getattr(request, "headers", None))
    if found is not None:
        return found
    # Some signals of the main process have no headers; the worker still holds the message.
    from celery.worker.state import requests

    kept = requests.get(task_id)
    return TaskHeader.from_headers(kept.request_dict) if kept is not None else None
