"""The features of the legacy documentation; docs/original.md maps each of them to a test."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.contrib import messages
from django.core import mail
from django.http import HttpRequest
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import monitio
from monitio import api, dispatch
from monitio.models import Message
from monitio.storage import PersistentMessageStorage
from monitio.testing import capture_events
from tests.support.people import next_request, request_of, respond, shown, user

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "original.md").read_text()

MANUALS_LIST = """
{% if messages %}
<ul class="messages">
{% for message in messages %}
<li{% if message.tags %} class="{{ message.tags }}"{% endif %}>
{% if message.subject %}<strong>{{ message.subject }}</strong><br />{% endif %}
{{ message.message }}<br />
{% if message.is_persistent %}
<a href="{% url 'message_mark_read' message.pk %}">close</a>{% endif %}
</li>
{% endfor %}
</ul>
{% endif %}
"""
MANUALS_NONPERSISTENT = """
{% if messages.get_nonpersistent %}
{% for message in messages.get_nonpersistent %}
[{{ message }}]
{% endfor %}
{% endif %}
"""
MANUALS_MENU = """
<ul id="menu">
<li><a href="">inbox {% if messages.count_persistent_unread > 0 %}
({{ messages.count_persistent_unread }}){% endif %}</a></li>
</ul>
"""


@pytest.fixture(autouse=True)
def _without_worker(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


@pytest.fixture
def request_(ann: Any) -> HttpRequest:
    return request_of(ann)


def rendered(template: str, request: HttpRequest) -> str:
    return Template(template).render(Context({"messages": request._messages}))


# The table.


@cache
def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_the_table_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TABLE)
    assert len(named) > 50
    assert not [f"{path}::{name}" for path, name in named if name not in functions_in(path)]


def test_every_row_of_the_table_names_a_test_or_why_there_is_none() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 45
    silent = [row for row in rows if "`tests/" not in row and "| —" not in row]
    assert not silent


# Levels and adding.


def test_messages_at_monitios_levels_are_kept_until_deleted(
    request_: HttpRequest, ann: Any
) -> None:
    monitio.add_message(request_, monitio.WARNING, "stays")
    for _ in range(3):
        request_ = next_request(request_, respond(request_))
        assert shown(request_) == ["stays"]
    assert api.delete(ann, [Message.objects.get().pk]) == 1
    assert shown(next_request(request_)) == []


def test_messages_at_djangos_levels_are_in_the_database_and_go_once_accessed(
    request_: HttpRequest,
) -> None:
    messages.info(request_, "goes")
    respond(request_)
    assert Message.objects.get().message == "goes"
    following = next_request(request_)
    assert shown(following) == ["goes"]
    respond(following)
    assert not Message.objects.exists()


def test_both_ways_of_adding_are_equivalent(request_: HttpRequest) -> None:
    messages.add_message(request_, messages.INFO, "Hello world.")
    monitio.add_message(request_, messages.INFO, "Hello world.")
    messages.add_message(request_, monitio.WARNING, "This message is stored till removed.")
    monitio.add_message(request_, monitio.WARNING, "This message is stored till removed.")
    respond(request_)
    rows = Message.objects.values_list("level", "message", "user", "extra_tags")
    assert len(rows) == 4 and len(set(rows)) == 2


@pytest.mark.django_db(transaction=True)
def test_a_message_with_subject_is_stored_and_mailed(ann: Any) -> None:
    monitio.add_message(
        request_of(ann), monitio.INFO, "Message body", subject="Please read me", email=True
    )
    assert Message.objects.get().subject == "Please read me"
    (letter,) = mail.outbox
    assert (letter.subject, letter.to) == ("Please read me", ["ann@example.com"])


def test_sally_sees_her_message_the_next_time_she_logs_in(
    request_: HttpRequest, client: Client
) -> None:
    sally = user("Sally")
    monitio.add_message(
        request_, monitio.SUCCESS, "Hi Sally, here is a message to you.", subject="Success message",
        user=sally,
    )  # fmt: skip
    client.post("/login/", {"username": "Sally", "password": "secret"})
    assert b"Hi Sally, here is a message to you." in client.get("/").content
    assert b"Hi Sally" not in Client().get("/").content


def test_users_can_write_to_each_other(request_: HttpRequest, ann: Any) -> None:
    sally = user("Sally")
    monitio.add_message(request_, monitio.INFO, "Hi", user=sally, from_user=ann)
    answer = api.reply(sally, Message.objects.get().pk, "Hello")
    assert (answer.user, answer.from_user) == (ann, sally)


def test_an_expired_message_is_in_no_queryset(request_: HttpRequest) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    monitio.add_message(request_, monitio.INFO, "one", expires=soon)
    storage = request_._messages
    assert storage.get_persistent().count() == storage.get_persistent_unread().count() == 1
    Message.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert storage.get_persistent().count() == storage.get_persistent_unread().count() == 0


def test_the_close_timeout_reaches_the_pop_up(ann: Any) -> None:
    from monitio.serializers import payload

    message = api.create_message(ann, monitio.INFO, "one", close_timeout=5)
    assert payload(message)["close_timeout"] == 5


@pytest.mark.django_db(transaction=True)
def test_a_background_process_notifies_the_user_live_and_by_email(ann: Any) -> None:
    with capture_events() as events:
        api.create_message(
            ann, monitio.SUCCESS, "Your report is ready", None, "report", "Report", None, 10, True,
            True,
        )  # fmt: skip
    assert [event.data and event.data["title"] for event in events] == ["Report"]
    assert len(mail.outbox) == 1


# Showing.


def test_the_manuals_template_shows_messages_with_a_link_that_closes_them(
    request_: HttpRequest,
) -> None:
    monitio.add_message(request_, monitio.INFO, "kept", subject="Subject")
    messages.info(request_, "short")
    content = rendered(MANUALS_LIST, request_)
    address = reverse("message_mark_read", args=[Message.objects.get().pk])
    assert "<strong>Subject</strong>" in content and 'class="info"' in content
    assert content.count(f'<a href="{address}">close</a>') == 1 and "short" in content


def test_the_link_of_the_manuals_template_closes_after_a_question(ann: Any, client: Client) -> None:
    client.force_login(ann)
    message = api.create_message(ann, monitio.INFO, "kept")
    address = reverse("message_mark_read", args=[message.pk])
    assert client.get(address).status_code == 200
    message.refresh_from_db()
    assert not message.read
    client.post(address)
    assert shown(request_of(ann)) == []


def test_the_bundled_template_replaces_the_manuals(request_: HttpRequest) -> None:
    monitio.add_message(request_, monitio.INFO, "kept", subject="Subject")
    content = render_to_string(
        "monitio/message/includes/messages.jquery.html", {"messages": request_._messages}
    )
    pk = Message.objects.get().pk
    for name in ("message_mark_read", "message_delete"):
        assert f'href="{reverse(name, args=[pk])}"' in content
    assert "Subject" in content and "kept" in content


def test_the_manuals_loop_over_nonpersistent_messages(request_: HttpRequest) -> None:
    assert rendered(MANUALS_NONPERSISTENT, request_).strip() == ""
    monitio.add_message(request_, monitio.INFO, "kept")
    messages.info(request_, "one")
    messages.info(request_, "two")
    content = rendered(MANUALS_NONPERSISTENT, request_)
    assert "[one]" in content and "[two]" in content and "kept" not in content


def test_the_manuals_menu_counts_unread_kept_messages(request_: HttpRequest, ann: Any) -> None:
    assert "inbox </a>" in rendered(MANUALS_MENU, request_)
    monitio.add_message(request_, monitio.INFO, "kept")
    messages.info(request_, "short")
    assert "inbox \n(1)</a>" in rendered(MANUALS_MENU, request_)
    api.mark_all_read(ann)
    assert "inbox </a>" in rendered(MANUALS_MENU, request_)


def test_the_same_templates_serve_visitors() -> None:
    request = request_of(None)
    messages.success(request, "one")
    following = next_request(request, respond(request))
    assert "inbox </a>" in rendered(MANUALS_MENU, following)
    assert '<li class="success">' in rendered(MANUALS_LIST, following)


def test_the_requests_storage_is_the_one_that_was_configured(client: Client) -> None:
    response = client.get("/")
    assert type(response.wsgi_request._messages) is PersistentMessageStorage


# Addresses.


@pytest.mark.parametrize(
    ("name", "with_id"),
    [
        ("message_detail", True),
        ("message_mark_read", True),
        ("message_mark_all_read", False),
        ("message_delete", True),
        ("message_delete_all", False),
    ],
)
def test_the_named_addresses_are_there(name: str, with_id: bool) -> None:
    assert reverse(name, args=[1] if with_id else []).startswith("/messages/")


def test_the_detail_page_renders_the_manuals_template(ann: Any, client: Client) -> None:
    client.force_login(ann)
    message = api.create_message(ann, monitio.INFO, "one")
    response = client.get(reverse("message_detail", args=[message.pk]))
    assert "monitio/message/detail.html" in [template.name for template in response.templates]
    assert response.context["message"] == message
