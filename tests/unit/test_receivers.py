"""Events that changes of accounts publish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from monitio.recipients import Recipient, session_mark
from monitio.testing import capture_events
from monitio.transports import Event
from monitio.transports.events import EVERYBODY, RECHECK
from tests.support.people import user, visitor_of

pytestmark = pytest.mark.django_db(transaction=True)


def new_password(ann: Any) -> None:
    ann.set_password("other")
    ann.save()


def deactivate(ann: Any) -> None:
    ann.is_active = False
    ann.save(update_fields=["is_active"])


def rename(ann: Any) -> None:
    ann.first_name = "Ann"
    ann.save()


def events_of(action: Callable[[Any], object]) -> list[tuple[str, str]]:
    ann = user()
    with capture_events() as events:
        action(ann)
    return [(event.topic, event.kind) for event in events]


@pytest.mark.parametrize("action", [new_password, deactivate, lambda ann: ann.delete()])
def test_a_change_that_ends_a_session_publishes_a_recheck(action: Callable[[Any], object]) -> None:
    topic = Recipient.for_user(user()).topic
    assert events_of(action) == [(topic, RECHECK)]


def test_any_other_change_publishes_nothing() -> None:
    assert events_of(rename) == []


def test_a_new_account_publishes_nothing() -> None:
    assert events_of(lambda ann: user("bob", is_active=False)) == []


def log_in(browser: Client, name: str) -> list[Event]:
    """Log in by the view; returns the published events about sessions."""
    user(name)
    with capture_events() as events:
        answer = browser.post("/login/", {"username": name, "password": "secret"})
    assert answer.status_code == 302
    return [event for event in events if event.topic == EVERYBODY]


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "signed_cookies"])
def test_a_log_in_as_another_user_publishes_for_the_session_it_ends(
    client: Client, settings: Any, engine: str
) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    log_in(client, "ann")
    old_key = client.cookies["sessionid"].value
    assert log_in(client, "bob") == [
        Event(EVERYBODY, RECHECK, {"session": session_mark(old_key)}),
    ]


def test_the_key_of_a_session_never_leaves_the_process(client: Client) -> None:
    log_in(client, "ann")
    old_key = client.cookies["sessionid"].value
    (event,) = log_in(client, "bob")
    assert old_key not in event.encode().decode()


def test_a_log_in_without_another_user_publishes_for_no_session(client: Client) -> None:
    visitor_of(client)
    assert log_in(client, "ann") == []
    # A second log-in of the same user.
    assert log_in(client, "ann") == []


def test_a_log_in_outside_of_a_browser_publishes_for_no_session() -> None:
    with capture_events() as events:
        Client().force_login(user())
    assert list(events) == []
