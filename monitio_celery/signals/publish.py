"""Signals in the process that publishes a task."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

from celery import current_app, signals

from monitio import dispatch
from monitio import scope as scopes
from monitio.integrations.context import run_off_loop
from monitio.integrations.decorators import options_of
from monitio.integrations.run import current_run
from monitio_celery import checks
from monitio_celery.calls import TaskCall
from monitio_celery.headers import HEADER, TaskHeader, activate, due_at, note_published
from monitio_celery.reporters import reporter_for
from monitio_celery.signals.base import OWN_TASKS, disconnect_handler, on

logger = logging.getLogger("monitio")


@on(signals.before_task_publish)
def warn_without_broker(**_: Any) -> None:
    """Once a process, before its first task: it may fail, or go to a broker without workers."""
    disconnect_handler("warn_without_broker")
    missing = checks.missing_broker()
    if missing is not None:
        logger.warning("%s %s", *missing)


@on(signals.before_task_publish)
def name_recipients(
    *, sender: str, headers: dict[str, Any] | None = None, body: Any = None, **_: Any
) -> None:
    """Write the recipients into the message's headers, unless it has them."""
    if headers is None:
        return
    if sender.startswith(OWN_TASKS):
        # monitio's own tasks have no recipients, but run in the scope in which they were started.
        if HEADER not in headers and scopes.current():
            headers[HEADER] = TaskHeader.for_recipients([]).to_dict()
        return
    run = current_run()
    replaces = run is not None and (headers.get("replaced_task_nesting") or 0) > run.nesting
    if run is not None and replaces:
        run.replaced = True
    if HEADER in headers:
        _write_header(headers, body, TaskHeader.from_headers(headers))
        return
    header = TaskCall.of(_task(sender), *_arguments(body)).choose_header_in(run)
    if header is not None and run is not None and replaces:
        header = header.replacing(run.task_id, run.name, run.carried)
    _write_header(headers, body, header)


def _write_header(headers: dict[str, Any], body: Any, header: TaskHeader | None) -> None:
    if header is None:
        return
    # A retry belongs to the run that it repeats.
    run = header if headers.get("retries") else header.of_a_new_run()
    headers[HEADER] = run.to_dict()
    # When a child process dies, the main process starts its errbacks, where no task is running.
    embedded = body[2] if isinstance(body, tuple | list) and len(body) > 2 else {}
    if embedded.get("errbacks"):
        to = header.for_child().to_dict()
        # Copies: the next caller may use the same signature.
        embedded["errbacks"] = [_named(errback, to) for errback in embedded["errbacks"]]


def _named(errback: Any, to: dict[str, Any]) -> Any:
    options = options_of(_task(errback["task"])) if isinstance(errback, dict) else None
    if options is None or options.user is not None:
        return errback
    own = errback.get("options") or {}
    headers = {HEADER: to, **(own.get("headers") or {})}
    return {**errback, "options": {**own, "headers": headers}}


@on(signals.after_task_publish)
def report_queued(
    *, sender: str, headers: dict[str, Any] | None = None, body: Any = None, **place: Any
) -> None:
    """After the commit: a row in the view's open transaction would block the worker."""
    if headers is None:
        return
    note_published(headers.get("id"))
    header = TaskHeader.from_headers(headers)
    if header is None or not header.to or headers.get("retries"):
        return
    task, (args, kwargs) = _task(sender), _arguments(body)
    call = TaskCall.of(task, args, kwargs, header, task_id=headers["id"], destination=place)
    reporter = reporter_for(call)
    if reporter is not None:
        with activate(header):
            queued = functools.partial(reporter.queued, due_at(headers))
            run_off_loop(functools.partial(dispatch.after_commit, queued))


def _arguments(body: Any) -> tuple[Any, Any]:
    """The arguments in a task's message, protocol 2 or 1."""
    if isinstance(body, Mapping):
        return body.get("args") or (), body.get("kwargs") or {}
    try:
        return body[0], body[1]
    except (TypeError, LookupError):
        return (), {}


def _task(name: str) -> Any:
    return current_app.tasks.get(name)
