"""monitio's Celery tasks, run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, current_app
from celery.exceptions import Retry
from django.core import mail
from django.utils import timezone

import monitio
from monitio import dispatch
from monitio.channels import TemporaryFailure, deliveries
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import JobReporter
from monitio.models import Delivery, Job, Message
from monitio.recipients import Recipient
from monitio_celery import beat_schedule, integration, notify_user, reporters, tasks
from monitio_celery.integration import celery
from monitio_celery.models import GroupMember
from tests.support.people import user

pytestmark = pytest.mark.django_db


def started_job(task_id: str = "1", integration: str = "celery", silent_for: float = 3600) -> Job:
    reporter = JobReporter(
        task_id, integration=integration, name="a.b", recipients=[Recipient.of(user())]
    )
    reporter.started()
    silent_since = timezone.now() - timedelta(seconds=silent_for)
    Job.objects.filter(task_id=task_id).update(alive_at=silent_since)
    return Job.objects.get(task_id=task_id)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Task id -> its state in the result backend."""
    known: dict[str, Any] = {}
    monkeypatch.setattr(
        tasks, "_stored", lambda task_id, since=None: known.get(task_id, (None, None))
    )
    return known


def state_of(job: Job) -> str:
    job.refresh_from_db()
    return job.state


def test_a_silent_job_is_interrupted(stored: Any) -> None:
    job = started_job()
    assert tasks.sweep_jobs() == 1
    assert state_of(job) == "lost"
    assert Message.objects.get(job=job).subject == "B: interrupted"


def waiting_job(hours: float) -> Job:
    JobReporter("1", integration="celery", name="a.b", recipients=[Recipient.of(user())]).queued()
    Job.objects.update(created=timezone.now() - timedelta(hours=hours))
    return Job.objects.get()


@pytest.mark.parametrize(
    ("known", "state"),
    [
        (("SUCCESS", 1), "succeeded"),
        (("FAILURE", ValueError()), "failed"),
        ((None, None), "queued"),
    ],
)
def test_a_job_that_ran_while_the_database_was_down(stored: Any, known: Any, state: str) -> None:
    job = waiting_job(hours=1)
    stored["1"] = known
    assert tasks.sweep_jobs() == 0
    assert state_of(job) == state


def test_a_job_that_has_just_begun_to_wait_is_kept(stored: Any) -> None:
    job = waiting_job(hours=0)
    stored["1"] = ("SUCCESS", 1)
    tasks.sweep_jobs()
    assert state_of(job) == "queued"


DAYS = timedelta(days=1)


def overdue(state: str, due_in: timedelta, queue: str = "celery") -> Job:
    """A job that has waited for two days, with this due time."""
    now = timezone.now()
    job = JobReporter("1", integration=queue, name="a.b", recipients=[Recipient.of(user())])
    if state == "queued":
        job.queued(now + due_in)
    else:
        job.started()
        job.retrying(0, "boom", now + due_in)
    Job.objects.update(created=now - 2 * DAYS)
    if due_in < timedelta():
        Job.objects.update(due_at=now + due_in)
    return Job.objects.get()


@pytest.mark.parametrize("queue", ["celery", "celery.group"])
@pytest.mark.parametrize("state", ["queued", "retrying"])
@pytest.mark.parametrize(
    ("due_in", "is_lost"), [(-1.1 * DAYS, True), (-0.9 * DAYS, False), (7 * DAYS, False)]
)
def test_a_job_that_waits_a_day_longer_than_it_should_is_interrupted(
    stored: Any, queue: str, state: str, due_in: timedelta, is_lost: bool
) -> None:
    job = overdue(state, due_in, queue)
    assert tasks.sweep_jobs() == is_lost
    assert state_of(job) == ("lost" if is_lost else state)


@pytest.mark.parametrize("event", ["queued", "started", "succeeded", "revoked"])
def test_a_heartbeat_overrides_it(stored: Any, event: str) -> None:
    job = overdue("queued", -2 * DAYS)
    tasks.sweep_jobs()
    assert getattr(JobReporter("1"), event)()
    assert state_of(job) == event


def test_a_state_in_the_result_backend_takes_precedence(stored: Any) -> None:
    job = overdue("queued", -2 * DAYS)
    stored["1"] = ("SUCCESS", 1)
    assert tasks.sweep_jobs() == 0
    assert state_of(job) == "succeeded"


