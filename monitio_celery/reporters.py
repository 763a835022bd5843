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
from monitio_celery.calls import TaskCall
from monitio_celery.groups import members
from monitio_celery.headers import TaskHeader, activate

QUEUE = "celery"


def reporter_for(call: TaskCall) -> Reporter | None:
    """None for a task that has no ``@notify_user`` and is in no group.

    Without a header the recipients are those of the job's row, if there is one.
    """
    header, options = call.header, call.options
    with activate(header):
        if header is not None and header.group_member is not None:
            lost_after = None if options is None else options.lost_after
            return members.MemberReporter(
                header.group_member, header.recipients(), call.task_id, header, lost_after
            )
        if call.replaced:
            # As its name, the texts stay those of the replaced task.
            options = options_of(current_app.tasks.get(call.replaced)) or options
        if options is None:
            return None
        return job_reporter(
            call.task_id,
            name=call.name,
            options=options,
            header=header,
            arguments=pick_arguments(call.task, options.arguments, call.args, call.kwargs),
            call=call.stored(),
            queue=call.queue,
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
    call: str | None = None,
    queue: str = "",
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
        call=call,
        queue=queue,
    )
