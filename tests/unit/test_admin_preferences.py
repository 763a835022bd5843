"""Preferences and digests in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import monitio
from monitio import api, preferences
from monitio.digests import sender as digests
from monitio.exceptions import PermanentFailure
from monitio.models import Digest, Preferences
from monitio.testing import run_digests
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser(client: Client, settings: Any) -> Client:
    settings.MONITIO_CATEGORIES = {"security": {"essential": True}}
    client.force_login(user("root", is_superuser=True, is_staff=True))
    return client


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:monitio_{model}_{name}", args=args)


def form(*choices: dict[str, Any], initial: int = 0, **values: Any) -> dict[str, Any]:
    empty = {
        "user": "", "frequency": "daily", "weekday": 0, "hour": 8, "time_zone": "",
        "quiet_from": "", "quiet_to": "", "language": "",
        "choices-TOTAL_FORMS": len(choices), "choices-INITIAL_FORMS": initial,
    }  # fmt: skip
    rows = {
        f"choices-{number}-{name}": value
        for number, choice in enumerate(choices)
        for name, value in {"channel": "email", **choice}.items()
    }
    return {**empty, **rows, **values}


def errors_of(response: Any) -> str:
    return str(response.context["errors"])


def test_staff_choose_for_a_user_and_a_digest_is_planned(browser: Client) -> None:
    ann = user()
    values = form({"category": "exports", "mode": "off"}, user=ann.pk, time_zone="Asia/Tokyo")
    assert browser.post(page("preferences", "add"), values).status_code == 302
    row = preferences.for_user(ann)
    assert (row.frequency, row.mode("exports"), row.zone.key) == ("daily", "off", "Asia/Tokyo")
    assert row.next_digest_at and row.next_digest_at > timezone.now()


def test_a_change_plans_the_next_digest(browser: Client) -> None:
    row = preferences.change(user(), frequency="daily", categories={"exports": "off"})
    choice = row.choices.get()
    values = form(
        {"id": choice.pk, "preferences": row.pk, "category": "exports", "DELETE": "on"},
        initial=1,
        frequency="never",
    )
    assert browser.post(page("preferences", "change", row.pk), values).status_code == 302
    row = preferences.for_user(user())
    assert (row.frequency, row.next_digest_at) == ("never", None)
    assert row.chosen["exports"].mode == ""


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"time_zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"quiet_from": "22:00"}, "a start and an end"),
        ({"hour": 24}, "23"),
    ],
)
def test_a_wrong_value_is_reported(browser: Client, values: dict[str, Any], error: str) -> None:
    response = browser.post(page("preferences", "add"), form(user=user().pk, **values))
    assert error in errors_of(response)


def test_what_is_essential_cannot_be_switched_off(browser: Client) -> None:
    values = form({"category": "security", "mode": "off"}, user=user().pk)
    assert "Essential" in errors_of(browser.post(page("preferences", "add"), values))


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> Digest:
    def refuse(letter: Any) -> None:
        raise PermanentFailure("550 no such user")

    preferences.change(user(), frequency="daily")
    api.create_message(user(), monitio.INFO, "one")
    with monkeypatch.context() as patched:
        patched.setattr(digests, "send", refuse)
        run_digests(timezone.now() + timedelta(days=1))
    return Digest.objects.get()


def send_again(browser: Client, digest: Digest) -> None:
    values = {"action": "send_again", "_selected_action": [digest.pk]}
    browser.post(page("digest", "changelist"), values)


def test_the_reason_of_a_failure_is_shown(browser: Client, failed: Digest) -> None:
    assert "550 no such user" in browser.get(page("digest", "changelist")).content.decode()


def test_a_failed_digest_is_sent_again(browser: Client, failed: Digest) -> None:
    send_again(browser, failed)
    (letter,) = run_digests(timezone.now())
    assert letter.to == ["ann@example.com"]
    failed.refresh_from_db()
    assert failed.state == "sent"


def test_not_to_a_user_who_has_turned_digests_off(browser: Client, failed: Digest) -> None:
    preferences.change(user(), frequency="never")
    send_again(browser, failed)
    assert run_digests(timezone.now()) == []
    failed.refresh_from_db()
    assert failed.state == "failed"


def test_a_user_who_now_gets_single_emails_still_gets_it_once(
    browser: Client, failed: Digest
) -> None:
    preferences.change(user(), frequency="at_once")
    send_again(browser, failed)
    assert len(run_digests(timezone.now())) == 1
    assert Preferences.objects.get().next_digest_at is None


def test_digests_are_not_made_or_changed_by_hand(browser: Client, failed: Digest) -> None:
    assert browser.get(page("digest", "add")).status_code == 403
    response = browser.get(page("digest", "change", failed.pk))
    assert b'name="_save"' not in response.content
