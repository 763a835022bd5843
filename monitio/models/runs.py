"""The runs of jobs that can be tried again."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from monitio.models.jobs import STATES, Job
from monitio.models.rows import KEY_LENGTH, ScopedQuerySet, scope_field


class JobRun(models.Model):
    """One run of a job. ``Job.task_id`` is the id of the newest; events of the others end here."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="runs", verbose_name=_("job"))
    # Its job's.
    scope = scope_field()
    task_id = models.CharField(_("task id"), max_length=KEY_LENGTH)
    # Counted from 1.
    number = models.PositiveIntegerField(_("number"), default=1)
    # What starts it again (jobs.retry.stored_call); encrypted with MONITIO_ENCRYPTION.
    call = models.TextField(editable=False)
    # Its end, once another run has taken its place; '' before.
    state = models.CharField(_("state"), max_length=20, choices=STATES, blank=True, default="")
    error = models.TextField(_("error"), blank=True, default="")
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        constraints = [
            models.UniqueConstraint(fields=["task_id", "scope"], name="monitio_one_run_per_task")
        ]

    def __str__(self) -> str:
        return f"{self.task_id} ({self.number})"
