"""The views of the inbox: access, changes, redirects, escaping, filters and selections."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

import monitio
from monitio import api
from monitio.messages import inbox
from monitio.models import Message
from monitio.recipients import Recipient, page_token
from monitio.stream.broadcaster import get_broadcaster
from tests.support.jobs import reporter
from tests.support.people import user, visitor_of

JSON = {"headers": {"accept": "application/json"}}
STREAM_STOPS = 204


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    """Stop the broadcaster's thread, whose connection would keep the test database open."""
    yield
    get_broadcaster().stop()


@pytest.fixture
def message(ann: Any, bob: Any) -> Message:
    """A message to ann from bob."""
    return api.create_message(ann, monitio.INFO, "the secret", from_user=bob, subject="Subject")


def signed_in(who: Any, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(who)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"message_{name}", args=args)


# Access by others.


def as_another_user() -> Client:
    return signed_in(user("carol"))


def as_the_sender() -> Client:
    return signed_in(user("bob"))


def as_a_staff_member() -> Client:
    return signed_in(user("root", is_superuser=True, is_staff=True))


def as_a_visitor() -> Client:
    client = Client()
    visitor_of(client)
    return client


STRANGERS = [as_another_user, as_the_sender, as_a_staff_member, as_a_visitor, Client]
with_strangers = pytest.mark.parametrize("stranger", STRANGERS)


