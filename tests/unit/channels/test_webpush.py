"""The Web Push channel: requests, responses, addresses and settings."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pywebpush import WebPusher

import monitio
from monitio import api, dispatch
from monitio.channels import (
    PermanentFailure,
    TemporaryFailure,
    deliveries,
    destinations,
    get_channel,
)
from monitio.channels.webpush import LARGEST, new_private_key
from monitio.models import Delivery, Destination
from monitio.preferences import last_language
from monitio.recipients import Recipient
from monitio.utils import outbound
from monitio.utils.outbound import Response
from tests.support.servers.push import Browser, verify
from tests.support.wire import Wire, error_reports

pytestmark = pytest.mark.django_db

ENDPOINT = "https://fcm.googleapis.com/fcm/send/t0ken"
PATH = "monitio.channels.webpush.WebPushChannel"


@pytest.fixture(autouse=True)
def wire(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Wire:
    settings.MONITIO_CHANNELS = {"push": PATH}
    settings.MONITIO_VAPID_PRIVATE_KEY = new_private_key()
    settings.MONITIO_VAPID_CONTACT = "mailto:admin@example.com"
    settings.MONITIO_BASE_URL = "https://example.com"
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    wire = Wire()
    monkeypatch.setattr(outbound, "post", wire)
    return wire


@pytest.fixture
def browser(ann: Any) -> Browser:
    """A browser that ann has subscribed."""
    browser = Browser()
    destinations.add(ann, "push", browser.subscription(ENDPOINT))
    return browser


def notify(who: Any, level: int = monitio.WARNING, text: str = "text", **more: Any) -> Delivery:
    api.create_message(who, level, text, via={"push": True}, **more)
    return Delivery.objects.latest("pk")


def send(delivery: Delivery) -> None:
    get_channel("push").send(delivery)


class TestTemplates:
    def test_a_category_can_have_its_own_templates(
        self, ann: Any, browser: Browser, settings: Any, tmp_path: Path
    ) -> None:
        folder = tmp_path / "monitio" / "push" / "exports"
        folder.mkdir(parents=True)
        (folder / "message.txt").write_text("An export: {{ message.text }}")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
        texts = [
            shown_of(notify(ann, subject="Title", category=name))
            for name in ("exports", "x/../exports")
        ]
        assert texts == [("Title", "An export: text"), ("Title", "text")]

    def test_texts_are_not_html(self, ann: Any, browser: Browser) -> None:
        assert shown_of(notify(ann, text="a < b", subject="c & d")) == ("c & d", "a < b")
        assert shown_of(notify(ann, text="a < b")) == ("a < b", "")

    def test_they_are_in_the_users_language(
        self, ann: Any, browser: Browser, settings: Any, tmp_path: Path
    ) -> None:
        folder = tmp_path / "monitio" / "push"
        folder.mkdir(parents=True)
        (folder / "message.txt").write_text('{% load i18n %}{% translate "Yes" %}')
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
        last_language.note(Recipient.for_user(ann, "pl"))
        assert shown_of(notify(ann)) == ("text", "Tak")


def shown_of(delivery: Delivery) -> tuple[str, str]:
    shown = get_channel("push").payload(delivery.message)["notification"]  # type: ignore[attr-defined]
    return shown["title"], shown["body"]


class TestRequest:
    def test_the_site_signs_it_for_this_push_service(
        self, ann: Any, wire: Wire, browser: Browser
    ) -> None:
        send(notify(ann))
        ((url, _body, headers),) = wire.sent
        assert url == ENDPOINT
        assert verify(headers, "https://fcm.googleapis.com") == get_channel("push").public_key  # type: ignore[attr-defined]

    def test_the_browser_decrypts_a_declarative_message(
        self, ann: Any, wire: Wire, browser: Browser
    ) -> None:
        delivery = notify(ann, subject="Title", url="/x")
        send(delivery)
        ((_url, body, headers),) = wire.sent
        assert browser.decrypt(body) == {
            "web_push": 8030,
            "notification": {
                "title": "Title",
                "body": "text",
                "lang": delivery.message.language,
                "navigate": "https://example.com/x",
                "tag": headers["Topic"],
                "renotify": True,
            },
            "app_badge": 1,
        }

    def test_a_message_without_a_title_or_a_link_leads_to_its_own_page(
        self, ann: Any, wire: Wire, browser: Browser, settings: Any
    ) -> None:
        settings.MONITIO_BASE_URL = ""
        delivery = notify(ann)
        send(delivery)
        shown = browser.decrypt(wire.sent[0][1])["notification"]
        assert (shown["title"], shown["body"]) == ("text", "")
        assert shown["navigate"] == f"/messages/{delivery.message_id}/"

    def test_all_states_of_a_message_have_one_topic_and_others_another(
        self, ann: Any, wire: Wire, browser: Browser
    ) -> None:
        first, second = notify(ann), notify(ann)
        send(first), send(first), send(second)
        topics = [headers["Topic"] for _url, _body, headers in wire.sent]
        assert topics[0] == topics[1] != topics[2]

    def test_tenants_with_the_same_keys_have_topics_of_their_own(
        self, ann: Any, wire: Wire, browser: Browser
    ) -> None:
        delivery = notify(ann)
        send(delivery)
        delivery.message.scope = "a"
        send(delivery)
        topics = [headers["Topic"] for _url, _body, headers in wire.sent]
        assert topics[0] != topics[1]

    def test_it_waits_for_a_sleeping_device_until_the_message_expires(
        self, ann: Any, wire: Wire, browser: Browser
    ) -> None:
        send(notify(ann))
        send(notify(ann, expires=timezone.now() + timedelta(hours=1)))
        whole, hour = (int(headers["TTL"]) for _url, _body, headers in wire.sent)
        assert whole == 28 * 24 * 3600 and 3500 < hour <= 3600

    def test_its_urgency_follows_from_the_level(
        self, ann: Any, wire: Wire, browser: Browser
    ) -> None:
        levels = (monitio.DEBUG, monitio.INFO, monitio.SUCCESS, monitio.WARNING, monitio.ERROR)
        for level in levels:
            send(notify(ann, level))
        urgencies = [headers["Urgency"] for _url, _body, headers in wire.sent]
        assert urgencies == ["very-low", "low", "normal", "normal", "high"]

    def test_the_longest_message_fits(self, ann: Any, wire: Wire, browser: Browser) -> None:
        url = "/" + "x" * 2000
        send(notify(ann, text="\U0001f600" * 5000, subject="\U0001f600" * 255, url=url))
        ((_url, body, _headers),) = wire.sent
        shown = browser.decrypt(body)["notification"]
        assert len(body) <= 4096 and LARGEST < 4096
        assert shown["body"] == "" and shown["title"] and shown["navigate"].endswith(url)


class TestResponse:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_temporary_error_is_retried_at_the_requested_time(
        self, ann: Any, wire: Wire, browser: Browser, status: int
    ) -> None:
        wire.responses = [Response(status, "120")]
        with pytest.raises(TemporaryFailure, match=f"push service .* {status}") as failure:
            send(notify(ann))
        assert failure.value.retry_after == "120"

    @pytest.mark.parametrize("status", [301, 307, 400])
    def test_a_permanent_error_fails(
        self, ann: Any, wire: Wire, browser: Browser, status: int
    ) -> None:
        wire.responses = [Response(status, None)]
        with pytest.raises(PermanentFailure, match=str(status)) as failure:
            send(notify(ann))
        assert not failure.value.is_gone and len(wire.sent) == 1

    def test_a_message_too_large_without_its_body_fails(
        self, ann: Any, wire: Wire, browser: Browser
    ) -> None:
        wire.responses = [Response(413, None)] * 2
        with pytest.raises(PermanentFailure, match="too large"):
            send(notify(ann))
        assert len(wire.sent) == 2

    @pytest.mark.parametrize("status", [401, 403])
    def test_wrong_keys_are_logged_and_keep_the_device(
        self,
        ann: Any,
        wire: Wire,
        browser: Browser,
        status: int,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        wire.responses = [Response(status, None)]
        notify(ann)
        assert deliveries.run_due() == (0, 1)
        assert "MONITIO_VAPID_PRIVATE_KEY" in caplog.text
        assert Destination.objects.get().failures == 0

    def test_without_keys_it_waits(
        self, ann: Any, wire: Wire, browser: Browser, settings: Any
    ) -> None:
        settings.MONITIO_VAPID_PRIVATE_KEY = ""
        with pytest.raises(TemporaryFailure, match="MONITIO_VAPID_PRIVATE_KEY"):
            send(notify(ann))


# Refused endpoints, and a part of the reason.
REFUSED = [
    ("http://fcm.googleapis.com/x", "begin with https"),
    ("https://fcm.googleapis.com:8443/x", "no port but 443"),
    ("https://ann:pass@fcm.googleapis.com/x", "user name or password"),
    ("https://fcm.googleapis.com@127.0.0.1/", "user name or password"),
    ("https://fcm.googleapis.com\\@127.0.0.1/", "without spaces"),
    ("file:///etc/passwd", "https:// and a host"),
    ("https://127.0.0.1/", "loopback"),
    ("https://169.254.169.254/latest/meta-data/", "link-local"),
    ("https://[::ffff:10.0.0.1]/", "mapped"),
    ("https://1.1.1.1/", "MONITIO_PUSH_SERVICES"),
    ("https://push.example/", "MONITIO_PUSH_SERVICES"),
    ("https://fcm.googleapis.com.example/", "MONITIO_PUSH_SERVICES"),
    ("https://evilfcm.googleapis.com/", "MONITIO_PUSH_SERVICES"),
    ("https://xpush.apple.com/", "MONITIO_PUSH_SERVICES"),
]


class TestAddress:
    @pytest.mark.parametrize(("endpoint", "reason"), REFUSED)
    def test_what_is_no_push_service_is_refused_when_it_is_added_and_when_it_is_sent(
        self, ann: Any, wire: Wire, browser: Browser, endpoint: str, reason: str
    ) -> None:
        with pytest.raises(ValueError, match=re.escape(reason)):
            destinations.add(ann, "push", browser.subscription(endpoint))
        row = Destination.objects.get()
        row.address = browser.subscription(endpoint)
        row.save()
        with pytest.raises(PermanentFailure, match=re.escape(reason)):
            send(notify(ann))
        assert wire.sent == []

    def test_the_documented_table_is_this_one(self) -> None:
        page = (Path(__file__).parents[3] / "docs" / "push.md").read_text()
        tried = set(re.findall(r"^\| `([^`]+)` \| when it is added", page, re.M))
        assert tried == {url for url, _reason in REFUSED}

    @pytest.mark.parametrize(
        "host",
        [
            "fcm.googleapis.com",
            "updates.push.services.mozilla.com",
            "web.push.apple.com",
            "wns2-am3p.notify.windows.com",
        ],
    )
    def test_the_services_of_the_browsers_are_known(self, ann: Any, host: str) -> None:
        assert destinations.add(ann, "push", Browser().subscription(f"https://{host}/x"))

    @pytest.mark.parametrize(
        "address",
        [
            None,
            ENDPOINT,
            {"endpoint": ENDPOINT},
            {"endpoint": ENDPOINT, "keys": {}},
            {"endpoint": ENDPOINT, "keys": {"p256dh": "AAAA", "auth": "AAAA"}},
            {"endpoint": 1, "keys": {"p256dh": "AAAA", "auth": "AAAA"}},
            {"endpoint": ENDPOINT, "keys": {"p256dh": 1, "auth": None}},
            {"endpoint": ENDPOINT, "keys": {"p256dh": "B" + "A" * 86, "auth": "A" * 22}},
        ],
    )
    def test_what_is_no_subscription_is_refused(self, ann: Any, address: Any) -> None:
        with pytest.raises(ValueError, match="subscription"):
            destinations.add(ann, "push", address)

    def test_a_browser_that_another_user_subscribes_is_theirs(self, ann: Any, bob: Any) -> None:
        subscription = Browser().subscription(ENDPOINT)
        destinations.add(ann, "push", subscription)
        destinations.add(bob, "push", subscription)
        assert Destination.objects.get().user == bob


@pytest.mark.parametrize("place", ["encode", "post"])
def test_logs_and_error_reports_show_neither_endpoint_nor_keys(
    ann: Any,
    wire: Wire,
    browser: Browser,
    place: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivery = notify(ann)
    wire.responses = [RuntimeError("defect")]
    if place == "encode":
        monkeypatch.setattr(WebPusher, "encode", raise_defect)
    with error_reports() as reports:
        deliveries.send(delivery.pk)
    (report,) = reports
    address = Destination.objects.get().address
    assert "defect" in report and "defect" in caplog.text
    for secret in (address["endpoint"], *address["keys"].values()):
        assert secret not in report and secret not in caplog.text


def raise_defect(*args: Any) -> None:
    raise RuntimeError("defect")


class TestSettings:
    def test_the_command_prints_settings_that_work(self, settings: Any) -> None:
        out = StringIO()
        call_command("monitio_vapid", stdout=out)
        printed: dict[str, str] = {}
        exec(out.getvalue(), printed)
        for name in ("MONITIO_VAPID_PRIVATE_KEY", "MONITIO_VAPID_CONTACT"):
            setattr(settings, name, printed[name])
        assert get_channel("push").check() == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("MONITIO_VAPID_PRIVATE_KEY", ""),
            ("MONITIO_VAPID_PRIVATE_KEY", "hunter2"),
            ("MONITIO_VAPID_CONTACT", ""),
            ("MONITIO_VAPID_CONTACT", "admin@example.com"),
        ],
    )
    def test_what_cannot_work_is_reported(self, settings: Any, name: str, value: str) -> None:
        setattr(settings, name, value)
        (error,) = get_channel("push").check()
        assert error.id == "monitio.E080" and name in error.msg and "hunter2" not in error.msg

    def test_the_channel_has_its_name(self, settings: Any) -> None:
        settings.MONITIO_CHANNELS = {"phone": PATH}
        (error,) = get_channel("phone").check()
        assert error.id == "monitio.E081"
