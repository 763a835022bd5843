"""All links to the site have the same base, wherever they are created."""

from __future__ import annotations

import re
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.urls import clear_script_prefix, include, path, reverse, set_script_prefix
from django.utils import translation

import monitio
from monitio import api, links, preferences
from monitio.channels.email.channel import build
from monitio.digests.email import compose_digest
from monitio.models import Message
from monitio_celery.signals.run import set_mount_point
from tests.support.people import user

urlpatterns = i18n_patterns(path("messages/", include("monitio.urls")))
APP = "https://example.com/app"

# MONITIO_BASE_URL, FORCE_SCRIPT_NAME, the request's SCRIPT_NAME; the site's address.
SITES = [
    ("https://example.com", None, "/", "https://example.com"),
    ("https://example.com/", None, "/", "https://example.com"),
    ("https://example.com/app", None, "/", APP),
    ("https://example.com/app/", None, "/app", APP),
    ("https://example.com", "/app", "/", APP),
    ("https://example.com", "/app/", "/app/", APP),
    ("https://example.com", None, "/app", APP),
    ("https://example.com/app", "/app", "/app", APP),
    ("https://example.com/app", "/inner", "/inner", APP),
    ("https://example.com:8000/a/b", None, "/", "https://example.com:8000/a/b"),
]


@pytest.fixture(autouse=True)
def _prefix() -> Any:
    yield
    clear_script_prefix()


@pytest.fixture(params=SITES, ids=lambda site: " ".join(map(str, site)))
def site(request: pytest.FixtureRequest, settings: Any) -> str:
    """The site's address."""
    settings.MONITIO_BASE_URL, settings.FORCE_SCRIPT_NAME, script_name, root = request.param
    set_script_prefix(script_name)
    return str(root)


def own_links(mail: Any) -> list[str]:
    header = mail.extra_headers["List-Unsubscribe"].strip("<>")
    return [header, *re.findall(r"https://\S*/messages/\S*", mail.body)]


@pytest.mark.django_db
def test_the_links_of_an_email_agree(site: str) -> None:
    message = api.create_message(user(), monitio.INFO, "x")
    digest = compose_digest(preferences.for_user(user()), Message.objects.all, "1")
    for mail in (build(message), digest):
        # The header, the inbox, the preferences and the unsubscribe link.
        found = own_links(mail)
        assert len(found) == 4
        assert all(link.startswith(f"{site}/messages/") for link in found), found


def test_making_a_link_does_not_change_the_prefix_of_the_request(settings: Any) -> None:
    settings.MONITIO_BASE_URL = APP
    set_script_prefix("/inner")
    links.page("message_list")
    assert reverse("message_list") == "/inner/messages/"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("report/1/", f"{APP}/report/1/"),
        ("?page=2", f"{APP}/?page=2"),
        ("#end", f"{APP}/#end"),
        ("/app/report/", f"{APP}/report/"),
        ("/elsewhere/", "https://example.com/elsewhere/"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("http://other.example/", "http://other.example/"),
        ("HTTPS://other.example/", "https://other.example/"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("base", [APP, f"{APP}/"])
def test_a_messages_address_is_joined_as_a_browser_does(
    url: str, expected: str, base: str, settings: Any
) -> None:
    settings.MONITIO_BASE_URL = base
    assert links.absolute(url) == expected


@pytest.mark.django_db
def test_every_link_is_in_its_recipients_language(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    ann = user()
    preferences.change(ann, language="pl")
    with translation.override("en"):
        message = api.create_message(ann, monitio.INFO, "x")
        digest = compose_digest(preferences.for_user(ann), Message.objects.all, "1")
        mails = [build(message), digest]
    for mail in mails:
        found = own_links(mail)
        assert len(found) == 4
        assert all("/pl/messages/" in link for link in found), found


@pytest.mark.parametrize(
    ("base", "force", "prefix", "warnings"),
    [
        ("https://example.com", None, "/app", 1),
        ("https://example.com/app", None, "/app", 0),
        ("https://example.com", "/app", "/app", 0),
        ("https://example.com", None, "/", 0),
        ("", None, "/app", 0),
    ],
)
def test_a_prefix_unknown_to_workers_is_logged_once_with_the_fix(
    base: str,
    force: str | None,
    prefix: str,
    warnings: int,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.MONITIO_BASE_URL, settings.FORCE_SCRIPT_NAME = base, force
    links._warn_of_prefix.cache_clear()
    set_script_prefix(prefix)
    for _ in range(2):
        links.check_prefix()
    assert len(caplog.messages) == warnings
    assert all(f"MONITIO_BASE_URL = '{APP}/'" in line for line in caplog.messages)


def in_a_thread(function: Any) -> Any:
    """The function's result in a thread without a request."""
    answers: list[Any] = []
    thread = Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join(10)
    return answers[0]


@pytest.mark.parametrize(("base", "force"), [(APP, None), ("https://example.com", "/app")])
class TestInAThreadOfAWorker:
    @pytest.fixture(autouse=True)
    def _site(self, settings: Any, base: str, force: str | None) -> None:
        settings.MONITIO_BASE_URL, settings.FORCE_SCRIPT_NAME = base, force

    def test_links_have_the_prefix(self) -> None:
        assert in_a_thread(lambda: links.page("message_list")) == f"{APP}/messages/"

    def test_a_task_reverses_with_the_prefix(self) -> None:
        def run() -> str:
            set_mount_point(task=SimpleNamespace(request=SimpleNamespace(is_eager=False)))
            return reverse("message_list")

        assert in_a_thread(run) == "/app/messages/"

    def test_an_eager_task_leaves_the_prefix_of_its_request(self) -> None:
        set_script_prefix("/inner")
        set_mount_point(task=SimpleNamespace(request=SimpleNamespace(is_eager=True)))
        assert reverse("message_list") == "/inner/messages/"
