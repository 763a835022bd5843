"""Each check reports its fault with a hint, and reports nothing on a correct site."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.checks import run_checks
from django.db import connection
from django.test import override_settings
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from monitio.channels import Channel
from monitio.channels.webpush import new_private_key
from monitio.conf import Settings
from monitio.models import Delivery
from monitio.storage import PersistentMessageStorage
from monitio.utils.middleware import has_middleware

MANUAL = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()


urlpatterns = [path("", lambda request: None)]


class OwnStorage(PersistentMessageStorage):
    """A site's subclass of the storage."""


def repr_kind(value: Any) -> str:
    return type(value).__name__


def found(deploy: bool = False) -> dict[str, Any]:
    """Check id -> message."""
    reports = run_checks(tags=["monitio"], include_deployment_checks=deploy)
    return {message.id: message for message in reports}


def without(settings: Any, name: str) -> None:
    settings.MIDDLEWARE = [entry for entry in settings.MIDDLEWARE if not entry.endswith(name)]


def storage_missing(settings: Any) -> None:
    settings.MESSAGE_STORAGE = "monitio.nowhere.Storage"


def storage_foreign(settings: Any) -> None:
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"


def no_staticfiles(settings: Any) -> None:
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "django.contrib.staticfiles"
    ]


def no_request(settings: Any) -> None:
    options = {**settings.TEMPLATES[0]["OPTIONS"], "context_processors": []}
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]


def files_in_media(settings: Any, **options: str) -> None:
    """Store files in MEDIA_ROOT, the default location."""
    settings.MEDIA_ROOT = "/srv/shop/media"
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "monitio": {"BACKEND": backend, "OPTIONS": options}}


PUSH = "monitio.channels.webpush.WebPushChannel"


def push_by_another_name(settings: Any) -> None:
    settings.MONITIO_CHANNELS = {"phone": PUSH}
    settings.MONITIO_VAPID_PRIVATE_KEY = new_private_key()
    settings.MONITIO_VAPID_CONTACT = "mailto:admin@example.com"


FAULTS: dict[str, Any] = {
    "monitio.E001": storage_missing,
    "monitio.W002": storage_foreign,
    "monitio.W003": lambda settings: without(settings, "MessageMiddleware"),
    "monitio.W004": lambda settings: without(settings, "SessionMiddleware"),
    "monitio.W005": lambda settings: without(settings, "AuthenticationMiddleware"),
    "monitio.I006": no_staticfiles,
    "monitio.W007": no_request,
    "monitio.W008": lambda settings: setattr(settings, "ROOT_URLCONF", __name__),
    "monitio.W009": lambda settings: setattr(settings, "MONITIO_TRANSPROT", "redis"),
    "monitio.E010": lambda settings: setattr(settings, "MONITIO_TRANSPORT", "monitio.nowhere.T"),
    "monitio.E030": lambda settings: setattr(settings, "MONITIO_STREAM", {"BACKEND": "nchan"}),
    "monitio.E041": lambda settings: setattr(settings, "MONITIO_THEME", "bootstrap"),
    "monitio.E040": lambda settings: setattr(settings, "MONITIO_CLIENT_ADDRESS", "X-Real-IP"),
    "monitio.E042": lambda settings: setattr(settings, "MONITIO_AUTHENTICATION", ["no.where"]),
    "monitio.E012": lambda settings: setattr(settings, "MONITIO_CHANNELS", {"sms": "no.where"}),
    "monitio.E032": lambda settings: setattr(settings, "MONITIO_CATEGORIES", {"exports": 1}),
    "monitio.W011": lambda settings: setattr(settings, "MONITIO_BASE_URL", ""),
    "monitio.E014": lambda settings: setattr(settings, "MONITIO_BASE_URL", "example.com"),
    "monitio.E060": lambda settings: setattr(settings, "MONITIO_SCOPE", "monitio.nowhere.Scope"),
    "monitio.E015": lambda settings: setattr(settings, "MONITIO_EMAIL_TIMEOUT", None),
    "monitio.W070": files_in_media,
    "monitio.E071": lambda settings: setattr(settings, "MONITIO_ENCRYPTION", "no.where.Box"),
    "monitio.E080": lambda settings: setattr(settings, "MONITIO_CHANNELS", {"push": PUSH}),
    "monitio.E081": push_by_another_name,
}


