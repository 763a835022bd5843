from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.messages import MessageFailure
from django.core import mail
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

import monitio
from monitio import api, dispatch
from monitio.constants import State
from monitio.exceptions import NotAllowed, UnknownRecipient
from monitio.messages import create
from monitio.models import Delivery, Job, LastEvent, Message, VisitorLogin
from monitio.recipients import Recipient
from monitio.serializers import snapshot
from monitio.testing import capture_events
from tests.support.people import request_of, user
from tests.support.threads import run_async

transactional = pytest.mark.django_db(transaction=True)
VISITOR = Recipient.for_visitor("a" * 32)


@pytest.fixture(autouse=True)
def _without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail is sent by the process that committed."""
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


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


def test_takes_a_visitor(db: None) -> None:
    assert kept(VISITOR).session == VISITOR.token


@pytest.mark.parametrize("nobody", [987654, "987654", None, "ann"])
def test_refuses_an_unknown_recipient_before_anything_is_written(db: None, nobody: Any) -> None:
    with pytest.raises(UnknownRecipient):
        kept(nobody)
    assert not Message.objects.exists()


def test_a_group_with_the_key_of_a_user_is_no_user(ann: Any) -> None:
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
    with pytest.raises(ValueError, match="no e-mail address"):
        kept(VISITOR, email=True)


def test_a_subject_alone_is_a_message(ann: Any) -> None:
    assert kept(ann, "", subject="subject").message == ""


def test_lazy_texts_are_stored_in_the_language_of_the_moment(ann: Any) -> None:
    with override("pl"):
        message = kept(ann, gettext_lazy("Yes"), subject=gettext_lazy("No"))
    message.refresh_from_db()
    assert (message.message, message.subject) == ("Tak", "Nie")


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
    assert 3590 < snapshot(Recipient.for_user(ann))["messages"][0]["expires_in"] <= 3600


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
def test_a_user_deleted_with_the_transaction_takes_the_message_along(ann: Any) -> None:
    kept(ann)
    kept(user("bob"), from_user=ann)
    ann.delete()
    assert Message.objects.get().from_user is None


def test_the_twins_do_what_the_verbs_do(transactional_db: None) -> None:
    ann = user()

    async def talk() -> tuple[int, int]:
        message = await api.acreate_message(ann, monitio.INFO, "one")
        await api.anotify_many([ann], monitio.INFO, "two")
        assert (await api.aget_message(ann, message.pk)).message == "one"
        await api.amark_read(ann, [message.pk])
        return await api.aunread_count(ann), len(await api.ainbox(ann))

    assert run_async(talk()) == (1, 2)


def test_a_twin_raises_what_the_verb_raises(transactional_db: None) -> None:
    with pytest.raises(UnknownRecipient):
        run_async(api.acreate_message(12345, monitio.INFO, "one"))


# add_message


def test_adding_without_a_request_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="must be an HttpRequest object, not 'NoneType'"):
        api.add_message(None, 20, "one")  # type: ignore[arg-type]


def test_adding_without_the_middleware_names_it(rf: Any) -> None:
    with pytest.raises(MessageFailure, match="MessageMiddleware"):
        api.add_message(rf.get("/"), 20, "one")
    assert api.add_message(rf.get("/"), 20, "one", fail_silently=True) is None


def test_adding_to_another_storage_names_ours(rf: Any) -> None:
    from django.contrib.messages.storage.cookie import CookieStorage

    request: HttpRequest = rf.get("/")
    request._messages = CookieStorage(request)
    with pytest.raises(MessageFailure, match=r"monitio\.storage\.PersistentMessageStorage"):
        api.add_message(request, 20, "one")
    assert api.add_message(request, 20, "one", fail_silently=True) is None


# notify_many


def test_everybody_gets_one(ann: Any, bob: Any) -> None:
    assert api.notify_many([ann, bob.pk, Recipient.for_visitor("b" * 32)], 120, "one") == 3
    assert {row.recipient_key for row in Message.objects.all()} == {
        f"user:{ann.pk}",
        f"user:{bob.pk}",
        "visitor:" + "b" * 32,
    }


def test_a_generator_will_do(ann: Any, bob: Any) -> None:
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
    assert {bell.topic for bell in events} == {f"user:{ann.pk}", f"user:{bob.pk}"}
    assert sorted(letter.to[0] for letter in mail.outbox) == ["ann@example.com", "bob@example.com"]


@transactional
def test_outside_a_transaction_each_batch_is_published_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(create, "BATCH", 2)
    people = [user(f"user{number}") for number in range(5)]
    told: list[int] = []

    def ask() -> Any:
        for person in people:
            told.append(len(events))
            yield person

    with capture_events() as events:
        api.notify_many(ask(), 120, "one")
    assert told == [0, 0, 2, 2, 4]
    assert len(events) == 5


def test_databases_that_return_no_keys_mail_all_the_same(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL, as seen from here."""
    features = type(connection.features)
    monkeypatch.setattr(features, "can_return_rows_from_bulk_insert", False)
    people = [user("ann"), user("bob")]
    with capture_events() as events:
        assert api.notify_many(people, 120, "one", email=True) == 2
        assert api.notify_many(people, 120, "two") == 2
    assert len(mail.outbox) == 2
    assert len(events) == 4


