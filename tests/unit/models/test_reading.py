"""Compiled reads return what plain queries do, with a fixed number of statements."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import messages
from django.db.models import Max
from django.utils import timezone
from django.utils.safestring import mark_safe

import monitio
from monitio import api
from monitio.constants import State
from monitio.models import Job, Message, reading
from monitio.models.messages import claims_end
from monitio.recipients import Recipient
from monitio.serializers import payload, snapshot
from monitio.utils.compiled_select import MOST_KEYS, CompiledInBulk
from tests.support.people import user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Recipient:
    """A recipient with a message of every kind; bob has some messages, too."""
    ann, now = user("ann"), timezone.now()
    job = Job.objects.create(task_id="1", state=State.STARTED)
    kinds: list[dict[str, Any]] = [
        {"running": True, "job": job},
        {"read": True},
        {"hidden": True},
        {"expires": now - timedelta(hours=1)},
        {"expires": now + timedelta(hours=1), "from_user": user("bob")},
        {"level": messages.INFO},
        {"level": messages.INFO, "live": False},
        {"level": messages.INFO, "claim": "c", "claimed_at": now},
        {"level": messages.INFO, "claim": "c", "claimed_at": now - timedelta(days=1)},
        {"level": 35, "read": True},
        {"url": "/somewhere/"},
    ]
    for number, kind in enumerate(kinds):
        Message.objects.create(**{"user": ann, "level": 120, "message": str(number), **kind})
    api.create_message(user("bob"), monitio.INFO, "bob's")
    return Recipient.for_user(ann)


VALUES: dict[str, Any] = {
    "NEWEST": ["key", "now", "stale"],
    "RUNNING": ["key", "now", "floor"],
    "WAITING": ["key", "now", "stale"],
    "CATEGORIES": ["key", "now", "stale"],
    "ONCE": ["key", "now", "stale", "floor"],
    "UNREAD": ["key", "now"],
}


@pytest.mark.parametrize(
    ("name", "options", "found"),
    [
        ("NEWEST", (reading.COLUMNS, 100), 7),
        ("NEWEST", (reading.Shown._fields, 3), 3),
        ("WAITING", (100, True), 6),
        ("WAITING", (100, False), 8),
        ("RUNNING", (reading.Shown._fields,), 1),
        ("CATEGORIES", (100,), 7),
        ("ONCE", (), 4),
        ("UNREAD", (), 3),
    ],
)
def test_a_compiled_read_is_its_plain_query(
    ann: Recipient, name: str, options: tuple[Any, ...], found: int
) -> None:
    read = getattr(reading, name)
    moments = {"now": timezone.now(), "stale": claims_end()}
    everything = {"key": ann.key, "floor": 2**31, **moments}
    values = {name: everything[name] for name in VALUES[name]}
    plain = [list(row) for row in read.rows(*options, **values)]
    # The first call compiles it.
    assert read.run("default", *options, **values) == plain
    assert read.run("default", *options, **values) == plain
    assert len(plain) == read.count("default", *options, **values) == found


def test_a_message_is_read_as_by_a_queryset(ann: Recipient) -> None:
    mine = {row.pk: row for row in reading.newest(ann, 100)}
    theirs = Message.objects.in_bulk(list(mine))
    for pk, message in mine.items():
        assert {name: getattr(message, name) for name in reading.COLUMNS} == {
            name: getattr(theirs[pk], name) for name in reading.COLUMNS
        }
        assert (message.job, message.from_user) == (theirs[pk].job, theirs[pk].from_user)


def test_a_template_may_show_every_field_of_a_waiting_message(
    ann: Recipient, django_assert_num_queries: Any
) -> None:
    internal = {"hidden", "live", "claim", "claimed_at", "digest"}
    waiting = [*reading.waiting(ann, 100, False), *reading.to_show_once(ann, 10**6, False)]
    assert {row.level for row in waiting} >= {messages.INFO, 120}
    stored = Message.objects.in_bulk([row.pk for row in waiting])
    fields = [field for field in reading.COLUMNS if field not in internal]
    with django_assert_num_queries(0):
        shown = [[getattr(row, field) for field in fields] for row in waiting]
    assert shown == [[getattr(stored[row.pk], field) for field in fields] for row in waiting]


@pytest.mark.parametrize("number", [1, 3, 4, 130])
def test_rows_are_found_by_their_keys_as_by_in_bulk(
    db: None, number: int, django_assert_num_queries: Any
) -> None:
    Job.objects.bulk_create(
        Job(task_id=str(n), files=[{"id": n}], alive_at=timezone.now()) for n in range(number + 1)
    )
    pks = list(Job.objects.order_by("pk").values_list("pk", flat=True)[:number])
    jobs = CompiledInBulk(lambda: Job.objects.defer("error"))
    for _ in range(2):
        with django_assert_num_queries(1 if number <= MOST_KEYS else 2):
            found = jobs.run(pks)
        assert all(job.get_deferred_fields() == {"error"} for job in found.values())
        plain = Job.objects.in_bulk(pks)
        assert {pk: values_of(job) for pk, job in found.items()} == {
            pk: values_of(job) for pk, job in plain.items()
        }


def values_of(job: Job) -> dict[str, Any]:
    return {field.attname: getattr(job, field.attname) for field in Job._meta.concrete_fields}


def test_a_site_s_own_manager_finds_the_senders(
    ann: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results may change, as those of the current tenant."""
    bob = user("bob")
    assert list(reading.senders([bob.pk])) == [bob.pk]

    class Active(type(type(bob)._default_manager)):  # type: ignore[misc]
        def get_queryset(self) -> Any:
            return super().get_queryset().filter(is_active=True)

    monkeypatch.setattr(type(bob)._default_manager, "__class__", Active)
    assert list(reading.senders([bob.pk])) == [bob.pk]
    type(bob)._base_manager.update(is_active=False)
    assert reading.senders([bob.pk]) == {}


