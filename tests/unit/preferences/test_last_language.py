"""The language of a user's last request is stored, and texts for them are written in it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import gettext_lazy, override

import monitio
from monitio import api, dispatch
from monitio.channels.webpush import WebPushChannel
from monitio.integrations import recipients
from monitio.jobs.options import NotifyOptions
from monitio.models import Message, Preferences
from monitio.preferences import last_language
from monitio.recipients import Recipient, page_token
from tests.support import scopes
from tests.support.people import user

pytestmark = pytest.mark.django_db
YES: Any = gettext_lazy("Yes")


@pytest.fixture(autouse=True)
def _languages(settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]


def read_in(browser: Client, language: str, view: str = "message_json") -> Any:
    url = f"{reverse(view)}?page={page_token(Recipient.of(user()))}"
    if view == "message_list":
        url = reverse(view)
    response = browser.get(url, headers={"Accept-Language": language})
    assert response.status_code == 200
    return response


def preferences_in(browser: Client, language: str) -> list[str]:
    """The statements of a request that read or write preferences."""
    with CaptureQueriesContext(connection) as queries:
        read_in(browser, language)
    return [query["sql"] for query in queries if "monitio_preferences" in query["sql"]]


def stored() -> list[str]:
    return list(Preferences.objects.order_by("pk").values_list("last_language", flat=True))


@pytest.mark.parametrize("view", ["message_json", "message_list", "message_stream"])
def test_monitios_own_requests_store_it(browser: Client, view: str) -> None:
    for language in ("de", "en"):
        read_in(browser, language, view)
        assert stored() == [language]


def test_an_english_senders_text_reaches_a_german_reader_in_german(
    ann: Any, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    read_in(browser, "de")
    with override("en"):
        message = api.create_message(ann, monitio.INFO, YES, email=True)
        assert api.notify_many([ann, user("bob")], monitio.INFO, YES) == 2
    shown = read_in(browser, "de").json()["messages"]
    assert [row["body"] for row in shown] == ["Ja", "Ja"]
    pushed = WebPushChannel.payload(WebPushChannel.__new__(WebPushChannel), message)
    assert (pushed["notification"]["title"], pushed["notification"]["lang"]) == ("Ja", "de")
    assert Message.objects.get(user__username="bob").message == "Yes"
    # E-mails are sent after the commit.
    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_the_frame_of_an_email_is_in_it_too(
    ann: Any, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    read_in(browser, "de")
    api.create_message(ann, monitio.INFO, YES, email=True)
    api.create_message(ann, monitio.INFO, "no lazy text", email=True)
    first, second = mail.outbox
    assert "Ja" in first.body
    assert "per E-Mail" in first.body and "per E-Mail" in second.body


def test_recipients_that_a_task_names_have_it(ann: Any, browser: Client) -> None:
    read_in(browser, "de")
    to = recipients.explicit(None, NotifyOptions(user=lambda: [ann, user("bob")]), (), {})
    assert [recipient.language for recipient in to or ()] == ["de", ""]


def test_a_chosen_language_takes_precedence(ann: Any, browser: Client) -> None:
    read_in(browser, "de")
    monitio.preferences.change(ann, language="pl")
    assert api.create_message(ann, monitio.INFO, YES).message == "Tak"


def test_a_process_compares_it_at_an_interval(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(preferences_in(browser, "de")) == 3
    assert preferences_in(browser, "de") == []
    # Another process has stored another browser's language.
    Preferences.objects.update(last_language="en")
    monkeypatch.setattr(last_language, "COMPARE_AFTER", -1.0)
    last_language.forget()
    assert len(preferences_in(browser, "de")) == 2
    assert (len(preferences_in(browser, "de")), stored()) == (1, ["de"])


def test_an_ordinary_page_neither_reads_nor_stores_it(browser: Client) -> None:
    browser.get("/", headers={"Accept-Language": "de"})
    assert stored() == []


def test_a_site_with_one_language_stores_none(browser: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "Locale" not in path]
    assert preferences_in(browser, "de") == []


def test_tenants_have_theirs(ann: Any, settings: Any) -> None:
    settings.MONITIO_SCOPE = scopes.PATH
    for scope, language in (("a", "de"), ("b", "en")):
        with scopes.ContextScope().activate(scope):
            last_language.note(Recipient.for_user(ann, language))
    assert stored() == ["de", "en"]
    with scopes.ContextScope().activate("a"), override("en"):
        assert api.create_message(ann, monitio.INFO, YES).message == "Ja"


def test_get_refuses_visitors() -> None:
    last_language.note(Recipient.for_visitor("a" * 32, "de"))
    assert stored() == []


def test_an_error_does_not_fail_the_request(
    browser: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise DatabaseError("no such column")

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(Preferences.objects, "here", fail)
    read_in(browser, "de")
    assert "The language of a user is not stored: DatabaseError: no such column" in caplog.text


def test_it_is_exported_and_erased(ann: Any, browser: Client) -> None:
    read_in(browser, "de")
    assert api.export(ann)["preferences"][0]["last_language"] == "de"
    api.erase(ann)
    assert stored() == []
