"""Signals in the process that runs a task. Which of them an outcome sends depends on the pool."""

from __future__ import annotations

import functools
import logging
import sys
import threading
from typing import Any

from celery import signals, states

from monitio import links
from monitio.integrations.context import run_off_loop
from monitio.integrations.decorators import options_of
from monitio.integrations.files import attach_result
from monitio.integrations.run import TaskRun, activate, current_run, deactivate, run_of
from monitio_celery import headers
from monitio_celery.calls import TaskCall
from monitio_celery.cancellation import Cancelled, store_as_revoked
from monitio_celery.headers import TaskHeader
from monitio_celery.integration import celery
from monitio_celery.reporters import reporter_for
from monitio_celery.retry import report_with_retry
from monitio_celery.signals.base import OWN_TASKS, on, report
from monitio_celery.signals.worker import dead_attempt

logger = logging.getLogger("monitio")


@on(signals.task_prerun)
def set_mount_point(*, task: Any, **_: Any) -> None:
    if not task.request.is_eager:
        links.set_mount_point()


@on(signals.task_prerun)
def report_started(*, task_id: str, task: Any, args: Any, kwargs: Any, **_: Any) -> None:
    if task.name.startswith(OWN_TASKS):
        return  # they have a scope, but no recipients
    request = task.request
    # A worker's process may hold a run without task_postrun; only eager tasks are nested.
    outer = current_run() if request.is_eager else None
    header = TaskHeader.from_headers(request.headers)
    if header is None:
        header = TaskCall.of(task, args, kwargs).choose_header_in(outer)
        if header is not None and request.is_eager and not request.retries:
            header = header.of_a_new_run()
    destination = request.get("delivery_info")
    call = TaskCall.of(task, args, kwargs, header, task_id=task_id, destination=destination)
    reporter = reporter_for(call)
    if reporter is None and header is None:
        return
    if reporter is not None and not (header and header.to):
        logger.debug("%s has no recipients: its message names none.", task.name)
    run = TaskRun(
        task_id,
        name=call.replaced or task.name,
        carried=call.header,
        reporter=reporter,
        attempt=request.retries or 0,
        nesting=request.get("replaced_task_nesting") or 0,
        outer=outer,
        scope=None if header is None else header.scope,
        integration=celery,
    )
    activate(run)
    if reporter is not None:
        run_off_loop(functools.partial(reporter.started, run.attempt))


@on(signals.task_success)
def report_succeeded(*, sender: Any, result: Any = None, **_: Any) -> None:
    request = sender.request
    run = run_of(request.id)
    if run is not None and run.cancelled:
        # It stopped early because it was cancelled: its result is incomplete.
        report(sender, request.id, request, lambda reporter: reporter.revoked())
    else:
        attach_result(run, options_of(sender), result)
        report(sender, request.id, request, lambda reporter: reporter.succeeded(result))


@on(signals.task_failure)
def report_failed(
    *, sender: Any, task_id: str, exception: Any, args: Any = (), kwargs: Any = None, **_: Any
) -> None:
    """In the child; in the main process when the child died or was stopped."""
    request = sender.request if sender.request.id == task_id else None
    error = _unwrap(exception)
    attempt = dead_attempt(task_id) if run_of(task_id) is None else None
    report(sender, task_id, request, lambda r: r.failed(error, attempt), args, kwargs)


@on(signals.task_retry)
def report_retrying(*, sender: Any, request: Any, reason: Any = None, **_: Any) -> None:
    if reason is None:
        # A cold shutdown sends task_retry without a reason, and may never run the task again.
        report(sender, request.id, request, lambda reporter: reporter.lost())
        return
    error = _unwrap(reason)
    if error is reason:
        error = str(reason)
    attempt, due_at = request.retries or 0, headers.due_at({"eta": getattr(reason, "when", None)})
    report(sender, request.id, request, lambda r: r.retrying(attempt, error, due_at))


@on(signals.task_postrun)
def forget_run(
    *, task_id: str, task: Any, state: str | None = None, retval: Any = None, **_: Any
) -> None:
    run = deactivate(task_id)
    if isinstance(retval, Cancelled):
        store_as_revoked(task, task_id)
    if run is None or run.reporter is None:
        return
    # A message that was acknowledged early is gone, and an eager task has none to send back.
    keeps_message = task.acks_late and not task.request.is_eager
    is_requeued = getattr(retval, "requeue", False) and keeps_message
    if state == states.REJECTED and not is_requeued:
        # Celery sends a signal for it only since 5.7, and from the main process.
        reason = getattr(retval, "reason", None)
        report_with_retry(
            functools.partial(run.reporter.failed, retval if reason is None else reason)
        )
    in_thread = threading.current_thread() is not threading.main_thread()
    # Its message returns to the queue when its process ends.
    runs_again = task.acks_late and task.reject_on_worker_lost and not in_thread
    if state is None and _exits_by_itself() and not runs_again:
        # Some pools and versions of Celery send no signal for it.
        report_with_retry(functools.partial(run.reporter.failed, "sys.exit() was called"))
    if state == states.IGNORED and not run.replaced:
        # Celery sends no other signal for a task that raised Ignore.
        report_with_retry(run.reporter.revoked)


def _exits_by_itself() -> bool:
    """Whether ``sys.exit()`` of the task is being handled, not a signal to its process."""
    error = sys.exc_info()[1]
    # A worker that shuts down raises subclasses; billiard exits with -(256 - signal).
    by_signal = isinstance(error, SystemExit) and isinstance(error.code, int) and error.code < -128
    return type(error) is SystemExit and not by_signal


@on(signals.task_internal_error)
def report_internal_error(
    *, sender: Any, task_id: str, exception: Any, args: Any, kwargs: Any, request: Any, **_: Any
) -> None:
    """The result backend is down, or an eager task raised."""
    read = TaskHeader.from_headers
    header = read((request or {}).get("headers")) or read(request)
    if header is None:
        header = TaskCall.of(sender, args, kwargs).choose_header_in(current_run())
    reporter = reporter_for(TaskCall.of(sender, args, kwargs, header, task_id=task_id))
    if reporter is not None:
        report_with_retry(functools.partial(reporter.failed, _unwrap(exception)))


def _unwrap(exception: Any) -> Any:
    """The exception that a task raised, unwrapped from Celery's own."""
    try:
        inner = exception.exc
    except Exception:  # most have no such attribute; a property may raise
        return exception
    return inner if isinstance(inner, BaseException) else exception
