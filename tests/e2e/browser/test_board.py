"""The admin's board of jobs in a browser, under the strictest content security policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, Route, expect

from monitio import dispatch
from monitio.constants import State
from monitio.models import Job
from monitio.stream.broadcaster import get_broadcaster
from tests.conftest import needs_packages
from tests.e2e.browser import board
from tests.e2e.browser.conftest import TIMEOUT
from tests.e2e.browser.scenes import PACKAGES, dark
from tests.e2e.browser.test_axe import EXAMINE
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective, sample }) =>
  violations.push(`${violatedDirective} ${sample}`));
"""


def apply_policy(route: Route) -> None:
    response = route.fetch()
    headers = {**response.headers, "content-security-policy": POLICY}
    route.fulfill(response=response, headers=headers)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were retried or cancelled."""
    calls: list[str] = []
    monkeypatch.setattr(dispatch, "hooks", dispatch.Hooks())

    def start(job: Job, call: Any) -> None:
        calls.append(job.task_id)
        Job.objects.filter(pk=job.pk).update(state=State.QUEUED, rank=0, finished_at=None)

    dispatch.hooks.retry["tests"] = start
    dispatch.hooks.cancel[""] = calls.append
    return calls


@pytest.fixture
def page(browser: Browser, live_server: Any, started: list[str]) -> Iterator[Page]:
    ann = user(is_staff=True, is_superuser=True)
    board.fill(ann, user("bob"))
    client = Client()
    client.force_login(ann)
    context = browser.new_context(base_url=live_server.url, locale="en-GB", reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    context.add_cookies([{**cookie, "url": live_server.url}])  # type: ignore[list-item]
    # By a route, because Django loads the site's middleware once for all tests.
    context.route(f"**{board.PATH}", apply_policy)
    page = context.new_page()
    page.add_init_script(NOTE_VIOLATIONS)
    page.goto(board.PATH)
    yield page
    assert page.evaluate("violations") == []
    context.close()
    get_broadcaster().stop()


def test_the_browser_reports_what_the_policy_forbids(page: Page) -> None:
    page.evaluate("() => { try { document.body.innerHTML = 'x' } catch {} }")
    page.wait_for_function("violations.length")
    # Every other test here fails on a report.
    assert "innerHTML" in page.evaluate("violations.pop()")


def test_it_shows_what_happens_while_it_is_open(page: Page) -> None:
    running = page.get_by_role("region", name="Running now")
    expect(running.get_by_role("row")).to_have_count(5)
    link = running.get_by_role("link", name="Import contacts")
    link.focus()
    Job.objects.filter(name=board.IMPORT, state=State.STARTED).update(completed=16_000)
    expect(running).to_contain_text("80%")
    # The replaced element keeps the focus.
    expect(link).to_be_focused()
    expect(page.locator("[data-status]")).to_have_text("Live")


def test_updates_can_be_paused(page: Page) -> None:
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    button = page.get_by_role("button", name="Pause updates")

    def pause(route: Route) -> None:
        # While a response is awaited.
        button.click()
        route.continue_()

    page.route("**/?*live=1", pause, times=1)
    expect(page.locator("[data-status]")).to_have_text("Paused")
    seen = len(polls)
    Job.objects.filter(state=State.STARTED).update(state=State.SUCCEEDED)
    page.clock.install()
    page.clock.run_for(10_000)
    assert len(polls) == seen
    button.click()
    expect(page.get_by_text("No job is running.")).to_be_visible()


def test_the_status_shows_when_the_site_cannot_be_reached(page: Page) -> None:
    page.route("**/?*live=1", lambda route: route.abort())
    expect(page.locator("[data-status]")).to_have_text("Offline")
    page.unroute("**/?*live=1")
    expect(page.locator("[data-status]")).to_have_text("Live")


def test_a_session_that_has_ended_does_not_show_the_log_in_inside_the_board(page: Page) -> None:
    page.context.clear_cookies()
    expect(page.locator("[data-status]")).to_have_text("Offline")
    expect(page.get_by_role("region", name="Running now")).to_be_visible()


def test_jobs_are_tried_again_and_cancelled(page: Page, started: list[str]) -> None:
    page.get_by_role("button", name="Try all again").click()
    expect(page.locator("[data-answer]")).to_have_text("37 jobs started again.")
    assert len(started) == 37
    page.get_by_role("button", name="Cancel: Yearly archive").click()
    expect(page.locator("[data-answer]")).to_have_text("Cancellation requested.")
    assert started[-1] == "running1"


def test_axe_reports_no_violation(page: Page) -> None:
    needs_packages()
    # Without the policy, which blocks axe.
    page.context.unroute(f"**{board.PATH}")
    page.reload()
    found = {}
    for name, switch in {"light": lambda page: None, "dark": dark}.items():
        switch(page)
        page.evaluate((PACKAGES / "axe-core/axe.min.js").read_text())
        found[name] = page.evaluate(EXAMINE, ["#jobs-board"])
    assert found == {"light": [], "dark": []}
