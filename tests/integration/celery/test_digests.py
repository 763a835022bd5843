"""Digests by beat: the periodic task distributes sets to workers."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from django.core import mail
from django.utils import timezone

import monitio
from monitio import api, preferences
from monitio.digests import sender as digests
from monitio.models import Preferences
from monitio_celery import beat_schedule, tasks
from tests.support.people import user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.main_road]


@pytest.fixture
def due() -> list[Any]:
    """Three users whose digest is due."""
    people = [user(name) for name in ("ann", "bob", "cid")]
    for who in people:
        preferences.change(who, frequency="daily")
        api.create_message(who, monitio.INFO, "one")
    Preferences.objects.update(next_digest_at=timezone.now())
    return people


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sets for which tasks were sent."""
    claims: list[str] = []

    def apply_async(args: tuple[str], **options: Any) -> None:
        claims.append(args[0])

    monkeypatch.setattr(tasks.send_digest_set, "apply_async", apply_async)
    return claims


def test_beat_runs_it_every_minute() -> None:
    entry = beat_schedule()["monitio-send-digests"]
    assert entry["task"] in current_app.tasks
    assert entry["schedule"] == 60


def test_beat_has_one_entry_for_all_users(due: list[Any]) -> None:
    tasks_of_entries = [entry["task"] for entry in beat_schedule().values()]
    assert [name for name in tasks_of_entries if "digest" in name] == [tasks.send_digests.name]


def test_a_set_goes_to_one_worker(due: list[Any], handed: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(digests, "BATCH_SIZE", 2)
    assert tasks.send_digests() == 2
    assert tasks.send_digests() == 0
    assert tasks.send_digest_set(handed[0])["sent"] == 2
    assert tasks.send_digest_set(handed[1])["sent"] == 1
    assert len(mail.outbox) == 3


def test_a_task_that_comes_twice_sends_once(due: list[Any], handed: list[str]) -> None:
    tasks.send_digests()
    assert tasks.send_digest_set(handed[0])["sent"] == 3
    assert tasks.send_digest_set(handed[0])["sent"] == 0
    assert len(mail.outbox) == 3


def test_a_broker_that_is_down_loses_nothing(
    due: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError("broker")

    with monkeypatch.context() as patched:
        patched.setattr(tasks.send_digest_set, "apply_async", refuse)
        with pytest.raises(ConnectionError):
            tasks.send_digests()
    assert not Preferences.objects.exclude(claim="").exists()
    later = timezone.now() + digests.PAUSE
    assert digests.run_due(clock=lambda: later).sent == 3
