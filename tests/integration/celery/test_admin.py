"""The admin's page of a job with the task's result in django-celery-results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.urls import NoReverseMatch

from monitio.admin import JobAdmin
from monitio.models import Job
from monitio_celery import admin as ours
from tests.support.people import request_of, user

pytest.importorskip("django_celery_results")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def results(admin_registry: None, settings: Any) -> Iterator[Any]:
    """The model of results, installed for this test."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, ours.RESULTS]
    # Installing an app discovers its admin; the admin's URLs already exist.
    for registered in [one for one in admin.site._registry if one._meta.app_label == ours.RESULTS]:
        admin.site.unregister(registered)
    model: Any = apps.get_model(ours.RESULTS, "TaskResult")
    with connection.schema_editor() as editor:
        editor.create_model(model)
    ours.register()
    yield model
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def page(job: Job) -> str:
    """Render by the class that is registered now: the URLs keep an earlier one."""
    boss = user("boss", is_staff=True, is_superuser=True)
    response = admin.site.get_model_admin(Job).change_view(request_of(boss), str(job.pk))
    return str(response.render().content.decode())


@pytest.fixture
def job(db: None) -> Job:
    return Job.objects.create(task_id="task-1", name="shop.report")


def test_a_job_links_to_its_result(results: Any, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "reverse", lambda name, args: f"/{name}/{args[0]}/")
    kept = results.objects.create(task_id="task-1", status="SUCCESS")
    assert f'<a href="/admin:django_celery_results_taskresult_change/{kept.pk}/">SUCCESS</a>' in (
        page(job)
    )


def test_results_that_are_not_in_the_admin_are_not_linked(
    results: Any, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(name: str, args: Any) -> str:
        raise NoReverseMatch(name)

    monkeypatch.setattr(ours, "reverse", nowhere)
    results.objects.create(task_id="task-1", status="SUCCESS")
    assert "SUCCESS" not in page(job)


def test_a_job_whose_result_was_not_kept_has_no_link(results: Any, job: Job) -> None:
    assert "shop.report" in page(job)


def test_without_results_the_page_is_monitios_own(job: Job) -> None:
    ours.register()
    assert type(admin.site.get_model_admin(Job)) is JobAdmin
    assert "shop.report" in page(job)


def test_a_site_specific_admin_class_is_kept(results: Any) -> None:
    class SitesAdmin(JobAdmin):
        pass

    admin.site.unregister(Job)
    admin.site.register(Job, SitesAdmin)
    ours.register()
    assert type(admin.site.get_model_admin(Job)) is SitesAdmin