@with_strangers
@pytest.mark.parametrize("name", ["detail", "mark_read", "delete", "reply"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_strangers_message_does_not_exist(
    message: Message, stranger: Callable[[], Client], name: str, method: str
) -> None:
    before = Message.objects.values().get()
    client = stranger()
    response = getattr(client, method)(url(name, message.pk), {"message": "hello"})
    assert response.status_code in (404, 405)
    assert b"secret" not in response.content
    assert Message.objects.values().get() == before


@with_strangers
def test_a_stranger_changes_nothing_by_naming_ids(
    message: Message, stranger: Callable[[], Client]
) -> None:
    client = stranger()
    api.create_message(message.user, 20, "goes once shown")
    before = list(Message.objects.values())
    ids = [row["id"] for row in before]
    assert client.post(url("mark_seen"), {"ids": ids}, **JSON).status_code == 200
    assert client.post(url("mark_all_read"), **JSON).json() == {
        "ok": True,
        "unread": 0,
        "unread_capped": False,
    }
    assert client.post(url("delete_all"), **JSON).json() == {
        "ok": True,
        "unread": 0,
        "unread_capped": False,
    }
    assert list(Message.objects.values()) == before


@with_strangers
def test_a_stranger_reads_nothing_in_lists(
    message: Message, stranger: Callable[[], Client]
) -> None:
    client = stranger()
    for address in (
        url("list"),
        url("list") + "?unread=1",
        url("list") + f"?before={message.pk + 1}",
        url("json"),
        url("json") + f"?before={message.pk + 1}",
        "/",
    ):
        response = client.get(address)
        assert response.status_code == 200
        assert b"secret" not in response.content and b"Subject" not in response.content


@with_strangers
def test_a_strangers_page_opens_no_stream_of_anothers(
    message: Message, stranger: Callable[[], Client]
) -> None:
    client = stranger()
    token = page_token(Recipient.for_user(message.user))
    for query in ({"page": token}, {"page": token, "user": message.user_id}, {}):
        response = client.get(url("stream"), query)
        if response.status_code == STREAM_STOPS:
            continue
        raise AssertionError(f"A stream was opened with {query}")


def test_a_stream_has_only_the_messages_of_its_user(
    message: Message, browser: Client, bob: Any
) -> None:
    api.create_message(bob, monitio.INFO, "bob's")
    token = page_token(Recipient.for_user(message.user))
    response = browser.get(
        url("stream"), {"page": token, "user": bob.pk, "topic": f"user:{bob.pk}"}
    )
    frames = iter(response)
    first = next(frames) + next(frames)
    response.close()
    assert b"the secret" in first and b"bob's" not in first


def test_a_visitor_sees_their_own_and_no_other_visitors(db: None) -> None:
    first, second = Client(), Client()
    message = api.create_message(visitor_of(first), monitio.INFO, "the secret")
    visitor_of(second)
    assert b"the secret" in first.get(url("detail", message.pk)).content
    assert b"the secret" in first.get(url("list")).content
    assert second.get(url("detail", message.pk)).status_code == 404
    second.post(url("delete_all"))
    assert first.post(url("delete", message.pk)).status_code == 302
    assert not Message.objects.exists()


def test_after_the_log_out_nothing_is_shown(browser: Client, message: Message) -> None:
    assert b"secret" in browser.get(url("list")).content
    browser.logout()
    assert b"secret" not in browser.get(url("list")).content
    assert browser.get(url("detail", message.pk)).status_code == 404


# GET changes nothing, POST needs the token.

QUESTIONS = ["mark_read", "mark_unread", "delete"]
ALL_QUESTIONS = ["mark_all_read", "delete_all"]


def addresses(message: Message) -> list[str]:
    return [url(name, message.pk) for name in QUESTIONS] + [url(name) for name in ALL_QUESTIONS]


def test_a_get_request_shows_a_confirmation_and_changes_nothing(
    browser: Client, message: Message
) -> None:
    before = Message.objects.values().get()
    for address in addresses(message):
        response = browser.get(address)
        content = response.content.decode()
        assert response.status_code == 200
        assert 'method="post"' in content and "csrfmiddlewaretoken" in content
        assert {"title", "question", "action_label", "next"} <= set(response.context.keys())
    everything = ("detail", message.pk), ("reply", message.pk), ("list",), ("json",)
    for name, *args in everything:
        assert browser.get(url(name, *args)).status_code == 200
    assert Message.objects.values().get() == before


@pytest.mark.parametrize("method", ["head", "options", "put", "delete", "patch"])
def test_no_other_method_changes_anything(browser: Client, message: Message, method: str) -> None:
    before = Message.objects.values().get()
    for address in [*addresses(message), url("mark_seen"), url("reply", message.pk)]:
        assert getattr(browser, method)(address).status_code == 405
    assert Message.objects.values().get() == before


def test_pages_that_only_show_answer_head(browser: Client, message: Message) -> None:
    for address in (url("list"), url("detail", message.pk), url("json")):
        response = browser.head(address)
        assert (response.status_code, response.content) == (200, b"")


def test_seen_is_only_posted(browser: Client) -> None:
    assert browser.get(url("mark_seen")).status_code == 405


def test_every_change_needs_the_csrf_token(ann: Any, message: Message) -> None:
    strict = signed_in(ann, enforce_csrf_checks=True)
    before = Message.objects.values().get()
    for address in [*addresses(message), url("mark_seen"), url("reply", message.pk)]:
        response = strict.post(address, {"ids": message.pk, "message": "x"})
        assert response.status_code == 403
    assert Message.objects.values().get() == before
    token = strict.get(url("json")).json()["csrf"]
    accepted = strict.post(
        url("mark_read", message.pk), headers={"x-csrftoken": token, "accept": "application/json"}
    )
    assert accepted.json() == {"ok": True, "unread": 0, "unread_capped": False}


def test_another_origin_is_trusted_as_soon_as_the_setting_allows_it(
    ann: Any, settings: Any
) -> None:
    """Also after an earlier request."""
    strict, token = signed_in(ann, enforce_csrf_checks=True), "t" * 32
    strict.cookies["csrftoken"] = token

    def status() -> int:
        headers = {"origin": "https://app.example", "x-csrftoken": token}
        return strict.post(reverse("message_mark_all_read"), headers=headers).status_code

    assert status() == 403
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example"]
    assert status() == 302


# Changes.


def test_the_list_shows_newest_first_in_pages(browser: Client, ann: Any, settings: Any) -> None:
    settings.MONITIO_SNAPSHOT_SIZE = 2
    rows = [api.create_message(ann, monitio.INFO, f"message {number}") for number in range(3)]
    first = browser.get(url("list"))
    assert first.context["messages_page"] == [rows[2], rows[1]]
    assert (first.context["older"], first.context["unread"]) == (rows[1].pk, 3)
    second = browser.get(url("list"), {"before": rows[1].pk})
    assert second.context["messages_page"] == [rows[0]]
    assert second.context["older"] is None


def test_the_list_can_leave_out_what_was_read(browser: Client, ann: Any) -> None:
    read, unread = (api.create_message(ann, monitio.INFO, text) for text in ("one", "two"))
    api.mark_read(ann, [read.pk])
    assert browser.get(url("list"), {"unread": "1"}).context["messages_page"] == [unread]


def test_marking_and_deleting_by_form(browser: Client, message: Message) -> None:
    response = browser.post(url("mark_read", message.pk))
    assert (response.status_code, response["Location"]) == (302, url("list"))
    message.refresh_from_db()
    assert message.read
    browser.post(url("delete", message.pk))
    assert not Message.objects.exists()


@pytest.mark.parametrize("action", ALL_QUESTIONS)
def test_all_until_a_message_leaves_later_ones_as_they_are(
    browser: Client, ann: Any, message: Message, action: str
) -> None:
    later = api.create_message(ann, monitio.INFO, "later")
    answer = browser.post(url(action), {"until": message.pk}, **JSON)
    assert answer.json()["unread"] == 1
    assert list(Message.objects.of(Recipient.of(ann)).unread()) == [later]
    # Beyond any id in both directions, and not a number.
    browser.post(url(action), {"until": -(10**30)})
    assert list(Message.objects.of(Recipient.of(ann)).unread()) == [later]
    assert browser.post(url(action), {"until": "x"}).status_code == 404
    browser.post(url(action), {"until": 10**30})
    assert not Message.objects.of(Recipient.of(ann)).unread()


def test_marking_and_deleting_all_by_form(browser: Client, ann: Any, message: Message) -> None:
    assert browser.post(url("mark_all_read"), **JSON).json() == {
        "ok": True,
        "unread": 0,
        "unread_capped": False,
    }
    message.refresh_from_db()
    assert message.read
    browser.post(url("delete_all"))
    assert not Message.objects.exists()


def test_seen_takes_several_ids(browser: Client, ann: Any) -> None:
    kept = api.create_message(ann, monitio.INFO, "kept")
    short = api.create_message(ann, 20, "once")
    answer = browser.post(url("mark_seen"), {"ids": [kept.pk, short.pk]}, **JSON)
    assert answer.json() == {"ok": True, "unread": 1, "unread_capped": False}
    kept.refresh_from_db()
    assert kept.seen and not kept.read
    assert Message.objects.count() == 1


@pytest.mark.parametrize("ids", ["one", "1;2", ""])
def test_ids_that_are_no_numbers_are_refused(browser: Client, ids: str) -> None:
    assert browser.post(url("mark_seen"), {"ids": ids}, **JSON).status_code == 400


@pytest.mark.parametrize("number", [10**18, 2**63, 10**30])
def test_a_number_outside_of_any_database_is_not_found(
    browser: Client, message: Message, number: int
) -> None:
    for name in ("detail", "mark_read", "delete", "reply"):
        assert browser.get(url(name, number)).status_code == 404
    for name in ("mark_read", "delete", "reply"):
        assert browser.post(url(name, number)).status_code == 404
    assert browser.get(url("list"), {"before": number}).status_code == 200
    assert browser.get(url("json"), {"before": number}).status_code == 200
    assert browser.post(url("mark_seen"), {"ids": number}, **JSON).status_code == 200


@pytest.mark.parametrize("before", ["one", "1.5", "9" * 5000])
def test_a_page_that_does_not_exist_is_not_found(browser: Client, before: str) -> None:
    assert browser.get(url("list"), {"before": before}).status_code == 404
    assert browser.get(url("json"), {"before": before}).status_code == 404


def test_the_answer_to_json_is_json_also_for_errors(browser: Client, message: Message) -> None:
    response = browser.post(url("reply", message.pk), {"message": ""}, **JSON)
    assert response.status_code == 400
    assert response.json()["errors"]["message"]


def test_a_reply_reaches_the_sender(browser: Client, message: Message, bob: Any) -> None:
    assert "the secret" in browser.get(url("reply", message.pk)).content.decode()
    assert browser.post(url("reply", message.pk), {"message": " "}).status_code == 200
    browser.post(url("reply", message.pk), {"message": "Thank you"})
    answer = Message.objects.get(user=bob)
    assert (answer.message, answer.from_user) == ("Thank you", message.user)


def test_a_message_without_sender_has_no_reply(browser: Client, ann: Any) -> None:
    message = api.create_message(ann, monitio.INFO, "one")
    assert browser.get(url("reply", message.pk)).status_code == 404
    assert browser.post(url("reply", message.pk), {"message": "x"}).status_code == 404


def test_json_is_the_snapshot_and_a_token_for_posting(browser: Client, message: Message) -> None:
    state = browser.get(url("json")).json()
    assert set(state) == {"messages", "unread", "unread_capped", "floor", "heartbeat", "csrf"}
    assert (state["messages"][0]["id"], state["unread"], state["floor"]) == (message.pk, 1, 0)


def test_json_continues_below_an_id(browser: Client, ann: Any, settings: Any) -> None:
    settings.MONITIO_SNAPSHOT_SIZE = 2
    pks = [api.create_message(ann, monitio.INFO, "one").pk for _ in range(5)]
    first = browser.get(url("json")).json()
    assert (first["floor"], first["unread"]) == (pks[3], 5)
    older = browser.get(url("json"), {"before": first["floor"]}).json()
    assert [row["id"] for row in older["messages"]] == [pks[2], pks[1]]
    assert older["more"] is True
    assert browser.get(url("json"), {"before": pks[1]}).json()["more"] is False


def test_answers_are_never_cached(browser: Client, message: Message) -> None:
    for address in (url("list"), url("detail", message.pk), url("json")):
        assert "no-store" in browser.get(address)["Cache-Control"]


def test_login_required_middleware_lets_visitors_in(
    client: Client, db: None, settings: Any
) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    for name in ("list", "json"):
        assert client.get(url(name)).status_code == 200
    assert client.get(url("stream")).status_code == STREAM_STOPS
    assert client.get("/").status_code == 302


# Redirects.

FOREIGN = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    " https://evil.example",
    "https:///evil.example",
    "\nhttps://evil.example",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_no_form_leads_to_another_site(browser: Client, message: Message, target: str) -> None:
    response = browser.post(url("mark_read", message.pk), {"next": target})
    assert (response.status_code, response["Location"]) == (302, url("list"))
    question = browser.get(url("delete", message.pk), headers={"referer": target.strip()})
    assert question.context["next"] == url("list")


def test_a_form_redirects_back_to_a_page_of_the_site(browser: Client, message: Message) -> None:
    response = browser.post(url("mark_read", message.pk), {"next": "/?page=2"})
    assert response["Location"] == "/?page=2"
    question = browser.get(url("delete", message.pk), headers={"referer": "http://testserver/a/"})
    assert question.context["next"] == "http://testserver/a/"


def test_next_in_the_address_is_not_followed(browser: Client, message: Message) -> None:
    response = browser.post(url("mark_read", message.pk) + "?next=/elsewhere/")
    assert response["Location"] == url("list")


@pytest.mark.parametrize("name", ["detail", "delete"])
def test_no_redirect_leads_to_a_deleted_message(
    browser: Client, message: Message, name: str
) -> None:
    referer = "http://testserver" + url(name, message.pk)
    question = browser.get(url("delete", message.pk), headers={"referer": referer})
    assert question.context["next"] == url("list")


# Escaping in pages and headers.

EVIL = "<script>alert(1)</script>\"'&"


@pytest.fixture
def evil(ann: Any, bob: Any) -> Message:
    bob.first_name = "<b>Bob"
    bob.save()
    return api.create_message(
        ann, monitio.INFO, EVIL, from_user=bob, subject=EVIL, extra_tags='x" onclick="alert(1)',
        url="/?a=\"><script>", url_label=EVIL, category=EVIL,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["detail", "delete", "mark_read", "reply", "list"])
def test_pages_escape_everything(browser: Client, evil: Message, name: str) -> None:
    content = browser.get(url(name, *([] if name == "list" else [evil.pk]))).content.decode()
    assert "<script>alert" not in content
    assert '"><script>' not in content
    assert '" onclick="' not in content
    assert "<b>Bob" not in content


def test_the_home_page_of_the_manual_escapes_everything(browser: Client, evil: Message) -> None:
    content = browser.get("/").content.decode()
    assert "&lt;script&gt;" in content
    assert "<script>alert" not in content and '" onclick="' not in content


def test_a_confirmation_for_a_safe_message_shows_its_text(browser: Client, ann: Any) -> None:
    message = api.create_message(ann, monitio.INFO, mark_safe("<b>bold</b> &lt;script&gt;"))
    question = browser.get(url("delete", message.pk)).context["question"]
    assert question == "Delete “bold <script>”?"


def test_no_line_of_a_message_becomes_a_frame_or_a_header(browser: Client, ann: Any) -> None:
    api.create_message(ann, monitio.INFO, "one\r\rdata: {}\n\nevent: gone\r\n", subject="a\r\nb: c")
    token = page_token(Recipient.for_user(ann))
    response = browser.get(url("stream"), {"page": token})
    frames = iter(response)
    data = next(frames) + next(frames)
    response.close()
    assert data.count(b"\nevent: ") + data.startswith(b"event: ") == 1
    assert b"\r" not in data
    line = next(line for line in data.split(b"\n") if line.startswith(b"data: "))
    assert json.loads(line[6:])["messages"][0]["body"].startswith("one\r\rdata")


def test_tokens_and_session_keys_are_never_on_the_wire(db: None) -> None:
    client = Client()
    visitor = visitor_of(client)
    api.create_message(visitor, monitio.INFO, "one")
    sent = b""
    for address in (url("list"), url("json"), "/"):
        response = client.get(address)
        sent += response.content + str(response.headers).encode()
    response = client.get(url("stream"), {"page": page_token(visitor)})
    frames = iter(response)
    sent += next(frames) + next(frames)
    response.close()
    assert visitor.token and visitor.token.encode() not in sent
    key = client.session.session_key
    assert key and key.encode() not in sent


def test_an_own_request_is_needed_for_a_stream(rf: Any) -> None:
    from monitio.stream.view import respond

    request: HttpRequest = rf.get("/")
    assert respond(request).status_code == STREAM_STOPS


@pytest.fixture
def mixed(ann: Any) -> None:
    """Messages of several levels and categories."""
    api.create_message(ann, monitio.ERROR, "The import broke", category="imports")
    api.create_message(
        ann, monitio.INFO, "nothing new", subject="Import of May", category="imports"
    )
    api.create_message(ann, monitio.WARNING, "Your plan ends", category="billing")
    api.create_message(ann, monitio.INFO, "Welcome")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("level=error", ["The import broke"]),
        ("level=info", ["Welcome", "nothing new"]),
        ("category=imports", ["nothing new", "The import broke"]),
        ("category=imports&level=info", ["nothing new"]),
        ("text=IMPORT", ["nothing new", "The import broke"]),
        ("text=wel&unread=1", ["Welcome"]),
        ("level=wrong&category=wrong&text=", ["Welcome", "Your plan ends", "nothing new"]),
    ],
)
def test_the_list_can_be_searched(
    browser: Client, mixed: None, query: str, found: list[str]
) -> None:
    page = browser.get(url("list") + f"?{query}").context["messages_page"]
    assert [message.text for message in page][: len(found)] == found
    if "wrong" not in query:
        assert len(page) == len(found)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("other=1", ["Welcome"]),
        ("attention=1", ["Your plan ends", "The import broke"]),
        ("attention=1&category=imports", ["The import broke"]),
        ("running=1", []),
        ("week=1&category=billing", ["Your plan ends"]),
    ],
)
def test_the_navigation_and_the_menu_filter(
    browser: Client, mixed: None, ann: Any, query: str, found: list[str]
) -> None:
    old = api.create_message(ann, monitio.INFO, "old", category="billing")
    Message.objects.filter(pk=old.pk).update(created=timezone.now() - timedelta(days=8))
    page = browser.get(url("list") + f"?{query}").context
    assert [message.text for message in page["messages_page"]] == found
    assert page["found"] == len(found)