@pytest.mark.parametrize(
    ("limit", "state"), [(None, "queued"), (3 * 86400, "queued"), (60, "lost")]
)
def test_how_long_a_job_may_wait_is_a_setting(
    stored: Any, settings: Any, limit: float | None, state: str
) -> None:
    settings.MONITIO_CELERY_WAITING_LOST_AFTER = limit
    job = overdue("queued", -2 * DAYS)
    tasks.sweep_jobs()
    assert state_of(job) == state


def test_a_job_from_before_the_column_counts_from_its_creation(stored: Any) -> None:
    job = overdue("queued", -2 * DAYS)
    Job.objects.update(due_at=None)
    assert tasks.sweep_jobs() == 1
    assert state_of(job) == "lost"


@pytest.mark.parametrize(
    ("done", "state"),
    [(timedelta(), "SUCCESS"), (-DAYS, None), (None, "SUCCESS")],
    ids=["of now", "of yesterday", "of an unknown moment"],
)
def test_a_result_of_an_earlier_run_is_not_taken_for_this_ones(
    monkeypatch: pytest.MonkeyPatch, done: timedelta | None, state: str | None
) -> None:
    date_done = None if done is None else (timezone.now() + done).replace(tzinfo=None)
    result = SimpleNamespace(state="SUCCESS", result=1, date_done=date_done)
    app = SimpleNamespace(AsyncResult=lambda task_id: result)
    monkeypatch.setattr(tasks, "current_app", app)
    assert tasks._stored("1", timezone.now() - timedelta(minutes=5))[0] == state


def test_the_sweep_passes_the_arguments_of_the_task(stored: Any, monkeypatch: Any) -> None:
    options = NotifyOptions(title="Report for {month}", arguments=["month"])
    monkeypatch.setattr(reporters, "options_of", lambda task: options)
    people = [Recipient.of(user())]
    JobReporter("1", integration="celery", recipients=people, arguments={"month": "May"}).started()
    Job.objects.update(alive_at=timezone.now() - timedelta(hours=1))
    tasks.sweep_jobs()
    assert Message.objects.get().subject == "Report for May: interrupted"


def test_a_job_with_a_recent_heartbeat_is_kept(stored: Any) -> None:
    job = started_job(silent_for=30)
    assert tasks.sweep_jobs() == 0
    assert state_of(job) == "started"


@pytest.mark.parametrize(
    ("known", "state"),
    [(("SUCCESS", 1), "succeeded"), (("FAILURE", ValueError()), "failed"),
     (("REVOKED", None), "revoked"), (("STARTED", None), "lost")],
)  # fmt: skip
def test_the_result_backend_is_queried_first(stored: Any, known: Any, state: str) -> None:
    job = started_job()
    stored["1"] = known
    tasks.sweep_jobs()
    assert state_of(job) == state


def test_a_group_may_be_silent_for_longer(stored: Any) -> None:
    job = started_job(integration="celery.group")
    assert tasks.sweep_jobs() == 0
    assert state_of(job) == "started"
    old = started_job("2", integration="celery.group", silent_for=2 * 24 * 3600)
    tasks.sweep_jobs()
    assert state_of(old) == "lost"


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set how many seconds the task a.b may be silent."""

    def set_limit(seconds: float) -> None:
        def task() -> None: ...

        app = Celery("limits", set_as_current=False)
        app.task(notify_user(lost_after=seconds)(task), name="a.b", shared=False)
        monkeypatch.setattr(tasks, "current_app", app)

    return set_limit


@pytest.mark.parametrize(
    ("seconds", "silent_for", "state"),
    [(7200, 3600, "started"), (7200, 7201, "lost"), (60, 61, "lost")],
)
def test_a_task_may_have_a_limit_of_its_own(
    stored: Any, limit: Any, seconds: int, silent_for: int, state: str
) -> None:
    limit(seconds)
    job = started_job(silent_for=silent_for)
    tasks.sweep_jobs()
    assert state_of(job) == state


def test_the_limit_of_one_task_is_not_that_of_others(stored: Any, limit: Any) -> None:
    limit(7200)
    job = started_job()
    Job.objects.update(name="c.d")
    tasks.sweep_jobs()
    assert state_of(job) == "lost"


def test_an_error_of_one_job_does_not_stop_the_sweep_of_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stored(task_id: str, since: Any = None) -> tuple[None, None]:
        if task_id == "1":
            raise TypeError("unexpected")
        return None, None

    monkeypatch.setattr(tasks, "_stored", stored)
    first, second = started_job("1"), started_job("2")
    assert tasks.sweep_jobs() == 1
    assert (state_of(first), state_of(second)) == ("started", "lost")
    assert "could not judge task 1" in caplog.text


def test_jobs_of_another_queue_are_not_swept(stored: Any) -> None:
    job = started_job(integration="django.tasks")
    assert tasks.sweep_jobs() == 0
    assert state_of(job) == "started"


def test_a_result_backend_that_is_down_is_ignored() -> None:
    assert tasks._stored("1") == (None, None)


def pending_delivery() -> Delivery:
    monitio.create_message(user(), monitio.INFO, "text", subject="News", email=True)
    return Delivery.objects.get()


def test_deliver_sends_once() -> None:
    delivery = pending_delivery()
    assert tasks.deliver(delivery.pk) is True
    assert tasks.deliver(delivery.pk) is False
    assert len(mail.outbox) == 1


@pytest.fixture
def retried(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The countdowns with which ``deliver`` retries itself; it runs as in a worker."""
    countdowns: list[float] = []

    def retry(countdown: float) -> Retry:
        countdowns.append(countdown)
        return Retry()

    monkeypatch.setattr(tasks.deliver, "retry", retry)
    tasks.deliver.push_request(retries=0)
    yield countdowns
    tasks.deliver.pop_request()


