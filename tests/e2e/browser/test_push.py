"""Push notifications, from the button to the notification that is replaced in place.

Chromium reaches no push service: the page subscribes with the tests' keys, and DevTools pass what
the push service receives to the worker. Firefox subscribes and decrypts itself.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from playwright.sync_api import Browser, CDPSession, Page, Route, expect

from monitio import dispatch
from monitio.channels import deliveries
from monitio.channels.webpush import new_private_key
from monitio.jobs.options import NotifyOptions
from monitio.models import Destination
from monitio.stream.broadcaster import get_broadcaster
from monitio.utils import outbound
from tests.e2e.browser.conftest import Visitor
from tests.e2e.browser.engines import Firefox
from tests.support.jobs import reporter
from tests.support.people import user
from tests.support.servers.autopush import DELIVERED, Autopush
from tests.support.servers.push import PushService
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

# Replaces the browser's subscription, which needs a push service on the Internet.
SUBSCRIBE = """
  const made = %s;
  PushManager.prototype.subscribe = async (options) => {
    if (Notification.permission !== "granted") throw new DOMException("", "NotAllowedError");
    window.subscribedWith = options;
    return { ...made, toJSON: () => made, unsubscribe: async () => true };
  };
"""
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration("/messages/push/");
  const shown = await registration.getNotifications();
  return shown.map(({ title, body, tag, data }) => ({ title, body, tag, data }));
}"""
ASKED = "Notification.requestPermission = async () => (window.asked = true, 'granted');"


# As in docs/push.md.
OWN_WORKER = 'importScripts("/messages/push/worker.js");'
urlpatterns = [
    path("sw.js", lambda request: HttpResponse(OWN_WORKER, content_type="text/javascript")),
    path("", include("tests.urls")),
]


@pytest.fixture
def service(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PushService]:
    """The site, and its push service, whose class is the parameter."""
    service: PushService = getattr(request, "param", PushService)(tmp_path)
    service.start()
    settings.MONITIO_CHANNELS = {"push": "monitio.channels.webpush.WebPushChannel"}
    settings.MONITIO_VAPID_PRIVATE_KEY = new_private_key()
    settings.MONITIO_VAPID_CONTACT = "mailto:admin@example.com"
    settings.MONITIO_PUSH_SERVICES = ["127.0.0.1"]
    settings.MONITIO_OUTGOING_ORIGINS = [service.url.rstrip("/")]
    settings.MONITIO_BASE_URL = ""
    settings.MONITIO_STREAM_HEARTBEAT = 0.5
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(service.trusted))
    outbound.tls_context.cache_clear()
    yield service
    outbound.tls_context.cache_clear()
    get_broadcaster().stop()
    service.close()


def with_policy(route: Route) -> None:
    """The policy that docs/push.md gives for sites with Trusted Types."""
    response = route.fetch()
    policy = "script-src 'self'; require-trusted-types-for 'script'; trusted-types monitio-push"
    route.fulfill(
        response=response, headers={**response.headers, "Content-Security-Policy": policy}
    )


@pytest.fixture
def page(
    browser: Browser, live_server: Any, client: Client, service: PushService
) -> Iterator[Page]:
    """A page in which ann is logged in."""
    client.force_login(user())
    context = browser.new_context(base_url=live_server.url, locale="en-GB")
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    context.add_cookies([{**cookie, "url": live_server.url}])  # type: ignore[typeddict-item]
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(SUBSCRIBE % json.dumps(service.subscription("ann")))
    page.route("**/preferences/", with_policy)
    yield page
    context.close()
    assert complaints == []


