"""E-mail preferences and unsubscribing, with and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

import monitio
from monitio import api, preferences
from monitio.preferences.choices import Frequency, Mode
from monitio.stream.broadcaster import get_broadcaster
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

OpenWindow = Callable[..., Page]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> Iterator[None]:
    settings.MONITIO_BASE_URL = "https://example.com"
    settings.MONITIO_CATEGORIES = {
        "exports": {"title": "Exports"},
        "security": {"title": "Security", "essential": True},
    }
    settings.MONITIO_STREAM_HEARTBEAT = 0.5
    yield
    get_broadcaster().stop()


@pytest.fixture(params=[True, False], ids=["javascript", "plain"])
def open_window(
    request: pytest.FixtureRequest, browser: Browser, live_server: Any
) -> Iterator[OpenWindow]:
    """Open a private window, 320 pixels wide; an error of its scripts fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_one() -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            java_script_enabled=request.param,
            locale="en-GB",
            timezone_id="Asia/Tokyo",
            viewport={"width": 320, "height": 640},
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_window: OpenWindow, live_server: Any, client: Client) -> Page:
    """A page in which ann is logged in."""
    client.force_login(user())
    page = open_window()
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    page.context.add_cookies([{**cookie, "url": live_server.url}])
    return page


def test_preferences_are_changed_from_the_inbox(page: Page) -> None:
    api.create_message(user(), monitio.INFO, "one", category="weekly_report")
    page.goto("/messages/")
    page.get_by_role("link", name="Notification settings").click()
    main = page.locator("main")
    # Only digests have an hour, and only weekly ones a day.
    expect(main.get_by_label("Digest at")).to_be_hidden()
    main.get_by_label("E-mail me").select_option("weekly")
    expect(main.get_by_label("Weekly digest on")).to_be_visible()
    main.get_by_label("E-mail me").select_option("daily")
    expect(main.get_by_label("Weekly digest on")).to_be_hidden()
    main.get_by_label("Digest at").select_option("7")
    main.get_by_label("Time zone").select_option("Europe/Warsaw")
    main.get_by_label("From").fill("22:00")
    main.get_by_label("Until").fill("06:30")
    main.get_by_label("Weekly report").select_option("off")
    main.get_by_role("button", name="Save").click()

    expect(main.get_by_role("status")).to_have_text("Saved.")
    expect(main.get_by_label("E-mail me")).to_have_value("daily")
    expect(main.get_by_label("From")).to_have_value("22:00")
    expect(main.get_by_text("Your next digest:")).to_be_visible()
    row = preferences.for_user(user())
    assert (row.frequency, row.hour, row.time_zone) == (Frequency.DAILY, 7, "Europe/Warsaw")
    assert (row.quiet_from, row.quiet_to) == (time(22), time(6, 30))
    assert (row.mode("weekly_report"), row.mode("exports")) == (Mode.OFF, Mode.DIGEST)


def test_a_mistake_is_shown_and_what_was_typed_stays(page: Page) -> None:
    page.goto("/messages/preferences/")
    main = page.locator("main")
    main.get_by_label("E-mail me").select_option("weekly")
    main.get_by_label("From").fill("22:00")
    main.get_by_role("button", name="Save").click()

    expect(main.get_by_role("alert")).to_contain_text("Quiet hours need a start and an end.")
    expect(main.get_by_label("E-mail me")).to_have_value("weekly")


def test_essential_kinds_are_named_and_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.goto("/messages/preferences/")
    main = page.locator("main")
    expect(main.get_by_role("row").filter(has_text="Security")).to_contain_text("Always sent")
    expect(main.get_by_label("Security")).to_have_count(0)
    widths = page.locator("main, form, fieldset, select").evaluate_all(
        "nodes => nodes.map(node => node.getBoundingClientRect().right)"
    )
    assert max(widths) <= 320


def test_the_time_zone_of_the_browser_is_proposed(
    page: Page, request: pytest.FixtureRequest, settings: Any
) -> None:
    settings.TIME_ZONE = "UTC"
    page.goto("/messages/preferences/")
    proposal = page.locator("[data-zone]")
    if "plain" in request.node.name:
        expect(proposal).to_be_hidden()
        return
    expect(proposal).to_contain_text("Your browser’s time zone is Asia/Tokyo.")
    proposal.get_by_role("button", name="Use it").click()
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
    expect(proposal).to_be_hidden()


def test_unsubscribing_without_a_log_in_and_subscribing_again(open_window: OpenWindow) -> None:
    stranger = open_window()
    link = preferences.unsubscribe_url(user(), "exports")
    assert link
    stranger.goto(urlsplit(link).path)
    expect(stranger.locator("main")).to_contain_text("“Exports”")
    assert preferences.get(user(), "exports") == Mode.AT_ONCE

    stranger.get_by_role("button", name="Unsubscribe").click()
    expect(stranger.get_by_role("status")).to_contain_text("You’ve been unsubscribed")
    assert preferences.get(user(), "exports") == Mode.OFF

    stranger.get_by_role("button", name="Undo").click()
    expect(stranger.get_by_role("status")).to_have_text(
        "Your previous preferences have been restored."
    )
    assert preferences.get(user(), "exports") == Mode.AT_ONCE
    assert stranger.context.cookies() == []


def test_a_truncated_link_is_explained(open_window: OpenWindow) -> None:
    stranger = open_window()
    response = stranger.goto("/messages/unsubscribe/WyIxIiwiZXhwb3J/")
    assert response is not None and response.status == 400
    expect(stranger.get_by_role("alert")).to_contain_text("This link is invalid")