def test_views_and_categories_are_counted_in_three_queries(
    browser: Client, mixed: None, ann: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.MONITIO_CATEGORIES = {"billing": {}, "exports": {}}
    job = reporter(ann)
    job.started()
    api.mark_read(ann, [Message.objects.get(message="Welcome").pk])
    page = browser.get(url("list") + "?category=billing").context
    assert [link.count for link in page["views"]] == [5, 4, 1, 2]
    assert [(link.label, link.count, link.is_current) for link in page["categories"]] == [
        ("Billing", 1, True), ("Imports", 2, False), ("Everything else", 2, False),
    ]  # fmt: skip
    assert not any(link.is_current for link in page["views"])
    with django_assert_num_queries(3):
        inbox.counts(Recipient.for_user(ann))


def test_each_filter_in_force_has_a_chip_that_removes_it(browser: Client, mixed: None) -> None:
    chips = browser.get(url("list") + "?category=imports&week=1&text=may").context["chips"]
    assert [(str(chip.label), chip.href) for chip in chips] == [
        ("Last 7 days", "?text=may&category=imports"), ("Imports", "?text=may&week=1"),
    ]  # fmt: skip


def test_messages_are_grouped_by_day(browser: Client, ann: Any) -> None:
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)  # a Thursday
    days = {"a": 0, "b": 1, "c": 2, "d": 5, "e": 40}
    for text, ago in reversed(days.items()):
        row = api.create_message(ann, monitio.INFO, text)
        Message.objects.filter(pk=row.pk).update(created=now - timedelta(days=ago))
    with time_machine.travel(now, tick=False):
        page = browser.get(url("list")).context["days"]
    assert [(day, *(row.text for row in rows)) for day, rows in page] == [
        ("Today", "a"), ("Yesterday", "b"), ("Earlier this week", "c"), ("Last 7 days", "d"),
        ("October 2026", "e"),
    ]  # fmt: skip


