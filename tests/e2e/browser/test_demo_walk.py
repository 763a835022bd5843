"""The demo as its users operate it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser.conftest import Visitor
from tests.support.waiting import wait_until

IMPORTED = "19,712 contacts imported, 288 rejected"


def toast(page: Page, title: str) -> Locator:
    return page.locator("monitio-messages li.toast", has_text=title)


def start(page: Page, task: str) -> None:
    page.locator(f"form[action*='/{task}/'] button").click()


def wait_for_live_connection(page: Page) -> None:
    """Wait for the live connection: later messages pop up in this tab, too."""
    connection = "import('/static/monitio/monitio.js').then(({ monitio }) => monitio.connection)"
    wait_until(lambda: page.evaluate(connection) == "open", 60, "the live connection")


def log_in(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def import_the_sample(page: Page) -> Locator:
    page.get_by_role("button", name="Import the sample").click()
    return toast(page, "Import of contacts.csv")


def test_an_import_pops_up_moves_and_ends_with_a_download(visit: Visitor) -> None:
    page = visit()
    running = import_the_sample(page)
    bar = running.locator("progress")
    expect(bar).to_have_attribute("value", re.compile(r"^[1-9]"))

    expect(running).to_contain_text(IMPORTED)

    expect(bar).to_be_hidden()
    assert running.count() == 1
    with page.expect_download() as download:
        running.get_by_role("link", name="Download contacts-rejected.csv").click()
    rows = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 288 + 1


def test_a_reload_in_the_middle_finds_the_bar_again(visit: Visitor) -> None:
    page = visit()
    running = import_the_sample(page)
    expect(running.locator("progress")).to_have_attribute("value", re.compile(r"^[1-9]"))

    page.reload()

    expect(running.locator("progress")).to_have_attribute("value", re.compile(r"^[1-9]"))
    expect(running).to_contain_text(IMPORTED)
    assert running.count() == 1


def test_a_stranger_costs_no_session_and_no_stream_before_a_task_starts(visit: Visitor) -> None:
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload(wait_until="networkidle")
    # The cookie of the page's forms.
    assert names_of_cookies(page) == {"csrftoken"}
    assert not [url for url in asked if "/messages/" in url]

    # Two parallel requests, both without a session.
    page.evaluate("""() => ["fail", "flaky"].forEach((task) =>
      document.querySelector(`form[action*='/${task}/'] button`).click())""")

    expect(toast(page, "Month-end closing: failed")).to_be_visible()
    expect(toast(page, "Exchange rates")).to_be_visible()
    assert names_of_cookies(page) == {"csrftoken", "sessionid", "monitio_visitor"}


def names_of_cookies(page: Page) -> set[str]:
    return {cookie.get("name", "") for cookie in page.context.cookies()}


def test_a_second_tab_shows_and_closes_the_same_pop_up(visit: Visitor) -> None:
    page = visit()
    log_in(page, "Ann")
    second = page.context.new_page()
    second.goto(page.url)
    for tab in (page, second):
        wait_for_live_connection(tab)
    start(page, "fail")
    for tab in (page, second):
        expect(toast(tab, "Month-end closing: failed")).to_be_visible()

    toast(page, "Month-end closing").get_by_role("button", name="Close").click()

    expect(toast(second, "Month-end closing")).to_have_count(0)


def test_a_user_who_logs_out_and_in_again_sees_the_running_task(visit: Visitor) -> None:
    page = visit()
    log_in(page, "Ann")
    start(page, "minute")
    expect(toast(page, "Yearly archive").locator("progress")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Ann", exact=True)).to_be_visible()
    expect(toast(page, "Yearly archive")).to_have_count(0)

    log_in(page, "Ann")
    expect(toast(page, "Yearly archive")).to_contain_text(re.compile(r"Week \d+ of 52"))


def test_a_visitor_who_logs_in_keeps_the_running_task(visit: Visitor) -> None:
    page = visit()
    running = import_the_sample(page)
    expect(running.locator("progress")).to_be_visible()

    log_in(page, "Bob")

    expect(running).to_contain_text(IMPORTED)


def test_a_failure_shows_its_reason_and_no_traceback(visit: Visitor) -> None:
    page = visit()
    start(page, "fail")

    failed = toast(page, "Month-end closing: failed")

    expect(failed).to_contain_text("Three October invoices have no date.")
    expect(failed).not_to_contain_text("Traceback")
    expect(failed).not_to_contain_text("UserFacingError")


# tests/e2e/demo covers the same outcomes without a browser.
@pytest.mark.variant
def test_a_task_that_fails_twice_stays_one_pop_up(visit: Visitor) -> None:
    page = visit()
    start(page, "flaky")
    asked = toast(page, "Exchange rates")
    expect(asked).to_contain_text("Retry")

    expect(asked).to_contain_text("The bank answered on attempt 3.")

    assert asked.count() == 1


@pytest.mark.variant
def test_eight_parts_share_one_bar(visit: Visitor) -> None:
    page = visit()
    start(page, "chord")
    parts = page.locator("monitio-messages li.toast")
    expect(parts.locator("progress")).to_have_attribute("value", re.compile(r"^[1-9]"))

    expect(parts).to_contain_text("done")

    assert parts.count() == 1


def test_a_message_reaches_its_recipient_and_no_one_else(visit: Visitor) -> None:
    ann, bob, visitor = visit(), visit(), visit()
    log_in(ann, "Ann")
    log_in(bob, "Bob")
    text = "Lunch at noon? <b>&amp;"
    ann.locator("form[action*='send'] input[type=text], form[action*='send'] textarea").fill(text)

    # By keyboard: pop-ups may cover the button; they never cover the focused element.
    ann.get_by_role("button", name="Send").press("Enter")

    expect(toast(bob, text)).to_be_visible()
    for stranger in (ann, visitor):
        stranger.reload()
        expect(stranger.get_by_text(text)).to_have_count(0)


def test_the_inbox_keeps_what_was_missed(visit: Visitor) -> None:
    page = visit()
    start(page, "fail")
    expect(toast(page, "Month-end closing: failed")).to_be_visible()
    toast(page, "Month-end closing").get_by_role("button", name="Close").click()

    page.get_by_role("button", name=re.compile("^Notifications")).click()
    row = page.locator("monitio-bell li", has_text="Month-end closing: failed")
    expect(row).to_be_visible()
    row.get_by_role("button", name="Mark as read").click()

    expect(page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
    page.reload()
    expect(toast(page, "Month-end closing")).to_have_count(0)


def test_everything_is_in_the_visitors_language(visit: Visitor) -> None:
    page = visit()
    page.locator("summary", has_text="EN").click()
    page.get_by_role("button", name="polski").click()
    start(page, "fail")

    expect(page.locator("monitio-messages li.toast")).to_contain_text("faktury")


def test_a_report_arrives_by_mail(visit: Visitor) -> None:
    page = visit()
    log_in(page, "Ann")
    start(page, "report")
    expect(toast(page, "Monthly report: done")).to_be_visible()

    mails = mails_of(page)
    expect(mails.get_by_role("heading", name="Monthly report").first).to_be_visible()


def reload_until(page: Page, condition: Callable[[], bool]) -> None:
    """Reload until the condition holds, as a user without live updates does."""

    def reloaded() -> bool:
        # Not reload(): Chromium refuses it while a navigation commits.
        page.goto(page.url)
        return condition()

    wait_until(reloaded, 60, page.url, interval=0.2)


def mails_of(page: Page) -> Page:
    """The page of e-mails once the worker has sent one; the pop-up may appear earlier."""
    with page.expect_navigation():
        page.get_by_role("link", name="E-mails", exact=True).click()
    reload_until(page, lambda: page.locator("article.mail").count() > 0)
    return page


def test_it_works_without_javascript(visit: Visitor) -> None:
    page = visit(java_script_enabled=False)
    with page.expect_navigation():
        page.get_by_role("button", name="Import the sample").click()
    item = page.locator("monitio-messages li", has_text="Import of contacts.csv")
    reload_until(page, lambda: IMPORTED in page.locator("monitio-messages").inner_text())

    item.get_by_role("button", name="Mark as read").click()
    # Wait for the response before the next click.
    expect(item).to_have_count(0)

    page.locator("header nav").get_by_role("link", name="Notifications").click()
    expect(page.get_by_text(IMPORTED)).to_be_visible()
    expect(page.get_by_role("button", name="Mark as read")).to_have_count(0)
