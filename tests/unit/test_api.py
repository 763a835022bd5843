from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.messages import MessageFailure
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import mark_safe

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
    """Without a task queue, the committing process sends e-mails."""
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


def kept(who: Any, text: str = "one", **more: Any) -> Message:
    return api.create_message(who, monitio.INFO, text, **more)


# The asynchronous variants.


def test_the_asynchronous_functions_do_the_same(transactional_db: None) -> None:
    ann = user()

    async def both() -> tuple[int, int]:
        message = await api.acreate_message(ann, monitio.INFO, "one")
        await api.anotify_many([ann], monitio.INFO, "two")
        assert (await api.aget_message(ann, message.pk)).message == "one"
        await api.amark_read(ann, [message.pk])
        return await api.aunread_count(ann), len(await api.ainbox(ann))

    assert run_async(both()) == (1, 2)


def test_an_asynchronous_function_raises_the_same_error(transactional_db: None) -> None:
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
    assert [(event.topic, event.kind) for event in events] == [(f"user:{ann.pk}", kind)]


def test_a_deleted_message_is_hidden_until_its_email_is_sent(ann: Any) -> None:
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
    assert [event.kind for event in events] == ["resync"]


@pytest.mark.parametrize("huge", [2**63, 10**30, -1, 0])
def test_a_number_that_no_column_holds_matches_no_message(ann: Any, huge: int) -> None:
    kept(ann)
    for verb in (api.mark_read, api.mark_seen, api.delete):
        assert verb(ann, [huge]) == 0
    with pytest.raises(Message.DoesNotExist):
        api.get_message(ann, huge)
    assert len(api.inbox(ann, before=huge)) == (1 if huge > 0 else 0)


def test_an_expired_message_is_never_shown(ann: Any) -> None:
    message = kept(ann, expires=timezone.now() + timedelta(hours=1))
    assert 3500 < snapshot(Recipient.for_user(ann))["messages"][0]["expires_in"] <= 3600
    Message.objects.update(expires=timezone.now())
    assert api.inbox(ann) == [] and api.unread_count(ann) == 0
    assert snapshot(Recipient.for_user(ann)) == {
        "messages": [],
        "unread": 0,
        "unread_capped": False,
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
    shown = Job.objects.create(task_id="shown", state=State.FAILED, finished_at=old)
    aged(kept(ann), job=shown)
    Job.objects.create(task_id="runs", state=State.STARTED)
    Job.objects.create(task_id="new", state=State.FAILED, finished_at=timezone.now())
    assert api.prune()["jobs"] == 1
    assert set(Job.objects.values_list("task_id", flat=True)) == {"shown", "runs", "new"}


def test_prune_deletes_events_of_yesterday_and_mailed_messages_left_hidden(ann: Any) -> None:
    aged(LastEvent.objects.create(topic="t", nonce=1), modified=timezone.now() - timedelta(days=2))
    LastEvent.objects.create(topic="u", nonce=1)
    aged(kept(ann), hidden=True)
    waiting = aged(kept(ann, email=True), hidden=True)
    deleted = api.prune()
    assert (deleted["events"], deleted["shown"]) == (1, 1)
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
