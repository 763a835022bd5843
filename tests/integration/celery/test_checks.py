from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from monitio_celery.middleware import NotifyMiddleware

# Some of Django's checks look at the database.
pytestmark = pytest.mark.django_db
OURS = "monitio_celery.middleware.NotifyMiddleware"


class Subclass(NotifyMiddleware):
    """A site's own."""


def ids() -> list[str]:
    return [str(m.id) for m in run_checks() if str(m.id).startswith("monitio_celery")]


def test_all_is_well() -> None:
    assert ids() == []


def test_the_core_is_missing(settings: Any) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "monitio"]
    from monitio_celery.checks import check_apps

    assert [message.id for message in check_apps()] == ["monitio_celery.E001"]


def test_the_middleware_is_missing(settings: Any) -> None:
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if path != OURS]
    assert ids() == ["monitio_celery.W001"]


def test_a_subclass_of_the_middleware_will_do(settings: Any) -> None:
    others = [path for path in settings.MIDDLEWARE if path != OURS]
    settings.MIDDLEWARE = [*others, f"{__name__}.Subclass"]
    assert ids() == []


def test_jobs_that_are_given_up_too_soon(settings: Any) -> None:
    settings.MONITIO_CELERY_LOST_AFTER = 30
    assert ids() == ["monitio_celery.W002"]


def test_each_check_has_its_line_in_the_docs() -> None:
    from pathlib import Path

    docs = (Path(__file__).parents[3] / "docs" / "celery.md").read_text()
    for name in ("E001", "W001", "W002"):
        assert f"monitio_celery.{name}" in docs


@pytest.mark.parametrize("name", ["notify_user", "notify_group", "track", "beat_schedule"])
def test_the_public_names(name: str) -> None:
    import monitio_celery

    assert callable(getattr(monitio_celery, name))
    assert name in dir(monitio_celery)
