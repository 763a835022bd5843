"""The result of a task for django-tasks-rq: ``rqworker --job-class monitio_tasks.rq.Job``.

Its signal is sent before rq has stored the result, and does not have it.
"""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
from django_tasks_rq import Job as BaseJob


class Job(BaseJob):
    """Adds what the task returned to ``task_result``, in the process that runs it."""

    @cached_property
    def task_result(self) -> Any:
        found = super().task_result
        if self._result is not None:
            object.__setattr__(found, "_return_value", self._result)
        return found
