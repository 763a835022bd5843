"""Bounces and complaints as django-anymail reports them."""

from __future__ import annotations

from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason

from monitio import scope
from monitio.channels import destinations
from monitio.channels.email.bounces import disable_address
from tests.support import scopes


def report(event_type: str, **more: Any) -> None:
    event = AnymailTrackingEvent(event_type=event_type, recipient="Ann@example.com", **more)
    disable_address(sender=None, event=event, esp_name="Test")


def disabled_reason(who: Any) -> str:
    return destinations.why_no_email(who, who.email)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"event_type": EventType.COMPLAINED}, "An e-mail was reported as spam."),
        (
            {"event_type": EventType.BOUNCED, "mta_response": "550 no such user"},
            "It bounced: 550 no such user",
        ),
        ({"event_type": EventType.BOUNCED}, "It bounced."),
        ({"event_type": EventType.BOUNCED, "reject_reason": RejectReason.TIMED_OUT}, ""),
        ({"event_type": EventType.DEFERRED}, ""),
        ({"event_type": EventType.DELIVERED}, ""),
    ],
)
def test_what_disables_an_address(ann: Any, bob: Any, event: Any, reason: str) -> None:
    report(**event)
    assert (disabled_reason(ann), disabled_reason(bob)) == (reason, "")


def test_a_second_report_changes_the_reason(ann: Any) -> None:
    report(EventType.BOUNCED)
    report(EventType.COMPLAINED)
    assert disabled_reason(ann) == "An e-mail was reported as spam."


def test_every_tenant_disables_it(ann: Any, settings: Any) -> None:
    settings.MONITIO_SCOPE = scopes.PATH
    report(EventType.BOUNCED)
    for name in ("a", "b"):
        with scope.activate(name):
            assert disabled_reason(ann) == "It bounced."


def test_an_address_of_no_user_is_ignored(db: None) -> None:
    report(EventType.BOUNCED)
