"""The three signals of ``django.tasks``, reported to the job.

A task carries no headers, so the row of its job, written when it is enqueued, says who is told. No
handler ever raises into whoever enqueues or into the worker: what fails is logged.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from monitio import dispatch
from monitio.jobs import JobReporter
from monitio.models import Job
from monitio.queues import choosing
from monitio.queues.context import run_off_loop, savepoint
from monitio.queues.decorators import options_of
from monitio.queues.running import Run, current_run, enter, leave
from monitio.readers import recipients_of
from monitio.recipients import Recipient
from monitio.wording import Options

logger = logging.getLogger("monitio")

QUEUE = "django.tasks"
# The names of TaskResultStatus; a class of its own in the backport.
RUNNING, FAILED, SUCCESSFUL = "RUNNING", "FAILED", "SUCCESSFUL"
Handler = Callable[..., None]


def connect(signals: Any) -> None:
    """Hear the signals of this module, once."""
    signals.task_enqueued.connect(report_enqueued, dispatch_uid="monitio_tasks.enqueued")
    signals.task_started.connect(report_started, dispatch_uid="monitio_tasks.started")
    signals.task_finished.connect(report_finished, dispatch_uid="monitio_tasks.finished")


def _quietly(handler: Handler) -> Handler:
    """Whatever goes wrong is logged and stays here, also in the caller's transaction."""

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


@_quietly
def report_enqueued(task_result: Any) -> None:
    options = options_of(task_result.task)
    if options is None:
        return
    recipients = _choose(task_result, options)
    if not recipients:
        name = task_result.task.module_path
        logger.debug("Nobody is told about %s: nobody is known to have asked for it.", name)
        return
    reporter = _reporter(task_result, options, recipients)
    if reporter.queued() and not dispatch.in_transaction():
        _catch_up(reporter, task_result)


@_quietly
def report_started(task_result: Any) -> None:
    options = options_of(task_result.task)
    if options is None:
        return
    attempt = max(0, task_result.attempts - 1)
    run = Run(
        str(task_result.id),
        name=task_result.task.module_path,
        carried=None,
        reporter=_reporter(task_result, options),
        attempt=attempt,
        outer=current_run(),
    )
    enter(run)
    assert run.reporter is not None
    run.reporter.started(attempt)


@_quietly
def report_finished(task_result: Any) -> None:
    run = leave(str(task_result.id))
    options = options_of(task_result.task)
    if options is None:
        return
    if run is not None:
        run.flush()
    _report_end(_reporter(task_result, options), task_result, sys.exc_info()[1])


def _choose(task_result: Any, options: Options) -> list[Recipient]:
    """Who is told: explicit beats inherited beats whoever makes the request."""
    args, kwargs = task_result.args, task_result.kwargs
    explicit = choosing.explicit(task_result.task, options, args, kwargs)
    if explicit is not None:
        return explicit
    run = current_run()
    if run is not None:
        job = Job.objects.filter(task_id=run.task_id).first()
        return recipients_of(job) if job else []
    requester = choosing.requester(options)
    return [] if requester is None else [requester]


def _reporter(
    task_result: Any, options: Options, recipients: Iterable[Recipient] = ()
) -> JobReporter:
    task = task_result.task
    picked = choosing.pick_arguments(task, options.arguments, task_result.args, task_result.kwargs)
    return JobReporter(
        str(task_result.id),
        queue=QUEUE,
        name=task.module_path,
        recipients=recipients,
        wording=options.wording(),
        arguments=picked,
    )


def _catch_up(reporter: JobReporter, task_result: Any) -> None:
    """A worker may have been quicker than the row that says who is told."""
    try:
        task_result.refresh()
    except NotImplementedError:
        return  # a backend that keeps no results; it runs tasks at once, or never
    if task_result.status == RUNNING:
        reporter.started(max(0, task_result.attempts - 1))
    _report_end(reporter, task_result, None)


def _report_end(reporter: JobReporter, task_result: Any, error: BaseException | None) -> None:
    if task_result.status == SUCCESSFUL:
        reporter.succeeded(task_result.return_value)
    elif task_result.status == FAILED:
        reporter.failed(error or _last_error(task_result))


def _last_error(task_result: Any) -> str:
    """What the last attempt said; the exception itself stayed in its worker."""
    if not task_result.errors:
        return "failed"
    lines = str(task_result.errors[-1].traceback).strip().splitlines()
    return lines[-1] if lines else str(task_result.errors[-1].exception_class_path)
