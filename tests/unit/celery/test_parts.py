"""Reports of the members of a group, which ends exactly once whatever happens to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitio import api
from monitio.models import Job, Message
from monitio.recipients import Recipient
from monitio.signals import job_ended
from monitio.testing import capture_events
from monitio.utils import compiled_sql
from monitio_celery import integration, models, notify_user, tasks
from monitio_celery.calls import TaskCall
from monitio_celery.groups import members
from monitio_celery.groups.members import MemberReporter, member_id
from monitio_celery.headers import Member, TaskHeader
from monitio_celery.models import GroupMember
from monitio_celery.reporters import reporter_for
from tests.support.jobs import payloads
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


class Group:
    """A group with three members, without a worker."""

    def __init__(self, **options: Any) -> None:
        self.id, self.options = str(uuid4()), options
        self.recipients = [Recipient.of(user())]
        self.whole = self.part(0).group
        self.whole.queued()

    def header(self, number: int, **place: Any) -> TaskHeader:
        shared = {"group": self.id, "total": 3, "title": "Import", "options": self.options}
        member = Member(**shared, number=number, **place)
        return replace(TaskHeader.for_recipients(self.recipients), group_member=member)

    def part(self, number: int, **place: Any) -> MemberReporter:
        header = self.header(number, **place)
        assert header.group_member is not None
        task_id = member_id(self.id, number)
        return MemberReporter(header.group_member, self.recipients, task_id, header)

    def started(self, number: int, **place: Any) -> MemberReporter:
        part = self.part(number, **place)
        part.started()
        return part

    @property
    def job(self) -> Job:
        return Job.objects.get(task_id=self.id)


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """The deferred calls, which run when the test calls them."""
    calls: list[Callable[[], None]] = []
    monkeypatch.setattr(members.refresh_later, "call", lambda group, again: calls.append(again))
    return calls


@pytest.fixture
def group(db: None) -> Group:
    return Group()


@pytest.fixture
def ends() -> Iterator[list[str]]:
    """The reported ends of jobs."""
    reported: list[str] = []

    def note(job: Job, **kwargs: Any) -> None:
        reported.append(job.state)

    job_ended.connect(note)
    yield reported
    job_ended.disconnect(note)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, Any]]:
    """Task id -> its state in the result backend."""
    known: dict[str, tuple[str, Any]] = {}
    monkeypatch.setattr(
        tasks, "_stored", lambda task_id, since=None: known.get(task_id, (None, None))
    )
    return known


def a_second_passes() -> None:
    """Move the last update of the group's progress into the past."""
    members.looks.reset()
    Job.objects.update(seq=0)


def fall_silent(number: int, seconds: float = 3600) -> None:
    long_ago = timezone.now() - timedelta(seconds=seconds)
    GroupMember.objects.filter(number=number).update(alive_at=long_ago)


class TestBar:
    def test_progress_inside_a_part_moves_it_by_its_share(self, group: Group) -> None:
        part = group.started(0)
        with capture_events() as events:
            part.progressed(5, 10)
        assert group.job.completed == 0.5
        assert [data["job"]["done"] for data in payloads(events)] == [0.5]

    def test_parts_add_up(self, group: Group) -> None:
        group.started(0).succeeded()
        group.started(1).progressed(1, 4)
        a_second_passes()
        group.started(2).progressed(1, 2)
        assert group.job.completed == 1.75

    def test_all_parts_together_write_it_once_a_second(self, group: Group) -> None:
        with capture_events() as events:
            for number in range(3):
                group.started(number).progressed(number + 1, 10)
        assert len(payloads(events)) == 1 + 1  # the start and the first move
        assert group.job.completed == 0.1

    def test_throttled_progress_is_shown_a_moment_later(
        self, group: Group, later: list[Callable[[], None]]
    ) -> None:
        for number in range(2):
            group.started(number).succeeded()
        assert group.job.completed == 1
        a_second_passes()
        (again,) = later
        again()
        assert group.job.completed == 2

    def test_progress_that_was_shown_is_not_shown_again(
        self, group: Group, later: list[Callable[[], None]]
    ) -> None:
        group.started(0).succeeded()
        assert later == []

    def test_an_unknown_total_moves_nothing(self, group: Group) -> None:
        assert not group.started(0).progressed(5)
        assert group.job.completed is None

    def test_a_part_that_overshoots_fills_its_share(self, group: Group) -> None:
        group.started(0).progressed(30, 10)
        assert group.job.completed == 1

    def test_progress_of_a_part_that_has_ended_is_dropped(self, group: Group) -> None:
        part = group.started(0)
        part.succeeded()
        a_second_passes()
        assert not part.progressed(1, 2)
        assert group.job.completed == 1

    def test_texts_count_whole_parts(self) -> None:
        group = Group(progress="{done} of {total}")
        group.started(0).succeeded()
        a_second_passes()
        group.started(1).progressed(1, 2)
        assert (group.job.completed, group.job.status_text) == (1.5, "1 of 3")


