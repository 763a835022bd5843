"""The state machine of jobs: for any order of events, one end, reported once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from itertools import pairwise, permutations
from typing import Any

import pytest

from monitio.jobs.reporter import JobReporter, stamp_alive
from monitio.models import Job, Message
from monitio.recipients import Recipient
from monitio.signals import job_ended
from monitio.testing import capture_events
from tests.support.jobs import payloads, plainly, report, reporter, subjects_of
from tests.support.people import user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ends() -> Iterator[list[str]]:
    """The states of the jobs that ended, by the signal."""
    announced: list[str] = []

    def receive(job: Job, **kwargs: Any) -> None:
        announced.append(job.state)

    job_ended.connect(receive)
    yield announced
    job_ended.disconnect(receive)


def the_job() -> Job:
    return Job.objects.get(task_id="task-1")


def key() -> int:
    return the_job().rank if Job.objects.exists() else -1


class TestOrder:
    def test_every_event_in_turn_moves_the_job(self) -> None:
        job = reporter(user())
        for event in ("queued", "started", "retrying 0", "started 1", "succeeded"):
            assert report(job, event), event
        assert (the_job().state, the_job().attempt) == ("succeeded", 1)
        assert subjects_of(user()) == ["succeeded 1"]

    def test_its_message_is_marked_running_until_it_has_ended(self) -> None:
        job = reporter(user())
        flags = {}
        for event in ("queued", "started", "lost", "started 1", "succeeded"):
            report(job, event)
            flags[event] = Message.objects.get().running
        running = {"queued": True, "started": True, "started 1": True}
        assert flags == {**running, "lost": False, "succeeded": False}

    def test_any_order_gives_the_same_end_reported_once(
        self,
        ends: list[str],
        django_capture_on_commit_callbacks: Any,
        subtests: pytest.Subtests,
    ) -> None:
        for events in permutations(("queued", "started", "retrying 0", "started 1", "succeeded")):
            Message.objects.all().delete()
            Job.objects.all().delete()
            ends.clear()
            with subtests.test("-".join(events)):
                self.ends_once(events, ends, django_capture_on_commit_callbacks)

    def ends_once(
        self, events: tuple[str, ...], ends: list[str], django_capture_on_commit_callbacks: Any
    ) -> None:
        ann = user()
        moved, keys = [], [key()]
        with capture_events() as published, django_capture_on_commit_callbacks(execute=True):
            # Each event is reported twice, by different reporters.
            for event in (*events, *reversed(events)):
                moved.append(report(reporter(ann), event))
                keys.append(key())
        assert keys == sorted(keys), "never backwards"
        assert moved == [after > before for before, after in pairwise(keys)]
        assert the_job().state == "succeeded"
        assert ends == ["succeeded"]
        assert len(subjects_of(ann)) == 1
        assert len(published) == sum(moved)
        versions = [data["version"] for data in payloads(published)]
        assert versions == sorted(set(versions))

    @pytest.mark.parametrize("events", list(permutations(("succeeded", "failed x", "revoked"))))
    def test_of_several_ends_the_first_wins(self, events: tuple[str, ...]) -> None:
        moved = [report(reporter(user()), event) for event in ("started", *events)]
        assert moved == [True, True, False, False]
        assert the_job().state == events[0].split()[0]

    def test_an_end_without_a_beginning_is_reported(self) -> None:
        assert reporter(user()).failed("boom")
        assert subjects_of(user()) == ["failed 0"]

    def test_a_repeated_event_changes_nothing(self) -> None:
        assert reporter(user()).started()
        before = Message.objects.values().get()
        assert not reporter(user()).started()
        assert Message.objects.values().get() == before

    def test_a_late_event_of_an_earlier_attempt_is_dropped(self) -> None:
        job = reporter(user())
        job.started(1)
        assert not job.retrying(0, "late")
        assert (the_job().state, the_job().error) == ("started", "")


class TestLost:
    @pytest.mark.parametrize(
        "sign", ["started", "started 1", "retrying 0", "succeeded", "failed x", "revoked"]
    )
    def test_a_later_event_overrides_it(self, sign: str) -> None:
        job = reporter(user())
        job.started()
        assert job.lost()
        assert subjects_of(user()) == ["lost 0"]
        assert report(reporter(user()), sign)
        assert the_job().state == sign.split()[0]

    def test_a_queued_event_from_before_does_not_override_it(self) -> None:
        job = reporter(user())
        job.started()
        job.lost()
        assert not reporter(user()).queued()
        assert the_job().state == "lost"

    @pytest.mark.parametrize("state", ["queued", "retrying 0", "succeeded", "failed x", "revoked"])
    def test_only_a_running_job_can_be_lost(self, state: str) -> None:
        job = reporter(user())
        report(job, state)
        assert not job.lost()

    def test_a_job_found_again_has_not_finished(self) -> None:
        job = reporter(user())
        job.started()
        job.lost()
        job.started()
        assert the_job().finished_at is None

    def test_it_can_be_lost_again(self, ends: list[str]) -> None:
        job = reporter(user())
        job.started()
        assert [job.lost(), job.lost(), job.started(), job.lost()] == [True, False, True, True]


class TestDeath:
    """A failure that only a worker's main process reports."""

    @pytest.mark.parametrize(
        "later", ["started 1", "retrying 0", "retrying 1", "succeeded", "failed x", "revoked"]
    )
    def test_any_later_event_overrides_it(self, later: str) -> None:
        job = reporter(user())
        job.started()
        assert job.failed("died", 0)
        assert the_job().state == "failed"
        assert report(job, later)
        assert the_job().state == later.split()[0]
        assert len(subjects_of(user())) == 1

    @pytest.mark.parametrize("known", ["retrying 0", "started 1", "succeeded", "revoked"])
    def test_one_that_is_noticed_too_late_changes_nothing(self, known: str) -> None:
        job = reporter(user())
        job.started()
        report(job, known)
        assert not job.failed("died", 0)
        assert the_job().state == known.split()[0]

    @pytest.mark.parametrize("event", ["queued", "started"])
    def test_nothing_of_its_own_attempt_revives_it(self, event: str) -> None:
        job = reporter(user())
        job.failed("died", 0)
        assert not report(job, event)


