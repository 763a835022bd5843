"""Celery's signals, reported to the job. Which of them an outcome sends depends on the pool."""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakSet

from celery import current_app, signals, states
from celery.concurrency.solo import TaskPool as SoloPool
from celery.utils.dispatch import Signal
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from monitio import dispatch, links
from monitio import scope as scopes
from monitio.constants import State
from monitio.integrations.context import run_off_loop
from monitio.integrations.decorators import options_of
from monitio.integrations.run import (
    Carried,
    Reporter,
    TaskRun,
    activate,
    current_run,
    deactivate,
    run_of,
)
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import stamp_alive
from monitio.models import Job
from monitio_celery import checks
from monitio_celery import headers as header
from monitio_celery.cancellation import Cancelled, store_as_revoked
from monitio_celery.conf import settings
from monitio_celery.groups.members import Member, member_in, refresh_later, reporter_of_member
from monitio_celery.integration import celery
from monitio_celery.models import GroupMember
from monitio_celery.reporters import job_reporter, reporter_for, reporter_for_job, unwrap_map
from monitio_celery.retry import report_with_retry
from monitio_celery.time_limits import defer_soft_timeout

logger = logging.getLogger("monitio")

OWN_TASKS = "monitio_celery."
# Seconds, as Celery's own heartbeat in the other pools.
HEARTBEAT_INTERVAL = 2.0
Handler = Callable[..., None]


def connect() -> None:
    """Connect every handler, once."""
    for name in _HANDLERS:
        _connect(name)


def disconnect() -> None:
    """The inverse of ``connect``."""
    for name in _HANDLERS:
        _disconnect(name)


def _connect(name: str) -> None:
    signal, handler = _HANDLERS[name]
    signal.connect(handler, weak=False, dispatch_uid=f"monitio_celery.{name}")


def _disconnect(name: str) -> None:
    signal, handler = _HANDLERS[name]
    signal.disconnect(handler, dispatch_uid=f"monitio_celery.{name}")


_HANDLERS: dict[str, tuple[Signal, Handler]] = {}