def test_deliver_retries_when_the_next_attempt_is_due(
    retried: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def greylist(*args: Any) -> None:
        raise TemporaryFailure("greylisted")

    monkeypatch.setattr("monitio.channels.email.channel.send", greylist)
    delivery = pending_delivery()
    with pytest.raises(Retry):
        tasks.deliver.run(delivery.pk)
    (seconds,) = retried
    assert 10 < seconds < 40


def test_deliver_retries_what_another_worker_has_claimed(
    retried: list[float],
) -> None:
    delivery = pending_delivery()
    deliveries._claim(delivery.pk)
    with pytest.raises(Retry):
        tasks.deliver.run(delivery.pk)
    (seconds,) = retried
    assert seconds <= deliveries.LEASE.total_seconds() < seconds + 60


def test_deliver_leaves_what_is_due_in_hours_to_beat(retried: list[float]) -> None:
    delivery = pending_delivery()
    Delivery.objects.update(due_at=timezone.now() + timedelta(hours=1))
    assert tasks.deliver.run(delivery.pk) is False
    assert retried == []


def test_deliver_due_sends_deliveries_without_a_task() -> None:
    pending_delivery()
    assert tasks.deliver_due() == (1, 0)


def test_prune_deletes_the_parts_of_old_groups() -> None:
    old = timezone.now() - timedelta(days=8)
    GroupMember.objects.create(group="a", number=0, created=old)
    GroupMember.objects.create(group="b", number=0)
    assert tasks.prune()["parts"] == 1
    assert GroupMember.objects.get().group == "b"


def test_every_beat_entry_names_a_task_that_exists() -> None:
    for entry in beat_schedule().values():
        assert entry["task"] in current_app.tasks
        assert entry["schedule"] == entry["options"]["expires"]


def test_the_beat_entries_go_to_the_chosen_queue(settings: Any) -> None:
    settings.MONITIO_CELERY_QUEUE = "mail"
    assert {entry["options"]["queue"] for entry in beat_schedule().values()} == {"mail"}


def test_the_core_uses_celery() -> None:
    assert dispatch.hooks.deliver == celery.deliver
    assert dispatch.hooks.cancel == {
        "celery": celery.cancel,
        "celery.group": celery.cancel,
    }


def test_a_delivery_is_sent_by_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(
        tasks.deliver, "apply_async", lambda args, **options: sent.append((args, options))
    )
    celery.deliver(7, timezone.now())
    assert sent == [((7,), {"retry_policy": integration.RETRY_ONCE, "queue": None})]


@pytest.mark.parametrize(("seconds", "handed"), [(60, True), (25 * 60, False)])
def test_a_worker_holds_no_delivery_for_long(
    monkeypatch: pytest.MonkeyPatch, seconds: int, handed: bool
) -> None:
    countdowns: list[float] = []
    monkeypatch.setattr(
        tasks.deliver,
        "apply_async",
        lambda args, **options: countdowns.append(options["countdown"]),
    )
    celery.deliver(7, timezone.now() + timedelta(seconds=seconds))
    assert [seconds - 5 < countdown <= seconds for countdown in countdowns] == [True] * handed


def test_cancel_revokes(monkeypatch: pytest.MonkeyPatch) -> None:
    started_job()
    revoked: list[Any] = []
    app = Celery("cancel", set_as_current=False)
    monkeypatch.setattr(integration, "current_app", app)
    monkeypatch.setattr(app.control, "revoke", lambda *a, **k: revoked.append((a, k)))
    celery.cancel("1")
    assert revoked == [((["1"],), {"terminate": True, "signal": "SIGTERM"})]