class TestEnd:
    def test_a_retried_part_is_counted_once(self, group: Group, ends: list[str]) -> None:
        part = group.started(0)
        part.progressed(9, 10)
        part.retrying(0, "again")
        assert GroupMember.objects.get().fraction == 0
        part.started(1)
        part.succeeded()
        for number in (1, 2):
            group.started(number).succeeded()
        assert (ends, group.job.completed) == (["succeeded"], 3)

    def test_a_revoked_part_counts_as_failed(self, group: Group) -> None:
        for number in range(2):
            group.started(number).succeeded()
        group.part(2).revoked()
        assert group.job.state == "failed"
        assert Message.objects.get().message == "2 of 3 parts are done, 1 failed."

    def test_repeated_and_late_ends_change_nothing(self, group: Group, ends: list[str]) -> None:
        members = [group.started(number) for number in range(3)]
        for part in (*members, *members):
            part.succeeded()
        members[0].failed("late")
        members[1].lost()
        assert ends == ["succeeded"]
        assert group.job.completed == 3


class TestCost:
    """Statements do not depend on the number of members."""

    def test_a_part_is_written_by_a_statement_for_its_start_and_one_or_two_for_its_end(
        self, group: Group
    ) -> None:
        group.started(0).succeeded()
        part = group.part(1)
        assert statements(part.started) == ["INSERT"]
        # PostgreSQL updates both rows with one statement; MySQL and MariaDB return no count.
        reads = [] if compiled_sql.returns_rows(connection) else ["SELECT"]
        end = ["WITH"] if connection.vendor == "postgresql" else ["UPDATE", "UPDATE", *reads]
        assert statements(part.succeeded) == end

    def test_the_way_without_returned_rows_counts_the_same(
        self, group: Group, monkeypatch: pytest.MonkeyPatch, ends: list[str]
    ) -> None:
        monkeypatch.setattr(compiled_sql, "returns_rows", lambda connection: False)
        for number in range(3):
            group.started(number).succeeded()
            assert models.Group.objects.get().ended == number + 1
        assert ends == ["succeeded"]

    def test_a_lost_count_is_recomputed(self, group: Group, ends: list[str]) -> None:
        for number in range(3):
            if number:
                models.Group.objects.all().delete()
            group.started(number).succeeded()
        assert ends == ["succeeded"]

    def test_a_part_that_rolls_back_is_not_counted(self, group: Group, ends: list[str]) -> None:
        parts = [group.started(number) for number in range(3)]
        for part in parts[:2]:
            part.succeeded()
        with transaction.atomic():
            parts[2].succeeded()
            transaction.set_rollback(True)
        assert (models.Group.objects.get().ended, ends) == (2, [])
        parts[2].succeeded()
        assert ends == ["succeeded"]


