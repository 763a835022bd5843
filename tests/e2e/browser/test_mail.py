"""A message seen in an open page is not e-mailed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from monitio import dispatch
from monitio.channels import deliveries
from monitio.jobs.reporter import MessageContent, Outcome
from monitio.models import Delivery, Message
from tests.support.jobs import reporter
from tests.support.people import user
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def unless_seen(outcome: Outcome) -> MessageContent:
    return MessageContent(subject=f"Report: {outcome.state}", email="unless_seen")


@pytest.fixture
def page(browser: Browser, live_server: Any, settings: Any, client: Client) -> Any:
    """A page of the site in which ann is signed in."""
    settings.MONITIO_STREAM_HEARTBEAT = 0.5
    client.force_login(user())
    context = browser.new_context(base_url=live_server.url)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    context.add_cookies([{**cookie, "url": live_server.url}])
    page = context.new_page()
    page.goto("/messages/")
    yield page
    context.close()


def test_a_user_who_saw_the_job_finish_gets_no_email(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    job = reporter(user(), render=unless_seen)
    job.started()
    pop_up = page.locator("monitio-messages li.toast")
    expect(pop_up).to_contain_text("Report")
    assert not Message.objects.get().seen

    job.succeeded()

    expect(pop_up).to_contain_text("Report: succeeded")
    wait_until(lambda: Message.objects.get().seen, message="the report of what the page showed")
    assert not Message.objects.get().read
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert deliveries.run_due() == (0, 0)
    assert Delivery.objects.get().state == "skipped"
    assert mail.outbox == []
