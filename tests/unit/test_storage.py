"""The storage's additions to Django's, and messages at log-in and log-out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.messages.storage.base import Message as DjangoMessage
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils import timezone

import monitio
from monitio import api
from monitio.exceptions import UnknownRecipient
from monitio.models import Message
from monitio.models.messages import MessageQuerySet
from monitio.recipients import Recipient
from monitio.testing import capture_events
from monitio.utils.compiled_sql import MOST_KEYS
from tests.integration.storage import site
from tests.support.people import next_request, request_of, respond, shown, user, visitor_of
from tests.support.threads import run_async


def log_in(request: HttpRequest) -> HttpResponse:
    messages.info(request, "before the log-in")
    login(request, user(request.GET.get("as", "ann")))
    messages.info(request, "after the log-in")
    return HttpResponse("in")


def log_out(request: HttpRequest) -> HttpResponse:
    messages.info(request, "before the log-out")
    monitio.add_message(request, messages.INFO, "for ann herself", user=request.user)
    logout(request)
    messages.info(request, "after the log-out")
    return HttpResponse("out")


def delete_account(request: HttpRequest) -> HttpResponse:
    if "quietly" in request.GET:
        User.objects.filter(pk=request.user.pk).delete()
    else:
        request.user.delete()
    messages.success(request, "Your account is gone.")
    return HttpResponse("gone")


async def from_async(request: HttpRequest) -> HttpResponse:
    messages.info(request, "from an async view")
    return HttpResponse("async")


urlpatterns = [
    *site.urlpatterns,
    path("log_in/", log_in),
    path("log_out/", log_out),
    path("delete_account/", delete_account),
    path("async/", from_async),
]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__


def page(browser: Client) -> str:
    return browser.get("/show/").content.decode()


# Additional methods.


@pytest.fixture
def stocked(ann: Any) -> HttpRequest:
    """A request of a user with two persistent messages (one read) and two short-lived ones."""
    read = api.create_message(ann, monitio.INFO, "kept and read")
    api.mark_read(ann, [read.pk])
    api.create_message(ann, monitio.WARNING, "kept")
    api.create_message(ann, messages.INFO, "stored")
    request = request_of(ann)
    messages.info(request, "queued")
    return request


def texts(rows: Any) -> list[str]:
    return [str(row) for row in rows]


def test_get_persistent_gives_read_and_unread_kept_messages(stocked: HttpRequest) -> None:
    assert texts(stocked._messages.get_persistent()) == ["kept", "kept and read"]


def test_get_persistent_unread_leaves_out_read_ones(stocked: HttpRequest) -> None:
    assert texts(stocked._messages.get_persistent_unread()) == ["kept"]


def test_get_nonpersistent_gives_the_others_and_they_count_as_shown(stocked: HttpRequest) -> None:
    storage = stocked._messages
    assert texts(storage.get_nonpersistent()) == ["stored", "queued"]
    assert texts(storage.get_nonpersistent()) == ["stored", "queued"]
    assert shown(next_request(stocked, respond(stocked))) == ["kept"]


def test_the_counts_count_and_show_nothing(stocked: HttpRequest) -> None:
    storage = stocked._messages
    assert storage.count_unread() == 3
    assert storage.count_persistent_unread() == 1
    assert storage.count_nonpersistent() == 2
    assert not storage.used


def test_iterating_leaves_out_read_messages_unless_the_site_wants_them(
    stocked: HttpRequest, settings: Any
) -> None:
    assert shown(next_request(stocked)) == ["kept", "stored"]
    settings.MONITIO_EXCLUDE_READ = False
    assert shown(next_request(stocked))[:2] == ["kept and read", "kept"]


def test_expired_messages_are_in_no_list_and_no_count(ann: Any) -> None:
    api.create_message(ann, monitio.INFO, "old", expires=timezone.now() - timedelta(seconds=1))
    api.create_message(ann, messages.INFO, "old", expires=timezone.now() - timedelta(seconds=1))
    storage = request_of(ann)._messages
    assert list(storage) == [] and not storage.get_persistent().exists()
    assert storage.count_unread() == 0


def test_a_visitor_has_the_same_methods(db: None) -> None:
    request = request_of(None)
    messages.info(request, "one")
    storage = request._messages
    assert (storage.count_unread(), storage.count_persistent_unread()) == (1, 0)
    assert list(storage.get_persistent()) == list(storage.get_persistent_unread()) == []
    assert texts(storage.get_nonpersistent()) == ["one"]


def test_a_page_is_bounded_but_holds_everything_that_shows_once(ann: Any, settings: Any) -> None:
    settings.MONITIO_SNAPSHOT_SIZE = 3
    for number in range(2):
        api.create_message(ann, messages.INFO, f"once {number}")
    for number in range(5):
        api.create_message(ann, monitio.INFO, f"kept {number}")
    expected = ["once 0", "once 1", "kept 2", "kept 3", "kept 4"]
    assert shown(request_of(ann)) == expected


@pytest.mark.parametrize("count", [1, 2, MOST_KEYS, MOST_KEYS + 1])
def test_any_number_of_messages_is_claimed_and_deleted(ann: Any, count: int) -> None:
    expected = [f"once {number}" for number in range(count)]
    for text in expected:
        api.create_message(ann, messages.INFO, text)
    request, other = request_of(ann), request_of(ann)
    assert shown(request) == expected
    assert shown(other) == []
    assert shown(next_request(request, respond(request))) == []
    assert not Message.objects.exists()


# Adding.


@pytest.mark.parametrize("level", monitio.PERSISTENT_MESSAGE_LEVELS)
def test_a_kept_message_for_a_visitor_is_refused(db: None, level: int) -> None:
    with pytest.raises(NotImplementedError, match="anonymous visitor"):
        messages.add_message(request_of(None), level, "kept")


def test_naming_the_requests_own_anonymous_user_changes_nothing(db: None) -> None:
    request = request_of(None)
    with pytest.raises(NotImplementedError):
        monitio.add_message(request, monitio.INFO, "kept", user=request.user)
    monitio.add_message(request, messages.INFO, "one", user=request.user)
    assert shown(next_request(request, respond(request))) == ["one"]


def test_a_users_request_cannot_write_to_an_anonymous_user(ann: Any) -> None:
    with pytest.raises(UnknownRecipient, match="has no account"):
        monitio.add_message(request_of(ann), messages.INFO, "one", user=AnonymousUser())


def test_a_missing_user_is_named_in_the_error(ann: Any) -> None:
    with pytest.raises(UnknownRecipient, match="123456"):
        monitio.add_message(request_of(ann), monitio.INFO, "one", user=123456)


def test_a_visitor_cannot_be_mailed(db: None) -> None:
    with pytest.raises(ValueError, match="no address"):
        monitio.add_message(request_of(None), messages.INFO, "one", email=True)


@pytest.mark.django_db(transaction=True)
def test_a_message_for_the_next_page_is_not_published_others_are(ann: Any, bob: Any) -> None:
    with capture_events() as events:
        request = request_of(ann)
        messages.info(request, "for the next page")
        respond(request)
        assert events == []
        monitio.info(request, "kept")
        monitio.add_message(request, messages.INFO, "live", live=True)
        monitio.add_message(request, messages.INFO, "to bob", user=bob)
        monitio.add_message(request, monitio.INFO, "in silence", live=False)
    published = [(event.topic, event.data and event.data["body"]) for event in events]
    mine = Recipient.for_user(ann).topic
    assert published == [(mine, "kept"), (mine, "live"), (Recipient.for_user(bob).topic, "to bob")]


def test_a_stored_message_keeps_all_of_its_fields(ann: Any, bob: Any) -> None:
    request = request_of(ann)
    soon = timezone.now() + timedelta(hours=1)
    monitio.add_message(
        request, messages.INFO, "text", "tags", subject="subject", from_user=bob, expires=soon,
        close_timeout=5, url="/there/", url_label="There",
    )  # fmt: skip
    (message,) = next_request(request, respond(request))._messages
    assert (message.message, message.extra_tags, message.subject) == ("text", "tags", "subject")
    assert (message.from_user, message.expires, message.close_timeout) == (bob, soon, 5)
    assert (message.url, message.url_label, message.live) == ("/there/", "There", False)


def test_messages_too_large_for_a_cookie_are_stored_for_the_visitor(db: None) -> None:
    request = request_of(None)
    monitio.add_message(request, messages.INFO, "text", subject="subject", url="/there/")
    messages.info(request, "plain")
    second = next_request(request, respond(request))
    rows = {str(message): message for message in second._messages}
    assert rows["text"].subject == "subject" and rows["text"].url == "/there/"
    assert type(rows["plain"]) is DjangoMessage
    assert shown(next_request(second, respond(second))) == []
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_adding_from_an_async_view_works(ann: Any, async_client: AsyncClient) -> None:
    async_client.force_login(ann)
    run_async(_get(async_client, "/async/"))
    assert shown(request_of(ann)) == ["from an async view"]


async def _get(client: AsyncClient, address: str) -> None:
    assert (await client.get(address)).status_code == 200


# Logging in and out.


def test_messages_from_before_and_after_log_in_show_to_the_user(client: Client, ann: Any) -> None:
    client.post("/add/info/", {"messages": ["of the visitor"]})
    client.get("/log_in/")
    content = page(client)
    for text in ("of the visitor", "before the log-in", "after the log-in"):
        assert text in content
    assert "<li" not in page(client)


def test_messages_from_before_and_after_log_out_show_to_the_visitor(
    browser: Client, ann: Any
) -> None:
    browser.get("/log_out/")
    content = page(browser)
    assert "before the log-out" in content and "after the log-out" in content
    assert "<li" not in page(browser)


def test_messages_written_to_a_user_stay_theirs(browser: Client, ann: Any) -> None:
    browser.get("/log_out/")
    assert "for ann herself" not in page(browser)
    assert shown(request_of(ann)) == ["for ann herself"]


def test_stored_messages_of_a_user_are_not_shown_after_log_out(browser: Client, ann: Any) -> None:
    api.create_message(ann, messages.INFO, "private")
    browser.get("/log_out/")
    assert "private" not in page(browser)
    browser.get("/log_in/?as=bob")
    assert "private" not in page(browser)
    assert shown(request_of(ann)) == ["private", "for ann herself"]


def test_changing_users_in_one_request_keeps_its_messages(
    browser: Client, ann: Any, bob: Any
) -> None:
    browser.get("/log_in/?as=bob")
    assert "before the log-in" in page(browser)
    assert shown(request_of(ann)) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["", "?quietly=1"])
def test_a_user_who_deletes_the_account_gets_the_message(browser: Client, how: str) -> None:
    assert browser.get(f"/delete_account/{how}").content == b"gone"
    assert "Your account is gone." in page(browser)


@pytest.mark.django_db(transaction=True)
def test_a_visitors_stored_messages_are_the_users_after_the_log_in(
    client: Client, ann: Any
) -> None:
    visitor = visitor_of(client)
    api.create_message(visitor, monitio.INFO, "kept for the visitor")
    client.get("/log_in/")
    assert "kept for the visitor" in page(client)
    row = Message.objects.get(message="kept for the visitor")
    assert (row.user, row.session) == (ann, "")


@pytest.mark.django_db(transaction=True)
def test_later_messages_for_the_visitor_go_to_the_user(client: Client, ann: Any) -> None:
    visitor = visitor_of(client)
    client.get("/log_in/")
    api.create_message(visitor, monitio.INFO, "created")
    api.notify_many([visitor], monitio.INFO, "notified")
    assert Message.objects.filter(user=ann, level=monitio.INFO).count() == 2


def test_a_request_without_session_or_user_names_what_is_missing(rf: Any) -> None:
    with pytest.raises(UnknownRecipient, match="SessionMiddleware"):
        Recipient.from_request(rf.get("/"))
    assert Recipient.existing(rf.get("/")) is None


def test_messages_that_the_database_refuses_show_on_the_next_page(
    ann: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise DataError("not in this character set")

    request = request_of(ann)
    messages.info(request, "one")
    with monkeypatch.context() as patch:
        patch.setattr(MessageQuerySet, "bulk_create", refuse)
        response = respond(request)
    assert "could not be stored" in caplog.text
    following = next_request(request, response)
    assert shown(following) == ["one"]
    assert shown(next_request(following, respond(following))) == []
