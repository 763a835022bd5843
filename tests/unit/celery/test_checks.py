from __future__ import annotations

from typing import Any

import pytest
from celery import Celery, _state
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

import monitio_celery
from monitio_celery.conf import CelerySettings
from monitio_celery.middleware import NotifyMiddleware

# Some of Django's checks query the database.
pytestmark = pytest.mark.django_db
OURS = "monitio_celery.middleware.NotifyMiddleware"


class Subclass(NotifyMiddleware):
    """A site's subclass of the middleware."""


@pytest.fixture(autouse=True)
def app(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site's Celery app."""
    app = Celery("site", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = monitio_celery.beat_schedule()
    monkeypatch.setattr(_state._tls, "current_app", app)


def ids() -> list[str]:
    return [str(m.id) for m in run_checks() if str(m.id).startswith("monitio_celery")]


def test_a_correct_site_has_no_warnings() -> None:
    assert ids() == []


def test_the_app_needs_the_core(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match='needs "monitio" beside it'):
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "monitio"]


def test_the_app_is_missing_although_tasks_use_notify_user(settings: Any) -> None:
    assert monitio_celery.notify_user
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "monitio_celery"]
    assert "monitio_celery.W003" in ids()


def test_a_setting_is_misspelt(settings: Any) -> None:
    settings.MONITIO_CELERY_LOSTAFTER = 30
    assert ids() == ["monitio_celery.W005"]


def test_each_setting_has_a_rule_that_its_default_keeps() -> None:
    assert CelerySettings.RULES.keys() == CelerySettings.DEFAULTS.keys()
    assert not list(CelerySettings().mistakes())


@pytest.mark.parametrize("name", CelerySettings.RULES)
def test_a_setting_has_a_value_of_the_wrong_kind(name: str, settings: Any) -> None:
    setattr(settings, f"MONITIO_{name}", object())
    assert ids() == ["monitio_celery.E006"]


def test_no_celery_app_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_state._tls, "current_app", None)
    monkeypatch.setattr(_state, "default_app", None)
    assert ids() == ["monitio_celery.W004"]
    assert _state.default_app is None, "looking makes no app"


def test_beat_has_none_of_monitios_tasks(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)
    monkeypatch.setattr(_state._tls, "current_app", app)
    assert ids() == ["monitio_celery.W007"]
    settings.DEBUG = True
    assert ids() == []


def test_a_schedule_set_by_a_signal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)
    monkeypatch.setattr(_state._tls, "current_app", app)

    @app.on_after_finalize.connect
    def schedule(sender: Any, **_: Any) -> None:
        sender.conf.beat_schedule |= monitio_celery.beat_schedule()

    assert ids() == []


def test_the_celery_app_has_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_state._tls, "current_app", Celery("shop", set_as_current=False))
    (warning,) = (message for message in run_checks() if message.id == "monitio_celery.W004")
    assert "'shop' has no broker" in warning.msg


def test_the_middleware_is_missing(settings: Any) -> None:
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if path != OURS]
    assert ids() == ["monitio_celery.W001"]


def test_a_subclass_of_the_middleware_is_accepted(settings: Any) -> None:
    others = [path for path in settings.MIDDLEWARE if path != OURS]
    settings.MIDDLEWARE = [*others, f"{__name__}.Subclass"]
    assert ids() == []


def test_jobs_are_considered_lost_too_early(settings: Any) -> None:
    settings.MONITIO_CELERY_LOST_AFTER = 30
    assert ids() == ["monitio_celery.W002"]


@pytest.mark.parametrize(("limit", "found"), [(60, ["W008"]), (300, []), (None, [])])
def test_waiting_jobs_are_considered_lost_too_early(
    settings: Any, limit: float | None, found: list[str]
) -> None:
    settings.MONITIO_CELERY_WAITING_LOST_AFTER = limit
    assert ids() == [f"monitio_celery.{name}" for name in found]


def test_each_check_has_its_line_in_the_docs() -> None:
    from pathlib import Path

    docs = (Path(__file__).parents[3] / "docs" / "celery.md").read_text()
    for name in ("W001", "W002", "W003", "W004", "W005", "E006", "W007", "W008"):
        assert f"monitio_celery.{name}" in docs


@pytest.mark.parametrize("name", ["notify_user", "notify_group", "track", "beat_schedule"])
def test_the_public_names(name: str) -> None:
    assert callable(getattr(monitio_celery, name))
    assert name in dir(monitio_celery)
