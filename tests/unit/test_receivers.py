"""What a change of an account rings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitio.recipients import Recipient
from monitio.testing import capture_bells
from monitio.transports.base import RECHECK
from tests.support.people import user

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


def rung_by(deed: Callable[[Any], object]) -> list[tuple[str, str]]:
    ann = user()
    with capture_bells() as bells:
        deed(ann)
    return [(bell.topic, bell.kind) for bell in bells]


@pytest.mark.parametrize("deed", [new_password, deactivate, lambda ann: ann.delete()])
def test_what_ends_a_session_asks_the_streams_to_look(deed: Callable[[Any], object]) -> None:
    topic = Recipient.for_user(user()).topic
    assert rung_by(deed) == [(topic, RECHECK)]


def test_any_other_change_rings_nothing() -> None:
    assert rung_by(rename) == []


def test_a_new_account_rings_nothing() -> None:
    assert rung_by(lambda ann: user("bob", is_active=False)) == []