def test_a_complete_site_gets_no_messages() -> None:
    assert found() == {}


@pytest.mark.parametrize("identifier", FAULTS)
def test_the_fault_is_reported_with_a_hint(identifier: str, settings: Any) -> None:
    FAULTS[identifier](settings)
    reports = found()
    assert set(reports) == {identifier}
    assert reports[identifier].hint
    assert identifier[8] == type(reports[identifier]).__name__[0]


@pytest.mark.parametrize(("name", "value"), [("DEBUG", True), ("MONITIO_CHANNELS", {})])
def test_a_site_without_email_needs_no_address(settings: Any, name: str, value: Any) -> None:
    settings.MONITIO_BASE_URL = ""
    setattr(settings, name, value)
    assert found() == {}


@pytest.mark.parametrize("url", ["/messages/", "ftp://example.com", "https://", "https://["])
def test_an_invalid_address_is_reported(settings: Any, url: Any) -> None:
    settings.MONITIO_BASE_URL = url
    assert set(found()) == {"monitio.E014"}


@pytest.mark.parametrize("value", [object(), -1, True, "5", [], math.nan], ids=repr_kind)
def test_a_value_of_the_wrong_kind_is_named_and_stops_no_check(value: Any) -> None:
    for name, rule in Settings.RULES.items():
        with override_settings(**{f"MONITIO_{name}": value}):
            reports = run_checks(tags=["monitio"])
        if not rule.accepts(value):
            assert [message.id for message in reports] == ["monitio.E015"], name
            assert f"MONITIO_{name} is " in reports[0].msg


def test_each_setting_has_a_rule() -> None:
    assert Settings.RULES.keys() == Settings.DEFAULTS.keys()
    assert not list(Settings().mistakes())


def test_a_secret_of_the_wrong_kind_is_not_shown(settings: Any) -> None:
    settings.MONITIO_POSTGRES_DSN = {"password": "xyzzy"}
    assert "xyzzy" not in str(found()["monitio.E015"])


def test_the_legacy_redis_settings_must_be_a_dictionary(settings: Any) -> None:
    settings.REDIS_SSEQUEUE_CONNECTION_SETTINGS = "127.0.0.1:6379"
    assert set(found()) == {"monitio.E015"}


def test_a_misspelt_setting_gets_a_hint_with_the_right_name(settings: Any) -> None:
    settings.MONITIO_SNAPSHOT_SIZES = 5
    assert found()["monitio.W009"].hint == "Did you mean MONITIO_SNAPSHOT_SIZE?"


def test_settings_of_celery_need_its_app(settings: Any) -> None:
    settings.MONITIO_CELERY_QUEUE = "mail"
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "monitio_celery"]
    assert "MONITIO_CELERY_QUEUE" in found()["monitio.W009"].msg


def test_sqlite_that_fails_beside_a_worker_is_found_in_production(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"timeout": 20})
    reports = found()
    assert set(reports) == {"monitio.W013"}
    assert '"transaction_mode": "IMMEDIATE", "timeout": 20' in reports["monitio.W013"].hint
    settings.DEBUG = True
    assert found() == {}


@pytest.mark.parametrize("mode", ["IMMEDIATE", "exclusive"])
def test_sqlite_that_waits_gets_no_warning(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"transaction_mode": mode})
    assert found() == {}


def test_a_wrong_transport_is_reported_once_also_with_deploy(settings: Any) -> None:
    settings.MONITIO_TRANSPORT = "collections.OrderedDict"
    reports = run_checks(tags=["monitio"], include_deployment_checks=True)
    assert [message.id for message in reports].count("monitio.E010") == 1


