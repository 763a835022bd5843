"""A set-up that notifies no user is logged when the first task starts, once per process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, _state
from celery.loaders.base import find_related_module
from django.dispatch import Signal

from monitio.integrations import installed, middleware, recipients
from monitio.jobs.options import NotifyOptions
from monitio_celery.signals import base, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    caplog.set_level(logging.WARNING, "monitio")
    middleware.warn_once_if_missing.cache_clear()
    yield caplog.messages
    middleware.warn_once_if_missing.cache_clear()


def test_a_missing_middleware_is_logged_once(
    settings: Any, caplog: pytest.LogCaptureFixture, logged: Any
) -> None:
    settings.MIDDLEWARE = []
    recipients.requester(None)
    assert caplog.messages == [], "a task without @notify_user"
    for _ in range(2):
        recipients.requester(NotifyOptions())
    (line,) = caplog.messages
    assert "Add NotifyMiddleware of monitio_celery.middleware" in line


def test_a_task_of_beat_logs_nothing(caplog: pytest.LogCaptureFixture, logged: Any) -> None:
    recipients.requester(NotifyOptions())
    assert caplog.messages == []


def test_a_missing_celery_app_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, logged: Any
) -> None:
    monkeypatch.setattr(_state._tls, "current_app", None)
    monkeypatch.setattr(_state, "default_app", None)
    base.connect_handler("warn_without_broker")
    for _ in range(2):
        publish.signals.before_task_publish.send(sender="shop.report", headers=None)
    (line,) = caplog.messages
    assert line.startswith("No Celery app is imported") and "from .celery import app" in line


def test_an_app_with_a_broker_logs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, logged: Any
) -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)
    monkeypatch.setattr(_state._tls, "current_app", app)
    base.connect_handler("warn_without_broker")
    publish.signals.before_task_publish.send(sender="shop.report", headers=None)
    assert caplog.messages == []


@pytest.mark.parametrize(("app", "lines"), [("monitio_nowhere", 1), ("monitio", 0)])
def test_a_task_queue_missing_in_installed_apps_is_logged_once(
    app: str, lines: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "_expected", set())
    monkeypatch.setattr(installed.checks, "register", lambda check: check)
    started = Signal()
    for _ in range(2):
        installed.expect(app, [started])
    for _ in range(2):
        started.send(sender=None)
    hint = f'Add "monitio" and "{app}" to INSTALLED_APPS.'
    assert [line.endswith(hint) for line in caplog.messages] == [True] * lines


def test_celery_finds_no_tasks_in_monitio_itself() -> None:
    # The legacy package has a module of this name.
    assert find_related_module("monitio", "tasks") is None
