"""The reporter of a task's run: its own job's, its group's, or none."""

from __future__ import annotations

from typing import Any

from celery import current_app

from monitio.integrations.decorators import options_of
from monitio.integrations.recipients import pick_arguments
from monitio.integrations.run import Reporter
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import JobReporter
from monitio.models import Job
from monitio_celery.groups import members
from monitio_celery.headers import TaskHeader, activate

QUEUE = "celery"
MAPS = ("celery.map", "celery.starmap")


def unwrap_map(task: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """The task that a map, starmap or chunk calls; its arguments differ from call to call."""
    if getattr(task, "name", "") not in MAPS:
        return task, args, kwargs
    mapped = (kwargs or {}).get("task") or {}
    return current_app.tasks.get(mapped.get("task", "")), (), {}


def reporter_for(
    task: Any, task_id: str, header: TaskHeader | None, args: Any = (), kwargs: Any = None
) -> Reporter | None:
    """None for a task that has no ``@notify_user`` and is in no group.

    Without a header the recipients are those of the job's row, if there is one.
    """
    with activate(header):
        return _reporter_here(task, task_id, header, args, kwargs)


def _reporter_here(
    task: Any, task_id: str, header: TaskHeader | None, args: Any, kwargs: Any
) -> Reporter | None:
    header, replaced = (None, None) if header is None else header.for_task(task_id)
    task, args, kwargs = unwrap_map(task, args, kwargs)
    if header is not None and header.group_member is not None:
        own = options_of(task)
        lost_after = None if own is None else own.lost_after
        return members.MemberReporter(
            header.group_member, header.recipients(), task_id, header, lost_after
        )
    # The recipient sees one task: the replacement keeps the texts of the replaced one.
    options = (options_of(current_app.tasks.get(replaced)) if replaced else None) or options_of(
        task
    )
    if options is None:
        return None
    return job_reporter(
        task_id,
        name=replaced or str(getattr(task, "name", "")),
        options=options,
        header=header,
        arguments=pick_arguments(task, options.arguments, args, kwargs),
    )


def reporter_for_job(job: Job) -> JobReporter:
    """The reporter of an existing job."""
    if job.integration == members.QUEUE:
        return members.group_reporter(members.group_of(job), [])
    options = options_of(current_app.tasks.get(job.name))
    return job_reporter(job.task_id, name=job.name, options=options)


def job_reporter(
    task_id: str,
    *,
    name: str = "",
    options: NotifyOptions | None = None,
    header: TaskHeader | None = None,
    arguments: dict[str, Any] | None = None,
) -> JobReporter:
    return JobReporter(
        task_id,
        integration=QUEUE,
        name=name,
        recipients=() if header is None else header.recipients(),
        render=(options or NotifyOptions()).content,
        arguments=arguments,
        cancellable=options is not None and options.cancel,
        run=0 if header is None else header.run,
    )
