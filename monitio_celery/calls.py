"""A call of a task: what is called with which arguments, and its recipients."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from celery import current_app

from monitio import scope as scopes
from monitio.integrations import recipients as task_recipients
from monitio.integrations.context import run_off_loop
from monitio.integrations.decorators import options_of
from monitio.integrations.run import TaskRun
from monitio.jobs.options import NotifyOptions
from monitio.jobs.retry import stored_call
from monitio_celery.headers import Member, TaskHeader

MAPS = ("celery.map", "celery.starmap")


@dataclass(frozen=True, kw_only=True)
class TaskCall:
    """``options`` are those of ``@notify_user``; None without it."""

    task_id: str = ""
    task: Any
    options: NotifyOptions | None
    args: Any = ()
    kwargs: Any = None
    # As it applies to the task of this id.
    header: TaskHeader | None = None
    # The name of the task whose run this one continues.
    replaced: str | None = None
    # Where its message was sent: ``exchange`` and ``routing_key``.
    destination: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The recipient sees one task: a replacement keeps the name of the replaced one."""
        return self.replaced or str(getattr(self.task, "name", ""))

    @property
    def member(self) -> Member | None:
        """Its place in a group."""
        return None if self.header is None else self.header.group_member

    @property
    def job_id(self) -> str | None:
        """The id of its job, which is that of its group for a member; None without a job."""
        if self.member is not None:
            return self.member.group
        options = options_of(current_app.tasks.get(self.replaced or "")) or self.options
        return None if options is None else self.task_id

    @property
    def queue(self) -> str:
        """The queue, or the key by which an exchange chooses one; '' when unknown."""
        return str((self.destination or {}).get("routing_key") or "")

    def stored(self) -> str | None:
        """As ``JobRun.call``, for a task that can be tried again."""
        if self.replaced or self.options is None or not self.options.retryable:
            return None
        place = self.destination or {}
        names = ("exchange", "routing_key", "priority")
        options = {name: place[name] for name in names if place.get(name)}
        # The default exchange delivers to the queue of this name.
        if "exchange" not in options and "routing_key" in options:
            options["queue"] = options.pop("routing_key")
        return stored_call(self.task.name, self.args, self.kwargs, **options)

    @classmethod
    def of(
        cls,
        task: Any,
        args: Any = (),
        kwargs: Any = None,
        header: TaskHeader | None = None,
        *,
        task_id: str = "",
        destination: Mapping[str, Any] | None = None,
    ) -> TaskCall:
        """A map, starmap or chunk is the task that it calls, each time with other arguments."""
        if getattr(task, "name", "") in MAPS:
            mapped = (kwargs or {}).get("task") or {}
            task, args, kwargs = current_app.tasks.get(mapped.get("task", "")), (), {}
        header, replaced = (None, None) if header is None else header.for_task(task_id)
        return cls(
            task_id=task_id,
            task=task,
            options=options_of(task),
            args=args,
            kwargs=kwargs,
            header=header,
            replaced=replaced,
            destination=destination,
        )

    def choose_header(self, inherited: TaskHeader | None) -> TaskHeader | None:
        """The recipients of a task without a header. Explicit beats inherited beats request.

        None: no recipient is known. An empty ``to``: an empty list was given explicitly.
        """
        explicit = task_recipients.explicit(self.task, self.options, self.args, self.kwargs)
        if explicit is not None:
            return TaskHeader.for_recipients(explicit)
        if inherited is not None:
            return inherited.for_child()
        requester = task_recipients.requester(self.options)
        return None if requester is None else TaskHeader.for_recipients([requester])

    def choose_header_in(self, run: TaskRun | None) -> TaskHeader | None:
        """For a task that ``run`` starts, or that is started outside of tasks (None)."""
        inherited = run.carried if run else None
        with nullcontext() if run is None else scopes.activate(run.scope_of_children()):
            return run_off_loop(lambda: self.choose_header(inherited))