# Selected messages.


def test_the_selected_messages_are_marked_and_no_others(browser: Client, ann: Any) -> None:
    pks = [api.create_message(ann, monitio.INFO, "one").pk for _ in range(3)]
    unread = Message.objects.unread().values_list("pk", flat=True).order_by("pk")
    browser.post(url("selected"), {"ids": pks[:2], "do": "read"})
    assert list(unread.all()) == pks[2:]
    back = {"ids": pks[1:], "do": "unread", "next": url("list") + "?unread=1"}
    assert browser.post(url("selected"), back)["Location"] == url("list") + "?unread=1"
    assert list(unread.all()) == pks[1:]


def test_deleting_selected_messages_confirms_their_number(browser: Client, ann: Any) -> None:
    pks = [api.create_message(ann, monitio.INFO, "one").pk for _ in range(3)]
    question = browser.post(url("selected"), {"ids": pks[:2], "do": "delete"})
    assert question.context["question"] == "Delete 2 notifications? This can’t be undone."
    assert Message.objects.count() == 3
    fields = dict(re.findall(r'name="(do|sure)" value="(\w+)"', question.content.decode()))
    ids = re.findall(r'name="ids" value="(\d+)"', question.content.decode())
    browser.post(url("selected"), {**fields, "ids": ids})
    assert [row.pk for row in Message.objects.all()] == pks[2:]


