"""The fault tests' pages detect wrong, doubled and missing messages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.faults.pages import Page


def message(pk: int, version: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": pk, "version": version, "seq": 0, "seen": False, "body": "user:1", **more}


def snapshot(*messages: dict[str, Any], floor: int = 0) -> dict[str, Any]:
    return {"messages": list(messages), "unread": 0, "floor": floor}


@pytest.fixture
def page() -> Page:
    page = Page("user:1")
    page.take("snapshot", snapshot(message(1)))
    return page


def test_a_page_that_shows_what_a_reload_shows(page: Page) -> None:
    page.take("message", message(2))
    page.take("message", message(2, 3, read=True))
    page.take("message", message(2, 2))
    assert page.differs_from(snapshot(message(2, 3, read=True), message(1))) == ""
    assert page.shown == {1: 1, 2: 1}


@pytest.mark.parametrize(
    ("fresh", "difference"),
    [
        (snapshot(message(1), message(2)), r"missing \[2\]"),
        (snapshot(), r"too many \[1\]"),
        (snapshot(message(1, 2)), r"different \[1\]"),
    ],
)
def test_a_page_that_does_not(page: Page, fresh: dict[str, Any], difference: str) -> None:
    assert re.search(difference, page.differs_from(fresh))


def test_below_the_floor_a_snapshot_decides_nothing(page: Page) -> None:
    page.take("snapshot", snapshot(message(5), floor=5))
    assert sorted(page.messages) == [1, 5]
    assert page.differs_from(snapshot(message(5), floor=5)) == ""


def test_what_was_away_for_a_while_pops_up_twice(page: Page) -> None:
    page.take("snapshot", snapshot())
    page.take("message", message(1))
    assert page.shown[1] == 1, "only a snapshot brings it back"
    page.take("snapshot", snapshot(message(1)))
    assert page.shown[1] == 2


def test_gone_is_final(page: Page) -> None:
    page.take("gone", {"ids": [1]})
    page.take("message", message(1, 2))
    page.take("snapshot", snapshot(message(1, 2)))
    assert page.messages == {}


def test_what_was_seen_elsewhere_does_not_pop_up(page: Page) -> None:
    page.take("message", message(2, seen=True))
    assert not page.shown[2]
