"""A task's header has the tenant that started it; workers start it outside of all tenants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, _state, group
from celery.worker import state
from django.core import mail
from django.utils import timezone

import monitio
from monitio import api, dispatch, preferences, scope
from monitio.exceptions import ScopesFailed
from monitio.integrations.run import current_run
from monitio.jobs.options import NotifyOptions
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from monitio_celery import (
    headers,
    notify,
    notify_group,
    notify_user,
    progress,
    reporters,
    tasks,
)
from monitio_celery.groups.members import MemberReporter, member_id
from monitio_celery.headers import Member
from monitio_celery.models import GroupMember
from monitio_celery.signals import heartbeat, publish, run, worker
from tests.support import jobs, scopes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _scopes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MONITIO_SCOPE = scopes.PATH
    monkeypatch.setattr(tasks, "_stored", lambda task_id, since=None: (None, None))


@pytest.fixture
def app() -> Iterator[Celery]:
    """A separate Celery app, so that other apps do not share its tasks."""
    before = set(_state._on_app_finalizers)
    with Celery("scopes", broker="memory://", set_as_current=False) as app:
        app.conf.task_store_eager_result = False
        yield app
    _state._on_app_finalizers.intersection_update(before)


def published(name: str, *args: Any, who: Any = None, where: str = "a") -> dict[str, Any]:
    """The headers of a task published in this scope."""
    found: dict[str, Any] = {"id": "1"}
    with scope.activate(where), notify(*([who] if who else [])):
        publish.name_recipients(sender=name, headers=found, body=(args, {}, {}))
    return found


def subjects(where: str) -> list[str]:
    rows = Message.objects.filter(scope=where).order_by("pk")
    return list(rows.values_list("subject", flat=True))


def test_the_header_names_the_scope_once_and_of_each_recipient(ann: Any) -> None:
    named = {"user": str(ann.pk), "scope": "a"}
    here, nowhere = published("x", who=ann), published("x", who=ann, where="")
    assert (here["monitio"]["to"], here["monitio"]["scope"]) == ([named], "a")
    assert nowhere["monitio"].keys() == {"to", "run"}
    assert nowhere["monitio"]["to"] == [{"user": str(ann.pk)}]


def test_the_outcome_of_a_task_is_reported_in_its_scope(app: Celery, ann: Any) -> None:
    seen = []

    @app.task
    @notify_user
    def work() -> None:
        progress(1, 2)
        seen.append(scope.current())

    work.apply(headers=published(work.name, who=ann))
    assert seen == [""] and scope.current() == ""
    assert Job.objects.get().scope == "a"
    assert subjects("a") == ["Work: done"] and not subjects("") + subjects("b")


def test_a_failure_is_reported_in_the_scope_of_its_task(app: Celery, ann: Any) -> None:
    @app.task
    @notify_user
    def work() -> None:
        raise ValueError

    work.apply(headers=published(work.name, who=ann))
    assert subjects("a") == ["Work: failed"] and Message.objects.count() == 1


@pytest.mark.parametrize(
    ("chosen", "expected"), [("", "a"), ("b", "b")], ids=["as-its-parent", "chosen-by-the-task"]
)
def test_a_child_belongs_to_the_scope_of_its_parent_or_to_the_one_it_is_started_in(
    app: Celery, ann: Any, chosen: str, expected: str
) -> None:
    found: dict[str, Any] = {}

    @app.task
    @notify_user(user="who")
    def child(who: int) -> None: ...

    # Workers look tasks up in Celery's current app.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "_task", lambda name: child)

        @app.task
        @notify_user
        def parent() -> None:
            with scope.activate(chosen):
                publish.name_recipients(sender=child.name, headers=found, body=([ann.pk], {}, {}))

        parent.apply(headers=published(parent.name, who=ann))
    assert found["monitio"]["scope"] == expected
    assert [to["scope"] for to in found["monitio"]["to"]] == [expected]


def test_a_child_that_inherits_its_recipients_inherits_their_scope(app: Celery, ann: Any) -> None:
    found: dict[str, Any] = {}

    @app.task
    @notify_user
    def parent() -> None:
        with scope.activate("b"):
            publish.name_recipients(sender="child", headers=found, body=([], {}, {}))

    parent.apply(headers=published(parent.name, who=ann))
    assert found["monitio"].pop("run")
    assert found["monitio"] == {"to": [{"user": str(ann.pk), "scope": "a"}], "scope": "a"}


def test_an_unknown_task_is_reported_in_its_scope(ann: Any) -> None:
    with scope.activate("a"):
        jobs.reporter(ann, task="1", integration="celery").queued()
    message = SimpleNamespace(headers=published("no.such", who=ann))
    worker.report_unknown(name="no.such", id="1", message=message)
    assert Job.objects.get().state == "failed"


def test_a_late_worker_reads_the_cancellation_in_the_scope_of_the_task(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scope.activate("a"):
        jobs.reporter(ann, task="1", integration="celery", cancellable=True).queued()
    carried = published("x", who=ann)["monitio"]
    Job.objects.update(cancel_requested=True, run=carried["run"])
    monkeypatch.setattr(state, "revoked", set())
    task = SimpleNamespace(name="x", __monitio__=NotifyOptions(cancel=True))
    for where in ("b", "a"):
        headers = {"monitio": {**carried, "scope": where}}
        request = SimpleNamespace(id="1", task=task, kwargs={}, request_dict=headers)
        worker.discard_cancelled(request=request)
        assert state.revoked == ({"1"} if where == "a" else set())


# monitio's tasks.


def test_monitios_tasks_carry_the_scope_and_notify_no_one() -> None:
    assert published("monitio_celery.tasks.deliver")["monitio"] == {"to": [], "scope": "a"}
    assert "monitio" not in published("monitio_celery.tasks.deliver", where="")


def delivery_in_a(ann: Any, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    with scope.activate("a"):
        api.create_message(ann, monitio.INFO, "text", email=True)
    return Delivery.objects.get()


def test_a_delivery_is_sent_in_the_scope_that_its_task_carries(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = delivery_in_a(ann, monkeypatch).pk
    name = tasks.deliver.name
    assert tasks.deliver.apply((pk,), headers=published(name, where="b")).get() is False
    assert tasks.deliver.apply((pk,), headers=published(name)).get() is True
    assert "https://a.example.com/" in mail.outbox[0].body


def test_a_set_of_digests_is_sent_in_the_scope_that_its_task_carries(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scope.activate("a"):
        row = preferences.change(ann, frequency="hourly")
        api.create_message(ann, monitio.INFO, "text")
    type(row).objects.update(next_digest_at=timezone.now(), claim="set")
    name = tasks.send_digest_set.name
    assert tasks.send_digest_set.apply(("set",), headers=published(name)).get()["sent"] == 1
    assert "https://a.example.com/" in mail.outbox[0].body


def test_digests_of_each_scope_are_distributed_in_it(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("a", "b"):
        with scope.activate(where):
            row = preferences.change(ann, frequency="hourly")
    type(row).objects.update(next_digest_at=timezone.now())
    handed = []
    monkeypatch.setattr(
        tasks.send_digest_set, "apply_async", lambda *args, **_: handed.append(scope.current())
    )
    assert tasks.send_digests() == 2
    assert handed == ["a", "b"]


def test_deliveries_without_a_task_are_sent_scope_by_scope(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_in_a(ann, monkeypatch)
    assert tasks.deliver_due() == (1, 0)


def silent(task: str, ann: Any, where: str) -> None:
    with scope.activate(where):
        jobs.reporter(ann, task=task, integration=reporters.QUEUE).started()
    Job.objects.update(alive_at=timezone.now() - timedelta(days=1))


def test_sweep_and_prune_run_in_every_scope(ann: Any) -> None:
    silent("1", ann, "a"), silent("1", ann, "b")
    assert tasks.sweep_jobs() == 2
    Message.objects.update(expires=timezone.now())
    assert tasks.prune()["expired"] == 2


PERIODIC: dict[Callable[[], Any], str] = {
    tasks.deliver_due: "monitio.channels.deliveries.run_due",
    tasks.send_digests: "monitio_celery.tasks._send_digests",
    tasks.sweep_jobs: "monitio_celery.tasks.sweep_here",
    tasks.prune: "monitio_celery.tasks._prune",
}


@pytest.mark.parametrize("task", PERIODIC, ids=[task.name for task in PERIODIC])
def test_a_failing_scope_does_not_stop_the_others_and_fails_the_task(
    task: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail() -> None:
        tried.append(scope.current())
        raise RuntimeError

    monkeypatch.setattr(PERIODIC[task], fail)
    with pytest.raises(ScopesFailed):
        task()
    assert tried == ["a", "b"]


# Heartbeats.


@pytest.fixture
def running(ann: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker runs the same task id in both scopes, and a group's member in each."""
    task = SimpleNamespace(name="a.b", __monitio__=NotifyOptions())
    requests = []
    for where in ("a", "b"):
        silent("1", ann, where)
        carried = published("a.b", who=ann, where=where)
        requests.append(SimpleNamespace(id="1", task=task, kwargs={}, request_dict=carried))
    monkeypatch.setattr(state, "active_requests", requests)
    monkeypatch.setattr(heartbeat, "_stamped_at", float("-inf"))


