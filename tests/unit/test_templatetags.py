"""The template tags and filters: their output and their queries."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib import messages as django_messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.template import Context, RequestContext, Template, engines
from django.test import Client, RequestFactory
from django.urls import path
from django.utils import translation
from django.utils.safestring import mark_safe
from pytest_django import DjangoAssertNumQueries

import monitio
from monitio import api
from monitio.jobs.reporter import JobReporter
from monitio.models import Job, Message
from monitio.recipients import Recipient, page_token
from monitio.views.strings import strings

pytestmark = pytest.mark.django_db

BOTH = "{% load monitio %}{% monitio_bell %}{% monitio %}"


def request_for(user: Any = None, path: str = "/", session: bool = True) -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = user or AnonymousUser()
    if session:
        SessionMiddleware(lambda _request: HttpResponse()).process_request(request)
    MessageMiddleware(lambda _request: HttpResponse()).process_request(request)
    return request


def render(source: str, request: HttpRequest, **context: Any) -> str:
    return engines["django"].from_string(source).render(context, request)


def items(page: str) -> list[dict[str, Any]]:
    """The messages that the front end reads from the page, newest first."""
    return [json.loads(html.unescape(text)) for text in re.findall(r'data-message="(.*?)"', page)]


def attribute(page: str, name: str) -> str | None:
    found = re.search(rf'<monitio-(?:messages|bell)[^>]* {name}="(.*?)"', page)
    return html.unescape(found[1]) if found else None


def test_a_page_holds_the_unseen_messages_newest_first(ann: Any) -> None:
    first = api.create_message(ann, monitio.INFO, "one")
    second = api.create_message(ann, monitio.INFO, "two")
    seen = api.create_message(ann, monitio.INFO, "three")
    api.mark_seen(ann, [seen.pk])
    page = render(BOTH, request_for(ann))
    assert [item["id"] for item in items(page)] == [second.pk, first.pk]


def test_a_page_never_holds_messages_of_another_user(ann: Any, django_user_model: Any) -> None:
    api.create_message(django_user_model.objects.create_user("bob"), monitio.INFO, "for bob")
    page = render(BOTH, request_for(ann))
    assert "for bob" not in page
    assert attribute(page, "unread") == "0"


def test_a_running_job_is_on_the_page_though_it_was_seen(ann: Any) -> None:
    reporter = JobReporter("task-1", name="report", recipients=[Recipient.for_user(ann)])
    reporter.started()
    api.mark_seen(ann, [Message.objects.get().pk])
    (item,) = items(render(BOTH, request_for(ann)))
    assert item["job"]["state"] == "started"
    assert item["job"]["task"] == "task-1"


def test_without_scripts_a_running_job_shows_how_far_it_is(ann: Any) -> None:
    JobReporter("1", name="app.tasks.export", recipients=[Recipient.of(ann)]).started()
    Job.objects.update(status_text="8 of 20 rows")
    assert "<bdi>8 of 20 rows</bdi>" in render(BOTH, request_for(ann))


def test_the_stream_address_is_bound_to_the_user(ann: Any) -> None:
    page = render(BOTH, request_for(ann))
    assert (
        attribute(page, "stream-url") == f"/messages/stream/?page={page_token(Recipient.of(ann))}"
    )
    assert attribute(page, "api-url") == "/messages/"


def test_a_page_of_another_user_gets_no_messages(
    ann: Any, django_user_model: Any, client: Client
) -> None:
    client.force_login(ann)
    bob = django_user_model.objects.create_user("bob")
    address = "/messages/json/?page="
    assert client.get(address + page_token(Recipient.of(ann))).status_code == 200
    assert client.get(address + page_token(Recipient.of(bob))).status_code == 204


def test_flash_messages_have_no_id(ann: Any) -> None:
    request = request_for(ann)
    django_messages.success(request, "Saved.")
    (item,) = items(render(BOTH, request))
    assert (item["id"], item["body"], item["level"]) == (None, "Saved.", "success")


def test_a_stored_flash_message_has_no_id_because_this_response_removes_it(ann: Any) -> None:
    first = request_for(ann)
    django_messages.success(first, "Saved.")
    first._messages.update(HttpResponse())  # type: ignore[attr-defined]
    request = request_for(ann)
    (item,) = items(render(BOTH, request))
    assert item["id"] is None
    request._messages.update(HttpResponse())  # type: ignore[attr-defined]
    assert not Message.objects.exists()


def test_flash_messages_that_the_page_has_shown_are_not_shown_again(ann: Any) -> None:
    request = request_for(ann)
    django_messages.success(request, "Saved.")
    api.create_message(ann, monitio.INFO, "kept")
    page = render("{% for m in messages %}<b>{{ m }}</b>{% endfor %}" + BOTH, request)
    assert [item["body"] for item in items(page)] == ["kept"]


def test_flash_messages_of_another_storage(ann: Any, settings: Any) -> None:
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    request = request_for(ann)
    django_messages.warning(request, "Careful.")
    api.create_message(ann, monitio.INFO, "kept")
    page = render(BOTH, request)
    assert [item["body"] for item in items(page)] == ["Careful.", "kept"]


def test_an_option_gives_a_visitor_a_token_and_a_stream() -> None:
    request = request_for()
    page = render("{% load monitio %}{% monitio visitors=True %}", request)
    recipient = Recipient.existing(request)
    assert recipient is not None and recipient.is_visitor
    assert page_token(recipient) in str(attribute(page, "stream-url"))
    assert attribute(page, "visitor-cookie") is None


def test_a_strangers_page_waits_for_the_cookie_of_a_visitor() -> None:
    request = request_for()
    page = render("{% load monitio %}{% monitio %}", request)
    assert Recipient.existing(request) is None
    assert attribute(page, "visitor-cookie") == "monitio_visitor"
    assert attribute(page, "stream-url") == f"/messages/stream/?page={page_token(None)}"
    assert attribute(page, "api-url") == "/messages/"


def test_without_visitors_a_strangers_page_has_no_stream(settings: Any) -> None:
    settings.MONITIO_VISITORS = False
    request = request_for()
    page = render("{% load monitio %}{% monitio visitors=True %}", request)
    assert Recipient.existing(request) is None
    assert "visitor-cookie" not in page and attribute(page, "stream-url") is None


def test_a_visitors_empty_page_has_no_csrf_token_so_that_it_can_be_cached() -> None:
    assert "csrf" not in render(BOTH, request_for())


def test_the_bell_alone_creates_no_session() -> None:
    request = request_for()
    render("{% load monitio %}{% monitio_bell %}", request)
    assert Recipient.existing(request) is None


def test_without_sessions_there_is_no_stream(settings: Any) -> None:
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
    page = render("{% load monitio %}{% monitio %}", request_for(session=False))
    assert "<monitio-messages" in page
    assert attribute(page, "stream-url") is None


def test_a_page_with_both_tags_costs_one_query(
    ann: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        api.create_message(ann, monitio.INFO, f"message {number}")
    request = request_for(ann)
    with django_assert_num_queries(1):
        render(BOTH, request)


def test_senders_are_loaded_at_once(
    ann: Any, django_user_model: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for name in ("bob", "eve"):
        sender = django_user_model.objects.create_user(name)
        api.create_message(ann, monitio.INFO, "hello", from_user=sender)
    request = request_for(ann)
    with django_assert_num_queries(2):
        page = render("{% load monitio %}{% monitio %}", request)
    assert {item["from"] for item in items(page)} == {"bob", "eve"}


def test_text_is_escaped_unless_it_is_marked_safe(ann: Any) -> None:
    api.create_message(ann, monitio.INFO, "<b>one</b>")
    api.create_message(ann, monitio.INFO, mark_safe("<i>two</i>"))
    page = render(BOTH, request_for(ann))
    assert "&lt;b&gt;one&lt;/b&gt;" in page
    assert "<i>two</i>" in page
    assert items(page)[0]["body"] == "two"


def test_a_payload_cannot_leave_its_attribute(ann: Any) -> None:
    text = '"><script>alert(1)</script>'
    api.create_message(ann, monitio.INFO, text, subject=text)
    page = render(BOTH, request_for(ann))
    assert "<script>alert" not in page
    assert items(page)[0]["title"] == text


def test_options_become_attributes(ann: Any) -> None:
    page = render(
        '{% load monitio %}{% monitio placement="top-end" max=3 auto_close="off" duration=12000 %}',
        request_for(ann),
    )
    assert attribute(page, "placement") == "top-end"
    assert attribute(page, "auto-close") == "off"
    assert attribute(page, "duration") == "12000"


def test_numbers_stay_numbers_in_every_language(ann: Any, settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    with translation.override("pl"):
        page = render("{% load monitio %}{% monitio duration=12000 %}", request_for(ann))
    assert attribute(page, "duration") == "12000"


def test_an_unknown_option_is_an_error(ann: Any) -> None:
    with pytest.raises(TypeError, match="no option position"):
        render("{% load monitio %}{% monitio position=1 %}", request_for(ann))


@pytest.mark.parametrize(
    "url", ["/pl/page/?tab=2", "/en/page/", "http://testserver/pl/page/?tab=2"]
)
def test_a_page_marks_messages_read_that_link_to_it_in_another_language(
    ann: Any, settings: Any, url: str
) -> None:
    settings.ROOT_URLCONF = (
        *i18n_patterns(path("page/", lambda _request: HttpResponse(), name="page")),
    )
    message = api.create_message(ann, monitio.INFO, "here", url=url)
    with translation.override("en"):
        request = request_for(ann, "/en/page/?tab=2")
        render("{% load monitio %}{% mark_as_read_by_url %}", request)
    message.refresh_from_db()
    assert message.read


@pytest.mark.parametrize("tag", ["monitio", "monitio_bell", "mark_as_read_by_url"])
def test_without_a_request_the_error_names_the_fix(tag: str) -> None:
    template = Template("{% load monitio %}{% " + tag + " %}")
    with pytest.raises(ImproperlyConfigured, match=r"context_processors\.request"):
        template.render(Context())


def test_the_strings_are_json_that_cannot_end_their_script(ann: Any) -> None:
    page = render(BOTH, request_for(ann))
    found = re.search(r"<script[^>]*data-strings>(.*?)</script>", page)
    assert found and json.loads(found[1]) == strings()
    assert "<" not in found[1]


def test_the_strings_are_in_the_language_of_the_request(ann: Any) -> None:
    with translation.override("pl"):
        assert strings()["bell"] == "Powiadomienia"


def test_visiting_its_link_marks_a_message_read(ann: Any) -> None:
    here = api.create_message(ann, monitio.INFO, "here", url="/reports/7/?tab=2")
    there = api.create_message(ann, monitio.INFO, "there", url="/reports/8/")
    request = request_for(ann, "/reports/7/?tab=2")
    assert render("{% load mark_as_read_by_url %}{% mark_as_read_by_url %}", request) == ""
    here.refresh_from_db()
    there.refresh_from_db()
    assert (here.read, there.read) == (True, False)


def test_visiting_a_link_marks_no_message_of_another_user_read(
    ann: Any, django_user_model: Any
) -> None:
    bob = django_user_model.objects.create_user("bob")
    message = api.create_message(bob, monitio.INFO, "here", url="/here/")
    render("{% load monitio %}{% mark_as_read_by_url %}", request_for(ann, "/here/"))
    message.refresh_from_db()
    assert not message.read


def bodies(filter_: str, messages: Any) -> list[str]:
    template = Template(
        "{% load message_filters %}{% for m in ms|" + filter_ + " %}{{ m }} {% endfor %}"
    )
    return template.render(RequestContext(HttpRequest(), {"ms": messages})).split()


@pytest.fixture
def four(ann: Any) -> list[Message]:
    """Four messages, oldest first; "b" and "c" are read."""
    rows = [api.create_message(ann, monitio.INFO, text) for text in "abcd"]
    api.mark_read(ann, [rows[1].pk, rows[2].pk])
    return [Message.objects.get(pk=row.pk) for row in rows]


def test_latest_of_a_queryset(four: list[Message]) -> None:
    assert bodies("latest:2", Message.objects.all()) == ["d", "c"]


def test_latest_of_a_slice_and_of_a_list(four: list[Message]) -> None:
    assert bodies("latest:2", Message.objects.order_by("pk")[:3]) == ["c", "b"]
    assert bodies("latest:2", four) == ["d", "c"]


def test_latest_or_unread_keeps_every_unread_one(four: list[Message]) -> None:
    assert bodies("latest_or_unread:1", four) == ["d", "a"]


def test_latest_or_unread_fills_up_with_read_ones(four: list[Message]) -> None:
    assert bodies("latest_or_unread:3", four) == ["d", "c", "a"]
