"""The demo's other buttons and pages, over HTTP."""

from __future__ import annotations

import pytest

from tests.e2e.demo.running import Visitor
from tests.support.waiting import wait_until


def test_a_task_that_fails_shows_its_reason_and_no_traceback(visitor: Visitor) -> None:
    message = visitor.follow("/start/fail/")
    assert message["title"] == "Month-end closing: failed"
    assert message["body"] == "Three October invoices have no date. Add the dates and try again."
    assert "Traceback" not in str(message)


def test_a_reason_is_in_the_language_of_the_user_who_started_the_task(
    polish_visitor: Visitor,
) -> None:
    message = polish_visitor.follow("/start/fail/")
    assert message["body"].startswith("Trzy faktury z października")


def test_a_failed_task_is_tried_again_in_the_same_message(visitor: Visitor) -> None:
    message = visitor.follow("/start/fail/")
    assert message["job"]["retry"]
    assert visitor.post(f"/messages/retry/{message['id']}/").status_code == 200

    def ended_again() -> bool:
        (again,) = visitor.messages()
        is_newer = again["id"] == message["id"] and again["version"] > message["version"]
        return is_newer and again["job"]["state"] == "failed"

    wait_until(ended_again, 60, "the end of the second run")


def test_a_task_that_fails_twice_succeeds_in_the_same_message(visitor: Visitor) -> None:
    message = visitor.follow("/start/flaky/")
    assert message["body"] == "The bank answered on attempt 3."
    assert len(visitor.messages()) == 1


def test_eight_tasks_and_their_sum_share_one_message(visitor: Visitor) -> None:
    message = visitor.follow("/start/chord/")
    assert message["title"] == "Branch check: done"
    assert message["body"] == "84 records have been corrected."
    assert len(visitor.messages()) == 1


def cancel_button(visitor: Visitor, path: str) -> str:
    """Start a task; the address of the cancel button on its message."""
    visitor.post(path)
    found = wait_until(lambda: visitor.messages(), 60, "the message")
    assert found[0]["job"]["cancel"]
    return f"/messages/cancel/{found[0]['id']}/"


@pytest.mark.parametrize("name", ["minute", "chord"])
def test_only_the_user_who_started_a_task_can_cancel_it(
    visitor: Visitor, stranger: Visitor, name: str
) -> None:
    button = cancel_button(visitor, f"/start/{name}/")
    assert stranger.post(button).status_code == 404
    assert visitor.post(button).json()["ok"]
    wait_until(lambda: visitor.messages()[0]["job"]["state"] == "revoked", 60, "the end")
    assert visitor.messages()[0]["title"].endswith(": cancelled")


def test_a_retried_cancelled_group_continues_where_it_stopped(visitor: Visitor) -> None:
    visitor.post(cancel_button(visitor, "/start/chord/"))
    (message,) = wait_until(
        lambda: [one for one in visitor.messages() if one["job"]["retry"]], 60, "Try again"
    )
    assert visitor.post(f"/messages/retry/{message['id']}/").status_code == 200
    wait_until(lambda: visitor.messages()[0]["job"]["state"] == "succeeded", 60, "the end")
    (again,) = visitor.messages()
    assert (again["id"], again["body"]) == (message["id"], "84 records have been corrected.")


def test_the_report_is_also_emailed_to_a_user(visitor: Visitor) -> None:
    visitor.post("/log-in/ann/")
    visitor.get("/")
    message = visitor.follow("/start/report/")
    wait_until(lambda: message["body"] in visitor.get("/mails/").text, message="the mail")


def test_a_message_reaches_the_other_user_alone(visitor: Visitor, stranger: Visitor) -> None:
    visitor.post("/log-in/ann/")
    visitor.get("/")
    stranger.post("/log-in/bob/")
    stranger.get("/")
    answer = visitor.post("/send/", data={"to": "bob", "text": "Lunch at noon?"})
    assert answer.json()["done"] == "Sent to Bob."
    received = stranger.messages()[0]
    assert (received["title"], received["body"]) == ("A message from Ann", "Lunch at noon?")
    assert "Lunch at noon?" not in str(visitor.messages())


def test_a_visitor_may_write_and_is_named_as_such(visitor: Visitor, stranger: Visitor) -> None:
    visitor.post("/send/", data={"to": "bob", "text": "Hello from outside"})
    stranger.post("/log-in/bob/")
    stranger.get("/")
    assert stranger.messages()[0]["title"] == "A message from a visitor"


@pytest.mark.parametrize("name", ["admin", "root"])
def test_only_the_two_demo_users_log_in_with_one_click(visitor: Visitor, name: str) -> None:
    assert visitor.post(f"/log-in/{name}/").status_code == 404


def test_an_unknown_task_is_not_found(visitor: Visitor) -> None:
    assert visitor.post("/start/nothing/").status_code == 404


def test_a_link_starts_no_task(visitor: Visitor) -> None:
    assert visitor.get("/start/fail/").status_code == 405


def test_the_page_is_translated_to_polish(polish_visitor: Visitor) -> None:
    assert "Importuj przykład" in polish_visitor.get("/").text


def test_monitios_pages_use_the_sites_theme(visitor: Visitor) -> None:
    assert "contacts/demo.css" in visitor.get("/messages/").text