def alive() -> list[str]:
    moment = timezone.now() - timedelta(minutes=1)
    return list(Job.objects.filter(alive_at__gt=moment).values_list("scope", flat=True))


def test_a_heartbeat_stamps_the_jobs_of_each_scope(running: None) -> None:
    Job.objects.filter(scope="b").update(state="lost")
    heartbeat.stamp_running()
    assert sorted(alive()) == ["a", "b"]
    assert set(Job.objects.values_list("state", flat=True)) == {"started"}


def test_heartbeats_of_other_scopes_survive_a_missing_scope(
    running: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = heartbeat.stamp_alive

    def fail_in_a(ids: Any) -> int:
        if scope.current() == "a":
            raise RuntimeError("no such schema")
        return real(ids)

    monkeypatch.setattr(heartbeat, "stamp_alive", fail_in_a)
    heartbeat.stamp_running()
    assert alive() == ["b"]


def test_a_part_of_a_group_reports_in_its_scope(ann: Any) -> None:
    group = "0d3f4c1e-7f5a-4f0e-9a51-2f2a3c1c7e10"
    shared = {"group": group, "number": 0, "total": 1, "title": "Import", "options": {}}
    with scope.activate("a"):
        who = [Recipient.of(ann)]
        member = Member(**shared)
        header = replace(headers.TaskHeader.for_recipients(who), group_member=member)
        part = MemberReporter(member, who, member_id(group, 0), header)
    part.started()
    assert GroupMember.objects.get().scope == "a"
    part.succeeded()
    assert subjects("a") == ["Import: done"] and Message.objects.count() == 1


def test_the_sweep_checks_the_parts_of_each_scope_in_it(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("a", "b"):
        with scope.activate(where):
            GroupMember.objects.create(
                group=where, number=0, ended=False, alive_at=timezone.now() - timedelta(days=1)
            )
    judged = []
    monkeypatch.setattr(
        tasks, "_find_part", lambda row, now: judged.append((scope.current(), row.group))
    )
    tasks.sweep_jobs()
    assert judged == [("a", "a"), ("b", "b")]


def test_a_group_that_a_task_starts_is_announced_in_the_scope_of_the_task(
    app: Celery, ann: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task
    def part() -> None: ...

    @app.task
    @notify_user
    def parent() -> None:
        notify_group("Import", group([part.si()]), user=ann.pk).delay()

    app.conf.task_always_eager = True
    parent.apply(headers=published(parent.name, who=ann))
    assert set(Job.objects.values_list("scope", "state")) == {("a", "succeeded")}
    assert sorted(subjects("a")) == ["Import: done", "Parent: done"]
    assert "another scope" not in caplog.text


def test_monitios_tasks_are_not_runs_of_a_users_task(app: Celery) -> None:
    headers = published(tasks.deliver.name)
    request = SimpleNamespace(headers=headers, is_eager=False, retries=0, get=headers.get)
    task = SimpleNamespace(name=tasks.deliver.name, request=request)
    run.report_started(task_id="1", task=task, args=(), kwargs={})
    assert current_run() is None