def crowd(size: int) -> None:
    model = get_user_model()
    model.objects.bulk_create([model(username=f"user{n}") for n in range(size)], 1000)


@transactional
@pytest.mark.parametrize("inside", [False, True])
def test_ten_batches_take_the_memory_of_few(inside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create, "BATCH", 100)
    crowd(1000)
    people = get_user_model().objects.filter(username__startswith="user")
    api.notify_many(people[:10], 120, "warm up")
    Message.objects.all().delete()
    with capture_events(), transaction.atomic() if inside else nullcontext():
        peak = peak_memory(lambda: api.notify_many(people, 120, "one " * 50))
    assert Message.objects.count() == 1000
    assert peak < peak_memory(lambda: list(Message.objects.all())) / 2


def peak_memory(call: Callable[[], object]) -> int:
    """Bytes that it held at most."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Reading and changing.


def test_the_inbox_is_newest_first_and_the_recipients_own(ann: Any, bob: Any) -> None:
    kept(ann, "one"), kept(bob, "bob's"), kept(ann, "two")
    assert [row.message for row in api.inbox(ann)] == ["two", "one"]


def test_the_first_page_holds_running_jobs_however_old(ann: Any, settings: Any) -> None:
    settings.MONITIO_SNAPSHOT_SIZE = 2
    job = Job.objects.create(task_id="task", state=State.STARTED)
    Message.objects.create(user=ann, level=120, message="running", job=job, running=True)
    for number in range(3):
        kept(ann, str(number))
    assert [row.message for row in api.inbox(ann)] == ["2", "1", "running"]
    Message.objects.update(running=False)
    assert [row.message for row in api.inbox(ann)] == ["2", "1"]


def test_a_django_level_message_of_the_users_own_request_is_not_in_the_inbox(ann: Any) -> None:
    request = request_of(ann)
    messages.info(request, "for the next page")
    request._messages.update(type("Response", (), {"status_code": 200})())
    api.create_message(ann, messages.INFO, "sent live")
    assert [row.message for row in api.inbox(ann)] == ["sent live"]


def test_reading_counts_once_and_moves_the_version(ann: Any) -> None:
    message = kept(ann)
    assert api.unread_count(ann) == 1
    assert api.mark_read(ann, [message.pk]) == 1
    assert api.mark_read(ann, [message.pk]) == 0
    message.refresh_from_db()
    assert (message.read, message.seen, message.version) == (True, True, 2)
    assert api.unread_count(ann) == 0


def test_seen_is_not_read(ann: Any) -> None:
    message = kept(ann)
    assert api.mark_seen(ann, [message.pk]) == 1
    message.refresh_from_db()
    assert (message.read, message.seen) == (False, True)
    assert api.unread_count(ann) == 1


@pytest.mark.parametrize("verb", [api.mark_read, api.mark_seen])
def test_a_short_lived_message_is_removed_when_its_pop_up_was_shown(ann: Any, verb: Any) -> None:
    message = api.create_message(ann, messages.INFO, "one")
    assert verb(ann, [message.pk]) == 1
    assert not Message.objects.exists()


def test_all_are_read_at_once(ann: Any, bob: Any) -> None:
    kept(ann), kept(ann), kept(bob)
    assert api.mark_all_read(ann) == 2
    assert api.mark_all_read(ann) == 0
    assert (api.unread_count(ann), api.unread_count(bob)) == (0, 1)


def test_deleting_is_for_good(ann: Any, bob: Any) -> None:
    mine, other = kept(ann), kept(bob)
    assert api.delete(ann, [mine.pk, other.pk]) == 1
    assert list(Message.objects.all()) == [other]
    assert api.delete_all(bob) == 1
    assert api.delete_all(bob) == 0


@transactional
@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        (lambda who, pk: api.mark_read(who, [pk]), "message"),
        (lambda who, pk: api.mark_seen(who, [pk]), "message"),
        (lambda who, pk: api.mark_all_read(who), "resync"),
        (lambda who, pk: api.delete(who, [pk]), "gone"),
        (lambda who, pk: api.delete_all(who), "gone"),
    ],
)
def test_every_change_is_published_to_every_open_page_of_the_recipient(
    ann: Any, verb: Any, kind: str
) -> None:
    message = kept(ann, sse=False)
    with capture_events() as events:
        assert verb(ann, message.pk) == 1
    assert [(bell.topic, bell.kind) for bell in events] == [(f"user:{ann.pk}", kind)]


def test_a_deleted_message_with_a_mail_to_send_is_hidden_until_it_is_out(ann: Any) -> None:
    message = kept(ann, email=True)
    assert api.delete(ann, [message.pk]) == 1
    message.refresh_from_db()
    assert message.hidden and api.inbox(ann) == []
    assert api.delete(ann, [message.pk]) == 0


def test_many_changes_are_one_event(transactional_db: None) -> None:
    ann = user()
    pks = [kept(ann, str(number)).pk for number in range(25)]
    with capture_events() as events:
        api.mark_read(ann, pks)
    assert [bell.kind for bell in events] == ["resync"]


@pytest.mark.parametrize("huge", [2**63, 10**30, -1, 0])
def test_a_number_that_no_column_holds_matches_no_message(ann: Any, huge: int) -> None:
    kept(ann)
    for verb in (api.mark_read, api.mark_seen, api.delete):
        assert verb(ann, [huge]) == 0
    with pytest.raises(Message.DoesNotExist):
        api.get_message(ann, huge)
    assert len(api.inbox(ann, before=huge)) == (1 if huge > 0 else 0)


def test_an_expired_message_is_nowhere(ann: Any) -> None:
    message = kept(ann, expires=timezone.now() + timedelta(hours=1))
    assert 3590 < snapshot(Recipient.for_user(ann))["messages"][0]["expires_in"] <= 3600
    Message.objects.update(expires=timezone.now())
    assert api.inbox(ann) == [] and api.unread_count(ann) == 0
    assert snapshot(Recipient.for_user(ann)) == {
        "messages": [],
        "unread": 0,
        "floor": 0,
        "heartbeat": 15.0,
    }
    with pytest.raises(Message.DoesNotExist):
        api.get_message(ann, message.pk)


# Replying.


def test_the_answer_goes_to_the_sender_from_the_recipient(ann: Any, bob: Any) -> None:
    message = kept(ann, from_user=bob, subject="Lunch")
    answer = api.reply(ann, message.pk, "Yes")
    assert (answer.user, answer.from_user) == (bob, ann)
    assert (answer.subject, answer.message, answer.level) == ("Re: Lunch", "Yes", monitio.INFO)
    again = api.reply(bob, answer.pk, "When?")
    assert again.subject == "Re: Lunch"


def test_an_answer_without_subject_has_none_and_a_long_one_is_cut(ann: Any, bob: Any) -> None:
    assert api.reply(ann, kept(ann, from_user=bob).pk, "Yes").subject == ""
    message = kept(ann, from_user=bob, subject="x" * 255)
    assert len(api.reply(ann, message.pk, "Yes").subject) == 255


def test_a_reply_needs_an_own_message_with_a_sender(ann: Any, bob: Any) -> None:
    with pytest.raises(NotAllowed):
        api.reply(ann, kept(ann).pk, "Yes")
    with pytest.raises(NotAllowed):
        api.reply(VISITOR, kept(VISITOR, from_user=bob).pk, "Yes")
    for other in (bob, VISITOR):
        with pytest.raises(Message.DoesNotExist):
            api.reply(other, kept(ann, from_user=bob).pk, "Yes")


def test_safe_text_of_a_message_stays_out_of_what_browsers_get(ann: Any) -> None:
    kept(ann, mark_safe("<b>one</b> &amp; <script>two</script>"))
    assert snapshot(Recipient.for_user(ann))["messages"][0]["body"] == "one & two"


# prune


def aged(row: Any, **fields: Any) -> Any:
    type(row).objects.filter(pk=row.pk).update(**fields)
    return row


def test_prune_deletes_what_has_expired(ann: Any) -> None:
    stays = kept(ann)
    aged(kept(ann), expires=timezone.now())
    assert api.prune()["expired"] == 1
    assert Message.objects.get() == stays


def test_prune_deletes_read_messages_only_with_the_setting(ann: Any, settings: Any) -> None:
    old = timezone.now() - timedelta(days=8)
    aged(kept(ann), read=True, modified=old)
    unread = aged(kept(ann, "unread"), modified=old)
    running = aged(kept(ann, "running"), read=True, modified=old, running=True)
    fresh = aged(kept(ann, "fresh"), read=True)
    assert api.prune()["read"] == 0
    settings.MONITIO_KEEP_READ_DAYS = 7
    assert api.prune()["read"] == 1
    assert set(Message.objects.all()) == {unread, running, fresh}


def test_prune_deletes_what_visitors_left_behind(db: None, settings: Any) -> None:
    old = timezone.now() - timedelta(seconds=settings_age() + 1)
    aged(kept(VISITOR), created=old)
    fresh = kept(VISITOR, "fresh")
    aged(VisitorLogin.objects.create(token="t", user=user()), created=old)
    assert api.prune()["visitors"] == 1
    assert Message.objects.get() == fresh
    assert not VisitorLogin.objects.exists()


def settings_age() -> int:
    from monitio.conf import settings

    return int(settings.VISITOR_AGE)


def test_prune_deletes_ended_jobs_without_messages(ann: Any) -> None:
    old = timezone.now() - timedelta(days=2)
    Job.objects.create(task_id="ended", state=State.FAILED, finished_at=old)
    told = Job.objects.create(task_id="told", state=State.FAILED, finished_at=old)
    aged(kept(ann), job=told)
    Job.objects.create(task_id="runs", state=State.STARTED)
    Job.objects.create(task_id="new", state=State.FAILED, finished_at=timezone.now())
    assert api.prune()["jobs"] == 1
    assert set(Job.objects.values_list("task_id", flat=True)) == {"told", "runs", "new"}


def test_prune_deletes_events_of_yesterday_and_mailed_messages_left_hidden(ann: Any) -> None:
    aged(LastEvent.objects.create(topic="t", nonce=1), modified=timezone.now() - timedelta(days=2))
    LastEvent.objects.create(topic="u", nonce=1)
    aged(kept(ann), hidden=True)
    waiting = aged(kept(ann, email=True), hidden=True)
    deleted = api.prune()
    assert (deleted["bells"], deleted["shown"]) == (1, 1)
    assert Message.objects.get() == waiting


def test_prune_counts_messages_not_what_hangs_on_them(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "BATCH", 2)
    for _ in range(5):
        aged(kept(ann, email=True), expires=timezone.now())
    assert Delivery.objects.count() == 5
    assert api.prune()["expired"] == 5
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("stream", "silence"),
    [(None, 15.0), ({"BACKEND": "nchan", "PUBLISH_URL": "http://127.0.0.1:1/"}, 30.0)],
    ids=["own streams", "hub"],
)
def test_a_snapshot_holds_how_long_a_working_stream_may_be_silent(
    ann: Any, settings: Any, stream: Any, silence: float
) -> None:
    settings.MONITIO_STREAM = stream
    assert snapshot(Recipient.for_user(ann))["heartbeat"] == silence
