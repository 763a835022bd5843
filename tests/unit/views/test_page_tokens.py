"""A page acts only for the user it was rendered for, also when ``request.user`` was replaced."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.template import engines
from django.test import Client, RequestFactory
from django.urls import reverse

import monitio
from monitio import api, preferences, urls
from monitio.models import Job, Message, Preferences
from monitio.recipients import Recipient, page_token

JSON = {"accept": "application/json"}
# Works without a log-in: the token in the address identifies the user.
EXEMPT = {"message_signed_file", "message_unsubscribe"}
NAMES = sorted({str(pattern.name) for pattern in urls.urlpatterns} - EXEMPT)
FIELDS = {"ids": "{pk}", "message": "an answer", "frequency": "daily"}
FORMS = re.compile(r'<form method="post"[^>]*>.*?</form>', re.DOTALL)
LINKS = re.compile(r'href="([^"]*)"')


def impersonate(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Middleware as django-impersonate: the session stays that of the first user."""

    def middleware(request: HttpRequest) -> Any:
        name = request.session.get("be")
        if name:
            request.user = get_user_model()._default_manager.get(username=name)
        return get_response(request)

    return middleware


@pytest.fixture
def page(ann: Any) -> str:
    """The token of ann's open page."""
    return page_token(Recipient.for_user(ann))


@pytest.fixture
def browser(ann: Any, bob: Any, client: Client, settings: Any) -> Client:
    """A client in which ann has begun to impersonate bob in another tab."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.unit.views.test_page_tokens.impersonate"]
    client.force_login(ann)
    session = client.session
    session["be"] = "bob"
    session.save()
    return client


@pytest.fixture
def message(ann: Any, bob: Any) -> Message:
    """A message of bob that can be read, deleted, answered and cancelled."""
    job = Job.objects.create(task_id="t", state="started", cancellable=True)
    written = api.create_message(bob, monitio.INFO, "for bob", from_user=ann)
    Message.objects.filter(pk=written.pk).update(job=job)
    return written


def address(name: str, message: Message) -> str:
    pattern = next(one for one in urls.urlpatterns if one.name == name)
    ids = {"message_id": message.pk, "file_id": 1}
    return reverse(name, kwargs={key: ids[key] for key in ids if key in str(pattern.pattern)})


def everything() -> list[Any]:
    """The rows of all tables."""
    return [list(model.objects.order_by("pk").values()) for model in (Message, Job, Preferences)]


def post(browser: Client, name: str, message: Message, page: str, **options: Any) -> Any:
    fields = {key: value.format(pk=message.pk) for key, value in FIELDS.items()}
    return browser.post(address(name, message), {**fields, "page": page}, **options)


def changing() -> list[str]:
    """The names of the views that accept POST, found by requests."""
    client = Client()
    answers = {name: client.post(address(name, Message(pk=1))).status_code for name in NAMES}
    # 410: views of former versions.
    return [name for name, status in answers.items() if status not in (405, 410)]


@pytest.mark.parametrize("headers", [{}, JSON], ids=["form", "JSON"])
def test_no_view_changes_anything_for_the_page_of_another_user(
    browser: Client, message: Message, page: str, headers: dict[str, str]
) -> None:
    names = changing()
    assert {"message_delete_all", "message_mark_seen", "message_preferences"} <= set(names)
    before = everything()
    for name in names:
        assert post(browser, name, message, page, headers=headers).status_code == 409, name
        assert everything() == before, name


def test_the_token_may_stand_in_the_address(browser: Client, message: Message, page: str) -> None:
    response = browser.post(f"{reverse('message_delete_all')}?page={page}")
    assert response.status_code == 409
    assert Message.objects.filter(pk=message.pk).exists()


def test_no_confirmation_is_shown_for_the_page_of_another_user(
    browser: Client, message: Message, page: str
) -> None:
    assert browser.get(reverse("message_delete_all"), {"page": page}).status_code == 409


def test_the_answer_offers_to_reload_the_page(browser: Client, message: Message, page: str) -> None:
    response = post(
        browser, "message_delete_all", message, page, headers={"referer": "http://testserver/"}
    )
    text = response.content.decode()
    assert "Nothing was changed." in text and 'href="http://testserver/"' in text


@pytest.mark.parametrize("token", ["", None], ids=["empty", "missing"])
def test_without_a_token_the_user_of_the_request_acts(
    browser: Client, message: Message, token: str | None
) -> None:
    browser.post(reverse("message_delete_all"), {} if token is None else {"page": token})
    assert not Message.objects.exists()


@pytest.mark.parametrize("token", ["nonsense", "u.0", "v.", "2"])
def test_an_invalid_token_is_refused(browser: Client, message: Message, token: str) -> None:
    assert browser.post(reverse("message_delete_all"), {"page": token}).status_code == 409
    assert Message.objects.exists()


def test_the_page_of_a_user_who_has_logged_out_is_refused(
    client: Client, message: Message, page: str
) -> None:
    assert client.post(reverse("message_delete_all"), {"page": page}).status_code == 409


def test_the_page_of_a_stranger_acts_for_strangers_only(client: Client, message: Message) -> None:
    answer = client.post(
        reverse("message_mark_seen"), {"ids": "1", "page": page_token(None)}, headers=JSON
    )
    assert answer.status_code == 200


def rendered(source: str, who: Any) -> str:
    request = RequestFactory().get("/")
    request.user = who
    messages = list(api.inbox(Recipient.for_user(who)))
    context = {"messages": messages, "message": messages[0]}
    return str(engines["django"].from_string(source).render(context, request))


def bundled_pages(who: Any, message: Message) -> dict[str, str]:
    """The HTML of every bundled page and template with a form or link that changes something."""
    client = Client()
    client.force_login(who)
    views = [
        "message_list", "message_detail", "message_preferences", "message_reply", "message_cancel",
        "message_mark_read", "message_mark_all_read", "message_delete", "message_delete_all",
        "message_block", "message_unblock",
    ]  # fmt: skip
    pages = {name: client.get(address(name, message)).content.decode() for name in views}
    for name in ("message.html", "messages.html", "messages.jquery.html"):
        pages[name] = rendered(f'{{% include "monitio/message/includes/{name}" %}}', who)
    return pages


def test_every_bundled_form_and_link_names_its_page(bob: Any, message: Message) -> None:
    preferences.change(bob.pk)
    token = page_token(Recipient.for_user(bob))
    targets = {address(name, message) for name in changing()}
    for name, text in bundled_pages(bob, message).items():
        found = FORMS.findall(text)
        assert all(f'name="page" value="{token}"' in form for form in found), name
        links = [link for link in LINKS.findall(text) if link.partition("?")[0] in targets]
        assert all(link.endswith("?" + urlencode({"page": token})) for link in links), name
        assert found or links, name
