"""Replies are rate-limited, and their recipient can block the sender."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

import monitio
from monitio import api
from monitio.exceptions import NotAllowed, TooManyReplies, UnknownRecipient
from monitio.models import BlockedSender, Message
from monitio.recipients import Recipient
from tests.support.people import user

VISITOR = Recipient.for_visitor("v" * 32)
JSON = {"headers": {"accept": "application/json"}}


def from_ann(ann: Any, bob: Any) -> Message:
    return api.create_message(bob, monitio.INFO, "Lunch?", from_user=ann)


def post(who: Any, name: str, row: Message, **data: Any) -> Any:
    browser = Client()
    browser.force_login(who)
    accept = data.pop("accept", {})
    return browser.post(reverse(name, args=[row.pk]), data, **accept)


# The limit.


def test_replies_to_one_message_are_limited_per_hour(ann: Any, bob: Any, settings: Any) -> None:
    settings.MONITIO_REPLIES_PER_HOUR = 2
    message = from_ann(ann, bob)
    api.reply(bob, message.pk, "1"), api.reply(bob, message.pk, "2")
    with pytest.raises(TooManyReplies):
        api.reply(bob, message.pk, "3")
    assert Message.objects.of(Recipient.of(ann)).count() == 2


def test_another_message_and_another_sender_have_their_own_limit(
    ann: Any, bob: Any, settings: Any
) -> None:
    settings.MONITIO_REPLIES_PER_HOUR = 1
    eve = user("eve")
    api.reply(bob, from_ann(ann, bob).pk, "1")
    api.reply(bob, from_ann(ann, bob).pk, "2")
    api.reply(eve, from_ann(ann, eve).pk, "3")
    assert Message.objects.of(Recipient.of(ann)).count() == 3


def test_an_answer_that_is_refused_does_not_count(ann: Any, bob: Any, settings: Any) -> None:
    settings.MONITIO_REPLIES_PER_HOUR = 1
    message = from_ann(ann, bob)
    with pytest.raises(ValueError, match="needs a text"):
        api.reply(bob, message.pk, "")
    assert api.reply(bob, message.pk, "1").pk


def test_the_form_answers_429_above_the_limit(ann: Any, bob: Any, settings: Any) -> None:
    settings.MONITIO_REPLIES_PER_HOUR = 0
    message = from_ann(ann, bob)
    page = post(bob, "message_reply", message, message="Yes")
    assert page.status_code == 429 and "Too many attempts" in page.content.decode()
    assert "Yes" in page.content.decode(), "the text is not lost"
    answer = post(bob, "message_reply", message, message="Yes", accept=JSON)
    assert (answer.status_code, answer.json()["ok"]) == (429, False)


# Blocking.


def blocked_by_ann(ann: Any, bob: Any) -> Message:
    """A message to bob, whom ann has blocked."""
    api.block_sender(ann, bob)
    return from_ann(ann, bob)


def test_a_blocked_sender_gets_the_same_answer_and_nothing_is_stored(ann: Any, bob: Any) -> None:
    message = from_ann(ann, bob)
    free = post(bob, "message_reply", message, message="Yes", accept=JSON).json()
    api.block_sender(ann, bob)
    assert post(bob, "message_reply", message, message="No", accept=JSON).json() == free
    answer = api.reply(bob, message.pk, "No")
    assert (answer.message, answer.from_user, answer.pk) == ("No", bob, None)
    assert Message.objects.of(Recipient.of(ann)).get().message == "Yes"


def test_the_limit_is_the_same_for_a_blocked_sender(ann: Any, bob: Any, settings: Any) -> None:
    message = blocked_by_ann(ann, bob)
    settings.MONITIO_REPLIES_PER_HOUR = 1
    api.reply(bob, message.pk, "1")
    with pytest.raises(TooManyReplies):
        api.reply(bob, message.pk, "2")


def test_only_their_replies_are_blocked(ann: Any, bob: Any) -> None:
    blocked_by_ann(ann, bob)
    api.create_message(ann, monitio.INFO, "From the site", from_user=bob)
    eve = user("eve")
    api.reply(eve, from_ann(ann, eve).pk, "Hello")
    api.reply(ann, api.create_message(ann, monitio.INFO, "x", from_user=bob).pk, "To bob")
    assert Message.objects.of(Recipient.of(ann)).count() == 3
    assert Message.objects.of(Recipient.of(bob)).filter(from_user=ann).count() == 2


def test_unblocking_undoes_it(ann: Any, bob: Any) -> None:
    message = blocked_by_ann(ann, bob)
    assert api.blocked_senders(ann) == [bob]
    api.unblock_sender(ann, bob)
    assert api.blocked_senders(ann) == api.blocked_senders(VISITOR) == []
    assert api.reply(bob, message.pk, "Sorry").pk


def test_blocking_twice_is_blocking_once(ann: Any, bob: Any) -> None:
    api.block_sender(ann, bob), api.block_sender(ann.pk, bob.pk)
    assert BlockedSender.objects.count() == 1


def test_the_page_of_a_message_blocks_and_unblocks(ann: Any, bob: Any) -> None:
    message = api.create_message(ann, monitio.INFO, "x", from_user=bob)
    browser = Client()
    browser.force_login(ann)
    detail = reverse("message_detail", args=[message.pk])
    for name, label, count in (("block", "Block sender", 1), ("unblock", "Unblock sender", 0)):
        address = reverse(f"message_{name}", args=[message.pk])
        page = browser.get(detail).content.decode()
        assert label in page and f'action="{address}"' in page
        assert "bob" in browser.get(address).content.decode(), "a GET shows a confirmation"
        assert BlockedSender.objects.count() == 1 - count
        assert browser.post(address, {"next": detail}).headers["Location"] == detail
        assert BlockedSender.objects.count() == count


def test_only_users_block_and_are_blocked(ann: Any, bob: Any) -> None:
    with pytest.raises(NotAllowed):
        api.block_sender(VISITOR, bob)
    with pytest.raises(NotAllowed):
        api.block_sender(ann, VISITOR)
    with pytest.raises(UnknownRecipient):
        api.block_sender(ann, 10**6)


@pytest.mark.parametrize("name", ["message_block", "message_unblock"])
def test_the_views_find_nothing_without_a_sender(ann: Any, name: str) -> None:
    message = api.create_message(ann, monitio.INFO, "x")
    assert post(ann, name, message).status_code == 404
    assert post(user("eve"), name, message).status_code == 404
    browser = Client()
    browser.force_login(ann)
    page = browser.get(reverse("message_detail", args=[message.pk])).content.decode()
    assert "Block sender" not in page
