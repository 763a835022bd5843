"""System checks report missing parts, with a hint."""

from __future__ import annotations

from typing import Any

import pytest

from monitio_tasks import checks, compat

MIDDLEWARE = "monitio_tasks.middleware.NotifyMiddleware"


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a Django that has django.tasks."""
    monkeypatch.setattr(compat, "signals", compat.signals or object())


def ids() -> list[str | None]:
    found = [*checks.check_tasks(), *checks.check_middleware()]
    return [message.id for message in found]


def test_a_correct_site_has_no_warnings(settings: Any) -> None:
    settings.MIDDLEWARE = [MIDDLEWARE]
    assert ids() == []


def test_one_middleware_serves_two_queues(settings: Any) -> None:
    settings.MIDDLEWARE = ["monitio_celery.middleware.NotifyMiddleware"]
    assert ids() == []


def test_django_has_no_tasks(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "signals", None)
    assert "monitio_tasks.E002" in ids()


def test_the_middleware_is_missing(settings: Any) -> None:
    settings.MIDDLEWARE = []
    assert "monitio_tasks.W001" in ids()