def statements(call: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    kinds = [query["sql"].split()[0] for query in captured]
    return [kind for kind in kinds if kind not in ("BEGIN", "COMMIT")]


class TestSilence:
    def test_a_part_that_died_ends_the_group_with_it(
        self, group: Group, ends: list[str], stored: dict[str, Any]
    ) -> None:
        for number in range(2):
            group.started(number).succeeded()
        group.started(2)
        fall_silent(2)
        tasks.sweep_jobs()
        assert ends == ["failed"]
        assert Message.objects.get().message == "2 of 3 parts are done, 1 failed."

    def test_an_end_in_the_result_backend_counts(
        self, group: Group, stored: dict[str, Any]
    ) -> None:
        for number in range(2):
            group.started(number).succeeded()
        stored[group.started(2).task_id] = ("SUCCESS", 7)
        fall_silent(2)
        tasks.sweep_jobs()
        assert group.job.state == "succeeded"

    def test_a_part_that_waits_for_its_next_attempt_is_not_dead(
        self, group: Group, stored: dict[str, Any]
    ) -> None:
        group.started(0).retrying(0, "again")
        tasks.sweep_jobs()
        assert not GroupMember.objects.get().ended

    def test_a_part_with_progress_is_alive(self, group: Group, stored: dict[str, Any]) -> None:
        part = group.started(0)
        fall_silent(0)
        part.progressed(1, 2)
        tasks.sweep_jobs()
        assert not GroupMember.objects.get().ended

    def test_its_real_end_replaces_the_assumed_one(
        self, group: Group, stored: dict[str, Any]
    ) -> None:
        part = group.started(0)
        fall_silent(0)
        tasks.sweep_jobs()
        part.succeeded()
        for number in (1, 2):
            group.started(number).succeeded()
        assert group.job.state == "succeeded"

    @pytest.mark.parametrize(
        ("limit", "of_the_group", "silent_for", "dead"),
        [
            (7200, None, 3600, False),
            (7200, None, 7201, True),
            (60, None, 61, True),
            (None, 7200, 3600, False),
            (None, 60, 61, True),
            (7200, 60, 3600, False),
        ],
    )
    def test_its_task_or_its_group_may_have_a_limit_of_its_own(
        self,
        stored: dict[str, Any],
        limit: float | None,
        of_the_group: float | None,
        silent_for: float,
        dead: bool,
    ) -> None:
        group = Group(lost_after=of_the_group)

        @notify_user(lost_after=limit)
        def task() -> None: ...

        task_id = member_id(group.id, 0)
        begun = reporter_for(TaskCall.of(task, header=group.header(0), task_id=task_id))
        assert begun is not None
        begun.started()
        fall_silent(0, silent_for)
        tasks.sweep_jobs()
        assert GroupMember.objects.get().lost == dead

    def test_what_replaces_its_task_brings_its_own_limit(
        self, group: Group, stored: dict[str, Any]
    ) -> None:
        @notify_user(lost_after=7200)
        def replacement() -> None: ...

        task_id = group.started(0).task_id
        call = TaskCall.of(replacement, header=group.header(0), task_id=task_id)
        goes_on = reporter_for(call)
        assert goes_on is not None
        goes_on.started()
        fall_silent(0)
        tasks.sweep_jobs()
        assert not GroupMember.objects.get().lost

    def test_what_it_would_have_skipped_may_run_after_all(
        self, group: Group, stored: dict[str, Any]
    ) -> None:
        first = group.started(0, successors=[(1, 2)])
        fall_silent(0)
        tasks.sweep_jobs()
        assert GroupMember.objects.filter(ended=True).count() == 2
        assert first.recovered()
        assert list(GroupMember.objects.values_list("number", "ended")) == [(0, False)]


class TestCancelling:
    @pytest.fixture
    def revoked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        ids: list[str] = []
        monkeypatch.setattr(integration, "_revoke", ids.extend)
        return ids

    def cancel(self) -> None:
        assert api.cancel_job(user(), Message.objects.get().pk)

    def test_a_group_that_waits_ends_at_once(self, revoked: list[str], ends: list[str]) -> None:
        group = Group(cancel=True)
        self.cancel()
        assert ends == ["revoked"]
        assert revoked == [member_id(group.id, number) for number in range(3)]

    def test_a_group_that_runs_ends_with_its_running_parts(
        self, revoked: list[str], ends: list[str]
    ) -> None:
        group = Group(cancel=True)
        group.started(0).succeeded()
        running = group.started(1)
        self.cancel()
        assert sorted(revoked) == sorted(member_id(group.id, number) for number in (1, 2))
        assert ends == []
        running.revoked()
        assert ends == ["revoked"]

    def test_a_part_that_still_succeeds_starts_no_further_part(
        self, revoked: list[str], ends: list[str]
    ) -> None:
        group = Group(cancel=True)
        running = group.started(1)
        self.cancel()
        running.succeeded()
        assert ends == ["revoked"]


class TestDeath:
    """A member whose process died after it had published its retry."""

    def test_its_next_attempt_is_what_counts(self, group: Group) -> None:
        for number in range(2):
            group.started(number).succeeded()
        group.started(2).failed("died", 0)
        assert group.job.state == "failed"
        group.started(2).succeeded()
        assert group.job.state == "succeeded"
        assert (group.job.completed, group.job.total) == (3, 3)

    def test_a_part_that_fails_besides_still_counts(self, group: Group) -> None:
        group.started(0).succeeded()
        group.started(1).failed("boom")
        group.started(2).failed("died", 0)
        group.started(2).succeeded()
        text = "2 of 3 parts are done, 1 failed."
        assert (group.job.state, Message.objects.get().message) == ("failed", text)


def test_a_group_whose_last_part_could_not_end_it_is_ended_by_the_sweep(
    group: Group, monkeypatch: pytest.MonkeyPatch, stored: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(MemberReporter, "_show", lambda *args: None)
        for number in range(3):
            group.started(number).succeeded()
    Job.objects.update(alive_at=timezone.now() - timedelta(hours=1))
    tasks.sweep_jobs()
    assert group.job.state == "succeeded"


def test_unknown_options_do_not_cost_the_end() -> None:
    group = Group(no_such_option=True)
    for number in range(3):
        group.started(number).succeeded()
    assert (group.job.state, Message.objects.get().subject) == ("succeeded", "Import: done")
