"""The browser as a push device: subscribing, log-in and log-out, service worker, button."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import ExceptionReporter

from monitio.channels import destinations
from monitio.channels.webpush import new_private_key
from monitio.models import Destination
from monitio.recipients import Recipient, page_token
from monitio.views.push import COOKIE, device_name
from tests.support import scopes
from tests.support.people import user
from tests.support.servers.push import Browser

pytestmark = pytest.mark.django_db

ENDPOINT = "https://fcm.googleapis.com/fcm/send/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    # The cache counts attempts.
    cache.clear()
    settings.MONITIO_CHANNELS = {"push": "monitio.channels.webpush.WebPushChannel"}
    settings.MONITIO_VAPID_PRIVATE_KEY = new_private_key()
    settings.MONITIO_VAPID_CONTACT = "mailto:admin@example.com"


def subscribe(client: Client, device: str = "one", **more: Any) -> Any:
    data = {"subscription": json.dumps(Browser().subscription(ENDPOINT + device)), **more}
    return client.post(reverse("message_push"), data, headers={"User-Agent": FIREFOX})


def log_in(client: Client, name: str) -> None:
    user(name)
    client.post("/login/", {"username": name, "password": "secret"})


def devices() -> list[tuple[str, str]]:
    """Owner and end of the endpoint of each device."""
    rows = Destination.objects.order_by("pk").select_related("user")
    return [
        (row.user.get_username(), row.address["endpoint"].removeprefix(ENDPOINT)) for row in rows
    ]


class TestSubscribing:
    def test_the_browser_becomes_a_device_of_the_user(self, client: Client) -> None:
        log_in(client, "ann")
        response = subscribe(client)
        assert (response.status_code, response.json()) == (200, {"ok": True})
        assert devices() == [("ann", "one")]
        assert Destination.objects.get().label == "Firefox on Linux"
        cookie = response.cookies[COOKIE]
        assert cookie["httponly"] and cookie["samesite"] == "Lax"
        assert ENDPOINT not in cookie.value

    def test_a_browser_that_subscribes_again_is_one_device(self, client: Client) -> None:
        log_in(client, "ann")
        subscribe(client, "one"), subscribe(client, "two")
        assert devices() == [("ann", "two")]

    def test_without_a_subscription_the_device_is_removed(self, client: Client) -> None:
        log_in(client, "ann")
        subscribe(client)
        other = Client()
        log_in(other, "ann")
        subscribe(other, "other")
        assert client.post(reverse("message_push")).status_code == 200
        assert devices() == [("ann", "other")]

    @pytest.mark.parametrize(
        "text",
        [
            "x",
            "[]",
            "[" * 4000,
            json.dumps(Browser().subscription("https://10.0.0.1/")),
            json.dumps({"endpoint": ENDPOINT + "x" * 4096}),
        ],
    )
    def test_what_is_no_subscription_is_refused(self, client: Client, text: str) -> None:
        log_in(client, "ann")
        response = client.post(reverse("message_push"), {"subscription": text})
        assert response.status_code == 400
        assert devices() == []

    @pytest.mark.parametrize("value", ["NaN", "1e999", r'"\u0000"', r'"\ud800"', "9" * 3000])
    def test_what_a_browser_adds_cannot_break_the_database(
        self, client: Client, value: str
    ) -> None:
        log_in(client, "ann")
        given = json.dumps(Browser().subscription(ENDPOINT + "one"))
        text = f'{given[:-1]}, "expirationTime": {value}}}'
        response = client.post(reverse("message_push"), {"subscription": text})
        assert response.status_code == 200
        added = Destination.objects.get().address["expirationTime"]
        assert isinstance(added, str) and not set(added) & {"\0", "\ud800"}

    def test_error_reports_do_not_show_it(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any, **options: Any) -> None:
            raise RuntimeError("defect")

        monkeypatch.setattr(type(Destination.objects), "update_or_create", fail)
        log_in(client, "ann")
        with pytest.raises(RuntimeError) as caught:
            # Reversed, because reports show the source lines of this function.
            subscribe(client, "terce5"[::-1])
        frames: Any = caught.tb
        # Skip the frames of the test, which contain the values.
        while not frames.tb_frame.f_code.co_filename.endswith("monitio/views/base.py"):
            frames = frames.tb_next
        request = RequestFactory().get("/")
        reporter = ExceptionReporter(request, caught.type, caught.value, frames)
        report = reporter.get_traceback_html()
        assert "message_push" in report and "terce5"[::-1] not in report

    def test_a_user_has_a_limited_number_of_devices(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(destinations, "MOST", 1)
        log_in(client, "ann")
        subscribe(client, "one")
        assert subscribe(client, "two").status_code == 200
        other = Client()
        log_in(other, "ann")
        assert subscribe(other, "three").status_code == 403
        assert devices() == [("ann", "two")]

    def test_no_other_host_can_set_the_cookie_of_a_secure_site(
        self, client: Client, settings: Any
    ) -> None:
        settings.SESSION_COOKIE_SECURE = True
        log_in(client, "ann")
        cookie = subscribe(client).cookies[f"__Host-{COOKIE}"]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        client.post("/logout/")
        assert devices() == []

    def test_a_visitor_has_no_devices(self, client: Client) -> None:
        assert subscribe(client).status_code == 403

    def test_a_page_of_another_user_changes_nothing(self, client: Client, bob: Any) -> None:
        log_in(client, "ann")
        token = page_token(Recipient.of(bob))
        assert subscribe(client, page=token).status_code == 409
        assert devices() == []

    def test_it_takes_the_csrf_token(self) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user())
        assert subscribe(strict).status_code == 403
        assert devices() == []

    def test_it_takes_a_post(self, client: Client) -> None:
        log_in(client, "ann")
        assert client.get(reverse("message_push")).status_code == 405

    def test_too_many_changes_are_refused(self, client: Client) -> None:
        log_in(client, "ann")
        statuses = {subscribe(client).status_code for _ in range(32)}
        assert statuses == {200, 429}

    def test_without_the_channel_the_views_do_not_exist(
        self, client: Client, settings: Any
    ) -> None:
        settings.MONITIO_CHANNELS = {}
        log_in(client, "ann")
        assert subscribe(client).status_code == 404


class TestSessions:
    def test_a_log_out_removes_the_device_of_this_browser_alone(self, client: Client) -> None:
        log_in(client, "ann")
        subscribe(client)
        destinations.add(user(), "push", Browser().subscription(ENDPOINT + "phone"))
        client.post("/logout/")
        assert devices() == [("ann", "phone")]

    def test_a_log_in_of_another_user_moves_it(self, client: Client) -> None:
        log_in(client, "ann")
        subscribe(client)
        log_in(client, "bob")
        assert devices() == [("bob", "one")]

    def test_a_log_in_of_another_user_after_the_session_has_ended_moves_it(
        self, client: Client
    ) -> None:
        log_in(client, "ann")
        subscribe(client)
        del client.cookies["sessionid"]
        log_in(client, "bob")
        assert devices() == [("bob", "one")]

    def test_a_log_in_of_the_same_user_changes_nothing(self, client: Client) -> None:
        log_in(client, "ann")
        subscribe(client)
        log_in(client, "ann")
        assert devices() == [("ann", "one")]

    def test_a_forged_cookie_moves_nothing(self, client: Client, ann: Any) -> None:
        row = destinations.add(ann, "push", Browser().subscription(ENDPOINT + "one"))
        client.cookies[COOKIE] = row.key
        log_in(client, "bob")
        assert devices() == [("ann", "one")]


class TestTenants:
    """Tenants with shared sessions, and so with one cookie: the browser is a device of each."""

    @pytest.fixture(autouse=True)
    def _scopes(self, settings: Any) -> None:
        settings.MONITIO_SCOPE = scopes.PATH
        settings.MIDDLEWARE = [scopes.MIDDLEWARE, *settings.MIDDLEWARE]

    @pytest.fixture
    def browser(self, client: Client) -> Client:
        """A client of ann that is a device of both tenants, currently on the second one."""
        log_in(client, "ann")
        for tenant in ("a", "b"):
            client.defaults["HTTP_X_SCOPE"] = tenant
            assert subscribe(client, tenant).status_code == 200
        return client

    def test_each_tenant_has_its_own_device(self, browser: Client) -> None:
        for tenant in ("a", "b"):
            browser.defaults["HTTP_X_SCOPE"] = tenant
            page = browser.get(reverse("message_preferences")).content.decode()
            assert 'worker.js" on>' in page

    def test_one_is_removed_and_the_other_stays(self, browser: Client) -> None:
        browser.post(reverse("message_push"))
        assert devices() == [("ann", "a")]
        browser.post("/logout/")
        assert devices() == []

    def test_a_log_out_removes_both(self, browser: Client) -> None:
        browser.post("/logout/")
        assert devices() == []

    def test_a_log_in_of_another_user_moves_both(self, browser: Client) -> None:
        log_in(browser, "bob")
        assert devices() == [("bob", "a"), ("bob", "b")]


class TestWorker:
    def test_it_is_served_without_a_log_in_and_never_stale(self, client: Client) -> None:
        response = client.get(reverse("message_push_worker"))
        assert response.headers["Content-Type"].startswith("text/javascript")
        assert response.headers["Cache-Control"] == "no-cache"
        assert b"showNotification" in response.content

    def test_its_scope_has_no_pages(self, client: Client) -> None:
        scope = reverse("message_push_worker").rpartition("/")[0] + "/"
        assert scope == reverse("message_push")
        assert "Service-Worker-Allowed" not in client.get(reverse("message_push_worker")).headers


class TestButton:
    def page(self, client: Client) -> str:
        return client.get(reverse("message_preferences")).content.decode()

    def test_the_page_of_preferences_has_it(self, client: Client) -> None:
        log_in(client, "ann")
        page = self.page(client)
        assert "<monitio-push hidden" in page and "monitio-push.js" in page
        assert "Notify me on this device" in page

    def test_it_shows_whether_this_browser_is_a_device(self, client: Client) -> None:
        log_in(client, "ann")
        subscribe(client)
        assert 'worker.js" on>' in self.page(client)
        Destination.objects.all().delete()
        assert 'worker.js">' in self.page(client)

    def test_without_the_channel_it_is_absent(self, client: Client, settings: Any) -> None:
        settings.MONITIO_CHANNELS = {"email": "monitio.channels.email.channel.EmailChannel"}
        log_in(client, "ann")
        assert "monitio-push" not in self.page(client)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/141.0.0.0 Mobile Safari/537.36"
            ),
            "Chrome on Android",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1"
            ),
            "Safari on iPhone",
        ),
        ("curl/8", ""),
    ],
)
def test_a_device_is_named_after_its_browser(user_agent: str, name: str) -> None:
    assert device_name(user_agent) == name
