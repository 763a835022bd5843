"""The response of message_json for a page that Django has not rendered."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from monitio import INFO, create_message
from monitio.recipients import Recipient, page_token
from monitio.views.strings import strings
from tests.support.people import visitor_of

pytestmark = pytest.mark.django_db
JSON = reverse("message_json")


def begin(client: Client, known: str = "", **headers: str) -> Any:
    return client.get(JSON, {"bootstrap": known}, headers=headers)


def test_a_user_gets_page_csrf_token_and_texts(browser: Client, ann: Any) -> None:
    create_message(ann, INFO, "For Ann")
    answer = begin(browser).json()
    assert answer["page"] == page_token(Recipient.for_user(ann)) and answer["csrf"]
    assert answer["strings"]["texts"] == strings()
    assert (answer["visitor_cookie"], answer["fetch_snapshot"]) == ("", False)
    assert [message["body"] for message in answer["messages"]] == ["For Ann"]


def test_a_stranger_gets_no_cookie_and_no_csrf_token(client: Client) -> None:
    response = begin(client)
    answer = response.json()
    assert not response.cookies and "csrf" not in answer
    assert (answer["page"], answer["visitor_cookie"]) == ("v.", "monitio_visitor")
    assert answer["strings"]["texts"]


def test_a_visitor_needs_no_further_cookie(client: Client) -> None:
    visitor_of(client)
    answer = begin(client).json()
    assert (answer["page"], answer["visitor_cookie"]) == ("v.", "")
    assert answer["csrf"]


def test_without_visitors_a_stranger_gets_no_page(client: Client, settings: Any) -> None:
    settings.MONITIO_VISITORS = False
    assert begin(client).json()["page"] == ""


def test_texts_that_the_page_has_are_left_out(client: Client) -> None:
    known = begin(client).json()["strings"]["hash"]
    assert begin(client, known).json()["strings"] == {"hash": known}
    assert begin(client, "0" * 16).json()["strings"]["texts"]


def test_they_are_in_the_language_of_the_request(client: Client) -> None:
    english, polish = (
        begin(client, **{"Accept-Language": code}).json()["strings"] for code in ("en", "pl")
    )
    assert (english["texts"]["close_all"], polish["texts"]["close_all"]) == (
        "Close all",
        "Zamknij wszystkie",
    )
    assert english["hash"] != polish["hash"]


def test_a_hub_is_named(browser: Client, settings: Any) -> None:
    settings.MONITIO_STREAM = {"BACKEND": "nchan", "PUBLISH_URL": "http://127.0.0.1:9/publish"}
    assert begin(browser).json()["fetch_snapshot"] is True


def test_it_takes_no_additional_query(browser: Client, django_assert_num_queries: Any) -> None:
    begin(browser)
    with django_assert_num_queries(3):
        browser.get(JSON)
    with django_assert_num_queries(3):
        begin(browser)


def test_other_pages_get_the_usual_response(browser: Client) -> None:
    known = {"messages", "unread", "unread_capped", "floor", "heartbeat", "csrf"}
    assert set(browser.get(JSON).json()) == known
    assert set(Client().get(JSON).json()) == {"messages", "unread", "unread_capped", "floor"}
