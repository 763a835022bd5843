"""Scopes: data of one tenant or site is never shown in another, in shared tables."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.core import checks, mail
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

import monitio
from monitio import api, dispatch, preferences, scope
from monitio.admin.tables import OfThisScope
from monitio.channels import deliveries
from monitio.checks import check_scope
from monitio.digests import sender as digests
from monitio.exceptions import BadToken, ScopesFailed, UnknownRecipient
from monitio.integrations.context import run_off_loop
from monitio.messages import ratelimit, visitors
from monitio.models import Delivery, Digest, Job, Message, Preferences, VisitorLogin
from monitio.preferences import unsubscribe_links
from monitio.recipients import Recipient, page_fits, page_token
from monitio.stream.broadcaster import Broadcaster
from monitio.stream.mailbox import Mailbox
from monitio.testing import capture_events
from monitio.transports import Event, events, polling
from tests.support import jobs, scopes
from tests.support.people import user, visitor_of

PLAIN = r"[a-z0-9_.-]{0,64}"
ANY = PLAIN if connection.vendor == "mysql" else r"[^\s/:\x00-\x1f\x7f\ud800-\udfff]{0,64}"
SCOPES = st.from_regex(PLAIN, fullmatch=True) | st.from_regex(ANY, fullmatch=True)


@pytest.fixture(autouse=True)
def _scopes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MONITIO_SCOPE = scopes.PATH
    settings.MIDDLEWARE = [scopes.MIDDLEWARE, *settings.MIDDLEWARE]
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


@pytest.fixture
def ann(transactional_db: None) -> Any:
    """One account that is used in both scopes."""
    return user()


def write(where: str, who: Any, text: str = "hello", **more: Any) -> Message:
    with scope.activate(where):
        return api.create_message(who, monitio.INFO, text, **more)


def texts(where: str, who: Any) -> list[str]:
    with scope.activate(where):
        return [message.message for message in api.inbox(who)]


def browser(who: Any, where: str) -> Client:
    client = Client(headers={"X-Scope": where})
    client.force_login(who)
    return client


# Keys.


@pytest.mark.parametrize("where", ["a", ""])
def test_everything_that_names_a_recipient_is_derived_from_the_scope(where: str) -> None:
    with scope.activate(where):
        here = Recipient.for_user(5), Recipient.for_visitor("t")
    with scope.activate("b"):
        there = Recipient.for_user(5), Recipient.for_visitor("t")
    for mine, other in zip(here, there, strict=True):
        assert mine != other and mine.key != other.key and mine.topic != other.topic
        assert page_fits(page_token(mine), mine) and not page_fits(page_token(mine), other)
        assert Recipient.from_key(mine.key) == Recipient.from_dict(mine.to_dict()) == mine


def test_the_empty_scope_changes_no_name() -> None:
    ann = Recipient.for_user(5)
    assert (ann.key, ann.topic, ann.to_dict()) == ("user:5", "user:5", {"user": "5"})
    assert page_token(ann).startswith("u.")
    token = unsubscribe_links.sign(unsubscribe_links.UnsubscribeToken("5", None))
    assert unsubscribe_links.signing.Signer(salt="monitio.unsubscribe").unsign_object(token)


@given(SCOPES, st.text(min_size=1))
def test_a_key_holds_its_scope_whatever_the_primary_key_is(where: str, pk: str) -> None:
    recipient = Recipient(user_pk=pk, scope=where)
    assert scope.scope_of(recipient.key) == where
    assert Recipient.from_key(recipient.key) == recipient


@given(SCOPES, st.text(min_size=1), SCOPES, st.text(min_size=1))
def test_two_recipients_never_share_a_key(one: str, pk: str, other: str, other_pk: str) -> None:
    first, second = Recipient(user_pk=pk, scope=one), Recipient(user_pk=other_pk, scope=other)
    assert (first.key == second.key) == (first == second)


@pytest.mark.parametrize("bad", ["a/b", "a:b", "a b", "a\n", "\0", "\ud800", "x" * 65, None, 1])
def test_what_cannot_be_a_scope_is_refused(bad: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="cannot be a scope"):
        scope.activate(bad)
    with pytest.raises(ImproperlyConfigured, match="cannot be a scope"):
        Recipient(user_pk="5", scope=bad)


@pytest.mark.parametrize("name", ["A", "ä"])
def test_on_mysql_no_two_scopes_are_equal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    databases = {"default": SimpleNamespace(vendor="postgresql")}
    monkeypatch.setattr(scope, "connections", databases)
    assert scope.valid(name) == name
    databases["default"].vendor = "mysql"
    with pytest.raises(ImproperlyConfigured, match="on MySQL"):
        scope.valid(name)


# Messages.


def test_each_scope_has_its_own_inbox_and_counts(ann: Any) -> None:
    write("a", ann, "from a")
    assert (texts("a", ann), texts("b", ann), texts("", ann)) == (["from a"], [], [])
    with scope.activate("b"):
        assert api.unread_count(ann) == 0
    with scope.activate("a"):
        assert api.unread_count(ann) == 1


def test_no_function_reaches_a_message_of_another_scope(ann: Any) -> None:
    bob = user("bob")
    pk = write("a", ann, from_user=bob).pk
    with scope.activate("b"):
        for verb in (api.get_message, api.cancel_job):
            with pytest.raises(Message.DoesNotExist):
                verb(ann, pk)
        with pytest.raises(Message.DoesNotExist):
            api.reply(ann, pk, "no")
        assert api.mark_read(ann, [pk]) == api.mark_seen(ann, [pk]) == api.delete(ann, [pk]) == 0
        assert api.mark_all_read(ann) == api.delete_all(ann) == 0
    assert not Message.objects.get(pk=pk).read


@pytest.mark.parametrize("name", ["detail", "mark_read", "delete", "reply", "cancel"])
def test_no_page_shows_or_changes_a_message_of_another_scope(ann: Any, name: str) -> None:
    with scope.activate("a"):
        jobs.reporter(ann, cancellable=True).started()
    message = Message.objects.get()
    Message.objects.update(from_user=user("bob"))
    url = reverse(f"message_{name}", args=[message.pk])
    assert browser(ann, "a").get(url).status_code == 200
    there = browser(ann, "b")
    assert there.get(url).status_code == 404
    assert there.post(url).status_code in (404, 405)


def test_lists_and_snapshots_hold_what_belongs_to_their_scope(ann: Any) -> None:
    write("a", ann, "from a"), write("b", ann, "from b")
    there = browser(ann, "b")
    state = there.get("/messages/json/").json()
    assert [message["body"] for message in state["messages"]] == ["from b"]
    assert "from a" not in there.get("/messages/").content.decode()
    assert "from a" not in there.get("/").content.decode()


def test_a_page_of_one_scope_gets_nothing_from_another(ann: Any, client: Client) -> None:
    with scope.activate("a"):
        pages = [page_token(Recipient.for_user(ann)), page_token(visitor_of(client))]
    client.defaults["HTTP_X_SCOPE"] = "b"
    for browsing, page in zip((browser(ann, "b"), client), pages, strict=True):
        for url in ("/messages/json/", "/messages/stream/"):
            assert browsing.get(url, {"page": page}).status_code == 204


def test_a_recipient_of_another_scope_is_refused(ann: Any) -> None:
    with scope.activate("a"):
        stranger = Recipient.for_user(ann)
    with scope.activate("b"):
        with pytest.raises(UnknownRecipient, match="scope 'a'"):
            api.create_message(stranger, monitio.INFO, "no")
        with pytest.raises(UnknownRecipient, match="scope 'a'"):
            api.notify_many([ann, stranger], monitio.INFO, "no")
    assert not Message.objects.exists()


def test_rows_made_with_the_model_belong_to_the_current_scope(ann: Any) -> None:
    with scope.activate("a"):
        Message.objects.create(user=ann, message="by hand")
        Message.objects.bulk_create([Message(user=ann, message="in bulk")])
    assert texts("a", ann) == ["in bulk", "by hand"]


def test_a_saved_message_keeps_its_scope_wherever_it_is_saved(ann: Any) -> None:
    message = write("a", ann)
    message.message = "changed"
    with scope.activate("b"):
        message.save()
    assert texts("a", ann) == ["changed"]


def test_a_log_in_moves_the_visitors_messages_of_its_own_scope_alone(ann: Any) -> None:
    for where in ("a", "b"):
        with scope.activate(where):
            api.create_message(Recipient.for_visitor("token"), monitio.INFO, f"in {where}")
    with scope.activate("a"):
        visitors.merge("token", ann)
        api.create_message(Recipient.for_visitor("token"), monitio.INFO, "later in a")
    assert texts("a", ann) == ["later in a", "in a"]
    assert texts("b", ann) == []
    with scope.activate("b"):
        assert visitors.current_recipient(Recipient.for_visitor("token")).is_visitor
        visitors.merge("token", user("bob"))
    assert texts("b", user("bob")) == ["in b"]
    assert VisitorLogin.objects.count() == 2


# After a commit, in threads, in the broadcaster.


def test_what_follows_a_commit_runs_in_the_scope_of_its_caller(ann: Any) -> None:
    seen = []
    with scope.activate("b"), transaction.atomic():
        with scope.activate("a"):
            dispatch.after_commit(lambda: seen.append(scope.current()))
    assert seen == ["a"]


def test_a_bound_function_takes_its_scope_into_other_threads(ann: Any) -> None:
    seen: list[str] = []
    with scope.activate("a"):
        thread = threading.Thread(target=scope.bind(lambda: seen.append(scope.current())))
    thread.start()
    thread.join()
    assert seen == ["a"]


def test_what_runs_off_the_event_loop_keeps_its_scope() -> None:
    async def view() -> str:
        with scope.activate("a"):
            return run_off_loop(scope.current)

    assert asyncio.run(view()) == "a"


def test_events_have_the_topic_of_their_scope(ann: Any) -> None:
    with capture_events() as events:
        message = write("a", ann)
        with scope.activate("a"):
            api.delete(ann, [message.pk])
    assert {event.topic for event in events} == {f"a/user:{ann.pk}"}


@pytest.fixture
def broadcaster(settings: Any) -> Iterator[Broadcaster]:
    settings.MONITIO_TRANSPORT = "monitio.testing.RecordingTransport"
    broadcaster = Broadcaster()
    yield broadcaster
    broadcaster.stop()


def mailboxes(broadcaster: Broadcaster, *topics: str) -> list[Mailbox]:
    found = [Mailbox(topic, lambda: None) for topic in topics]
    for box in found:
        broadcaster.subscribe(box)
    broadcaster.reconcile()
    for box in found:
        box.take()
    return found


def test_reconciliation_queries_the_topics_of_each_scope_in_it(
    broadcaster: Broadcaster, ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a, in_b = mailboxes(broadcaster, f"a/user:{ann.pk}", f"b/user:{ann.pk}")
    with capture_events():
        write("a", ann)
    asked = _note_queries(monkeypatch)
    broadcaster.reconcile()
    assert (in_a.take().resync, in_b.take().resync) == (True, False)
    assert sorted(asked) == [("a", [in_a.topic]), ("b", [in_b.topic])]


def _note_queries(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    from monitio.stream import broadcaster as module

    asked = []
    real = module._fingerprints

    def note(topics: list[str], known: Any) -> Any:
        asked.append((scope.current(), list(topics)))
        return real(topics, known)

    monkeypatch.setattr(module, "_fingerprints", note)
    return asked


def test_an_error_of_one_scope_does_not_stop_reconciliation_of_others(
    broadcaster: Broadcaster, ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitio.stream import broadcaster as module

    in_a, in_b = mailboxes(broadcaster, f"a/user:{ann.pk}", f"b/user:{ann.pk}")
    with capture_events():
        write("a", ann), write("b", ann)
    real = module._fingerprints

    def fail_in_a(topics: list[str], known: Any) -> Any:
        if scope.current() == "a":
            raise RuntimeError("no such schema")
        return real(topics, known)

    monkeypatch.setattr(module, "_fingerprints", fail_in_a)
    broadcaster.reconcile()
    assert (in_a.take().resync, in_b.take().resync) == (False, True)
    monkeypatch.undo()
    broadcaster.reconcile()
    assert (in_a.take().resync, in_b.take().resync) == (True, False)


# E-mail, preferences, digests.


def test_a_delivery_is_sent_by_its_own_scope_alone(ann: Any) -> None:
    with scope.activate("a"), transaction.atomic():
        api.create_message(ann, monitio.INFO, "text", email=True, email_delay=timedelta(hours=1))
    Delivery.objects.update(due_at=timezone.now())
    delivery = Delivery.objects.get()
    with scope.activate("b"):
        assert deliveries.run_due() == (0, 0)
        assert not deliveries.send(delivery.pk)
        assert deliveries.next_try(delivery.pk) is None
    with scope.activate("a"):
        assert deliveries.run_due() == (1, 0)
    assert "https://a.example.com/messages/" in mail.outbox[0].body


def test_e_mails_of_two_scopes_have_different_ids(ann: Any) -> None:
    for where in ("a", "b"):
        write(where, ann, email=True)
    # Ids and times could be equal in two databases.
    numbers = r"delivery-\d+-\d+"
    first, second = (
        re.sub(numbers, "", letter.extra_headers["Message-ID"].partition("@")[0])
        for letter in mail.outbox
    )
    assert first != second


def test_preferences_belong_to_a_scope(ann: Any) -> None:
    with scope.activate("a"):
        preferences.change(ann, frequency="never", categories={"news": "off"})
    with scope.activate("b"):
        assert preferences.for_user(ann).frequency == "at_once"
        assert preferences.get(ann, "news") == "at_once"
        preferences.change(ann, frequency="daily")
    write("a", ann, email=True), write("b", ann, email=True)
    assert not mail.outbox
    assert Preferences.objects.filter(user=ann).count() == 2


def test_a_change_withdraws_the_mail_of_its_own_scope_alone(ann: Any) -> None:
    for where in ("a", "b"):
        write(where, ann, email=True, email_delay=60)
    with scope.activate("a"):
        preferences.change(ann, frequency="never")
    states = dict(Delivery.objects.values_list("scope", "state"))
    assert states == {"a": "skipped", "b": "pending"}


def test_digests_hold_and_close_what_belongs_to_their_scope(ann: Any) -> None:
    later = timezone.now() + timedelta(days=2)
    for where in ("a", "b"):
        with scope.activate(where):
            preferences.change(ann, frequency="daily")
        write(where, ann, f"from {where}")
    with scope.activate("a"):
        digests.run_due(clock=lambda: later)
    assert len(mail.outbox) == 1 and "from a" in mail.outbox[0].body
    assert "from b" not in mail.outbox[0].body
    with scope.activate("b"):
        digests.run_due(clock=lambda: later)
    assert len(mail.outbox) == 2 and "from b" in mail.outbox[1].body
    periods = Digest.objects.values_list("scope", "user", "period")
    assert sorted(where for where, _, _ in periods) == ["a", "b"]
    assert len({period for _, _, period in periods}) == 1


def test_an_unsubscribe_link_is_refused_in_another_scope(ann: Any) -> None:
    write("a", ann, email=True)
    url = re.search(r"https://a.example.com(\S+unsubscribe\S+)", mail.outbox[0].body)
    assert url
    one_click = {"List-Unsubscribe": "One-Click"}
    assert browser(ann, "b").post(url[1], one_click).status_code == 400
    assert browser(ann, "a").post(url[1], one_click).status_code == 200
    with scope.activate("a"):
        way_back = preferences.unsubscribe(unsubscribe_links.UnsubscribeToken(str(ann.pk), None))
    with scope.activate("b"), pytest.raises(BadToken):
        unsubscribe_links.read(way_back, unsubscribe_links.RESUBSCRIBE)


def test_rate_limits_are_separate_for_each_scope() -> None:
    for where in ("a", "b", ""):
        with scope.activate(where):
            assert ratelimit.is_allowed("guess 1.2.3.4", 1, 60)
            assert not ratelimit.is_allowed("guess 1.2.3.4", 1, 60)


# Jobs.


def test_two_scopes_may_use_the_same_task_id(ann: Any) -> None:
    reporters = {}
    for where in ("a", "b"):
        with scope.activate(where):
            reporters[where] = jobs.reporter(ann, task="import")
    assert reporters["a"].started() and reporters["b"].started()
    assert reporters["a"].failed("boom")
    assert dict(Job.objects.values_list("scope", "state")) == {"a": "failed", "b": "started"}
    with scope.activate("a"):
        assert jobs.subjects_of(ann) == ["failed 0"]
    with scope.activate("b"):
        assert jobs.subjects_of(ann) == ["started 0"]


def test_a_reporter_works_in_its_scope_wherever_it_is_called(ann: Any) -> None:
    with scope.activate("a"):
        reporter = jobs.reporter(ann)
    with scope.activate("b"), capture_events() as events:
        assert reporter.started()
        assert reporter.progressed(1, 2)
        assert not reporter.cancel_requested()
        assert reporter.succeeded()
    assert {event.topic for event in events} == {f"a/user:{ann.pk}"}
    assert texts("a", ann) and not texts("b", ann)


def test_a_job_leaves_out_recipients_of_another_scope(
    ann: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with scope.activate("a"):
        stranger = Recipient.for_user(ann)
    with scope.activate("b"):
        jobs.reporter(stranger, user("bob")).started()
    assert "another scope" in caplog.text
    assert [message.recipient_key for message in Message.objects.all()] == [
        f"b/user:{user('bob').pk}"
    ]


def test_failures_of_two_scopes_do_not_become_one_message(ann: Any) -> None:
    for task, where in enumerate(("a", "b", "a")):
        with scope.activate(where):
            jobs.reporter(ann, task=f"task-{task}").failed("boom")
    assert len(texts("a", ann)) == len(texts("b", ann)) == 1


# The admin.


def test_the_admin_shows_what_belongs_to_its_scope(ann: Any) -> None:
    bob = user("bob", is_superuser=True, is_staff=True)
    with scope.activate("a"):
        jobs.reporter(ann).failed("boom")
        preferences.change(ann, hour=9)
        Digest.objects.create(user=ann, period="x", batch="y")
    message = write("a", ann, email=True, email_delay=60)
    rows = {
        "message": message,
        "job": Job.objects.get(),
        "delivery": Delivery.objects.get(),
        "preferences": Preferences.objects.get(),
        "digest": Digest.objects.get(),
    }
    here, there = browser(bob, "a"), browser(bob, "b")
    for name, row in rows.items():
        url = f"/admin/monitio/{name}/"
        assert f"{url}{row.pk}/" in here.get(url).content.decode(), name
        assert f"{url}{row.pk}/" not in there.get(url).content.decode(), name
        assert there.get(f"{url}{row.pk}/change/").status_code == 302, name


def test_every_page_of_the_admin_is_of_one_scope() -> None:
    pages = {model.__name__: page for model, page in site._registry.items()}
    ours = [page for page in pages.values() if page.model._meta.app_label.startswith("monitio")]
    assert len(ours) >= 6
    assert not [page for page in ours if not isinstance(page, OfThisScope)]


# Work for every scope.


def test_periodic_work_is_done_in_every_scope() -> None:
    assert scope.in_each(scope.current) == {"a": "a", "b": "b"}


def test_one_failing_scope_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    def work() -> None:
        if scope.current() == "a":
            raise RuntimeError("no such schema")
        done.append(scope.current())

    with pytest.raises(ScopesFailed, match="'a'"):
        scope.in_each(work)
    assert done == ["b"] and "no such schema" in caplog.text


def test_without_scopes_work_fails_as_it_did(settings: Any) -> None:
    settings.MONITIO_SCOPE = None
    with pytest.raises(ZeroDivisionError):
        scope.in_each(lambda: 1 // 0)


COMMANDS = {
    "monitio_deliver": "monitio.management.commands.monitio_deliver.run_due",
    "monitio_digest": "monitio.digests.sender.run_due",
    "monitio_prune": "monitio.management.commands.monitio_prune.prune",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_work_in_each_scope(transactional_db: None, command: str) -> None:
    out = StringIO()
    call_command(command, stdout=out)
    assert {line.partition(": ")[0] for line in out.getvalue().splitlines()} == {"a", "b"}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_fail_at_the_end_when_a_scope_has_failed(
    transactional_db: None, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(*args: Any) -> None:
        tried.append(scope.current())
        raise RuntimeError

    monkeypatch.setattr(COMMANDS[command], fail)
    with pytest.raises(CommandError, match="Failed in 'a', 'b'"):
        call_command(command)
    assert tried == ["a", "b"]


def test_a_digest_is_shown_of_a_user_who_exists_in_one_scope_only(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = user()

    def in_a(name: str) -> Any:
        if scope.current() == "a" and name == "ann":
            return ann
        raise CommandError

    monkeypatch.setattr("monitio.management.commands.monitio_digest.user_named", in_a)
    out = StringIO()
    call_command("monitio_digest", "--dry-run", "--user=ann", stdout=out)
    assert out.getvalue().startswith("a: ann (gets no digests)") and "b: " not in out.getvalue()
    with pytest.raises(CommandError, match="no user 'bob'"):
        call_command("monitio_digest", "--dry-run", "--user=bob")


def test_prune_deletes_in_the_current_scope_alone(ann: Any) -> None:
    past = timezone.now() - timedelta(days=1)
    for where in ("a", "b"):
        write(where, ann, expires=past)
    with scope.activate("a"):
        assert api.prune()["expired"] == 1
    assert Message.objects.get().scope == "b"


# Checks.


@pytest.mark.parametrize("path", ["nowhere.Scope", "json.JSONDecoder", "tests.support.scopes"])
def test_a_scope_that_cannot_be_used_is_an_error(settings: Any, path: str) -> None:
    settings.MONITIO_SCOPE = path
    found = check_scope(None)
    assert [(error.id, error.level) for error in found] == [("monitio.E060", checks.ERROR)]


def test_a_usable_scope_is_no_error() -> None:
    assert check_scope(None) == []


def test_tenants_without_a_scope_are_an_error(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MONITIO_SCOPE = None
    assert check_scope(None) == []
    monkeypatch.setattr("monitio.checks.apps.is_installed", lambda name: name == "django_tenants")
    assert [error.id for error in check_scope(None)] == ["monitio.E061"]


# The polling transport, where each scope can have its own table.


def test_polling_writes_and_reads_the_events_of_each_scope_in_it(transactional_db: None) -> None:
    seen = []
    topics = ["a/user:1", "user:1", "b/user:1", "a/user:2"]
    polling._in_scopes(topics, lambda some: seen.append((scope.current(), some)))
    assert seen == [("a", ["a/user:1", "a/user:2"]), ("", ["user:1"]), ("b", ["b/user:1"])]
    polling.PollingTransport().publish([Event(topic) for topic in topics])
    nonces = polling._nonces(topics)
    assert all(nonces[topic] is not None for topic in topics)


def test_polling_goes_on_without_a_scope_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    def fail_in_a(topics: list[str]) -> None:
        if scope.current() == "a":
            raise RuntimeError("no such schema")

    for _ in range(3):
        polling._in_scopes(["a/user:1", "b/user:1"], fail_in_a)
    assert caplog.text.count("'a'") == 1
    with pytest.raises(RuntimeError):
        polling._in_scopes(["a/user:1"], fail_in_a)


def test_a_session_that_ends_is_announced_in_its_scope(transactional_db: None) -> None:
    with capture_events() as published, scope.activate("a"):
        dispatch.announce_session_end("key")
    assert [event.topic for event in published] == ["a/!"]
    assert events.is_everybody("a/!") and events.is_everybody("!")


@given(SCOPES, st.text(min_size=1))
def test_no_recipient_has_the_topic_of_all_streams(where: str, pk: str) -> None:
    assert not events.is_everybody(Recipient(user_pk=pk, scope=where).topic)


# Coverage of tables.

# Tables without the column: they have a key or its hash, or belong to a row that has the scope.
DERIVED = {"CategoryChoice", "LastEvent", "Repeat"}
NAMES = {"recipient_key", "recipients", "session", "token", "topic", "header", "message"}


def test_every_table_that_names_a_recipient_has_a_scope() -> None:
    user_model = get_user_model()
    for label in ("monitio", "monitio_celery"):
        for model in apps.get_app_config(label).get_models():
            fields = {field.name: field for field in model._meta.fields}
            named = NAMES & set(fields) or [
                name for name, field in fields.items() if field.related_model is user_model
            ]
            if named and model.__name__ not in DERIVED:
                assert "scope" in fields, model
