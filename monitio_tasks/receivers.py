"""The three signals of ``django.tasks``, reported to the job.

A task carries no headers: its recipients are those of its job's row, written when it is enqueued.
Errors of handlers are logged; they never reach the caller of ``enqueue`` or the worker.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string

from monitio import dispatch, links
from monitio import scope as scopes
from monitio.conf import settings
from monitio.constants import State
from monitio.integrations import recipients as task_recipients
from monitio.integrations.base import Cancelled, End, Integration, report_end
from monitio.integrations.context import current_request, run_off_loop, savepoint
from monitio.integrations.decorators import options_of
from monitio.integrations.files import attach_result
from monitio.integrations.run import TaskRun, activate, current_run, deactivate
from monitio.jobs.options import NotifyOptions
from monitio.jobs.recipients import recipients_of
from monitio.jobs.reporter import JobReporter
from monitio.jobs.retry import StoredCall, stored_call
from monitio.models import Job, JobRun
from monitio.recipients import Recipient
from monitio_tasks.orphans import pending_children

logger = logging.getLogger("monitio")

QUEUE = "django.tasks"
# The names of TaskResultStatus; a class of its own in the backport.
RUNNING, FAILED, SUCCESSFUL = "RUNNING", "FAILED", "SUCCESSFUL"
Handler = Callable[..., None]


def connect(signals: Any) -> None:
    """Connect every handler, once."""
    signals.task_started.connect(set_mount_point, dispatch_uid="monitio_tasks.mount_point")
    signals.task_enqueued.connect(report_enqueued, dispatch_uid="monitio_tasks.enqueued")
    signals.task_started.connect(report_started, dispatch_uid="monitio_tasks.started")
    signals.task_finished.connect(report_finished, dispatch_uid="monitio_tasks.finished")


class TasksIntegration(Integration):
    """``django.tasks`` can neither revoke nor stop a task: it stops when it checks."""

    names = (QUEUE,)

    def retry(self, job: Job, call: StoredCall) -> None:
        """Enqueue the task. Its backend chooses the id, which ``report_enqueued`` gives the job."""
        try:
            task = import_string(job.name)
        except ImportError as error:
            raise LookupError(f"There is no task {job.name}.") from error
        token = _retried.set(job)
        try:
            task.using(**call.options).enqueue(*call.args, **call.kwargs)
        finally:
            _retried.reset(token)

    def known_end(self, job: Job) -> End | None:
        """The end in the database of the task's backend, where that keeps results."""
        try:
            result = import_string(job.name).get_result(job.task_id)
        except Exception:
            return None  # pruned, renamed, or a backend without results
        return _end_of(result, None)


integration = TasksIntegration()
# The job whose task is being enqueued again.
_retried: ContextVar[Job | None] = ContextVar("monitio_retried", default=None)


def _quietly(handler: Handler) -> Handler:
    """Log errors, and keep the caller's transaction usable."""

    @functools.wraps(handler)
    def guarded(*, task_result: Any, **_: Any) -> None:
        def handle() -> None:
            with savepoint():
                handler(task_result)

        try:
            run_off_loop(handle)
        except Exception:
            logger.exception("%s failed; the task is not affected.", handler.__name__)

    return guarded


def set_mount_point(**_: object) -> None:
    # A task of the immediate backend runs inside its request.
    if current_request.get() is None:
        links.set_mount_point()


@_quietly
def report_enqueued(task_result: Any) -> None:
    options = options_of(task_result.task)
    if options is None:
        return
    if (job := _retried.get()) is not None:
        _take_over(task_result, options, job)
        return
    run = current_run()
    with nullcontext() if run is None else scopes.activate(run.scope_of_children()):
        # Explicit beats inherited beats the user of the request.
        recipients = task_recipients.explicit(
            task_result.task, options, task_result.args, task_result.kwargs
        )
        if recipients is None and run is not None:
            with scopes.activate(run.scope):
                _inherit(task_result, options, run.task_id)
        elif recipients is None:
            requester = task_recipients.requester(options)
            _announce(task_result, options, [] if requester is None else [requester])
        else:
            _announce(task_result, options, recipients)


@_quietly
def report_started(task_result: Any) -> None:
    options = options_of(task_result.task)
    if options is None:
        return
    attempt = max(0, task_result.attempts - 1)
    reporter = _known_reporter(task_result, options)
    run = TaskRun(
        str(task_result.id),
        name=task_result.task.module_path,
        carried=None,
        reporter=reporter,
        attempt=attempt,
        outer=current_run(),
        scope=reporter.scope,
        integration=integration,
    )
    activate(run)
    reporter.started(attempt)


