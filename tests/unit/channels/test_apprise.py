"""The Apprise channel: accepted addresses, requests, and secrets."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import ExceptionReporter

import monitio
from monitio import api, channels, dispatch
from monitio.channels import PermanentFailure, TemporaryFailure, destinations, get_channel
from monitio.channels import apprise as module
from monitio.channels.apprise import SERVICES
from monitio.models import Delivery, Destination

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).parents[3] / "docs" / "apprise.md").read_text()
SECRET = "5ecret0" * 6
URL = f"discord://1234567890/{SECRET}"
# Service -> its only host.
HOSTS = {
    "Discord": "discord.com",
    "Feishu": "open.feishu.cn",
    "Flock": "api.flock.com",
    "Google Chat": "chat.googleapis.com",
    "GroupMe": "api.groupme.com",
    "IFTTT": "maker.ifttt.com",
    "Join": "joinjoaomgcd.appspot.com",
    "Lark": "open.larksuite.com",
    "PagerDuty": "events.pagerduty.com",
    "Prowl": "api.prowlapp.com",
    "Pushbullet": "api.pushbullet.com",
    "Pushover": "api.pushover.net",
    "SIGNL4": "connect.signl4.com",
    "Slack": "hooks.slack.com",
    "Telegram": "api.telegram.org",
    "Webex": "api.ciscospark.com",
    "ntfy": "ntfy.sh",
}
# Tokens of services that do not accept the letters of ``SECRET``.
TOKENS = {
    "bot": "123456789",
    "webhook": "1234567890",
    "chat": "-100123",
    "device": "f" * 32,
    "topic": SECRET,
}
LENGTHS = {"Prowl": 40, "Join": 32, "Webex": 84}

# Addresses of users that are refused, and where.
REFUSED = [
    "https://hooks@slack.com/services/T1/B1/x",
    "https://ntfy@sh/topic",
    "json://127.0.0.1/",
    "jsons://hooks.example.com/",
    "xml://169.254.169.254/latest/meta-data/",
    "form://10.0.0.1/",
    "ntfy://192.168.1.1/topic",
    "ntfys://ntfy.internal/topic",
    "ntfy://localhost:8080/topic",
    "ntfy://topic?mode=private",
    "gotify://gotify.internal/token",
    "mmost://chat.internal/token",
    "matrix://matrix.internal/token",
    "rocket://chat.internal/token/#room",
    "apprise://127.0.0.1/token",
    "mailto://ann:pass@example.com",
    "syslog://",
    "dbus://",
    "file:///etc/passwd",
    "https://127.0.0.1/",
    "https://hooks.slack.com.example.com/services/T1/B1/x",
    "https://hooks.slack.com@127.0.0.1/services/T1/B1/x",
    "http://hooks.slack.com/services/T1/B1/x",
    "https://hooks.slack.com/services/T1/B1/x/../../..",
    "slack://T1/B1/x?verify=no",
    "slack://T1/B1/x?redirect=yes",
    "slack://T1/B1/x?rto=3600&cto=3600",
    "slack://T1/B1/x?retry=10&wait=60",
    "slack://T1/B1/x?format=markdown&emojis=yes&tz=UTC",
    "slack://T1/B1/x%3Fverify=no",
    "discord://1/token?avatar_url=https://127.0.0.1/",
    "discord://1/token&href=https://127.0.0.1/",
    "tgram://1:token/1/2/3",
    "tgram://1:token/1,2,3",
    "slack://T1/B1/x json://127.0.0.1/",
    "slack://T1/B1/x\njson://127.0.0.1/",
    "slack://T1/B1/x,json://127.0.0.1/",
    "SLACK://T1/B1/x",
    "slack://T1/B1/" + "x" * 300,
]


class Wire:
    """Replaces the network: the requests that ``requests`` would have sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[Any, dict[str, Any]]] = []
        self.status = 200
        self.error: Exception | None = None

    def send(self, request: Any, **options: Any) -> requests.Response:
        self.requests.append((request, options))
        if self.error:
            raise self.error
        response = requests.Response()
        response.status_code, response.request, response.url = self.status, request, request.url
        is_slack = "hooks.slack.com" in request.url
        response._content = b"ok" if is_slack else b'{"StatusCode": 0}'
        if self.status // 100 == 3:
            response.headers["Location"] = "http://127.0.0.1/"
        return response


