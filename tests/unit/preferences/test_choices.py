"""Preferences of users, and their effect on requested e-mails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

import monitio
from monitio import api, dispatch, preferences
from monitio.exceptions import UnknownRecipient
from monitio.jobs.reporter import MessageContent, Outcome
from monitio.models import Delivery, Preferences
from monitio.preferences.choices import Frequency, Mode
from monitio.recipients import Recipient
from tests.support.jobs import reporter
from tests.support.people import user

pytestmark = pytest.mark.django_db

CATEGORIES = {
    "security": {"title": "Security", "essential": True},
    "exports": {"title": "Exports"},
    "news": {"default": "off"},
    "chatter": {"default": "digest"},
}


@pytest.fixture(autouse=True)
def _site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MONITIO_CATEGORIES = CATEGORIES
    settings.MONITIO_BASE_URL = "https://example.com"
    # Deliveries are sent only by the tests.
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)


@pytest.fixture
def noon() -> Iterator[datetime]:
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC)
    with time_machine.travel(moment, tick=False):
        yield moment


def emailed(who: Any, category: str = "", **more: Any) -> list[Delivery]:
    """The deliveries of a message with email=True."""
    message = api.create_message(who, monitio.INFO, "text", email=True, category=category, **more)
    return list(Delivery.objects.filter(message=message))


class TestModes:
    def test_users_without_preferences_are_emailed_as_requested(self, ann: Any) -> None:
        assert len(emailed(ann)) == len(emailed(ann, "exports")) == 1
        assert not Preferences.objects.exists()

    @pytest.mark.parametrize("frequency", ["hourly", "daily", "weekly"])
    def test_users_with_digests_get_no_single_emails(self, ann: Any, frequency: str) -> None:
        preferences.change(ann, frequency=frequency)
        assert preferences.get(ann, "exports") == Mode.DIGEST
        assert emailed(ann, "exports") == emailed(ann) == []

    def test_never_stops_all_but_essential_categories(self, ann: Any) -> None:
        preferences.change(ann, categories={"exports": "at_once"})
        preferences.change(ann, frequency="never")
        assert emailed(ann, "exports") == emailed(ann) == emailed(ann, "chatter") == []
        assert len(emailed(ann, "security")) == 1

    def test_a_category_preference_takes_precedence_over_the_frequency(self, ann: Any) -> None:
        preferences.change(ann, frequency="daily", categories={"exports": "at_once"})
        assert len(emailed(ann, "exports")) == 1
        assert emailed(ann) == []

    def test_off_is_off(self, ann: Any) -> None:
        preferences.change(ann, categories={"exports": "off"})
        assert emailed(ann, "exports") == []
        assert len(emailed(ann)) == 1

    def test_a_category_preference_can_be_reset(self, ann: Any) -> None:
        preferences.change(ann, categories={"exports": "off"})
        preferences.change(ann, categories={"exports": None})
        assert preferences.get(ann, "exports") == Mode.AT_ONCE

    def test_messages_without_a_category_have_a_preference_too(self, ann: Any) -> None:
        preferences.change(ann, categories={"": "off"})
        assert emailed(ann) == []
        assert len(emailed(ann, "exports")) == 1

    def test_the_sites_default_holds_until_the_user_chooses(self, ann: Any) -> None:
        assert emailed(ann, "news") == []
        preferences.change(ann, categories={"news": "at_once"})
        assert len(emailed(ann, "news")) == 1

    def test_a_category_with_digests_by_default_plans_a_digest(self, ann: Any) -> None:
        assert emailed(ann, "chatter") == []
        assert Preferences.objects.get(user=ann).next_digest_at > timezone.now()

    def test_essential_categories_have_no_preference(self, ann: Any) -> None:
        for mode in Mode.values:
            with pytest.raises(ValueError, match="essential"):
                preferences.change(ann, categories={"security": mode})

    def test_each_of_many_users_is_emailed_by_their_preferences(self, ann: Any) -> None:
        bob, cid = user("bob"), user("cid")
        preferences.change(bob, frequency="never")
        preferences.change(cid, categories={"exports": "digest"})
        api.notify_many([ann, bob, cid], monitio.INFO, "one", email=True, category="exports")
        assert [row.message.user for row in Delivery.objects.all()] == [ann]

    def test_preferences_of_many_users_take_two_queries(
        self, django_assert_num_queries: Any
    ) -> None:
        people = [user(f"user{number}") for number in range(30)]
        for who in people:
            preferences.change(who, categories={"exports": "off", "": "digest"})
        rows = [
            Delivery(message=api.create_message(who, monitio.INFO, "one"), channel="email")
            for who in people
        ]

        def gets(row: Any, delivery: Delivery) -> bool:
            return bool(row.mode(delivery.message.category) == "at_once")

        with django_assert_num_queries(2):
            assert preferences.filter_by_preference(rows, gets) == []

    def test_preferences_apply_to_jobs(self, ann: Any) -> None:
        def render(outcome: Outcome) -> MessageContent:
            return MessageContent(subject=outcome.state, email=True, category="exports")

        preferences.change(ann, categories={"exports": "off"})
        for task, count in (("one", 0), ("two", 1)):
            job = reporter(ann, task=task, render=render)
            job.started()
            job.succeeded()
            assert Delivery.objects.count() == count
            preferences.change(ann, categories={"exports": None})


class TestChange:
    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"frequency": "sometimes"}, "frequency"),
            ({"hour": 24}, "hour"),
            ({"hour": -1}, "hour"),
            ({"weekday": 7}, "weekday"),
            ({"time_zone": "Mars/Olympus"}, "Mars/Olympus"),
            ({"quiet_from": time(22)}, "Quiet hours"),
            ({"quiet_from": "late", "quiet_to": time(7)}, "quiet_from"),
            ({"favourite_colour": "blue"}, "favourite_colour"),
            ({"categories": {"exports": "perhaps"}}, "perhaps"),
        ],
    )
    def test_bad_values_are_named_and_change_nothing(
        self, ann: Any, fields: dict[str, Any], named: str
    ) -> None:
        with pytest.raises(ValueError, match=named):
            preferences.change(ann, **fields)
        assert preferences.for_user(ann).frequency == Frequency.AT_ONCE
        assert not preferences.for_user(ann).chosen

    def test_change_refuses_visitors(self) -> None:
        with pytest.raises(UnknownRecipient):
            preferences.for_user(Recipient.for_visitor("a" * 32))

    def test_get_refuses_visitors(self) -> None:
        with pytest.raises(UnknownRecipient):
            preferences.change(4711, hour=3)

    def test_a_digest_is_planned_in_the_users_own_time(self, ann: Any, noon: datetime) -> None:
        row = preferences.change(ann, frequency="daily", hour=8, time_zone="America/New_York")
        assert row.next_digest_at == datetime(2026, 11, 23, 13, tzinfo=UTC)
        row = preferences.change(ann, time_zone="Europe/Warsaw")
        assert row.next_digest_at == datetime(2026, 11, 24, 7, tzinfo=UTC)

    def test_without_a_choice_it_is_the_sites_time(
        self, ann: Any, noon: datetime, settings: Any
    ) -> None:
        settings.TIME_ZONE = "Asia/Tokyo"
        row = preferences.change(ann, frequency="daily", hour=23)
        assert row.next_digest_at == datetime(2026, 11, 23, 14, tzinfo=UTC)

    def test_a_digest_of_one_category_is_daily_by_default(self, ann: Any, noon: datetime) -> None:
        row = preferences.change(ann, categories={"exports": "digest"}, hour=13, time_zone="UTC")
        assert row.next_digest_at == noon + timedelta(hours=1)

    @pytest.mark.parametrize("frequency", ["at_once", "never"])
    def test_without_digests_nothing_is_planned(
        self, ann: Any, frequency: str, settings: Any
    ) -> None:
        settings.MONITIO_CATEGORIES = {}
        preferences.change(ann, frequency="daily")
        assert preferences.change(ann, frequency=frequency).next_digest_at is None

    def test_one_that_is_due_stays_due_when_something_else_changes(
        self, ann: Any, noon: datetime
    ) -> None:
        preferences.change(ann, frequency="daily")
        Preferences.objects.update(next_digest_at=noon - timedelta(minutes=1), claim="another")
        row = preferences.change(ann, categories={"exports": "off"})
        assert row.next_digest_at == noon - timedelta(minutes=1)
        assert row.claim == "", "the claim is withdrawn"

    def test_a_time_zone_unknown_to_the_machine_is_replaced_by_the_sites(self, ann: Any) -> None:
        preferences.change(ann, frequency="daily")
        Preferences.objects.update(time_zone="Europe/Atlantis")
        assert preferences.for_user(ann).zone.key == "America/Chicago"
        assert len(emailed(ann, "security")) == 1


class TestQuietHours:
    def test_they_hold_e_mails_until_morning(self, ann: Any) -> None:
        night = {"quiet_from": time(22), "quiet_to": time(7), "time_zone": "Europe/Warsaw"}
        preferences.change(ann, **night)
        late = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
        with time_machine.travel(late, tick=False):
            (held,), (essential,) = emailed(ann), emailed(ann, "security")
        assert held.due_at == datetime(2026, 11, 24, 6, tzinfo=UTC)
        assert essential.due_at == late

    def test_by_day_nothing_is_held(self, ann: Any, noon: datetime) -> None:
        preferences.change(ann, quiet_from=time(22), quiet_to=time(7), time_zone="UTC")
        (delivery,) = emailed(ann)
        assert delivery.due_at == noon

    @time_machine.travel(datetime(2026, 11, 23, 23, tzinfo=UTC))
    def test_held_emails_are_withdrawn_with_the_category(self, ann: Any) -> None:
        preferences.change(ann, quiet_from=time(22), quiet_to=time(7), time_zone="UTC")
        waiting = [*emailed(ann, "exports"), *emailed(ann), *emailed(ann, "security")]
        preferences.change(ann, categories={"exports": "off"})
        states = [Delivery.objects.get(pk=row.pk).state for row in waiting]
        assert states == ["skipped", "pending", "pending"]
        preferences.change(ann, frequency="never")
        states = [Delivery.objects.get(pk=row.pk).state for row in waiting]
        assert states == ["skipped", "skipped", "pending"]

    def test_e_mails_of_others_are_not_withdrawn(self, ann: Any) -> None:
        (theirs,) = emailed(user("bob"))
        preferences.change(ann, frequency="never")
        theirs.refresh_from_db()
        assert theirs.state == Delivery.State.PENDING


class TestCategories:
    def test_declared_ones_come_first_and_the_rest_last(self, ann: Any) -> None:
        emailed(ann, "weekly_report")
        emailed(user("bob"), "secret_plans")
        names = [kind.name for kind in preferences.categories_of(ann)]
        assert names == ["security", "exports", "news", "chatter", "weekly_report", ""]

    def test_they_have_titles(self, ann: Any) -> None:
        emailed(ann, "weekly_report")
        titles = [kind.title for kind in preferences.categories_of(ann)]
        assert titles == [
            "Security", "Exports", "News", "Chatter", "Weekly report", "Everything else",
        ]  # fmt: skip

    def test_a_preference_is_shown_for_a_category_without_messages(self, ann: Any) -> None:
        preferences.change(ann, categories={"gone": "off"})
        assert "gone" in [kind.name for kind in preferences.categories_of(ann)]


class TestUnsubscribing:
    def url(self, who: Any, category: str | None) -> str:
        found = preferences.unsubscribe_url(who, category)
        assert found
        return found

    def test_the_address_is_absolute(self, ann: Any) -> None:
        assert self.url(ann, "exports").startswith("https://example.com/messages/unsubscribe/")

    def test_there_is_none_without_an_address_of_the_site(self, ann: Any, settings: Any) -> None:
        settings.MONITIO_BASE_URL = ""
        assert preferences.unsubscribe_url(ann, "exports") is None

    def test_there_is_none_for_essential_categories(self, ann: Any) -> None:
        assert preferences.unsubscribe_url(ann, "security") is None

    def test_it_differs_by_user_and_category(self, ann: Any) -> None:
        urls = {self.url(who, kind) for who in (ann, user("bob")) for kind in ("exports", "", None)}
        assert len(urls) == 6