class Worker:
    """Delivers the push service's notifications to the page's service worker."""

    def __init__(self, page: Page, origin: str) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._origin = origin
        self._page = page
        self._ids: list[str] = []
        self._session.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: self._ids.extend(
                one["registrationId"] for one in event["registrations"] if not one["isDeleted"]
            ),
        )
        self._session.send("ServiceWorker.enable")

    def deliver(self, body: Any) -> None:
        wait_until(lambda: self._page.evaluate("1") and self._ids, 30, "the worker")
        self._session.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": self._origin,
                "registrationId": self._ids[-1],
                "data": json.dumps(body),
            },
        )

    def wait_for(self, *titles: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []

        def are_shown() -> bool:
            shown[:] = self._page.evaluate(SHOWN)
            return [one["title"] for one in shown] == [*titles]

        wait_until(are_shown, 30, lambda: f"{shown}")
        return shown


def test_permission_is_requested_only_after_a_click(page: Page) -> None:
    page.add_init_script(ASKED)
    page.goto("/messages/preferences/")
    button = page.get_by_role("button", name="Notify me on this device")
    expect(button).to_be_visible()
    assert page.evaluate("window.asked") is None
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
    button.click()
    page.wait_for_function("window.asked")


def test_a_user_who_declines_sees_the_reason(page: Page) -> None:
    page.add_init_script("Notification.requestPermission = async () => 'denied';")
    page.goto("/messages/preferences/")
    page.get_by_role("button", name="Notify me on this device").click()
    expect(page.locator("monitio-push [role=status]")).to_contain_text("Notifications are blocked.")
    assert not Destination.objects.exists()


def test_a_job_is_one_notification_that_is_replaced_in_place(
    page: Page, live_server: Any, service: PushService
) -> None:
    page.context.grant_permissions(["notifications"])
    page.goto("/messages/preferences/")
    page.get_by_role("button", name="Notify me on this device").click()
    expect(page.get_by_role("button", name="Stop notifications on this device")).to_be_visible()
    expect(page.locator("monitio-push [role=status]")).to_have_text(
        "Notifications are on for this device."
    )
    assert Destination.objects.get().user == user()

    def push() -> Any:
        assert deliveries.run_due() == (1, 0)
        return service.bodies[-1]

    worker = Worker(page, live_server.url)
    via = {"started": {"push": True}, "succeeded": {"push": True}}
    options = NotifyOptions(title="Import", success="300 rows.", url="/imports/", via=via)
    job = reporter(user(), render=options.content)
    job.started()
    worker.deliver(push())
    (first,) = worker.wait_for("Import")
    assert first["data"] == {"monitio": f"{live_server.url}/imports/"}

    # Progress is not pushed.
    job.progressed(1, 2)
    assert deliveries.run_due() == (0, 0)

    job.succeeded()
    worker.deliver(push())
    (second,) = worker.wait_for("Import: done")
    assert (second["tag"], second["body"]) == (first["tag"], "300 rows.")


def test_the_device_is_removed_by_the_same_button(page: Page, service: PushService) -> None:
    page.context.grant_permissions(["notifications"])
    page.goto("/messages/preferences/")
    page.get_by_role("button", name="Notify me on this device").click()
    page.get_by_role("button", name="Stop notifications on this device").click()
    expect(page.get_by_role("button", name="Notify me on this device")).to_be_visible()
    assert not Destination.objects.exists()


@pytest.mark.urls(__name__)
def test_a_worker_of_the_sites_own_imports_it(page: Page, live_server: Any) -> None:
    page.context.grant_permissions(["notifications"])
    page.goto("/messages/")
    page.evaluate("navigator.serviceWorker.register('/sw.js')")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    worker = Worker(page, live_server.url)
    worker.deliver({"web_push": 8030, "notification": {"title": "Ready", "navigate": "/"}})
    worker.wait_for("Ready")


def test_the_demo_registers_this_device(visit: Visitor, service: PushService) -> None:
    page = visit()
    page.get_by_role("button", name="Ann").click()
    page.context.grant_permissions(["notifications"])
    endpoint = "https://fcm.googleapis.com/fcm/send/ann"
    page.add_init_script(SUBSCRIBE % json.dumps(service.browser.subscription(endpoint)))
    page.goto("/messages/preferences/")
    page.get_by_role("button", name="Notify me on this device").click()
    button = page.get_by_role("button", name="Stop notifications on this device")
    expect(button).to_be_visible()
    page.reload()
    expect(page.get_by_text(re.compile("Chrome on "))).to_be_visible()
    button.click()
    expect(page.get_by_role("button", name="Notify me on this device")).to_be_visible()


@pytest.fixture
def firefox(service: Autopush) -> Iterator[Firefox]:
    firefox = Firefox(
        **{
            "dom.push.connection.enabled": True,
            "dom.push.serverURL": service.line,
            "dom.push.testing.allowInsecureServerURL": True,
            "permissions.default.desktop-notification": 1,
            # The virtual desktop has no notification service.
            "alerts.useSystemBackend": False,
        }
    )
    yield firefox
    firefox.close()


@pytest.mark.variant
@pytest.mark.parametrize("service", [Autopush], indirect=True)
def test_in_firefox_it_goes_through_its_own_push_service(
    firefox: Firefox, live_server: Any, client: Client, service: Autopush
) -> None:
    client.force_login(user())
    firefox.go(live_server.url)
    firefox.run(f"document.cookie = 'sessionid={client.cookies['sessionid'].value}; Path=/'")
    firefox.go(f"{live_server.url}/messages/preferences/")
    button = "document.querySelector('monitio-push button')"

    def press(then: str) -> None:
        firefox.run(f"{button}.click()")
        wait_until(lambda: firefox.run(f"{button}.textContent") == then, 30, then)

    def shown() -> Any:
        return firefox.run(f"({SHOWN})()")

    def push(title: str) -> dict[str, Any]:
        """Push a message; the only notification that Firefox shows once it has decrypted it."""
        assert deliveries.run_due() == (1, 0)
        wait_until(lambda: [one["title"] for one in shown()] == [title], 30, lambda: str(shown()))
        return dict(shown()[0])

    press("Stop notifications on this device")
    assert Destination.objects.get().label == "Firefox on Linux"
    via = {"started": {"push": True}, "succeeded": {"push": True}}
    options = NotifyOptions(title="Import", success="300 rows.", url="/imports/", via=via)
    job = reporter(user(), render=options.content)
    job.started()
    first = push("Import")
    assert first["data"] == {"monitio": f"{live_server.url}/imports/"}
    job.succeeded()
    second = push("Import: done")
    assert (second["tag"], second["body"]) == (first["tag"], "300 rows.")
    wait_until(lambda: service.acks[1:], 30, "Firefox")
    assert service.acks == [DELIVERED, DELIVERED]

    press("Notify me on this device")
    wait_until(lambda: service.removed, 30, "the push service")
    assert not Destination.objects.exists()
