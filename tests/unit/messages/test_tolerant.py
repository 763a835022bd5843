"""A page whose messages cannot be read is served without them, and the error is logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.test import Client
from django.urls import include, path

import monitio
from monitio import api
from monitio.models import Message
from tests.support.people import user

# The tests change tables outside of transactions.
pytestmark = pytest.mark.django_db(transaction=True)
WARNING = "The page goes without messages"
PAGE = "{% load monitio %}{% monitio_bell %}{% mark_as_read_by_url %}{% monitio %}"


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(PAGE).render({}, request))


@transaction.atomic
def page_in_a_transaction(request: HttpRequest) -> HttpResponse:
    get_user_model().objects.create(username="before")
    response = page(request)
    get_user_model().objects.create(username="after")
    return response


@transaction.atomic
def page_of_a_broken_transaction(request: HttpRequest) -> HttpResponse:
    assert request.user.is_authenticated
    transaction.set_rollback(True)
    return page(request)


def add(request: HttpRequest) -> HttpResponse:
    from django.contrib import messages

    messages.info(request, "saved")
    return HttpResponse("done")


def read(request: HttpRequest) -> HttpResponse:
    return HttpResponse("|".join(str(message) for message in get_messages(request)))


urlpatterns = [
    path("", page),
    path("transaction/", page_in_a_transaction),
    path("broken/", page_of_a_broken_transaction),
    path("add/", add),
    path("read/", read),
    path("messages/", include("monitio.urls")),
]


@pytest.fixture
def browser(settings: Any) -> Client:
    settings.ROOT_URLCONF = __name__
    ann = user("ann")
    client = Client()
    client.force_login(ann)
    api.create_message(ann, monitio.INFO, "hello", from_user=ann, url="/")
    return client


TABLE = Message._meta.db_table
MISSING = {
    "column": (
        f"ALTER TABLE {TABLE} RENAME COLUMN url_label TO not_yet",
        f"ALTER TABLE {TABLE} RENAME COLUMN not_yet TO url_label",
    ),
    "table": (f"ALTER TABLE {TABLE} RENAME TO not_yet", f"ALTER TABLE not_yet RENAME TO {TABLE}"),
}


@pytest.fixture(params=MISSING)
def older_table(browser: Client, request: pytest.FixtureRequest) -> Iterator[None]:
    """A table without the columns of the current version."""
    take_away, bring_back = MISSING[request.param]
    with connection.cursor() as cursor:
        cursor.execute(take_away)
        yield
        cursor.execute(bring_back)


@pytest.mark.usefixtures("older_table")
@pytest.mark.parametrize("address", ["/", "/transaction/", "/broken/"])
def test_a_page_is_served_without_messages_if_a_column_is_missing(
    address: str, browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = browser.get(address)
    assert answer.status_code == 200
    assert "<monitio-messages" in answer.content.decode()
    assert "hello" not in answer.content.decode()
    lines = [record for record in caplog.records if WARNING in record.getMessage()]
    assert lines and not any(record.exc_info for record in lines)


@pytest.mark.usefixtures("older_table")
def test_the_views_transaction_stays_usable(browser: Client) -> None:
    assert browser.get("/transaction/").status_code == 200
    names = set(get_user_model().objects.values_list("username", flat=True))
    assert {"before", "after"} <= names


@pytest.mark.usefixtures("older_table")
def test_messages_that_cannot_be_stored_use_djangos_cookie(browser: Client) -> None:
    assert browser.get("/add/").status_code == 200
    assert browser.get("/read/").content == b"saved"


def test_a_complete_table_shows_everything(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert "hello" in browser.get("/transaction/").content.decode()
    assert WARNING not in caplog.text
