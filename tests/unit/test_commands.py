from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

import monitio
from monitio import api, dispatch
from monitio.models import Delivery, Message
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _users(monkeypatch: pytest.MonkeyPatch) -> None:
    user("ann"), user("bob")
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


def run(*args: Any) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_send_message_sends() -> None:
    output = run("send_message", "ann", "bob", "info", "Hello", "Bob")
    message = Message.objects.get()
    assert (message.user, message.from_user) == (user("bob"), user("ann"))
    assert (message.level, message.message) == (monitio.INFO, "Hello Bob")
    assert output == f"Message {message.pk} sent to bob.\n"


def test_send_message_takes_more() -> None:
    run("send_message", "-", "bob", "ERROR", "Hello", "--subject=S", "--url=/x/", "--email")
    message = Message.objects.get()
    assert (message.from_user, message.subject, message.url) == (None, "S", "/x/")
    assert message.level == monitio.ERROR
    assert [letter.to for letter in mail.outbox] == [["bob@example.com"]]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("ann", "nobody", "INFO", "x"), "There is no user 'nobody'"),
        (("nobody", "bob", "INFO", "x"), "There is no user 'nobody'"),
        (("ann", "bob", "LOUD", "x"), "invalid choice"),
        (("ann", "bob", "INFO", "x", "--url=javascript:x"), "cannot be linked to"),
    ],
)
def test_send_message_names_what_is_wrong(arguments: tuple[str, ...], error: str) -> None:
    with pytest.raises(CommandError, match=error):
        run("send_message", *arguments)
    assert not Message.objects.exists()


def test_prune_prints_what_it_deleted() -> None:
    message = api.create_message(user("ann"), monitio.INFO, "old")
    Message.objects.update(expires=timezone.now() - timedelta(days=1))
    assert "expired: 1\n" in run("monitio_prune")
    assert not Message.objects.filter(pk=message.pk).exists()


def test_deliver_sends_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    for text in ("one", "two", "three"):
        api.create_message(user("ann"), monitio.INFO, text, email=True)
    assert run("monitio_deliver", "--limit=2") == "2 sent, 0 could not be sent yet.\n"
    assert run("monitio_deliver") == "1 sent, 0 could not be sent yet.\n"
    assert len(mail.outbox) == 3 and not Delivery.objects.exclude(state="sent").exists()
