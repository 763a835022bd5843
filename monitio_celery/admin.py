"""The admin's page of a job links to what django-celery-results has kept of its task."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from monitio.admin import JobAdmin
from monitio.models import Job

RESULTS = "django_celery_results"


class TaskJobAdmin(JobAdmin):
    readonly_fields = ("task_result",)

    @admin.display(description=_("task result"))
    def task_result(self, job: Job) -> SafeString | str:
        """A link, '' where nothing is kept or the results are not in this admin."""
        results = apps.get_model(RESULTS, "TaskResult")
        found = results._default_manager.filter(task_id=job.task_id).first()
        if found is None:
            return ""
        try:
            url = reverse(f"admin:{RESULTS}_taskresult_change", args=[found.pk])
        except NoReverseMatch:
            return ""
        return format_html('<a href="{}">{}</a>', url, found.status)


def register() -> None:
    """Take the place of monitio's own page, not of one that the site has made."""
    if not apps.is_installed(RESULTS) or not admin.site.is_registered(Job):
        return
    if type(admin.site.get_model_admin(Job)) is JobAdmin:
        admin.site.unregister(Job)
        admin.site.register(Job, TaskJobAdmin)


register()
