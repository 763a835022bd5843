"""Progress is throttled, never ahead of the database, and ignored after the end."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from monitio import api
from monitio.jobs.reporter import JobReporter
from monitio.messages import visitors
from monitio.models import Job, Message
from monitio.recipients import Recipient
from monitio.serializers import snapshot
from monitio.testing import RecordingTransport, capture_events
from monitio.utils import compiled_sql
from tests.support.jobs import FakeClock, payloads, report, reporter, subjects_of
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock(monkeypatch, "monitio.jobs.reporter", "monitio.jobs.progress")


@pytest.fixture
def job(clock: FakeClock) -> JobReporter:
    job = reporter(user())
    job.started()
    return job


def stored() -> tuple[Any, ...]:
    row = Job.objects.get()
    return row.completed, row.total, row.status_text


def frames(events: list[Any]) -> list[Any]:
    return [data["job"]["done"] for data in payloads(events)]


class TestThrottle:
    def test_it_is_pushed_four_times_a_second_and_written_once(
        self, job: JobReporter, clock: FakeClock
    ) -> None:
        written = []
        with capture_events() as events:
            for step in range(100):
                job.progressed(step, 100)
                written.append(stored()[0])
                clock.forward(0.02)
        assert frames(events) == [0, 13, 26, 39, 52, 65, 78, 91]
        assert sorted(set(written)) == [0, 52]

    def test_the_last_step_is_never_throttled(self, job: JobReporter) -> None:
        with capture_events() as events:
            job.progressed(1, 3)
            assert not job.progressed(2, 3)
            assert job.progressed(3, 3, final=True)
        assert frames(events) == [1, 3]
        assert stored()[0] == 3

    def test_a_transport_can_set_a_longer_interval(
        self, job: JobReporter, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(RecordingTransport, "push_interval", 1.0)
        with capture_events() as events:
            for step in range(10):
                job.progressed(step, 10)
                clock.forward(0.25)
        assert frames(events) == [0, 4, 8]

    def test_the_intervals_are_settings(self, job: JobReporter, clock: FakeClock) -> None:
        with override_settings(MONITIO_PROGRESS_WRITE_INTERVAL=5, MONITIO_PROGRESS_PUSH_INTERVAL=2):
            with capture_events() as events:
                for step in range(10):
                    job.progressed(step, 10)
                    clock.forward(1)
        assert frames(events) == [0, 2, 4, 6, 8]
        assert stored()[0] == 6

    def test_a_shorter_push_interval_shows_more_steps(
        self, job: JobReporter, clock: FakeClock
    ) -> None:
        with override_settings(MONITIO_PROGRESS_PUSH_INTERVAL=0.125), capture_events() as events:
            for step in range(8):
                job.progressed(step, 10)
                clock.forward(0.0625)
        assert frames(events) == [0, 2, 4, 6]

    def test_a_throttled_step_costs_no_query(self, job: JobReporter) -> None:
        with capture_events():
            job.progressed(1, 3)
            with CaptureQueriesContext(connection) as queries:
                job.progressed(2, 3)
        assert len(queries) == 0

    @pytest.mark.parametrize("returning", [True, False])
    def test_a_write_is_one_statement_and_reads_the_messages(
        self, job: JobReporter, monkeypatch: pytest.MonkeyPatch, returning: bool
    ) -> None:
        if not returning:
            # As MySQL and MariaDB, which must read the row again.
            monkeypatch.setattr(compiled_sql, "returns_rows", lambda connection: False)
        elif not compiled_sql.returns_rows(connection):
            pytest.skip("this database returns no rows")
        with capture_events(), CaptureQueriesContext(connection) as queries:
            job.progressed(1, 3)
        kinds = [query["sql"].split()[0] for query in queries]
        reads = ["SELECT"] if returning else ["SELECT", "SELECT"]
        assert [kind for kind in kinds if kind != "PRAGMA"] == ["UPDATE", *reads]
        row = Job.objects.get()
        assert (row.completed, row.total, row.seq > 0) == (1, 3, True)

    def test_a_push_between_two_writes_costs_no_query(
        self, job: JobReporter, clock: FakeClock
    ) -> None:
        with capture_events() as events:
            job.progressed(1, 3)
            clock.forward(0.5)
            with CaptureQueriesContext(connection) as queries:
                job.progressed(2, 3)
        assert frames(events) == [1, 2]
        assert len(queries) == 0


class TestOrder:
    def test_seq_rises_and_the_version_stays(self, job: JobReporter, clock: FakeClock) -> None:
        with capture_events() as events:
            for step in range(8):
                job.progressed(step, 8)
                clock.forward(0.25)
        seqs = [data["seq"] for data in payloads(events)]
        assert seqs == sorted(set(seqs))
        assert {data["version"] for data in payloads(events)} == {Message.objects.get().version}

    def test_seq_rises_across_processes_with_different_clocks(
        self, job: JobReporter, clock: FakeClock
    ) -> None:
        with capture_events() as events:
            job.progressed(1, 3)
            clock.forward(-500)
            other = reporter(user())
            other.progressed(2, 3, final=True)
            other.started(1)
            other.progressed(0, 3, final=True)
        ranks = [(data["version"], data["seq"]) for data in payloads(events)]
        assert ranks == sorted(set(ranks))

    def test_after_the_end_it_is_ignored(self, job: JobReporter, clock: FakeClock) -> None:
        JobReporter("task-1").succeeded()
        with capture_events() as events:
            assert not job.progressed(1, 3, final=True)
            clock.forward(9)
            assert not job.progressed(2, 3, final=True)
        assert not events
        assert stored()[0] is None

    def test_a_bar_of_an_earlier_attempt_is_ignored(self, job: JobReporter) -> None:
        reporter(user()).started(1)
        assert not job.progressed(1, 3, final=True)

    def test_a_new_attempt_begins_an_empty_bar(self, job: JobReporter, clock: FakeClock) -> None:
        job.progressed(2, 3, "reading")
        job.retrying(0)
        assert stored() == (2, 3, "reading")
        job.started(1)
        assert stored() == (None, None, "")
        assert job.progressed(1, 3, final=True)

    def test_progress_counts_as_a_heartbeat(self, job: JobReporter) -> None:
        JobReporter("task-1").lost()
        assert job.progressed(1, 3, final=True)
        assert (Job.objects.get().state, stored()[0]) == ("started", 1)
        assert subjects_of(user()) == ["started 0"]

    def test_progress_without_a_reported_start_starts_the_job(self, clock: FakeClock) -> None:
        reporter(user()).queued()
        assert reporter(user()).progressed(1, 3)
        assert Job.objects.get().state == "started"


class TestTransaction:
    def test_inside_one_it_pushes_and_writes_nothing(
        self, job: JobReporter, clock: FakeClock
    ) -> None:
        before = Job.objects.values().get()
        with capture_events() as events, transaction.atomic():
            with CaptureQueriesContext(connection) as queries:
                assert job.progressed(1, 3)
                clock.forward(2)
                assert job.progressed(2, 3, final=True)
        assert frames(events) == [1, 2]
        assert len(queries) == 0
        assert Job.objects.values().get() == before
        assert {data["version"] for data in payloads(events)} == {Message.objects.get().version}

    def test_a_broken_transaction_does_not_matter(self, job: JobReporter) -> None:
        with capture_events() as events, transaction.atomic():
            transaction.set_rollback(True)
            assert job.progressed(1, 3)
        assert frames(events) == [1]

    def test_a_job_that_is_not_committed_has_no_bar_yet(self, clock: FakeClock) -> None:
        with capture_events() as events, transaction.atomic():
            job = reporter(user())
            job.started()
            assert not job.progressed(1, 3, final=True)
            assert not events

    def test_a_transport_in_the_database_waits(self, job: JobReporter) -> None:
        with transaction.atomic():
            assert not job.progressed(1, 3, final=True)
        assert job.progressed(2, 3, final=True)

    def test_the_next_step_outside_is_written(self, job: JobReporter, clock: FakeClock) -> None:
        with capture_events():
            with transaction.atomic():
                job.progressed(1, 3)
            clock.forward(0.3)
            job.progressed(2, 3)
        assert stored()[0] == 2


class TestRecipient:
    def test_after_the_next_write_frames_contain_what_the_recipient_did(
        self, job: JobReporter, clock: FakeClock
    ) -> None:
        with capture_events() as events:
            job.progressed(1, 9)
            api.mark_seen(user(), [Message.objects.get().pk])
            clock.forward(0.5)
            job.progressed(2, 9)
            clock.forward(1)
            job.progressed(3, 9)
        first, marked, old, new = payloads(events)
        assert first["version"] < marked["version"] == new["version"]
        assert old["version"] == first["version"], "dropped by the browser, which has a newer one"
        assert (new["seen"], new["job"]["done"]) == (True, 3)
        assert new["seq"] > marked["seq"]

    def test_a_deleted_message_has_no_bar(self, job: JobReporter, clock: FakeClock) -> None:
        job.progressed(1, 9)
        api.delete_all(user())
        clock.forward(1)
        with capture_events() as events:
            assert not job.progressed(2, 9)
        assert not events and not Message.objects.exists()
        assert stored()[0] == 2

    def test_the_bar_follows_a_visitor_who_logs_in(self, clock: FakeClock) -> None:
        visitor = Recipient.for_visitor("v" * 32)
        job = reporter(visitor)
        job.started()
        with capture_events() as events:
            job.progressed(1, 9)
            visitors.merge(visitor.token or "", user())
            clock.forward(1)
            job.progressed(2, 9)
        assert events[0].topic == visitor.topic
        assert events[-1].topic == Recipient.for_user(user()).topic

    def test_a_reload_shows_the_text_of_the_last_write(self, job: JobReporter) -> None:
        with capture_events() as events:
            job.progressed(1, 4, final=True)
        pushed = payloads(events)[0]["job"]
        reloaded = snapshot(Recipient.for_user(user()))["messages"][0]["job"]
        assert pushed == reloaded
        assert (pushed["percent"], pushed["text"]) == (25.0, "1 of 4")

    def test_the_authors_text_wins(self, job: JobReporter) -> None:
        job.progressed(1, 4, "reading\0 page", final=True)
        assert stored()[2] == "reading\ufffd page"

    def test_an_unknown_total_has_no_percentage(self, job: JobReporter) -> None:
        with capture_events() as events:
            job.progressed(7, None, final=True)
        data = payloads(events)[0]["job"]
        assert (data["done"], data["total"], data["percent"]) == (7, None, None)


class TestLateRow:
    """A worker starts before the row with the recipients is committed."""

    def test_the_bar_moves_once_the_row_is_there(self, clock: FakeClock) -> None:
        late = reporter()
        assert not late.started()
        assert not late.progressed(1, 4)
        reporter(user()).started()
        clock.forward(1)
        assert late.progressed(2, 4)
        assert stored()[:2] == (2, 4)

    def test_a_row_committed_between_write_and_check_does_not_end_the_progress(
        self, clock: FakeClock
    ) -> None:
        late, writes, arrivals = reporter(), [], [reporter(user()).started]

        def arrive(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith("UPDATE"):
                writes.append(sql)
            elif sql.startswith("SELECT") and writes and arrivals:
                arrivals.pop()()
            return execute(sql, *rest)

        with connection.execute_wrapper(arrive):
            assert not late.progressed(1, 4)
        assert Job.objects.exists()
        clock.forward(1)
        assert late.progressed(2, 4)

    def test_a_missing_row_is_queried_at_growing_intervals(
        self, clock: FakeClock, django_assert_max_num_queries: Any
    ) -> None:
        nobodys = reporter()
        for _step in range(300):
            nobodys.progressed(1, 2)
            clock.forward(1)
        # The interval grows up to the time already waited.
        with django_assert_max_num_queries(15):
            for _step in range(200):
                nobodys.progressed(1, 2)
                clock.forward(1)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Other databases lock rows.")
def test_a_locked_database_costs_a_step_not_the_task(job: JobReporter) -> None:
    rival = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    try:
        with capture_events() as events:
            assert job.progressed(1, 3, final=True)
    finally:
        rival.rollback()
        rival.close()
    assert frames(events) == [1], "pushed all the same"
    assert stored()[0] is None
    assert job.progressed(2, 3, final=True)
    assert stored()[0] == 2


class TestRate:
    """Rate and remaining time: not before 3 s, not after the end."""

    def last(self, events: list[Any]) -> tuple[Any, Any]:
        job = payloads(events)[-1]["job"]
        return job["rate"], job["eta"]

    def run(self, job: JobReporter, clock: FakeClock, seconds: int, total: int | None) -> None:
        for second in range(seconds + 1):
            job.progressed(10 * second, total)
            clock.forward(1)

    def test_it_is_shown_after_three_seconds(self, job: JobReporter, clock: FakeClock) -> None:
        with capture_events() as events:
            self.run(job, clock, 2, 200)
            assert self.last(events) == (None, None)
            job.progressed(30, 200)
        assert self.last(events) == (10, 17)

    def test_a_reload_shows_it(self, job: JobReporter, clock: FakeClock) -> None:
        self.run(job, clock, 3, 200)
        (entry,) = snapshot(Recipient.of(user()))["messages"]
        assert (entry["job"]["rate"], entry["job"]["eta"]) == (10, 17)

    def test_of_an_unknown_total_only_the_rate_is_shown(
        self, job: JobReporter, clock: FakeClock
    ) -> None:
        with capture_events() as events:
            self.run(job, clock, 3, None)
        assert self.last(events) == (10, None)

    def test_nothing_is_left_when_all_is_done(self, job: JobReporter, clock: FakeClock) -> None:
        with capture_events() as events:
            self.run(job, clock, 3, 30)
        assert self.last(events) == (10, None)

    @pytest.mark.parametrize("end", ["succeeded", "failed", "revoked", "lost", "retrying"])
    def test_after_the_end_it_is_not_shown(
        self, job: JobReporter, clock: FakeClock, end: str
    ) -> None:
        self.run(job, clock, 3, 200)
        with capture_events() as events:
            assert report(job, {"failed": "failed boom", "retrying": "retrying 0"}.get(end, end))
        assert self.last(events) == (None, None)
        (entry,) = snapshot(Recipient.of(user()))["messages"]
        assert (entry["job"]["rate"], entry["job"]["eta"]) == (None, None)

    def test_the_next_attempt_begins_again(self, job: JobReporter, clock: FakeClock) -> None:
        self.run(job, clock, 3, 200)
        job.retrying(0)
        with capture_events() as events:
            job.started(1)
            job.progressed(1, 200)
        assert self.last(events) == (None, None)
        assert Job.objects.get().rate is None