class TestRuns:
    """Tasks that are queued repeatedly under an id of the site."""

    def run(self, run: int, *events: str, who: Any = None) -> list[bool]:
        job = reporter(who or user(), run=run)
        return [report(job, event) for event in events]

    def test_one_after_the_end_of_another_is_a_job_of_its_own(self) -> None:
        for run in (1, 2):
            assert all(self.run(run, "queued", "started", "failed x" if run == 1 else "succeeded"))
        assert subjects_of(user()) == ["failed 0", "succeeded 0"]
        assert [message.read for message in Message.objects.all()] == [False, False]
        assert the_job().run == 2

    @pytest.mark.parametrize("first", ["queued", "started", "succeeded", "failed x", "revoked"])
    def test_its_first_event_may_be_any(self, first: str) -> None:
        self.run(1, "started", "succeeded")
        assert self.run(2, first) == [True]
        assert subjects_of(user()) == ["succeeded 0", f"{first.split()[0]} 0"]

    @pytest.mark.parametrize("late", ["queued", "started", "succeeded", "failed x"])
    def test_a_late_event_of_the_same_or_an_earlier_run_changes_nothing(self, late: str) -> None:
        self.run(2, "queued", "started", "succeeded")
        for run in (0, 1, 2):
            assert self.run(run, late) == [False]
        assert subjects_of(user()) == ["succeeded 0"]

    def test_one_that_is_queued_while_another_runs_begins_after_its_end(self) -> None:
        self.run(1, "queued", "started")
        assert self.run(2, "queued", "started") == [False, False]
        self.run(1, "succeeded")
        assert self.run(2, "succeeded") == [True]
        assert subjects_of(user()) == ["succeeded 0", "succeeded 0"]

    def test_a_run_for_another_user_shows_them_nothing_of_the_earlier_one(self) -> None:
        self.run(1, "started", "failed x", who=user("ann"))
        self.run(2, "started", who=user("bob"))
        assert (subjects_of(user("ann")), subjects_of(user("bob"))) == (["failed 0"], ["started 0"])
        jobs = {message.job.state for message in Message.objects.of(Recipient.of(user("ann")))}
        assert jobs == {"failed"}

    def test_a_run_of_an_interrupted_job_continues_in_its_message(self) -> None:
        self.run(1, "started", "lost")
        assert self.run(2, "started", "succeeded", "queued") == [True, True, False]
        assert subjects_of(user()) == ["succeeded 0"]

    def test_an_end_of_an_unknown_run_may_be_its_own(self) -> None:
        """As reported by an earlier version, which has no runs."""
        now = time.time_ns() // 1_000_000
        self.run(0, "started", "succeeded")
        assert self.run(now, "queued") == [False]
        assert self.run(now + 3_600_000, "queued") == [True]

    def test_a_long_id_makes_room_too(self) -> None:
        for run in (1, 2):
            assert reporter(user(), task="x" * 190, run=run).succeeded()
        assert Job.objects.count() == 2


