"""Claims: of two parallel pages one shows a message, and a failed page loses none."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import messages
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone

import monitio
from monitio import api
from monitio.models import Delivery, Message
from monitio.recipients import Recipient
from tests.integration.storage import site
from tests.integration.storage.conformance import atomic_requests
from tests.support.people import next_request, request_of, respond, shown, user, visitor_of
from tests.support.threads import DEADLINE, Running, at_once

__all__ = ["atomic_requests"]

# Events that a view sets, and for which it waits.
gates: dict[str, threading.Event] = {}


def slow(request: HttpRequest) -> HttpResponse:
    """Show the messages, then wait."""
    response = site.show(request)
    gates["shown"].set()
    assert gates["go on"].wait(DEADLINE)
    return response


def fails(request: HttpRequest) -> HttpResponse:
    site.show(request)
    raise RuntimeError("after the messages were rendered")


def answers_500(request: HttpRequest) -> HttpResponse:
    return HttpResponse(site.show(request).content, status=500)


def rolled_back(request: HttpRequest) -> HttpResponse:
    """Show the messages in a transaction that is rolled back; the response is sent."""
    with transaction.atomic():
        response = site.show(request)
        transaction.set_rollback(True)
    return response


def broken(request: HttpRequest) -> HttpResponse:
    """Break the transaction by a failed query, and respond."""
    try:
        with transaction.atomic():
            Message.objects.create(user=request.user, message="one", level=monitio.INFO, id=1)
            Message.objects.bulk_create([Message(user=request.user, message="one", id=1)])
    except IntegrityError:
        pass
    with transaction.atomic():
        transaction.set_rollback(True)
        messages.error(request, "That did not work.")
        return site.show(request) if "show" in request.GET else HttpResponse("broken")


urlpatterns = [
    *site.urlpatterns,
    path("slow/", slow),
    path("fails/", fails),
    path("answers_500/", answers_500),
    path("rolled_back/", rolled_back),
    path("broken/", broken),
]

READ = "<li"


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    gates.update({name: threading.Event() for name in ("shown", "go on")})


@pytest.fixture
def browser(ann: Any, client: Client) -> Client:
    client.force_login(ann)
    client.raise_request_exception = False
    return client


def create_message(who: Any, text: str = "one", **more: Any) -> Message:
    """Create a message that is deleted once shown."""
    return api.create_message(who, messages.INFO, text, **more)


def second_browser(who: Any) -> Client:
    client = Client()
    client.force_login(who)
    return client


@pytest.mark.django_db(transaction=True)
def test_of_two_parallel_pages_one_shows_the_message(browser: Client, ann: Any) -> None:
    create_message(ann)
    other = second_browser(ann)
    first = Running(lambda: browser.get("/slow/"))
    assert gates["shown"].wait(DEADLINE)
    assert READ not in other.get("/show/").content.decode()
    gates["go on"].set()
    assert READ in first.result().content.decode()
    assert not Message.objects.exists()


def test_two_pages_that_read_before_either_claims_show_it_once(ann: Any) -> None:
    create_message(ann, "one"), create_message(ann, "two")
    first, second = request_of(ann), request_of(ann)
    assert len(first._messages) == len(second._messages) == 2
    create_message(ann, "three")
    assert shown(first) == ["one", "two"]
    assert shown(second) == []
    respond(second)
    respond(first)
    assert [row.message for row in Message.objects.all()] == ["three"]


@pytest.mark.django_db(transaction=True)
def test_many_pages_at_once_show_each_message_exactly_once(ann: Any) -> None:
    browsers = [second_browser(ann) for _ in range(4)]
    for turn in range(5):
        for number in range(3):
            create_message(ann, f"message {turn}.{number}")
        pages = at_once(*[lambda b=b: b.get("/show/").content.decode() for b in browsers])
        for number in range(3):
            assert sum(f"message {turn}.{number}" in page for page in pages) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("atomic_requests")
def test_many_pages_with_atomic_requests_lose_and_double_nothing(ann: Any) -> None:
    browsers = [second_browser(ann) for _ in range(3)]
    for turn in range(4):
        create_message(ann, f"message {turn}")
        pages = at_once(*[lambda b=b: b.get("/show/").content.decode() for b in browsers])
        assert sum(f"message {turn}" in page for page in pages) == 1


def test_parallel_pages_of_a_visitor_share_in_the_same_way(client: Client, db: None) -> None:
    visitor = visitor_of(client)
    create_message(visitor)
    request = request_of(None, client.session)
    assert shown(request) == ["one"]
    assert shown(request_of(None, client.session)) == []
    respond(request)
    assert not Message.objects.exists()


@pytest.mark.parametrize("page", ["/fails/", "/answers_500/"])
def test_a_page_that_failed_loses_no_stored_message(browser: Client, ann: Any, page: str) -> None:
    create_message(ann)
    browser.post("/add/info/", {"messages": ["two"]})
    assert browser.get(page).status_code == 500
    content = browser.get("/show/").content.decode()
    assert "one" in content and "two" in content
    assert READ not in browser.get("/show/").content.decode()


def test_a_page_that_failed_loses_no_message_of_the_cookie(client: Client, db: None) -> None:
    client.raise_request_exception = False
    client.post("/add/info/", {"messages": ["one"]})
    assert client.get("/answers_500/").status_code == 500
    assert b"one" in client.get("/show/").content
    assert b"one" not in client.get("/show/").content


def test_a_page_that_failed_keeps_what_it_added_and_showed(ann: Any) -> None:
    request = request_of(ann)
    messages.info(request, "added")
    assert shown(request) == ["added"]
    assert shown(next_request(request, respond(request, 500))) == ["added"]


def test_a_claim_whose_process_died_shows_again_after_a_while(ann: Any, settings: Any) -> None:
    settings.MONITIO_CLAIM_TIMEOUT = 60
    create_message(ann)
    died = request_of(ann)
    assert shown(died) == ["one"]
    assert shown(request_of(ann)) == []
    Message.objects.update(claimed_at=timezone.now() - timedelta(seconds=61))
    heir = request_of(ann)
    assert shown(heir) == ["one"]
    # The first process continues after all: it must not remove what another page shows now.
    respond(died)
    assert Message.objects.count() == 1
    respond(heir)
    assert not Message.objects.exists()


def test_a_given_up_claim_is_back_in_the_stream_too(ann: Any) -> None:
    create_message(ann)
    assert shown(request_of(ann)) == ["one"]
    assert api.inbox(ann) == []
    Message.objects.update(claimed_at=timezone.now() - timedelta(seconds=61))
    assert [row.message for row in api.inbox(ann)] == ["one"]


def test_used_set_to_false_releases_the_claim(ann: Any) -> None:
    create_message(ann)
    request = request_of(ann)
    assert shown(request) == ["one"]
    request._messages.used = False
    assert shown(next_request(request, respond(request))) == ["one"]


def test_kept_messages_are_shown_without_a_claim(ann: Any) -> None:
    api.create_message(ann, monitio.INFO, "kept")
    assert shown(request_of(ann)) == ["kept"]
    assert shown(request_of(ann)) == ["kept"]
    assert Message.objects.get().claim == ""


def test_a_shown_message_is_hidden_until_its_email_is_sent(ann: Any) -> None:
    message = create_message(ann, email=True)
    request = request_of(ann)
    assert shown(request) == ["one"]
    respond(request)
    message.refresh_from_db()
    assert message.hidden
    assert shown(request_of(ann)) == []
    assert api.inbox(ann) == [] and api.unread_count(ann) == 0
    with pytest.raises(Message.DoesNotExist):
        api.get_message(ann, message.pk)
    from monitio.channels import deliveries

    assert deliveries.send(Delivery.objects.get().pk)
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_page_whose_transaction_was_rolled_back_counts_as_shown(
    browser: Client, ann: Any
) -> None:
    create_message(ann)
    assert READ in browser.get("/rolled_back/").content.decode()
    assert READ not in browser.get("/show/").content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [False, True])
def test_a_view_whose_transaction_broke_still_shows_its_message(
    browser: Client, monkeypatch: pytest.MonkeyPatch, atomic: bool
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)
    assert browser.get("/broken/").status_code == 200
    assert "That did not work." in browser.get("/show/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_page_rendered_in_a_broken_transaction_loses_nothing(browser: Client, ann: Any) -> None:
    create_message(ann)
    content = browser.get("/broken/?show=1").content.decode()
    assert "That did not work." in content and "one" not in content
    assert "one" in browser.get("/show/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_cannot_claim_costs_the_message_not_the_page(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    create_message(ann)

    def locked(*args: Any, **kwargs: Any) -> int:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr("monitio.storage._CLAIM.run", locked)
        request = request_of(ann)
        assert shown(request) == []
    assert shown(next_request(request, respond(request))) == ["one"]


def test_a_message_written_during_the_request_is_shown_by_its_page(ann: Any) -> None:
    request = request_of(ann)
    assert len(request._messages) == 0
    monitio.info(request, "kept")
    monitio.add_message(request, messages.INFO, "at once", live=True)
    monitio.add_message(request, messages.INFO, "for somebody else", user=user("bob"))
    assert shown(request) == ["kept", "at once"]
    assert shown(next_request(request, respond(request))) == ["kept"]


def test_one_recipient_never_claims_anothers(ann: Any) -> None:
    create_message(ann)
    create_message(Recipient.for_visitor("a" * 32))
    assert shown(request_of(user("bob"))) == []
    assert shown(request_of(None)) == []
    assert Message.objects.filter(claim="").count() == 2