@pytest.mark.parametrize("fields", [{}, {"do": "delete", "sure": "1"}, {"do": "x", "ids": "1"}])
def test_nothing_selected_changes_nothing(
    browser: Client, message: Message, fields: dict[str, Any]
) -> None:
    assert browser.post(url("selected"), fields)["Location"] == url("list")
    assert Message.objects.unread().count() == 1


def test_deleting_all_confirms_their_number(browser: Client, message: Message) -> None:
    page = browser.get(url("delete_all"))
    assert page.context["question"] == "Delete 1 notification? This can’t be undone."
    assert 'class="monitio-button primary danger"' in page.content.decode()


def test_a_read_message_can_be_unread_again(browser: Client, message: Message) -> None:
    browser.post(url("mark_read", message.pk))
    assert (
        "Mark “Subject” as unread?" in browser.get(url("mark_unread", message.pk)).content.decode()
    )
    answer = browser.post(url("mark_unread", message.pk), **JSON)
    assert answer.json() == {"ok": True, "unread": 1, "unread_capped": False}
    message.refresh_from_db()
    assert message.seen and not message.read


def test_further_pages_keep_the_search(browser: Client, mixed: None, settings: Any) -> None:
    settings.MONITIO_SNAPSHOT_SIZE = 1
    first = browser.get(url("list") + "?category=imports&text=import")
    older = re.search(r'href="(\?[^"]*before=[^"]*)">', first.content.decode())
    assert older
    second = browser.get(url("list") + html.unescape(older[1])).context["messages_page"]
    assert [message.text for message in second] == ["The import broke"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit searches to two messages, and counts to two."""
    monkeypatch.setattr(inbox, "SEARCHED", 2)
    monkeypatch.setattr(inbox, "COUNTED", 2)


def test_a_search_reads_the_newest_and_older_ones_on_demand(
    browser: Client, ann: Any, few: None
) -> None:
    for text in ("needle one", "straw", "needle two", "straw", "straw"):
        api.create_message(ann, monitio.INFO, text)
    address, found = url("list") + "?text=needle", []
    while address:
        page = browser.get(address)
        found.append([message.text for message in page.context["messages_page"]])
        older = re.search(r'href="(\?[^"]*before=[^"]*)">', page.content.decode())
        address = url("list") + html.unescape(older[1]) if older else ""
    assert found == [[], ["needle two"], ["needle one"]]


def test_numbers_of_a_large_inbox_are_lower_limits(browser: Client, ann: Any, few: None) -> None:
    for category in ("a", "b", "b", "a"):
        api.create_message(ann, monitio.INFO, "text", category=category)
    page = browser.get(url("list")).context
    assert [link.count for link in page["views"]] == ["2+", 4, 0, 0]
    assert [(link.label, link.count) for link in page["categories"]] == [("A", "1+"), ("B", "1+")]
    assert page["found"] == "2+"
    assert api.categories_of(ann) == ["a", "b"]


def test_a_search_without_result_shows_that_and_can_be_changed(
    browser: Client, mixed: None
) -> None:
    page = browser.get(url("list") + "?text=zebra").content.decode()
    assert "Nothing found" in page
    assert 'value="zebra"' in page


def test_the_filter_has_no_categories_of_other_users(mixed: None, client: Client) -> None:
    page = client.get(url("list")).content.decode()
    assert "billing" not in page.lower()
