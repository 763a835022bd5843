"""notify_many and notify_each, by compiled statements and by Django's ORM."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

import monitio
from monitio import api, preferences
from monitio.exceptions import UnknownRecipient
from monitio.messages import create
from monitio.models import Delivery, Message
from monitio.recipients import Recipient
from monitio.testing import capture_events
from tests.support.people import user

transactional = pytest.mark.django_db(transaction=True)
VISITOR = Recipient.for_visitor("a" * 32)
pytestmark = pytest.mark.usefixtures("way", "without_worker")


def kept(who: Any, text: str = "one", **more: Any) -> Message:
    return api.create_message(who, monitio.INFO, text, **more)


# notify_many


@transactional
def test_events_do_not_read_the_sender_again(ann: Any) -> None:
    people = [user(f"reader{number}") for number in range(3)]
    with CaptureQueriesContext(connection) as with_sender:
        api.notify_many(people, monitio.INFO, "one", from_user=ann)
    with CaptureQueriesContext(connection) as without:
        api.notify_many(people, monitio.INFO, "one")
    assert len(with_sender) == len(without)


def test_each_user_gets_one(ann: Any, bob: Any) -> None:
    assert api.notify_many([ann, bob.pk, Recipient.for_visitor("b" * 32)], 120, "one") == 3
    assert {row.recipient_key for row in Message.objects.all()} == {
        f"user:{ann.pk}",
        f"user:{bob.pk}",
        "visitor:" + "b" * 32,
    }


@pytest.mark.parametrize("email", [False, True])
def test_each_row_has_the_language_of_its_recipient(ann: Any, bob: Any, email: bool) -> None:
    people = [Recipient.for_user(ann, "pl"), Recipient.for_user(bob, "de")]
    api.notify_many(people, 120, "one", email=email)
    api.notify_each([(who, "two") for who in people], 120, email=email)
    rows = Message.objects.values_list("user", "language").order_by("pk")
    assert sorted(rows) == sorted([(ann.pk, "pl"), (bob.pk, "de")] * 2)


def test_a_generator_is_accepted(ann: Any, bob: Any) -> None:
    assert api.notify_many((who for who in (ann, bob)), 120, "one") == 2


def test_a_repeated_user_is_notified_once(ann: Any, bob: Any) -> None:
    assert api.notify_many([ann, ann.pk, str(ann.pk), bob], 120, "one") == 2


def test_a_join_that_repeats_users_notifies_them_once(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "BATCH", 2)
    for name in ("one", "two", "three"):
        ann.groups.add(Group.objects.create(name=name))
    user("bob").groups.add(Group.objects.get(name="one"))
    people = get_user_model().objects.filter(groups__name__in=["one", "two", "three"])
    assert people.count() == 4
    assert api.notify_many(people, 120, "one") == 2


def test_a_sliced_queryset_keeps_its_slice(ann: Any, bob: Any) -> None:
    newest = get_user_model().objects.order_by("-pk")[:1]
    assert api.notify_many(newest, 120, "one") == 1
    assert Message.objects.get().user == bob


def test_unknown_keys_are_named_and_their_batch_is_not_written(ann: Any) -> None:
    with pytest.raises(UnknownRecipient, match="98765, 98766"):
        api.notify_many([ann, 98765, 98766], 120, "one")
    assert not Message.objects.exists()


def test_unknown_keys_in_a_queryset_of_another_model_are_named(db: None) -> None:
    Group.objects.create(pk=98765, name="one")
    with pytest.raises(UnknownRecipient, match="98765"):
        api.notify_many(Group.objects.values_list("pk", flat=True), 120, "one")


def test_an_empty_iterable_is_accepted(db: None) -> None:
    assert api.notify_many([], 120, "one") == 0
    assert api.notify_many(get_user_model().objects.none(), 120, "one") == 0


@transactional
def test_a_rollback_notifies_none_of_many(ann: Any, bob: Any) -> None:
    with capture_events() as events, transaction.atomic():
        api.notify_many([ann, bob], 120, "one", email=True)
        transaction.set_rollback(True)
    assert (events, mail.outbox, Message.objects.count()) == ([], [], 0)


@transactional
def test_all_are_notified_and_mailed_after_the_commit(ann: Any, bob: Any) -> None:
    with capture_events() as events, transaction.atomic():
        api.notify_many([ann, bob], 120, "one", email=True)
        assert (events, mail.outbox) == ([], [])
    assert {event.topic for event in events} == {f"user:{ann.pk}", f"user:{bob.pk}"}
    assert sorted(letter.to[0] for letter in mail.outbox) == ["ann@example.com", "bob@example.com"]


@transactional
def test_outside_a_transaction_each_batch_is_published_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(create, "BATCH", 2)
    people = [user(f"user{number}") for number in range(5)]
    published: list[int] = []

    def generate() -> Any:
        for person in people:
            published.append(len(events))
            yield person

    with capture_events() as events:
        api.notify_many(generate(), 120, "one")
    assert published == [0, 0, 2, 2, 4]
    assert len(events) == 5


def test_emails_are_sent_on_databases_that_return_no_keys(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulates MySQL."""
    features = type(connection.features)
    monkeypatch.setattr(features, "can_return_rows_from_bulk_insert", False)
    people = [user("ann"), user("bob")]
    with capture_events() as events:
        assert api.notify_many(people, 120, "one", email=True) == 2
        assert api.notify_many(people, 120, "two") == 2
    assert len(mail.outbox) == 2
    assert len(events) == 4