def test_unread_messages_are_counted_up_to_a_limit(
    ann: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reading.count_unread(ann) == api.unread_count(user("ann")) == 3
    monkeypatch.setattr(reading, "MOST_COUNTED", 2)
    monkeypatch.setattr(reading.UNREAD, "_compiled", {})
    assert reading.count_unread(ann) == 2
    assert api.unread_count(user("ann")) == 3


def test_a_snapshot_shows_each_message_as_its_events_do(ann: Recipient) -> None:
    """Also a safe text, and an invalid link written without ``save()``."""
    api.create_message(user("ann"), monitio.INFO, mark_safe("<b>bold</b> &amp; more"))
    Message.objects.filter(url="/somewhere/").update(url="javascript:x", expires=None)
    messages = [payload(message) for message in reading.newest(ann, 100)]
    assert [message["body"] for message in messages[:2]] == ["bold & more", "10"]
    assert messages[1]["url"] is None
    shown = snapshot(ann)["messages"]
    for message in (*messages, *shown):
        message["expires_in"] = message["expires_in"] is not None
    assert shown == messages


def test_a_snapshot_marks_a_capped_count(
    ann: Recipient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MONITIO_SNAPSHOT_SIZE = 2
    assert (snapshot(ann)["unread"], snapshot(ann)["unread_capped"]) == (3, False)
    monkeypatch.setattr(reading, "MOST_COUNTED", 3)
    assert (snapshot(ann)["unread"], snapshot(ann)["unread_capped"]) == (3, True)


def test_a_snapshot_costs_one_query_and_one_each_for_jobs_and_senders(
    ann: Recipient, django_assert_num_queries: Any
) -> None:
    bob = Recipient.for_user(user("bob"))
    with django_assert_num_queries(3):
        snapshot(ann)
    with django_assert_num_queries(1):
        snapshot(bob)


def test_above_the_floor_it_costs_two_more(
    ann: Recipient, django_assert_num_queries: Any, settings: Any
) -> None:
    settings.MONITIO_SNAPSHOT_SIZE = 2
    # Newest messages, running jobs' messages, jobs, count.
    with django_assert_num_queries(4):
        found = snapshot(ann)
    assert [entry["body"] for entry in found["messages"]] == ["10", "9", "0"]


def test_the_newest_id_of_each_recipient_is_found(ann: Recipient) -> None:
    bob = Recipient.for_user(user("bob"))
    rows = Message.objects.filter(recipient_key__in=[ann.key, bob.key]).order_by()
    expected = dict(rows.values_list("recipient_key").annotate(Max("pk")))
    assert len(expected) == 2
    assert reading.newest_ids([bob.key, "user:nobody", ann.key]) == expected
    assert reading.newest_ids(["user:nobody"]) == {}


def test_a_job_that_ends_between_the_reads_has_the_text_of_its_end(
    ann: Recipient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_jobs = reading.jobs_of

    def end_and_read(pks: set[Any]) -> dict[Any, Job]:
        Job.objects.update(state=State.SUCCEEDED)
        Message.objects.filter(running=True).update(running=False, message="done")
        return read_jobs(pks)

    monkeypatch.setattr(reading, "jobs_of", end_and_read)
    (message,) = [row for row in reading.newest(ann, 100) if row.job]
    assert (message.message, message.job.state) == ("done", State.SUCCEEDED)  # type: ignore[union-attr]