def test_a_site_that_may_be_served_by_wsgi_is_warned_of_polling(settings: Any) -> None:
    assert "monitio.I050" in found(deploy=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ASGI_APPLICATION", "shop.asgi.application"), ("MONITIO_STREAMS_PER_PROCESS", 0)],
)
def test_a_site_that_has_chosen_is_not_warned(name: str, value: Any, settings: Any) -> None:
    setattr(settings, name, value)
    assert "monitio.I050" not in found(deploy=True)


def test_subclasses_are_accepted(settings: Any) -> None:
    settings.MESSAGE_STORAGE = f"{__name__}.OwnStorage"
    assert found() == {}
    assert has_middleware(MiddlewareMixin)


def test_middleware_that_cannot_be_imported_is_left_to_django(settings: Any) -> None:
    settings.MIDDLEWARE = ["no.such.Middleware", *settings.MIDDLEWARE]
    assert found() == {}


def test_every_check_is_documented() -> None:
    import re

    modules = ("monitio.checks", "monitio.channels.email.checks", "monitio.channels.webpush")
    paths = [Path(str(import_string(f"{module}.__file__"))) for module in modules]
    source = "".join(path.read_text() for path in paths)
    identifiers = set(re.findall(r"monitio\.[EWI]\d{3}", source))
    assert identifiers == {*FAULTS, "monitio.W013", "monitio.E061", "monitio.I050"}
    assert not [identifier for identifier in identifiers if f"`{identifier}`" not in MANUAL]


class Needy(Channel):
    def send(self, delivery: Delivery) -> None: ...

    def check(self) -> list[checks.CheckMessage]:
        return [checks.Error(f"{self.name} has no key.", id="shop.E001")]


def test_a_channel_checks_what_it_needs(settings: Any) -> None:
    settings.MONITIO_CHANNELS = {"pager": f"{__name__}.Needy"}
    assert [
        message.msg for message in run_checks(tags=["monitio"]) if message.id == "shop.E001"
    ] == ["pager has no key."]


@pytest.mark.parametrize(
    ("location", "is_public"),
    [
        ("/srv/shop/media/reports", True),
        ("/srv/shop/public/../media", True),
        ("/srv/shop/media-private", False),
        ("/srv/shop", False),
    ],
)
def test_files_of_tasks_must_lie_outside_the_media_folder(
    location: str, is_public: bool, settings: Any
) -> None:
    files_in_media(settings, location=location)
    assert ("monitio.W070" in found()) is is_public


def test_a_site_without_a_media_folder_gets_no_warning_about_files(settings: Any) -> None:
    files_in_media(settings, location="private")
    settings.MEDIA_ROOT = ""
    assert found() == {}


@pytest.mark.parametrize(
    "backend", ["django.core.files.storage.InMemoryStorage", "no.such.Storage"]
)
def test_a_storage_without_a_folder_is_not_checked(backend: str, settings: Any) -> None:
    settings.MEDIA_ROOT = "/"
    settings.STORAGES = {**settings.STORAGES, "monitio": {"BACKEND": backend}}
    assert found() == {}


class OneWay:
    def encrypt(self, text: str) -> str:
        return text


class Box(OneWay):
    def decrypt(self, text: str) -> str:
        return text


class Keyless(Box):
    def __init__(self) -> None:
        raise KeyError("SHOP_KEY")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("OneWay", "needs encrypt(text) and decrypt(text)"), ("Keyless", "KeyError: 'SHOP_KEY'")],
)
def test_an_encryption_that_cannot_work_is_reported_with_its_reason(
    name: str, reason: str, settings: Any
) -> None:
    settings.MONITIO_ENCRYPTION = f"{__name__}.{name}"
    assert reason in found()["monitio.E071"].msg


def test_an_encryption_that_works_is_not_reported(settings: Any) -> None:
    settings.MONITIO_ENCRYPTION = f"{__name__}.Box"
    assert found() == {}


def test_levels_match_what_is_at_stake(settings: Any) -> None:
    storage_missing(settings)
    assert isinstance(found()["monitio.E001"], checks.Error)
