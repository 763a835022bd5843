"""The queries of a page, with the whole middleware stack."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import monitio
from monitio import api
from tests.support.people import user, visitor_of


@pytest.fixture(autouse=True)
def _site(db: None, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.integration.storage.site"


def queries(browser: Client, page: str) -> tuple[list[str], list[str]]:
    """The SQL of one page about messages: reads and writes."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert browser.get(page).status_code == 200
    about = [query["sql"] for query in captured if "monitio_" in query["sql"]]
    return (
        [sql for sql in about if sql.startswith("SELECT")],
        [sql for sql in about if not sql.startswith("SELECT")],
    )


def everything(browser: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        browser.get(page)
    return len(captured)


def test_a_page_without_messages_makes_no_query(browser: Client) -> None:
    api.create_message(user(), messages.INFO, "one")
    assert queries(browser, "/silent/") == ([], [])
    assert everything(browser, "/silent/") == 0


def test_a_page_with_no_messages_reads_once_and_writes_nothing(browser: Client) -> None:
    reads, writes = queries(browser, "/show/")
    assert (len(reads), writes) == (1, [])
    # The session, the user, the messages.
    assert everything(browser, "/show/") == 3


def test_kept_messages_cost_no_write(browser: Client) -> None:
    api.create_message(user(), monitio.INFO, "one")
    reads, writes = queries(browser, "/show/")
    assert (len(reads), writes) == (1, [])


def test_an_unknown_visitor_costs_no_query_at_all(client: Client) -> None:
    assert everything(client, "/show/") == 0


def test_a_known_visitor_costs_a_session_and_one_query(client: Client) -> None:
    visitor_of(client)
    assert everything(client, "/show/") == 2


def test_a_shown_message_costs_a_claim_and_a_removal(browser: Client) -> None:
    api.create_message(user(), messages.INFO, "one")
    _reads, writes = queries(browser, "/show/")
    assert [sql.split()[0] for sql in writes] == ["UPDATE", "DELETE"]


def test_adding_a_message_reads_nothing_and_writes_once(browser: Client) -> None:
    with CaptureQueriesContext(connection) as captured:
        browser.post("/add/info/", {"messages": ["one", "two"]})
    about = [query["sql"] for query in captured if "monitio_" in query["sql"]]
    assert [sql.split()[0] for sql in about] == ["INSERT"]