@_quietly
def report_finished(task_result: Any) -> None:
    run = deactivate(str(task_result.id))
    options = options_of(task_result.task)
    if options is None:
        return
    if run is not None:
        run.flush()
    reporter = _known_reporter(task_result, options)
    if task_result.status == SUCCESSFUL and run is not None and run.cancelled:
        # It stopped early because it was cancelled: its result is incomplete.
        reporter.revoked()
    else:
        if task_result.status == SUCCESSFUL:
            attach_result(run, options, task_result.return_value)
        _report_end(reporter, task_result, sys.exc_info()[1])


def _take_over(task_result: Any, options: NotifyOptions, job: Job) -> None:
    """Let the new task continue the job and its messages."""
    former, new = job.task_id, str(task_result.id)
    with transaction.atomic(using=dispatch.database()):
        Job.objects.of_task(former).update(task_id=new)
        JobRun.objects.here().filter(task_id=former).update(task_id=new)
    _announce(task_result, options, recipients_of(job))


def _inherit(task_result: Any, options: NotifyOptions, parent: str) -> None:
    """Announce to the recipients of the task ``parent``, as soon as its row exists."""
    job = Job.objects.of_task(parent).first()
    if job is not None:
        _announce(task_result, options, recipients_of(job))
    else:
        adopt = functools.partial(_inherit, task_result, options, parent)
        dispatch.after_commit(functools.partial(pending_children.add, parent, adopt))


def _announce(task_result: Any, options: NotifyOptions, recipients: list[Recipient]) -> None:
    if not recipients:
        name = task_result.task.module_path
        logger.debug(
            "%s has no recipients: neither options, a parent nor a request name one.", name
        )
        return
    reporter = _reporter(task_result, options, recipients)
    if reporter.queued() and not dispatch.in_transaction():
        _catch_up(reporter, task_result)


def _reporter(
    task_result: Any, options: NotifyOptions, recipients: Iterable[Recipient] = ()
) -> JobReporter:
    task = task_result.task
    picked = task_recipients.pick_arguments(
        task, options.arguments, task_result.args, task_result.kwargs
    )
    return JobReporter(
        str(task_result.id),
        integration=QUEUE,
        name=task.module_path,
        recipients=recipients,
        render=options.content,
        arguments=picked,
        cancellable=options.cancel,
        call=_stored_call(task_result) if options.retryable else None,
        queue=task.queue_name,
    )


def _stored_call(task_result: Any) -> str | None:
    task = task_result.task
    return stored_call(
        task.module_path,
        task_result.args,
        task_result.kwargs,
        backend=task.backend,
        queue_name=task.queue_name,
        priority=task.priority,
    )


def _known_reporter(task_result: Any, options: NotifyOptions) -> JobReporter:
    """In a worker, which has only the task: its scope is that of its job's row."""
    task_id = str(task_result.id)
    rows = Job.objects.filter(task_id=task_id).values_list("scope", flat=True)
    scope = (rows.first() if settings.SCOPE else None) or scopes.current()
    with scopes.activate(scope):
        return _reporter(task_result, options)


def _catch_up(reporter: JobReporter, task_result: Any) -> None:
    """Report what a worker did before the job's row existed."""
    try:
        task_result.refresh()
    except NotImplementedError:
        return  # a backend without results runs tasks immediately, or never
    if task_result.status == RUNNING:
        reporter.started(max(0, task_result.attempts - 1))
    _report_end(reporter, task_result, None)


def _report_end(reporter: JobReporter, task_result: Any, error: BaseException | None) -> None:
    end = _end_of(task_result, error)
    if end is not None:
        report_end(reporter, end)


def _end_of(task_result: Any, error: BaseException | None) -> End | None:
    """None while it has not ended."""
    if task_result.status == SUCCESSFUL:
        return State.SUCCEEDED, task_result.return_value
    if task_result.status != FAILED:
        return None
    last = task_result.errors[-1] if task_result.errors else None
    if isinstance(error, Cancelled):
        return State.REVOKED, None
    with suppress(Exception):  # no error, or its class cannot be imported
        if issubclass(last.exception_class, Cancelled):  # type: ignore[union-attr]
            return State.REVOKED, None
    if error is not None or last is None:
        return State.FAILED, "failed" if error is None else error
    # The exception stayed in its worker.
    lines = str(last.traceback).strip().splitlines()
    return State.FAILED, lines[-1] if lines else str(last.exception_class_path)