def statements(call: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"].split()[0] for query in captured]


@transactional
@pytest.mark.parametrize("way", ["compiled"], indirect=True)  # the ORM sends rows in batches
def test_a_thousand_messages_are_one_statement(way: str) -> None:
    crowd(1000)
    people = get_user_model().objects.filter(username__startswith="user")
    pairs = [(pk, f"text {pk}") for pk in people.values_list("pk", flat=True)]
    with capture_events():
        for count in (999, 1000):
            kinds = statements(lambda: api.notify_many(people[:count], 120, "one"))  # noqa: B023
            assert kinds.count("INSERT") == 1 and kinds.count("SELECT") <= 1
        assert statements(lambda: api.notify_each(pairs, 120)).count("INSERT") == 1


def test_a_deleted_user_is_named_in_the_error(ann: Any) -> None:
    gone = get_user_model()(pk=98765, username="gone")
    for who in (gone, 98765, Recipient.for_user(98765)):
        with pytest.raises(UnknownRecipient, match="98765"):
            kept(who)
        with pytest.raises(UnknownRecipient, match="98765"):
            api.notify_many([ann, who], 120, "one")
        with pytest.raises(UnknownRecipient, match="98765"):
            api.notify_each([(ann, "one"), (who, "two")], 120)
    assert not Message.objects.exists()


@transactional
def test_an_unknown_recipient_leaves_the_callers_transaction_usable(ann: Any) -> None:
    with transaction.atomic():
        for call in (
            lambda: kept(98765),
            lambda: api.notify_many([ann, 98765], 120, "one"),
            lambda: api.notify_each([(98765, "one")], 120),
        ):
            with pytest.raises(UnknownRecipient):
                call()
        kept(ann)
    assert Message.objects.count() == 1


def crowd(size: int) -> None:
    model = get_user_model()
    model.objects.bulk_create([model(username=f"user{n}") for n in range(size)], 1000)


@transactional
@pytest.mark.parametrize("inside", [False, True])
def test_ten_batches_take_the_memory_of_few(inside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create, "BATCH", 50)
    crowd(500)
    people = get_user_model().objects.filter(username__startswith="user")
    api.notify_many(people[:10], 120, "warm up")
    Message.objects.all().delete()
    with capture_events(), transaction.atomic() if inside else nullcontext():
        peak = peak_memory(lambda: api.notify_many(people, 120, "one " * 50))
    assert Message.objects.count() == 500
    assert peak < peak_memory(lambda: list(Message.objects.all())) / 2


def peak_memory(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# notify_each


def test_each_gets_their_own_text(ann: Any, bob: Any) -> None:
    texts = [(ann, "one"), (bob.pk, mark_safe("<b>two</b>")), (ann.pk, "three"), (VISITOR, "four")]
    assert api.notify_each(texts[:3], 120, url="/x/", subject="S") == 3
    assert api.notify_each(iter(texts[3:]), 120) == 1
    rows = list(Message.objects.order_by("user", "message"))
    assert {(row.recipient_key, row.message) for row in rows} == {
        (f"user:{ann.pk}", "one"),
        (f"user:{ann.pk}", "three"),
        (f"user:{bob.pk}", "<b>two</b>"),
        (VISITOR.key, "four"),
    }
    assert {row.message for row in rows if isinstance(row.message, SafeString)} == {"<b>two</b>"}
    assert {row.url for row in rows if not row.session} == {"/x/"}


@transactional
def test_events_of_individual_texts_each_have_their_own(ann: Any, bob: Any) -> None:
    with capture_events() as events:
        api.notify_each([(ann, "one"), (bob, mark_safe("<b>two</b>"))], 120)
    bodies = {event.topic: (event.data or {})["body"] for event in events}
    assert bodies == {f"user:{ann.pk}": "one", f"user:{bob.pk}": "two"}
    ids = {event.topic: (event.data or {})["id"] for event in events}
    assert ids == {row.recipient_key: row.pk for row in Message.objects.all()}


@transactional
def test_individual_texts_are_emailed_by_preferences(ann: Any, bob: Any) -> None:
    preferences.change(bob, frequency="never")
    api.notify_each([(ann, "one"), (bob, "two")], 120, email=True)
    assert [letter.to for letter in mail.outbox] == [["ann@example.com"]]
    assert "one" in mail.outbox[0].body
    assert Delivery.objects.count() == 1


def test_individual_texts_are_cleaned_and_checked(ann: Any, bob: Any) -> None:
    api.notify_each([(ann, "a\0b")], 120)
    assert Message.objects.get().message == "a\ufffdb"
    with pytest.raises(ValueError, match="needs a text"):
        api.notify_each([(ann, "one"), (bob, "")], 120)
    with pytest.raises(ValueError, match="no address"):
        api.notify_each([(VISITOR, "one")], 120, email=True)
    with pytest.raises(TypeError, match="no argument 'urll'"):
        api.notify_each([(ann, "one")], 120, urll="/")  # type: ignore[call-arg]
    assert api.notify_each([], 120) == 0
    assert Message.objects.count() == 1


@transactional
def test_many_rows_have_the_values_of_one_row(ann: Any) -> None:
    """A message has the same values whichever function writes it."""
    fields: dict[str, Any] = {
        "subject": "S",
        "extra_tags": "a b",
        "category": "reports",
        "url": "/x/",
        "url_label": "Open",
        "expires": timezone.now() + timedelta(hours=1),
        "close_timeout": 5,
        "from_user": user("bob"),
        "sse": False,
    }
    api.create_message(ann, monitio.INFO, "it's 100 % {ż}", **fields)
    api.notify_many([ann], monitio.INFO, "it's 100 % {ż}", **fields)
    api.notify_each([(ann, "it's 100 % {ż}")], monitio.INFO, **fields)
    own = ("id", "created", "modified")
    rows = [
        {name: value for name, value in row.items() if name not in own}
        for row in Message.objects.values()
    ]
    assert len(rows) == 3
    assert rows[0] == rows[1] == rows[2]
