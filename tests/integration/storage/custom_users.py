"""Tests that test_custom_users.py runs on a site whose users have UUIDs or texts as keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from django.urls import reverse

import monitio
from monitio import api, dispatch
from monitio.jobs.reporter import JobReporter
from monitio.models import Message
from monitio.recipients import Recipient, page_token
from monitio.serializers import snapshot
from monitio.stream.broadcaster import get_broadcaster
from monitio.testing import capture_events
from tests.support.people import visitor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    """Stop the broadcaster's thread, whose connection would keep the test database open."""
    yield
    get_broadcaster().stop()


def make_user(name: str) -> Any:
    return get_user_model().objects.create_user(f"{name}@example.com", "secret")


@pytest.fixture
def ann() -> Any:
    return make_user("ann")


@pytest.fixture
def browser(ann: Any, client: Client) -> Client:
    client.force_login(ann)
    return client


def test_the_key_is_not_a_number(ann: Any) -> None:
    assert not isinstance(ann.pk, int)


@pytest.mark.parametrize("how", ["user", "key", "text", "recipient", "dict"])
def test_a_message_finds_its_user(ann: Any, how: str) -> None:
    who: Any = {
        "user": ann,
        "key": ann.pk,
        "text": str(ann.pk),
        "recipient": Recipient.for_user(ann),
        "dict": Recipient.from_dict(Recipient.for_user(ann).to_dict()),
    }[how]
    message = api.create_message(who, monitio.INFO, "one")
    message.refresh_from_db()
    assert message.user == ann
    assert message.recipient_key == Recipient.for_user(ann).key == f"user:{ann.pk}"
    assert Recipient.from_key(message.recipient_key) == message.recipient
    assert api.unread_count(ann) == 1


def test_a_user_who_does_not_exist_is_refused(ann: Any) -> None:
    with pytest.raises(LookupError):
        api.create_message("7f000000-0000-4000-8000-000000000000", monitio.INFO, "one")


def test_pages_show_and_remove(browser: Client, ann: Any) -> None:
    api.create_message(ann, messages.INFO, "from elsewhere")
    browser.post("/add/", {"text": "from the request"})
    content = browser.get("/").content
    assert b"from elsewhere" in content and b"from the request" in content
    assert b"from elsewhere" not in browser.get("/").content
    assert not Message.objects.exists()


def test_the_inbox_reads_replies_and_deletes(browser: Client, ann: Any) -> None:
    bob = make_user("bob")
    message = api.create_message(ann, monitio.INFO, "one", from_user=bob, subject="Lunch")
    assert b"bob@example.com" in browser.get(reverse("message_list")).content
    browser.post(reverse("message_mark_read", args=[message.pk]))
    assert api.unread_count(ann) == 0
    browser.post(reverse("message_reply", args=[message.pk]), {"message": "Yes"})
    assert Message.objects.get(user=bob).from_user == ann
    other = Client()
    other.force_login(bob)
    assert other.get(reverse("message_detail", args=[message.pk])).status_code == 404
    browser.post(reverse("message_delete", args=[message.pk]))
    assert not Message.objects.filter(user=ann).exists()


def test_the_stream_is_the_users_own(browser: Client, ann: Any) -> None:
    api.create_message(ann, monitio.INFO, "mine", from_user=make_user("bob"))
    assert snapshot(Recipient.for_user(ann))["messages"][0]["from"] == "bob@example.com"
    address = reverse("message_stream")
    response = browser.get(address, {"page": page_token(Recipient.for_user(ann))})
    frames = iter(response)
    assert b"mine" in next(frames) + next(frames)
    response.close()
    foreign = page_token(Recipient.for_user(make_user("carol")))
    assert browser.get(address, {"page": foreign}).status_code == 204


def test_every_user_is_notified_and_emailed(ann: Any) -> None:
    bob = make_user("bob")
    with capture_events() as events:
        assert api.notify_many(get_user_model().objects.all(), 120, "one", email=True) == 2
        assert api.notify_many([ann.pk, str(bob.pk)], 120, "two") == 2
    assert {event.topic for event in events} == {f"user:{ann.pk}", f"user:{bob.pk}"}
    assert len(mail.outbox) == 2


def test_a_visitor_becomes_the_user(ann: Any) -> None:
    client = Client()
    visitor = visitor_of(client)
    api.create_message(visitor, monitio.INFO, "one")
    reporter = JobReporter("task", name="Report", recipients=[visitor])
    reporter.started()
    client.post("/login/", {"username": "ann@example.com", "password": "secret"})
    assert JobReporter("task").succeeded()
    assert Message.objects.filter(user=ann).count() == 2


def test_the_admin_opens_and_writes(browser: Client, ann: Any) -> None:
    message = api.create_message(ann, monitio.INFO, "one")
    for name, args in (("changelist", []), ("add", []), ("change", [message.pk])):
        address = reverse(f"admin:monitio_message_{name}", args=args)
        assert browser.get(address).status_code == 200


def test_deleting_a_user_deletes_their_messages(ann: Any) -> None:
    api.create_message(ann, monitio.INFO, "one", email=True)
    ann.delete()
    assert not Message.objects.exists()
