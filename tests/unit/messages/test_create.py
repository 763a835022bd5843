"""create_message, by one compiled statement and by Django's ORM."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import gettext_lazy, override

import monitio
from monitio import api, preferences
from monitio.exceptions import UnknownRecipient
from monitio.models import Message
from monitio.recipients import Recipient
from monitio.serializers import snapshot
from monitio.testing import capture_events
from tests.support.people import request_of, user

transactional = pytest.mark.django_db(transaction=True)
VISITOR = Recipient.for_visitor("a" * 32)
pytestmark = pytest.mark.usefixtures("way", "without_worker")


def kept(who: Any, text: str = "one", **more: Any) -> Message:
    return api.create_message(who, monitio.INFO, text, **more)


# create_message


@pytest.mark.parametrize("as_what", ["user", "key", "text", "recipient"])
def test_takes_a_user_a_key_or_a_recipient(ann: Any, as_what: str) -> None:
    who = {
        "user": ann,
        "key": ann.pk,
        "text": str(ann.pk),
        "recipient": Recipient.for_user(ann),
    }[as_what]
    message = kept(who)
    assert message.user == ann and message.recipient_key == f"user:{ann.pk}"


@pytest.mark.parametrize("many", [False, True])
def test_refuses_a_sender_who_is_not_saved(ann: Any, many: bool) -> None:
    write = api.notify_many if many else api.create_message
    with pytest.raises(ValueError, match="which is not saved"):
        write([ann] if many else ann, monitio.INFO, "one", from_user=type(ann)())
    assert not Message.objects.exists()


def test_takes_a_visitor(db: None) -> None:
    assert kept(VISITOR).session == VISITOR.token


@pytest.mark.parametrize("unknown", [987654, "987654", None, "ann"])
def test_refuses_an_unknown_recipient_before_anything_is_written(db: None, unknown: Any) -> None:
    with pytest.raises(UnknownRecipient):
        kept(unknown)
    assert not Message.objects.exists()


def test_a_group_with_the_key_of_a_user_is_refused(ann: Any) -> None:
    with pytest.raises(UnknownRecipient, match="is not a user"):
        kept(Group(pk=ann.pk))


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": ""},
        {"subject": "x" * 256},
        {"extra_tags": "x" * 256},
        {"category": "x" * 101},
        {"url_label": "x" * 256},
        {"url": "/" + "x" * 2048},
        {"url": "javascript:alert(1)"},
        {"url": " javascript:alert(1)"},
        {"url": "java\nscript:alert(1)"},
        {"url": "\x01javascript:alert(1)"},
        {"url": "JaVaScRiPt:alert(1)"},
        {"url": "data:text/html,x"},
        {"url": "vbscript:x"},
        {"url": "http://[broken"},
        {"close_timeout": -1},
        {"close_timeout": "soon"},
        {"close_timeout": 2**31},
        {"expires": "tomorrow"},
        {"expires": timedelta(hours=1)},
    ],
)
def test_a_bad_value_is_named(ann: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)) + "|linked|text"):
        api.create_message(**{"to_user": ann, "level": 120, "message": "one", **wrong})
    assert not Message.objects.exists()


@pytest.mark.parametrize("good", ["", None, "/path/?a=b#c", "https://example.com/", "?page=2"])
def test_links_within_and_out_of_the_site_are_fine(ann: Any, good: Any) -> None:
    assert kept(ann, url=good).url == (good or "")


def test_a_visitor_cannot_be_mailed(db: None) -> None:
    with pytest.raises(ValueError, match="no address"):
        kept(VISITOR, email=True)


def test_a_subject_alone_is_a_message(ann: Any) -> None:
    assert kept(ann, "", subject="subject").message == ""


def test_lazy_texts_are_stored_in_the_language_of_the_moment(ann: Any) -> None:
    with override("pl"):
        message = kept(ann, gettext_lazy("Yes"), subject=gettext_lazy("No"))
    message.refresh_from_db()
    assert (message.message, message.subject) == ("Tak", "Nie")


YES: Any = gettext_lazy("Yes")


class TestLanguageOfRecipient:
    """The language of a message; its sender's language is French."""

    @pytest.fixture(autouse=True)
    def _sender(self, settings: Any) -> Iterator[None]:
        settings.LANGUAGE_CODE = "de"
        with override("fr"):
            yield

    @pytest.fixture
    def polish(self, ann: Any) -> Any:
        preferences.change(ann, language="pl")
        return ann

    def test_the_preferred_one_comes_first(self, polish: Any) -> None:
        message = kept(Recipient.for_user(polish, "es"), YES, subject=YES)
        message.refresh_from_db()
        assert (message.message, message.subject, message.language) == ("Tak", "Tak", "pl")

    def test_else_that_of_their_newest_message_which_has_one(self, ann: Any) -> None:
        for language in ("pl", "es", ""):
            kept(Recipient.for_user(ann, language))
        assert kept(ann, YES).message == "Sí"

    def test_else_that_of_the_moment(self, ann: Any) -> None:
        assert kept(ann, YES).message == "Oui"

    def test_each_of_many_gets_their_own(self, polish: Any, bob: Any) -> None:
        spanish, unknown = user("cid"), user("dan")
        kept(Recipient.for_user(spanish, "es"))
        people = [polish, bob, spanish, unknown]
        assert api.notify_many(people, monitio.INFO, YES) == 4
        texts = {row.user.username: row.message for row in Message.objects.exclude(message="one")}
        assert texts == {"ann": "Tak", "bob": "Ja", "cid": "Sí", "dan": "Ja"}

    def test_each_of_many_with_texts_of_their_own_does(self, polish: Any, bob: Any) -> None:
        api.notify_each([(polish, YES), (bob, "plain"), (user("cid"), YES)], monitio.INFO)
        texts = Message.objects.order_by("user__username").values_list("message", flat=True)
        assert list(texts) == ["Tak", "plain", "Ja"]

    def test_the_queries_depend_on_the_languages_alone(self, ann: Any) -> None:
        counts = []
        for number in (2, 30):
            people = [user(f"user{number}-{index}") for index in range(number)]
            with CaptureQueriesContext(connection) as queries:
                api.notify_many(people, monitio.INFO, YES)
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_a_batch_with_an_unknown_user_is_not_saved(self, polish: Any) -> None:
        with pytest.raises(UnknownRecipient):
            api.notify_many([polish, 987654], monitio.INFO, YES)
        assert not Message.objects.exists()

    def test_a_message_of_the_users_own_request_is_in_its_language(self, polish: Any) -> None:
        monitio.add_message(request_of(polish), monitio.INFO, YES)
        assert Message.objects.get().message == "Oui"

    def test_one_for_another_user_is_in_theirs(self, polish: Any, bob: Any) -> None:
        monitio.add_message(request_of(bob), monitio.INFO, YES, user=polish)
        assert Message.objects.get().message == "Tak"