@pytest.fixture(autouse=True)
def wire(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Wire:
    settings.MONITIO_CHANNELS = {"apprise": "monitio.channels.apprise.AppriseChannel"}
    settings.MONITIO_BASE_URL = "https://example.com"
    settings.MONITIO_APPRISE_URLS = {"Operations": lambda: f"json://127.0.0.1/{SECRET}"}
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    wire = Wire()
    monkeypatch.setattr(
        requests.adapters.HTTPAdapter, "send", lambda self, *args, **more: wire.send(*args, **more)
    )
    return wire


def notify(who: Any, address: str = URL, **more: Any) -> Delivery:
    """A delivery to this address only."""
    Destination.objects.all().delete()
    destinations.add(who, "apprise", {"url": address})
    api.create_message(who, monitio.WARNING, "<b>text</b>", via={"apprise": True}, **more)
    return Delivery.objects.latest("pk")


def send(delivery: Delivery) -> None:
    get_channel("apprise").send(delivery)


def sample(form: str) -> str:
    """An address in this format."""
    length = LENGTHS.get(SERVICES[form], len(SECRET))

    def fill(found: re.Match[str]) -> str:
        return TOKENS.get(found[1], (SECRET * 3)[:length])

    return re.sub("<([a-z]+)>", fill, form)


class TestRequests:
    def test_each_service_has_one_host_and_its_redirects_are_not_followed(
        self, ann: Any, wire: Wire, subtests: pytest.Subtests
    ) -> None:
        wire.status = 302
        seconds = get_channel("apprise").timeout
        for form, name in SERVICES.items():
            with subtests.test(form):
                wire.requests.clear()
                with pytest.raises(PermanentFailure, match="302"):
                    send(notify(ann, sample(form)))
                ((request, options),) = wire.requests
                url = urlsplit(request.url)
                assert (url.scheme, url.netloc) == ("https", HOSTS[name])
                # True, or the certificate authorities of the environment.
                assert options["verify"]
                assert options["timeout"] == (seconds, seconds)

    def test_each_service_gets_the_message(
        self, ann: Any, wire: Wire, subtests: pytest.Subtests
    ) -> None:
        for form in SERVICES:
            with subtests.test(form):
                wire.requests.clear()
                send(notify(ann, sample(form), subject="Title", url="/x"))
                ((request, _options),) = wire.requests
                sent = f"{request.body}{request.url}".replace("\\", "")
                assert "text" in sent and "example.com" in sent

    def test_an_address_of_the_site_is_sent_to(self, ann: Any, wire: Wire) -> None:
        destinations.add(ann, "apprise", {"name": "Operations"})
        api.create_message(ann, monitio.ERROR, "text", via={"apprise": True})
        send(Delivery.objects.get())
        ((request, _options),) = wire.requests
        assert request.url == f"http://127.0.0.1/{SECRET}"
        assert '"type": "failure"' in str(request.body)

    def test_an_address_withdrawn_by_the_site_is_gone(self, ann: Any, settings: Any) -> None:
        destinations.add(ann, "apprise", {"name": "Operations"})
        api.create_message(ann, monitio.ERROR, "text", via={"apprise": True})
        settings.MONITIO_APPRISE_URLS = {}
        with pytest.raises(PermanentFailure) as failure:
            send(Delivery.objects.get())
        assert failure.value.is_gone

    def test_an_address_that_apprise_cannot_read_is_gone(self, ann: Any, wire: Wire) -> None:
        with pytest.raises(PermanentFailure, match="does not accept") as failure:
            send(notify(ann, "slack://a_b/c_d/e_f"))
        assert failure.value.is_gone and not wire.requests


class TestResponses:
    @pytest.mark.parametrize(
        ("status", "is_gone"), [(400, False), (401, False), (403, False), (404, True), (410, True)]
    )
    def test_a_permanent_error_fails(
        self, ann: Any, wire: Wire, status: int, is_gone: bool
    ) -> None:
        wire.status = status
        with pytest.raises(PermanentFailure, match=f"status {status}") as failure:
            send(notify(ann, "pbul://abc"))
        assert failure.value.is_gone is is_gone

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
    def test_what_may_pass_is_retried(self, ann: Any, wire: Wire, status: int) -> None:
        wire.status = status
        with pytest.raises(TemporaryFailure, match=f"status {status}"):
            send(notify(ann, "pbul://abc"))

    def test_a_service_that_is_not_reached_is_retried(self, ann: Any, wire: Wire) -> None:
        wire.error = requests.ConnectionError(f"https://discord.com/{SECRET}")
        with pytest.raises(TemporaryFailure, match="not reached") as failure:
            send(notify(ann))
        assert SECRET not in str(failure.value)


class TestAddresses:
    def test_what_could_reach_another_host_is_refused(
        self, ann: Any, subtests: pytest.Subtests
    ) -> None:
        for url in REFUSED:
            with subtests.test(url), pytest.raises(ValueError, match="The address of a service"):
                destinations.add(ann, "apprise", {"url": url})

    @pytest.mark.parametrize("address", [None, "x", {}, {"url": 1}, {"name": "Others"}])
    def test_what_is_no_address_is_refused(self, ann: Any, address: Any) -> None:
        with pytest.raises(ValueError, match="The address of a service"):
            destinations.add(ann, "apprise", address)

    def test_the_documented_tables_are_these(self) -> None:
        tried = set(re.findall(r"^\| `([^`]+)` \| refused", PAGE, re.M))
        assert tried and tried <= set(REFUSED)
        rows = re.findall(r"^\| (\S[^|]*) \| (`[^|]+) \| `([a-z.0-9]+)` \|$", PAGE, re.M)
        assert {name: host for name, _forms, host in rows} == HOSTS
        documented = {
            (form, name) for name, forms, _host in rows for form in re.findall("`([^`]+)`", forms)
        }
        assert documented == set(SERVICES.items())


class Backwards:
    """A readable stand-in for encryption."""

    def encrypt(self, text: str) -> str:
        return text[::-1]

    decrypt = encrypt


class TestSecrets:
    def test_an_address_is_encrypted_at_rest(self, ann: Any, wire: Wire, settings: Any) -> None:
        settings.MONITIO_ENCRYPTION = f"{__name__}.Backwards"
        delivery = notify(ann)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT address FROM {Destination._meta.db_table}")
            stored = str(cursor.fetchone())
        assert "encrypted:" in stored and SECRET not in stored
        send(delivery)
        assert SECRET in wire.requests[0][0].url

    def test_no_page_shows_it(self, ann: Any, client: Client, admin_client: Client) -> None:
        pk = destinations.add(ann, "apprise", {"url": URL}).pk
        client.force_login(ann)
        pages: list[Any] = [
            client.get(reverse("message_preferences")),
            admin_client.get("/admin/monitio/destination/"),
            admin_client.get(f"/admin/monitio/destination/{pk}/change/"),
        ]
        for page in pages:
            assert page.status_code == 200 and SECRET not in page.content.decode()

    def test_no_log_shows_it(
        self,
        ann: Any,
        wire: Wire,
        caplog: pytest.LogCaptureFixture,
        subtests: pytest.Subtests,
    ) -> None:
        wire.error = requests.ConnectionError(SECRET)
        for name in ("", "apprise", "urllib3", "monitio"):
            caplog.set_level(1, name)
        for form in SERVICES:
            with subtests.test(form), pytest.raises(TemporaryFailure):
                send(notify(ann, sample(form)))
        # Django logs queries with their parameters at DEBUG.
        logged = [row.getMessage() for row in caplog.records if "django" not in row.name]
        assert not any("5ecret0" in line for line in logged)

    def test_log_lines_of_other_libraries_are_kept(
        self, ann: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        send(notify(ann))
        logging.getLogger("apprise").warning("of the site's own use of Apprise")
        assert "own use" in caplog.text

    def test_error_reports_do_not_show_it(
        self, ann: Any, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delivery = notify(ann)

        def fail(*args: Any, **options: Any) -> None:
            raise RuntimeError("defect")

        monkeypatch.setattr(module, "import_optional", fail)
        with pytest.raises(RuntimeError) as caught:
            send(delivery)
        # With a request, the report contains the site's settings, too.
        reporter = ExceptionReporter(
            RequestFactory().get("/"), caught.type, caught.value, caught.tb
        )
        report = reporter.get_traceback_html()
        assert "APPRISE_URLS" in report and "defect" in report and SECRET not in report


class TestPage:
    @pytest.fixture
    def add(self, ann: Any, client: Client) -> Callable[..., str]:
        client.force_login(ann)

        def post(**values: str) -> str:
            data = {f"apprise-{name}": value for name, value in values.items()}
            data["add"] = "apprise"
            answer: Any = client.post(reverse("message_preferences"), data, follow=True)
            return str(answer.content.decode())

        return post

    def test_a_user_adds_a_service(self, ann: Any, add: Callable[..., str]) -> None:
        page = add(url=URL)
        (row,) = destinations.of_user(ann)
        assert (row.address, row.label) == ({"url": URL}, "Discord")
        assert "Saved." in page and SECRET not in page

    @pytest.mark.parametrize("url", ["", "json://127.0.0.1/"])
    def test_a_wrong_address_is_reported(self, add: Callable[..., str], url: str) -> None:
        assert "not the address of a service" in add(url=url)
        assert not Destination.objects.exists()

    def test_staff_choose_an_address_of_the_site(self, ann: Any, add: Callable[..., str]) -> None:
        assert "Operations" not in add(name="Operations")
        assert not Destination.objects.exists()
        ann.is_staff = True
        ann.save()
        assert "Operations" in add(name="Operations")
        (row,) = destinations.of_user(ann)
        assert (row.address, row.label) == ({"name": "Operations"}, "Operations")

    def test_the_number_is_limited(
        self, add: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("monitio.channels.destinations.MOST", 1)
        add(url=URL)
        assert "too many devices" in add(url="ntfy://topic")
        assert Destination.objects.count() == 1

    def test_unknown_channels_add_nothing(self, ann: Any, client: Client) -> None:
        client.force_login(ann)
        data = {"add": "nothing", "apprise-url": URL}
        assert client.post(reverse("message_preferences"), data).status_code == 200
        assert not Destination.objects.exists()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    channels._load.cache_clear()
    with pytest.raises(Exception, match=r'pip install "monitio\[apprise\]"'):
        call_command("check")


def test_processes_that_only_create_deliveries_do_not_load_the_library(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library takes 40 MB.
    monkeypatch.setattr(module, "import_optional", None)
    assert notify(ann).state == "pending"


@pytest.mark.parametrize("value", ["slack://x", {"a": 1}, ["slack://x"]])
def test_wrong_settings_are_reported(settings: Any, value: Any) -> None:
    settings.MONITIO_APPRISE_URLS = value
    with pytest.raises(Exception, match="MONITIO_APPRISE_URLS"):
        call_command("check")