class TestRow:
    def test_an_unknown_job_without_recipients_is_ignored(self) -> None:
        job = JobReporter("stranger", render=plainly)
        assert not any([job.queued(), job.started(), job.progressed(1, 2, final=True)])
        assert not job.succeeded()
        assert not Job.objects.exists()

    def test_a_known_job_needs_no_recipients_in_the_event(self) -> None:
        reporter(user()).queued()
        assert JobReporter("task-1", render=plainly).succeeded()
        assert subjects_of(user()) == ["succeeded 0"]

    def test_a_known_job_keeps_its_recipients(self) -> None:
        reporter(user("ann")).queued()
        reporter(user("bob")).succeeded()
        assert subjects_of(user("ann")) == ["succeeded 0"]
        assert subjects_of(user("bob")) == []

    def test_the_error_belongs_to_its_state(self) -> None:
        job = reporter(user())
        job.retrying(0, ValueError("first"))
        assert the_job().error == "first"
        job.succeeded()
        assert the_job().error == ""

    def test_times_are_kept(self) -> None:
        job = reporter(user())
        job.started()
        begin = the_job().started_at
        job.started(1)
        assert the_job().started_at == begin
        job.succeeded()
        assert begin is not None
        assert the_job().finished_at is not None and the_job().finished_at >= begin

    @pytest.mark.parametrize(
        ("error", "stored"),
        [
            (ValueError("no such row"), "no such row"),
            (ValueError(), "ValueError"),
            ("plain", "plain"),
            (OSError("\udcff\0.csv"), "\ufffd\ufffd.csv"),
        ],
    )
    def test_any_error_can_be_stored(self, error: Any, stored: str) -> None:
        assert reporter(user()).failed(error)
        assert the_job().error == stored

    def test_an_error_that_cannot_be_printed_is_named(self) -> None:
        class Broken(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        assert reporter(user()).failed(Broken())
        assert the_job().error == "Broken"


class TestAlive:
    def test_only_running_jobs_are_alive(self) -> None:
        for task, state in (("a", "started"), ("b", "queued"), ("c", "succeeded")):
            report(reporter(user(), task=task), state)
        Job.objects.update(alive_at=None)
        assert stamp_alive(["a", "b", "c", "unknown"]) == 1
        assert Job.objects.get(alive_at__isnull=False).task_id == "a"

    def test_a_lost_job_that_is_alive_continues_where_it_stopped(self) -> None:
        job = reporter(user())
        job.started()
        Job.objects.update(completed=3)
        job.lost()
        assert subjects_of(user()) == ["lost 0"]
        assert reporter(user()).recovered()
        assert (the_job().state, the_job().completed, the_job().finished_at) == ("started", 3, None)
        assert subjects_of(user()) == ["started 0"]

    @pytest.mark.parametrize("state", ["queued", "started", "succeeded", "revoked"])
    def test_only_a_lost_job_is_brought_back(self, state: str) -> None:
        report(reporter(user()), state)
        assert not reporter(user()).recovered()
        assert the_job().state == state


class TestLateStart:
    def test_a_start_held_back_is_sent_once(self) -> None:
        quiet = [True]
        job = reporter(user(), render=lambda o: None if quiet[0] else plainly(o))
        job.started()
        assert not job.notify_now()
        assert subjects_of(user()) == []
        quiet[0] = False
        assert job.notify_now()
        assert not job.notify_now()
        assert subjects_of(user()) == ["started 0"]

    @pytest.mark.parametrize("state", ["queued", "succeeded"])
    def test_only_a_running_job_sends_a_late_start(self, state: str) -> None:
        job = reporter(user(), render=lambda outcome: None)
        report(job, state)
        assert not reporter(user()).notify_now()
        assert subjects_of(user()) == []


class TestArguments:
    def test_a_process_that_finds_the_job_gets_them(self) -> None:
        seen: list[Any] = []

        def remember(outcome: Any) -> Any:
            seen.append(outcome.arguments)
            return plainly(outcome)

        reporter(user(), arguments={"month": "May"}).started()
        reporter(user(), render=remember).lost()
        assert seen == [{"month": "May"}]

    def test_what_is_no_json_is_kept_as_text(self) -> None:
        class Broken:
            def __str__(self) -> str:
                raise ValueError

        odd = {
            "day": date(2026, 5, 1),
            "rows": (1, {2: float("nan")}),
            "nul": "a\0b",
            "x": Broken(),
        }
        reporter(user(), arguments=odd).started()
        assert the_job().arguments == {
            "day": "2026-05-01", "rows": [1, {"2": "nan"}], "nul": "a\ufffdb", "x": "Broken"
        }  # fmt: skip


def test_success_means_that_all_is_done() -> None:
    job = reporter(user())
    job.started()
    Job.objects.update(completed=7, total=10)
    job.succeeded()
    assert (the_job().completed, the_job().percent) == (10, 100)


def test_visitors_and_users_are_notified_alike() -> None:
    visitor = Recipient.for_visitor("t" * 32)
    reporter(user(), visitor).succeeded()
    assert subjects_of(user()) == subjects_of(visitor) == ["succeeded 0"]


def test_the_queue_is_stored_for_staff() -> None:
    job = reporter(user(), queue="mail")
    job.queued()
    job.started()
    assert Job.objects.get().queue == "mail"


def test_a_queue_that_is_learned_later_is_added() -> None:
    reporter(user()).queued()
    reporter(user(), queue="é" * 200).started()
    assert Job.objects.get().queue.isascii()