def test_a_naive_moment_is_in_the_current_time_zone(ann: Any) -> None:
    with timezone.override("Europe/Warsaw"):
        message = kept(ann, expires=datetime(2030, 1, 1, 12))
    assert message.expires is not None
    assert message.expires.isoformat() == "2030-01-01T12:00:00+01:00"


def test_a_site_without_time_zones_takes_either(ann: Any, settings: Any) -> None:
    settings.USE_TZ = False
    soon = datetime.now() + timedelta(hours=1)
    for moment in (soon, timezone.make_aware(soon)):
        message = kept(ann, expires=moment)
        message.refresh_from_db()
        assert message.expires == soon
    assert 3500 < snapshot(Recipient.for_user(ann))["messages"][0]["expires_in"] <= 3600


@transactional
def test_publishes_after_the_commit_and_nothing_after_a_rollback(ann: Any) -> None:
    with capture_events() as events:
        with transaction.atomic():
            kept(ann, email=True)
            assert (events, mail.outbox) == ([], [])
            transaction.set_rollback(True)
        assert (events, mail.outbox) == ([], [])
        with transaction.atomic():
            kept(ann, email=True)
    assert (len(events), len(mail.outbox)) == (1, 1)
    assert Message.objects.count() == 1


@transactional
def test_a_user_deleted_in_the_same_transaction_deletes_the_message(ann: Any) -> None:
    kept(ann)
    kept(user("bob"), from_user=ann)
    ann.delete()
    assert Message.objects.get().from_user is None


@transactional
@pytest.mark.parametrize("way", ["compiled"], indirect=True)  # the ORM reads the user first
@pytest.mark.parametrize("who", [lambda ann: ann, lambda ann: ann.pk])
def test_a_message_is_one_statement(ann: Any, way: str, who: Any) -> None:
    with capture_events() as events:
        with CaptureQueriesContext(connection) as captured:
            kept(who(ann))
    assert [query["sql"].split()[0] for query in captured] == ["INSERT"]
    assert len(events) == 1


def test_receivers_of_djangos_signals_get_the_message(ann: Any) -> None:
    saved: list[Message] = []

    def receive(instance: Message, **kwargs: Any) -> None:
        saved.append(instance)

    post_save.connect(receive, sender=Message)
    try:
        message = kept(ann)
    finally:
        post_save.disconnect(receive, sender=Message)
    assert saved == [message]
