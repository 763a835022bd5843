"""Heartbeats of workers, beat and monitio_work, and the warnings that staff see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.template import Context, Template
from django.utils import timezone

from monitio import api
from monitio.models import Heartbeat, Job
from monitio.models.heartbeats import BEAT, WORK, WORKER
from monitio_celery import tasks
from monitio_celery.signals import heartbeat
from tests.support.jobs import report, reporter
from tests.support.people import request_of, user

pytestmark = pytest.mark.django_db

NO_WORKER = "Waiting for a worker: none has answered for"
NO_BEAT = "Celery beat has not run for"


def ago(name: str, seconds: float, interval: float = 30.0) -> None:
    Heartbeat.objects.create(
        name=name, at=timezone.now() - timedelta(seconds=seconds), interval=interval
    )


def page_of(who: Any) -> str:
    return Template("{% load monitio %}{% monitio %}").render(Context({"request": request_of(who)}))


@pytest.fixture
def admin() -> Any:
    return user("root", is_staff=True)


def waiting_task(who: Any, seconds: float = 180) -> None:
    report(reporter(who, integration="celery"), "queued")
    Job.objects.update(due_at=timezone.now() - timedelta(seconds=seconds))


def test_a_heartbeat_is_one_row_that_moves() -> None:
    Heartbeat.objects.stamp(BEAT, 60)
    Heartbeat.objects.stamp(BEAT, 90)
    row = Heartbeat.objects.get()
    assert (row.name, row.interval, row.is_late()) == (BEAT, 90, False)


@pytest.mark.parametrize(("seconds", "late"), [(100, False), (130, True)])
def test_a_heartbeat_may_be_missed_once(seconds: float, late: bool) -> None:
    ago(BEAT, seconds)
    assert Heartbeat.objects.get().is_late() is late


@pytest.mark.django_db(transaction=True)
def test_the_sweep_of_beat_and_each_round_of_monitio_work_are_recorded() -> None:
    tasks.sweep_jobs()
    call_command("monitio_work", once=True)
    assert {row.name for row in Heartbeat.objects.of_periodic_work()} == {BEAT, WORK}


def test_an_idle_worker_is_recorded_twice_a_minute(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(heartbeat, "_worker_stamped_at", float("-inf"))
    monkeypatch.setattr(heartbeat, "_worker_name", "")
    heartbeat.stamp_worker()
    assert not Heartbeat.objects.exists()
    heartbeat.remember_name(sender=type("Consumer", (), {"hostname": "celery@shop"}))
    assert [row.name for row in Heartbeat.objects.of_workers()] == ["worker:celery@shop"]
    with django_assert_num_queries(0):
        heartbeat.stamp_worker()


def test_heartbeats_of_processes_that_are_gone_are_pruned() -> None:
    ago(f"{WORKER}old", 8 * 24 * 3600)
    ago(BEAT, 3600)
    api.prune()
    assert [row.name for row in Heartbeat.objects.all()] == [BEAT]


class TestPageOfStaff:
    def test_it_names_the_missing_worker(self, admin: Any) -> None:
        waiting_task(admin)
        assert f"{NO_WORKER} 3 min." in page_of(admin)

    def test_it_names_the_worker_that_has_stopped(self, admin: Any) -> None:
        waiting_task(admin)
        ago(f"{WORKER}a", 600)
        assert f"{NO_WORKER} 10 min." in page_of(admin)

    def test_it_names_a_beat_that_has_stopped(self, admin: Any) -> None:
        waiting_task(admin)
        ago(f"{WORKER}a", 1)
        ago(BEAT, 900)
        page = page_of(admin)
        assert f"{NO_BEAT} 15 min." in page
        assert NO_WORKER not in page

    def test_it_reports_that_beat_never_ran(self, admin: Any) -> None:
        waiting_task(admin)
        ago(f"{WORKER}a", 1)
        assert "Celery beat has never run." in page_of(admin)

    def test_a_worker_that_is_busy_is_not_missing(self, admin: Any) -> None:
        waiting_task(admin)
        ago(f"{WORKER}a", 1)
        assert NO_WORKER not in page_of(admin)

    def test_a_task_may_wait_two_minutes(self, admin: Any) -> None:
        waiting_task(admin, 60)
        assert NO_WORKER not in page_of(admin)

    def test_a_queue_whose_workers_send_no_heartbeats_gets_no_warning(self, admin: Any) -> None:
        waiting_task(admin)
        Job.objects.update(integration="huey")
        assert NO_WORKER not in page_of(admin)

    def test_others_do_not_see_it(self, ann: Any) -> None:
        waiting_task(ann)
        assert NO_WORKER not in page_of(ann)
