"""Deliveries to destinations of users."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.views.debug import ExceptionReporter

import monitio
from monitio import api, dispatch, preferences
from monitio.channels import Channel, PermanentFailure, TemporaryFailure, deliveries, destinations
from monitio.exceptions import UnknownRecipient
from monitio.models import Delivery, Destination, Message
from monitio.recipients import Recipient
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


class Pager(Channel):
    sent: list[Any] = []
    fails: list[Exception] = []
    # The server that is down.
    down = ""

    def server(self, address: Any) -> str:
        return str(address.get("server", ""))

    def send(self, delivery: Delivery) -> None:
        assert delivery.destination is not None
        if Pager.fails:
            raise Pager.fails.pop(0)
        if Pager.down and Pager.down == delivery.destination.address["server"]:
            raise TemporaryFailure("down")
        Pager.sent.append(delivery.destination.address)


class Browser(Pager):
    is_exclusive = True


@pytest.fixture(autouse=True)
def _channels(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MONITIO_CHANNELS = {
        **dict.fromkeys(["pager", "fax"], f"{__name__}.Pager"),
        "browser": f"{__name__}.Browser",
        "email": "monitio.channels.email.channel.EmailChannel",
    }
    Pager.sent, Pager.fails, Pager.down = [], [], ""
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)


def notify(who: Any, **more: Any) -> Message:
    return api.create_message(who, monitio.INFO, "text", via={"pager": True}, **more)


def deliver() -> list[str]:
    """Send what is due; returns the states of all deliveries."""
    deliveries.run_due()
    return [row.state for row in Delivery.objects.order_by("pk")]


def test_an_address_that_looks_encrypted_is_refused(ann: Any) -> None:
    with pytest.raises(ValueError, match="like an encrypted one"):
        destinations.add(ann, "pager", "encrypted:x")
    assert not Destination.objects.exists()


def test_each_destination_of_the_recipient_on_the_channel_gets_a_delivery(
    ann: Any, bob: Any
) -> None:
    first = destinations.add(ann, "pager", {"n": 1})
    second = destinations.add(ann, "pager", {"n": 2})
    destinations.add(ann, "fax", {"n": 3}), destinations.add(bob, "pager", {"n": 4})
    notify(ann)
    assert {row.target for row in Delivery.objects.all()} == {first.key, second.key}
    assert deliver() == ["sent", "sent"]
    assert Pager.sent == [{"n": 1}, {"n": 2}]


def test_a_user_without_a_destination_gets_no_delivery(ann: Any) -> None:
    notify(ann)
    assert not Delivery.objects.exists()


def test_the_number_of_queries_does_not_depend_on_the_number_of_users() -> None:
    counts = []
    for number in (2, 20):
        people = [user(f"user{number}-{index}") for index in range(number)]
        for who in people:
            destinations.add(who, "pager", {"of": who.username})
        with CaptureQueriesContext(connection) as queries:
            api.notify_many(people, monitio.INFO, "text", via={"pager": True})
        counts.append(len(queries))
    assert Delivery.objects.count() == 22
    assert counts[0] == counts[1]


def test_a_destination_can_be_limited_to_categories(ann: Any) -> None:
    destinations.add(ann, "pager", {"n": 1}, categories=["alarms"])
    notify(ann, category="exports"), notify(ann, category="alarms")
    assert [row.message.category for row in Delivery.objects.all()] == ["alarms"]


def test_an_address_added_twice_is_one_destination(ann: Any) -> None:
    first = destinations.add(ann, "pager", {"a": 1, "b": 2})
    destinations.switch(ann, first.pk, on=False)
    again = destinations.add(ann, "pager", {"b": 2, "a": 1}, label="Mine")
    assert (again.pk, again.label, again.disabled_at) == (first.pk, "Mine", None)


def test_two_users_may_have_the_same_address(ann: Any, bob: Any) -> None:
    destinations.add(ann, "pager", {"n": 1}), destinations.add(bob, "pager", {"n": 1})
    assert Destination.objects.count() == 2


def test_an_exclusive_address_moves_to_the_user_who_adds_it(ann: Any, bob: Any) -> None:
    destinations.add(ann, "browser", {"n": 1})
    api.create_message(ann, monitio.INFO, "text", via={"browser": True})
    destinations.add(bob, "browser", {"n": 1})
    assert (destinations.of_user(ann), len(destinations.of_user(bob))) == ([], 1)
    assert deliver() == ["skipped"]
    assert Pager.sent == []


def test_a_visitor_has_no_destinations() -> None:
    with pytest.raises(UnknownRecipient):
        destinations.add(Recipient.for_visitor("t"), "pager", {})
    with pytest.raises(ValueError, match="no address on any channel"):
        api.create_message(Recipient.for_visitor("t"), monitio.INFO, "text", via={"pager": True})


def test_an_unknown_channel_is_refused(ann: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="There is no channel 'telex'"):
        destinations.add(ann, "telex", {})


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (destinations.remove, "Its destination was removed."),
        (lambda who, pk: destinations.switch(who, pk, on=False), "by the user."),
    ],
)
def test_what_is_pending_for_a_removed_destination_is_skipped(
    ann: Any, act: Any, reason: str
) -> None:
    row = destinations.add(ann, "pager", {"n": 1})
    notify(ann)
    assert act(ann, row.pk)
    assert deliver() == ["skipped"]
    assert Delivery.objects.get().error.endswith(reason)


def test_a_user_can_change_only_their_own_destinations(ann: Any, bob: Any) -> None:
    row = destinations.add(ann, "pager", {"n": 1})
    assert not destinations.remove(bob, row.pk)
    assert not destinations.switch(bob, row.pk, on=False)
    row.refresh_from_db()
    assert row.disabled_at is None


def test_a_target_that_is_gone_is_disabled_with_the_reason(ann: Any) -> None:
    gone, other = destinations.add(ann, "pager", {"n": 1}), destinations.add(ann, "pager", {"n": 2})
    notify(ann)
    Pager.fails = [PermanentFailure("410 Gone", is_gone=True)]
    assert deliver() == ["failed", "sent"]
    gone.refresh_from_db(), other.refresh_from_db()
    assert (gone.reason, bool(gone.disabled_at), other.disabled_at) == ("410 Gone", True, None)
    notify(ann)
    assert Delivery.objects.latest("pk").target == other.key


def test_a_target_is_disabled_after_failures_in_a_row(ann: Any) -> None:
    row = destinations.add(ann, "pager", {"n": 1})

    def fail(times: int) -> None:
        for _ in range(times):
            notify(ann)
            Pager.fails = [PermanentFailure("no")]
            deliver()

    fail(destinations.MOST_FAILURES - 1)
    notify(ann), deliver()
    fail(destinations.MOST_FAILURES - 1)
    row.refresh_from_db()
    assert (row.disabled_at, row.failures) == (None, destinations.MOST_FAILURES - 1)
    fail(1)
    row.refresh_from_db()
    assert row.disabled_at


def test_a_server_that_is_down_delays_no_other(ann: Any) -> None:
    for number in range(deliveries.FAILURES_IN_A_ROW + 2):
        destinations.add(ann, "pager", {"server": "down", "n": number})
    destinations.add(ann, "pager", {"server": "up"})
    notify(ann)
    api.create_message(ann, monitio.INFO, "text", email=True)
    Pager.down = "down"
    assert deliveries.run_due() == (2, deliveries.FAILURES_IN_A_ROW)
    assert Pager.sent == [{"server": "up"}]


def test_deliveries_for_a_server_that_is_down_do_not_block_later_ones(ann: Any) -> None:
    for name in ("down", "up"):
        destinations.add(ann, "pager", {"server": name})
    for _ in range(4):
        notify(ann)
    Delivery.objects.filter(target=Destination.objects.order_by("pk")[0].key).update(
        due_at=timezone.now() - timedelta(hours=1)
    )
    Pager.down = "down"
    assert deliveries.run_due(3) == (2, 1)


def test_a_run_ends_however_much_waits_for_a_server_that_is_down(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "LOOKS", 2)
    destinations.add(ann, "pager", {"server": "down"})
    for _ in range(12):
        notify(ann)
    Pager.down = "down"
    with CaptureQueriesContext(connection) as queries:
        assert deliveries.run_due(2) == (0, 1)
    assert sum(" OFFSET " in query["sql"] for query in queries) <= 3


def test_an_address_that_cannot_be_read_delays_no_other(ann: Any) -> None:
    destinations.add(ann, "pager", {"n": 1})
    notify(ann)
    api.create_message(ann, monitio.INFO, "text", email=True)
    # Encrypted with a key that the site has lost.
    Destination.objects.update(address="encrypted:x")
    assert deliveries.run_due()[0] == 1
    assert set(Delivery.objects.values_list("channel", "state")) == {
        ("pager", "failed"),
        ("email", "sent"),
    }


def test_a_destination_that_is_down_is_tried_once_per_run(ann: Any) -> None:
    for name in ("one", "two"):
        destinations.add(ann, "pager", {"server": name})
    for _ in range(3):
        notify(ann)
    Pager.down = "one"
    assert deliveries.run_due() == (3, 1)


def test_quiet_hours_hold_a_retry_too(ann: Any) -> None:
    destinations.add(ann, "pager", {"n": 1})
    preferences.change(ann, quiet_from=time(22), quiet_to=time(7), time_zone="UTC")
    with time_machine.travel(datetime(2026, 11, 23, 21, 59, 59, tzinfo=UTC)):
        notify(ann)
        Pager.fails = [TemporaryFailure("down")]
        assert deliver() == ["pending"]
    with time_machine.travel(datetime(2026, 11, 23, 22, 30, tzinfo=UTC)):
        assert deliver() == ["pending"]
    row = Delivery.objects.get()
    assert (row.due_at, row.attempts) == (datetime(2026, 11, 24, 7, tzinfo=UTC), 1)
    with time_machine.travel(row.due_at):
        assert deliver() == ["sent"]


def test_nothing_is_sent_to_a_user_who_is_not_active(ann: Any) -> None:
    destinations.add(ann, "pager", {"number": 1})
    notify(ann)
    type(ann).objects.filter(pk=ann.pk).update(is_active=False)
    deliveries.run_due()
    assert Pager.sent == []
    assert Delivery.objects.get().error == "The user is not active."


def test_error_reports_do_not_show_what_is_added(ann: Any, monkeypatch: Any) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("defect")

    monkeypatch.setattr(type(Destination.objects), "update_or_create", fail)
    with pytest.raises(RuntimeError) as caught:
        destinations.add(ann, "pager", {"number": 4711 * 4711})
    # Without the frame of this test, which has the secret in its locals.
    frames = caught.tb.tb_next
    report = ExceptionReporter(None, caught.type, caught.value, frames).get_traceback_html()
    assert "update_or_create" in report and str(4711 * 4711) not in report


class TestPreferences:
    def test_a_category_is_switched_off_on_one_channel(self, ann: Any) -> None:
        destinations.add(ann, "pager", {"n": 1}), destinations.add(ann, "fax", {"n": 2})
        preferences.change(ann, channels={"pager": {"exports": "off"}})
        via = {"pager": True, "fax": True, "email": True}
        api.create_message(ann, monitio.INFO, "text", via=via, category="exports")
        assert {row.channel for row in Delivery.objects.all()} == {"fax", "email"}

    def test_what_is_pending_on_the_channel_is_withdrawn(self, ann: Any) -> None:
        destinations.add(ann, "pager", {"n": 1})
        api.create_message(
            ann, monitio.INFO, "a", via={"pager": True, "email": True}, category="exports"
        )
        preferences.change(ann, channels={"pager": {"exports": "off"}})
        states = dict(Delivery.objects.values_list("channel", "state"))
        assert states == {"pager": "skipped", "email": "pending"}

    def test_never_applies_to_e_mails_only(self, ann: Any) -> None:
        destinations.add(ann, "pager", {"n": 1})
        preferences.change(ann, frequency="never")
        notify(ann)
        assert Delivery.objects.get().channel == "pager"

    def test_essential_ones_are_sent_whatever_was_chosen(self, ann: Any, settings: Any) -> None:
        destinations.add(ann, "pager", {"n": 1})
        preferences.change(ann, channels={"pager": {"security": "off"}})
        settings.MONITIO_CATEGORIES = {"security": {"essential": True}}
        notify(ann, category="security")
        assert Delivery.objects.exists()

    def test_what_the_site_leaves_off_is_off_on_every_channel(
        self, ann: Any, settings: Any
    ) -> None:
        settings.MONITIO_CATEGORIES = {"news": {"default": "off"}}
        destinations.add(ann, "pager", {"n": 1})
        notify(ann, category="news")
        assert not Delivery.objects.exists()
        preferences.change(ann, channels={"pager": {"news": "at_once"}})
        notify(ann, category="news")
        assert Delivery.objects.exists()

    def test_only_e_mails_have_digests(self, ann: Any) -> None:
        with pytest.raises(ValueError, match="Only e-mails have digests"):
            preferences.change(ann, channels={"pager": {"exports": "digest"}})


class TestDisabledAddresses:
    @pytest.fixture(autouse=True)
    def _bounced(self, ann: Any) -> None:
        destinations.disable_email([ann], "Ann@example.com", "It bounced.")

    def test_nothing_is_sent_to_it(self, ann: Any, mailoutbox: list[Any]) -> None:
        api.create_message(ann, monitio.INFO, "text", email=True)
        assert deliver() == ["skipped"]
        assert Delivery.objects.get().error == "This address is disabled: It bounced."
        assert not mailoutbox

    def test_a_new_address_is_used(self, ann: Any, mailoutbox: list[Any]) -> None:
        ann.email = "ann@example.org"
        ann.save()
        api.create_message(ann, monitio.INFO, "text", email=True)
        assert deliver() == ["sent"]

    def test_another_user_is_not_affected(self, bob: Any, mailoutbox: list[Any]) -> None:
        api.create_message(bob, monitio.INFO, "text", email=True)
        assert deliver() == ["sent"]

    def test_the_user_can_turn_it_on_again(self, ann: Any, mailoutbox: list[Any]) -> None:
        (row,) = destinations.of_user(ann)
        destinations.switch(ann, row.pk, on=True)
        api.create_message(ann, monitio.INFO, "text", email=True)
        assert deliver() == ["sent"]

    def test_no_digest_is_written_for_it(self, ann: Any, mailoutbox: list[Any]) -> None:
        from monitio.testing import run_digests

        preferences.change(ann, frequency="daily")
        api.create_message(ann, monitio.INFO, "text")
        assert run_digests(at=datetime(2099, 1, 1, tzinfo=UTC)) == []
