"""The list page by keyboard; keys submit the forms of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

import monitio
from monitio import api
from monitio.models import Message
from monitio.stream.broadcaster import get_broadcaster
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _stream(settings: Any) -> Iterator[None]:
    settings.MONITIO_STREAM_HEARTBEAT = 0.5
    yield
    get_broadcaster().stop()


@pytest.fixture
def page(browser: Browser, live_server: Any) -> Iterator[Page]:
    """The list page of ann, with three messages, newest first: three, two, one."""
    ann = user("ann")
    for subject in ("one", "two", "three"):
        api.create_message(ann, monitio.INFO, subject, subject=subject, url=f"/about/{subject}/")
    client = Client()
    client.force_login(ann)
    context = browser.new_context(base_url=live_server.url)
    name, cookie = next(iter(client.cookies.items()))
    context.add_cookies([{"name": name, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/messages/")
    yield page
    context.close()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement.textContent")
    return text


def test_keys_move_from_row_to_row_and_stay_at_the_ends(page: Page) -> None:
    press(page, "j", "ArrowDown", "j", "j")
    assert focused(page) == "one"
    press(page, "k", "ArrowUp", "k")
    assert focused(page) == "three"


def test_keys_mark_and_delete_a_row_and_the_focus_stays_in_its_place(page: Page) -> None:
    press(page, "j", "j", "e")
    expect(page.locator(".monitio-row.unread")).to_have_count(2)
    expect(page.get_by_role("link", name="two")).to_be_focused()
    press(page, "u")
    expect(page.locator(".monitio-row.unread")).to_have_count(3)
    press(page, "#")
    expect(page.locator(".monitio-row")).to_have_count(2)
    expect(page.get_by_role("link", name="one")).to_be_focused()
    assert list(Message.objects.order_by("pk").values_list("subject", flat=True)) == [
        "one",
        "three",
    ]


def test_enter_opens_the_row(page: Page) -> None:
    press(page, "j", "Enter")
    expect(page.locator("h1")).to_have_text("three")


def test_a_slash_goes_to_the_search_and_a_question_mark_shows_the_keys(page: Page) -> None:
    keys = page.get_by_role("group", name="Keyboard shortcuts")
    expect(keys).to_be_hidden()
    press(page, "?")
    expect(keys).to_be_visible()
    press(page, "/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    press(page, "j", "?")
    expect(page.get_by_role("searchbox")).to_have_value("j?")


def test_without_a_hotkey_and_outside_of_the_list_the_keys_are_the_sites(page: Page) -> None:
    page.evaluate("document.querySelector('monitio-bell').tabIndex = 0")
    page.focus("monitio-bell")
    press(page, "?")
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.querySelector('monitio-messages').setAttribute('hotkey', '')")
    press(page, "?", "j")
    expect(page.get_by_role("group", name="Keyboard shortcuts")).to_be_hidden()
    assert page.evaluate("document.activeElement === document.body")


def test_the_outline_of_the_focus_lies_within_its_row(page: Page) -> None:
    press(page, "j")
    # The link hides its overflow, so an outline outside of it would be cut off.
    expect(page.locator(":focus")).to_have_css("outline-offset", "-2px")
    expect(page.locator(":focus")).to_have_css("outline-width", "2px")


def picture(_: Any) -> str:
    return "/media/missing.png"


def test_a_picture_that_cannot_be_loaded_leaves_the_initials(page: Page, settings: Any) -> None:
    settings.MONITIO_AVATAR = f"{__name__}.picture"
    ann, bob = user("ann"), user("bob")
    api.create_message(ann, monitio.INFO, "Lunch?", from_user=bob)
    page.reload()
    expect(page.locator(".monitio-tile.face")).to_have_text("B")
    expect(page.locator(".monitio-tile img")).to_have_count(0)