def _on(signal: Signal) -> Callable[[Handler], Handler]:
    """Connect a handler to ``signal``; its errors are logged, never raised into the task."""

    def register(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def guarded(**kwargs: Any) -> None:
            kwargs.pop("signal", None)
            with defer_soft_timeout():
                _safely(handler, **kwargs)

        _HANDLERS[handler.__name__] = (signal, guarded)
        return guarded

    return register


def _safely(handler: Handler, **kwargs: Any) -> None:
    try:
        handler(**kwargs)
    except Exception:
        logger.exception("%s failed; the task is not affected.", handler.__name__)
        _drop_broken_connection()


def _drop_broken_connection() -> None:
    """In a worker's main process Django never does it, and each later query would fail."""
    connection = connections[dispatch.database()]
    if not connection.in_atomic_block:
        run_off_loop(connection.close_if_unusable_or_obsolete)


# In the process that publishes.


@_on(signals.before_task_publish)
def warn_without_broker(**_: Any) -> None:
    """Once a process, before its first task: it may fail, or go to a broker without workers."""
    _disconnect("warn_without_broker")
    missing = checks.missing_broker()
    if missing is not None:
        logger.warning("%s %s", *missing)


@_on(signals.before_task_publish)
def name_recipients(
    *, sender: str, headers: dict[str, Any] | None = None, body: Any = None, **_: Any
) -> None:
    """Write the recipients into the message's headers, unless it has them."""
    if headers is None:
        return
    if sender.startswith(OWN_TASKS):
        _name_scope(headers)
        return
    run = current_run()
    replaces = run is not None and (headers.get("replaced_task_nesting") or 0) > run.nesting
    if run is not None and replaces:
        run.replaced = True
    if header.HEADER in headers:
        _write_header(headers, body, header.read(headers))
        return
    task, args, kwargs = unwrap_map(_task(sender), *_arguments(body))
    carried = header.choose_in(run, task, options_of(task), args, kwargs)
    if carried is not None and run is not None and replaces:
        carried = header.replaced_by(carried, run.task_id, run.name, run.carried)
    _write_header(headers, body, carried)


def _write_header(headers: dict[str, Any], body: Any, carried: Carried | None) -> None:
    if carried is None:
        return
    # A retry belongs to the run that it repeats.
    headers[header.HEADER] = carried if headers.get("retries") else header.of_a_new_run(carried)
    _name_recipients_of_errbacks(body, carried)


def _name_scope(headers: dict[str, Any]) -> None:
    """monitio's own tasks have no recipients, but run in the scope in which they were started."""
    if header.HEADER not in headers and scopes.current():
        headers[header.HEADER] = header.write([])


def _name_recipients_of_errbacks(body: Any, carried: Carried) -> None:
    """When a child process dies, the main process starts them, where no task is running."""
    embedded = body[2] if isinstance(body, tuple | list) and len(body) > 2 else {}
    if embedded.get("errbacks"):
        to = header.inheritable(carried)
        # Copies: the next caller may use the same signature.
        embedded["errbacks"] = [_named(errback, to) for errback in embedded["errbacks"]]


def _named(errback: Any, to: Carried | None) -> Any:
    options = options_of(_task(errback["task"])) if isinstance(errback, dict) else None
    if options is None or options.user is not None:
        return errback
    own = errback.get("options") or {}
    headers = {header.HEADER: to, **(own.get("headers") or {})}
    return {**errback, "options": {**own, "headers": headers}}


@_on(signals.after_task_publish)
def report_queued(
    *, sender: str, headers: dict[str, Any] | None = None, body: Any = None, **_: Any
) -> None:
    """After the commit: a row in the view's open transaction would block the worker."""
    carried = header.read(headers)
    if headers is None or not carried or not carried["to"] or headers.get("retries"):
        return
    reporter = reporter_for(_task(sender), headers["id"], carried, *_arguments(body))
    if reporter is not None:
        with header.activate(carried):
            queued = functools.partial(reporter.queued, header.due_at(headers))
            run_off_loop(functools.partial(dispatch.after_commit, queued))


# In the process that runs the task.


@_on(signals.task_prerun)
def set_mount_point(*, task: Any, **_: Any) -> None:
    if not task.request.is_eager:
        links.set_mount_point()


@_on(signals.task_prerun)
def report_started(*, task_id: str, task: Any, args: Any, kwargs: Any, **_: Any) -> None:
    if task.name.startswith(OWN_TASKS):
        return  # they have a scope, but no recipients
    request = task.request
    # A worker's process may hold a run without task_postrun; only eager tasks are nested.
    outer = current_run() if request.is_eager else None
    options = options_of(task)
    carried = header.read(request.headers)
    if carried is None:
        carried = header.choose_in(outer, task, options, args, kwargs)
        if carried is not None and request.is_eager and not request.retries:
            carried = header.of_a_new_run(carried)
    reporter = reporter_for(task, task_id, carried, args, kwargs)
    if reporter is None and carried is None:
        return
    if reporter is not None and not (carried and carried["to"]):
        logger.debug("%s has no recipients: its message names none.", task.name)
    carried, replaced = header.for_task(carried, task_id)
    run = TaskRun(
        task_id,
        name=replaced or task.name,
        carried=carried,
        reporter=reporter,
        attempt=request.retries or 0,
        nesting=request.get("replaced_task_nesting") or 0,
        outer=outer,
        scope=None if carried is None else carried.get("scope", ""),
        integration=celery,
    )
    activate(run)
    if reporter is not None:
        run_off_loop(functools.partial(reporter.started, run.attempt))


@_on(signals.task_success)
def report_succeeded(*, sender: Any, result: Any = None, **_: Any) -> None:
    request = sender.request
    run = run_of(request.id)
    if run is not None and run.cancelled:
        # It stopped early because it was cancelled: its result is incomplete.
        _report(sender, request.id, request, lambda reporter: reporter.revoked())
    else:
        _report(sender, request.id, request, lambda reporter: reporter.succeeded(result))


@_on(signals.task_failure)
def report_failed(
    *, sender: Any, task_id: str, exception: Any, args: Any = (), kwargs: Any = None, **_: Any
) -> None:
    """In the child; in the main process when the child died or was stopped."""
    request = sender.request if sender.request.id == task_id else None
    error = _unwrap(exception)
    attempt = _dead_attempt(task_id) if run_of(task_id) is None else None
    _report(sender, task_id, request, lambda r: r.failed(error, attempt), args, kwargs)


@_on(signals.task_retry)
def report_retrying(*, sender: Any, request: Any, reason: Any = None, **_: Any) -> None:
    if reason is None:
        # A cold shutdown sends task_retry without a reason, and may never run the task again.
        _report(sender, request.id, request, lambda reporter: reporter.lost())
        return
    error = _unwrap(reason)
    if error is reason:
        error = str(reason)
    attempt, due_at = request.retries or 0, header.due_at({"eta": getattr(reason, "when", None)})
    _report(sender, request.id, request, lambda r: r.retrying(attempt, error, due_at))


@_on(signals.task_postrun)
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
    comes_again = getattr(retval, "requeue", False) and keeps_message
    if state == states.REJECTED and not comes_again:
        # Celery sends a signal for it only since 5.7, and from the main process.
        reason = getattr(retval, "reason", None)
        report_with_retry(
            functools.partial(run.reporter.failed, retval if reason is None else reason)
        )
    if state is None and _exits_by_itself() and not _runs_again_elsewhere(task):
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


def _runs_again_elsewhere(task: Any) -> bool:
    """Whether the task's message returns to the queue when its process ends."""
    in_thread = threading.current_thread() is not threading.main_thread()
    return bool(task.acks_late and task.reject_on_worker_lost and not in_thread)


@_on(signals.task_internal_error)
def report_internal_error(
    *, sender: Any, task_id: str, exception: Any, args: Any, kwargs: Any, request: Any, **_: Any
) -> None:
    """The result backend is down, or an eager task raised."""
    carried = header.read((request or {}).get("headers")) or header.read(request)
    if carried is None:
        carried = header.choose_in(current_run(), sender, options_of(sender), args, kwargs)
    reporter = reporter_for(sender, task_id, carried, args, kwargs)
    if reporter is not None:
        report_with_retry(functools.partial(reporter.failed, _unwrap(exception)))


# In the worker's main process.


@_on(signals.task_received)
def discard_cancelled(*, request: Any, **_: Any) -> None:
    """The revoke was broadcast before this worker started."""
    from celery.worker.state import revoked

    job_id = _job_id(request)
    if job_id is None or not _may_be_cancelled(request):
        return
    carried = header.read(request.request_dict)
    # The job that was cancelled may be that of an earlier run under the same id.
    is_this_run = Q(run=0) | Q(run__gte=header.run_of(carried))
    with header.activate(carried):
        if Job.objects.of_task(job_id).filter(is_this_run, cancel_requested=True).exists():
            revoked.add(request.id)


@_on(signals.task_received)
def remember_received(*, request: Any, **_: Any) -> None:
    _received.add(request)


# The messages of tasks that this worker holds.
_received: WeakSet[Any] = WeakSet()


def _dead_attempt(task_id: str) -> int | None:
    """The number of the attempt whose process died; None when unknown.

    This worker may already have received, and even run, a retry that it published.
    """
    from celery.worker.state import active_requests

    try:
        begun = [
            request.request_dict.get("retries") or 0
            for request in _received
            if request.id == task_id and request.time_start and request not in active_requests
        ]
    except RuntimeError:  # another thread has just received one
        return None
    return max(begun, default=None)


@_on(signals.task_revoked)
def report_revoked(*, sender: Any, request: Any, expired: bool = False, **_: Any) -> None:
    reason = "expired" if expired else ""
    _report(sender, request.id, request, lambda reporter: reporter.revoked(reason))


@_on(signals.task_unknown)
def report_unknown(
    *,
    name: str,
    id: str,  # noqa: A002
    exc: Any = None,
    message: Any = None,
    **_: Any,
) -> None:
    """The task is not registered. The recipients are those of the job's row."""
    with header.activate(header.read(getattr(message, "headers", None))):
        reporter = job_reporter(id, name=name)
    error = f"{name} is not registered" if exc is None else exc
    report_with_retry(functools.partial(reporter.failed, error))


@_on(signals.heartbeat_sent)
def stamp_running(**_: Any) -> None:
    """One query a worker for the heartbeats of all its running jobs, one for its group members."""
    from celery.worker import state
    from celery.worker.state import active_requests

    global _stamped_at
    now = time.monotonic()
    if now - _stamped_at < settings.CELERY_ALIVE_INTERVAL or not active_requests:
        return
    _stamped_at = now
    for scope, requests in _by_scope(active_requests).items():
        # Each by itself: an error in one scope must not affect the others.
        _safely(_stamp, scope=scope, requests=requests, keep_lost=state.should_terminate)


def _by_scope(active_requests: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for request in tuple(active_requests):
        carried = header.read(request.request_dict)
        scope = scopes.current() if carried is None else carried.get("scope", "")
        found.setdefault(scope, []).append(request)
    return found


def _stamp(*, scope: str, requests: list[Any], keep_lost: bool) -> None:
    ids = {job_id for request in requests if (job_id := _job_id(request))}
    parts = {request.id for request in requests if _part(request) is not None}
    if not ids and not parts:
        return
    with scopes.activate(scope):
        # A worker that shuts down has just reported its tasks as interrupted.
        if ids and stamp_alive(ids) < len(ids) and not keep_lost:
            recover_jobs(ids)
        if parts and GroupMember.objects.stamp_alive(parts, timezone.now()) < len(parts):
            recover_members(parts)


@_on(signals.heartbeat_sent)
def notify_slow_tasks(**_: Any) -> None:
    """Send the late start notice of tasks that have run for ``when=`` seconds."""
    from celery.worker.state import active_requests

    now = time.monotonic()
    waiting = {}
    for request in tuple(active_requests):
        options = options_of(request.task)
        if options is None or not isinstance(options.when, int | float):
            continue
        since = waiting[request.id] = _waiting.get(request.id, now)
        if since is not None and now - since >= options.when:
            waiting[request.id] = None
            _safely(_notify_now, request=request, options=options)
    _waiting.clear()
    _waiting.update(waiting)


@_on(signals.worker_init)
def enable_refresh_timers(**_: Any) -> None:
    """In this process and, by fork, in its children."""
    refresh_later.in_worker = True


@_on(signals.worker_init)
def start_on_the_connection_of_the_task(**_: Any) -> None:
    """Celery closes every connection before a task. A start that is reported after that leaves its
    connection open for the task; reported before, it would cost one more connection.
    """
    _disconnect("report_started")
    _connect("report_started")


@_on(signals.worker_ready)
def start_solo_heartbeat(*, sender: Any, **_: Any) -> None:
    """The solo pool sends no heartbeat while it runs a task: a thread does."""
    if isinstance(sender.pool, SoloPool):
        threading.Thread(target=_beat, name="monitio-heartbeat", daemon=True).start()


def _beat() -> None:
    while True:
        time.sleep(HEARTBEAT_INTERVAL)
        stamp_running()
        notify_slow_tasks()
        connections.close_all()


def _notify_now(*, request: Any, options: NotifyOptions) -> None:
    with header.activate(header.read(request.request_dict)):
        job_reporter(request.id, name=request.task.name, options=options).notify_now()


# By task id: when it was first seen running; None: its notice was sent.
_waiting: dict[str, float | None] = {}
_stamped_at = float("-inf")


def recover_jobs(task_ids: Iterable[str]) -> None:
    """Reopen jobs that are marked as lost although they run."""
    for job in Job.objects.here().filter(task_id__in=list(task_ids), state=State.LOST):
        reporter_for_job(job).recovered()


def recover_members(task_ids: Iterable[str]) -> None:
    """Reopen group members that are marked as lost although they run."""
    for row in GroupMember.objects.here().filter(task_id__in=list(task_ids), lost=True):
        reporter = reporter_of_member(row)
        if reporter is not None:
            reporter.recovered()


def _part(request: Any) -> Member | None:
    return member_in(header.read(request.request_dict))


def _job_id(request: Any) -> str | None:
    """The id of a request's job: its own, its group's, or None."""
    part = _part(request)
    if part is not None:
        return part.group
    return request.id if options_of(request.task) is not None else None


def _may_be_cancelled(request: Any) -> bool:
    part = _part(request)
    if part is not None:
        return bool(part.options.get("cancel"))
    options = options_of(request.task)
    return options is not None and options.cancel


def _report(
    task: Any,
    task_id: str,
    request: Any,
    report: Callable[[Reporter], object],
    args: Any = (),
    kwargs: Any = None,
) -> None:
    """Report to the run's reporter: of this process, or found by the message."""
    run = run_of(task_id)
    reporter = run.reporter if run else None
    if run is None:
        args = getattr(request, "args", None) or args
        kwargs = getattr(request, "kwargs", None) or kwargs
        reporter = reporter_for(task, task_id, _carried(task_id, request), args, kwargs)
    if reporter is None:
        return

    def flush_and_report() -> None:
        if run is not None:
            run.flush()
        report(reporter)

    report_with_retry(flush_and_report)


def _carried(task_id: str, request: Any) -> Carried | None:
    found = header.read(getattr(request, "headers", None))
    if found is not None:
        return found
    # Some signals of the main process have no headers; the worker still holds the message.
    from celery.worker.state import requests

    kept = requests.get(task_id)
    return header.read(kept.request_dict) if kept is not None else None


def _unwrap(exception: Any) -> Any:
    """The exception that a task raised, unwrapped from Celery's own."""
    try:
        inner = exception.exc
    except Exception:  # most have no such attribute; a property may raise
        return exception
    return inner if isinstance(inner, BaseException) else exception


def _task(name: str) -> Any:
    return current_app.tasks.get(name)


def _arguments(body: Any) -> tuple[Any, Any]:
    """The arguments in a task's message, protocol 2 or 1."""
    if isinstance(body, Mapping):
        return body.get("args") or (), body.get("kwargs") or {}
    try:
        return body[0], body[1]
    except (TypeError, LookupError):
        return (), {}
