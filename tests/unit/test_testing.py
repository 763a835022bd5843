"""``monitio.testing``: helpers for the tests of sites."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone

import monitio
from monitio import api, testing
from monitio.contrib import pytest_plugin
from monitio.models import Delivery
from monitio.testing import (
    RecordingTransport,
    assert_not_notified,
    assert_notified,
    capture_deliveries,
    capture_events,
    capture_messages,
    open_stream,
    run_due,
)
from monitio.transports.events import Event


def test_a_message_that_fits_is_returned(ann: User) -> None:
    monitio.create_message(ann, monitio.INFO, "An older one", subject="Export")
    wanted = monitio.create_message(ann, monitio.SUCCESS, "120 rows", subject="Export", url="/x/")

    found = assert_notified(ann, subject="Export", text="120", level=monitio.SUCCESS, url="/x/")

    assert found == wanted


@pytest.mark.parametrize(
    "wrong",
    [{"subject": "Import"}, {"text": "121"}, {"level": monitio.ERROR}, {"url": "/y/"}],
)
def test_each_criterion_counts(ann: User, wrong: dict[str, object]) -> None:
    monitio.create_message(ann, monitio.SUCCESS, "120 rows", subject="Export", url="/x/")

    with pytest.raises(AssertionError, match="120 rows"):
        assert_notified(ann, **wrong)  # type: ignore[arg-type]


def test_the_error_reports_that_there_is_no_message(ann: User, bob: User) -> None:
    monitio.create_message(ann, monitio.INFO, "For Ann")

    with pytest.raises(AssertionError, match="nothing"):
        assert_notified(bob)


def test_the_absence_of_messages_can_be_asserted(ann: User, bob: User) -> None:
    monitio.create_message(ann, monitio.INFO, "For Ann")

    assert_not_notified(bob)
    with pytest.raises(AssertionError, match="For Ann"):
        assert_not_notified(ann)


def test_messages_of_a_block_are_captured_in_order(ann: User, bob: User) -> None:
    monitio.create_message(ann, monitio.INFO, "Before")

    with capture_messages() as captured:
        monitio.create_message(bob, monitio.INFO, "First")
        monitio.create_message(ann, monitio.INFO, "Second")

    assert [message.message for message in captured] == ["First", "Second"]


@pytest.mark.django_db(transaction=True)
def test_events_of_a_block_are_captured_after_commit() -> None:
    ann = get_user_model().objects.create_user("ann")

    with capture_events() as events:
        with transaction.atomic():
            message = monitio.create_message(ann, monitio.INFO, "Hello")
            assert events == []

    assert [(event.topic, event.data and event.data["id"]) for event in events] == [
        (f"user:{ann.pk}", message.pk)
    ]


def test_nested_blocks_capture_separately() -> None:
    outer_event, inner_event = Event("user:1"), Event("user:2")
    with capture_events() as outer:
        RecordingTransport().publish([outer_event])
        with capture_events() as inner:
            RecordingTransport().publish([inner_event])
        RecordingTransport().publish([outer_event])
    assert inner == [inner_event]
    assert outer == [outer_event, inner_event, outer_event]


def test_deliveries_of_a_block_are_captured(ann: User) -> None:
    with capture_deliveries() as captured:
        message = monitio.create_message(ann, monitio.INFO, "Ready", email="unless_read")
    assert [(delivery.channel, delivery.message) for delivery in captured] == [("email", message)]


def test_deliveries_can_be_sent_as_at_a_later_time(ann: User, mailoutbox: list[Any]) -> None:
    monitio.create_message(ann, monitio.INFO, "Ready", email="unless_read", email_delay=300)
    assert run_due() == []
    (sent,) = run_due(at=timezone.now() + timedelta(minutes=6))
    assert sent.state == Delivery.State.SENT
    assert len(mailoutbox) == 1


def test_a_read_message_is_not_sent_later(ann: User, mailoutbox: list[Any]) -> None:
    message = monitio.create_message(ann, monitio.INFO, "Ready", email="unless_read")
    api.mark_read(ann, [message.pk])
    (skipped,) = run_due(at=timezone.now() + timedelta(days=1))
    assert skipped.state == Delivery.State.SKIPPED
    assert mailoutbox == []


def test_an_open_page_receives_its_snapshot_and_its_own_events(
    ann: User, bob: User, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    before = monitio.create_message(ann, monitio.INFO, "Before")
    client.force_login(ann)
    with open_stream(client) as page, django_capture_on_commit_callbacks(execute=True):
        after = monitio.create_message(ann, monitio.INFO, "After")
        monitio.create_message(bob, monitio.INFO, "Of another")
    assert [message["id"] for message in page.snapshot["messages"]] == [before.pk]
    assert [event.data and event.data["id"] for event in page.events] == [after.pk]


def test_a_strangers_page_receives_nothing(ann: User, client: Client) -> None:
    with open_stream(client) as page:
        monitio.create_message(ann, monitio.INFO, "Of another")
    assert (page.snapshot["messages"], page.events) == ([], [])


def test_pytest_offers_each_as_a_fixture(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.is_registered(pytest_plugin)
    names = [name for name in vars(testing) if name.startswith(("assert_", "capture_", "run_"))]
    for name in [*names, "open_stream"]:
        assert request.getfixturevalue(name) is getattr(testing, name)
