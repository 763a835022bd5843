"""What a site's own tests are given."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction

import monitio
from monitio.testing import (
    assert_not_notified,
    assert_notified,
    capture_events,
    capture_messages,
)


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


def test_the_error_reports_that_nothing_came(ann: User, bob: User) -> None:
    monitio.create_message(ann, monitio.INFO, "For Ann")

    with pytest.raises(AssertionError, match="nothing"):
        assert_notified(bob)


def test_silence_can_be_asserted(ann: User, bob: User) -> None:
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
