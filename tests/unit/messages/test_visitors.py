"""A visitor who logs in keeps their messages, also those written during the log-in."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth import login, logout
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.http import HttpResponse

import monitio
from monitio import api, dispatch
from monitio.jobs.reporter import JobReporter
from monitio.messages import create, visitors
from monitio.models import Job, Message, VisitorLogin
from monitio.recipients import Recipient
from monitio.testing import capture_events
from tests.support.people import request_of, user
from tests.support.threads import DEADLINE, Running, at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def request_() -> Any:
    """A visitor's request, with a saved session."""
    session = SessionStore()
    session.create()
    return request_of(None, session)


@pytest.fixture
def visitor(request_: Any) -> Recipient:
    return Recipient.from_request(request_)


def owner() -> Any:
    return Message.objects.get().user


def test_messages_become_the_users_at_log_in(request_: Any, visitor: Recipient) -> None:
    ann = user()
    message = api.create_message(visitor, monitio.INFO, "one")
    with capture_events() as events:
        login(request_, ann)
    assert owner() == ann
    message.refresh_from_db()
    assert (message.session, message.recipient_key) == ("", Recipient.for_user(ann).key)
    assert message.version == 2
    assert {event.topic for event in events} == {visitor.topic, Recipient.for_user(ann).topic}


def test_the_token_leaves_the_session_at_log_in(request_: Any, visitor: Recipient) -> None:
    login(request_, user())
    assert "_monitio_visitor" not in request_.session


def test_a_log_in_that_is_rolled_back_moves_nothing(request_: Any, visitor: Recipient) -> None:
    api.create_message(visitor, monitio.INFO, "one")
    with transaction.atomic():
        login(request_, user())
        transaction.set_rollback(True)
    assert owner() is None
    assert visitors.current_recipient(visitor) == visitor


def test_logging_out_does_not_return_the_messages_to_the_visitor(
    request_: Any, visitor: Recipient
) -> None:
    ann = user()
    api.create_message(visitor, monitio.INFO, "one")
    login(request_, ann)
    logout(request_)
    assert Recipient.existing(request_) is None
    assert Recipient.from_request(request_) != visitor
    assert owner() == ann


def test_a_token_that_is_shown_again_never_moves_to_a_second_account(
    request_: Any, visitor: Recipient
) -> None:
    """Signed cookies can be replayed, and the server cannot detect it."""
    ann, bob = user(), user("bob")
    visitors.merge(visitor.token or "", ann)
    Message.objects.create(session=visitor.token, message="one", level=monitio.INFO)
    visitors.merge(visitor.token or "", bob)
    assert visitors.current_recipient(visitor) == Recipient.for_user(ann)
    assert owner() == ann


def write_by_create_message(request: Any, visitor: Recipient) -> None:
    api.create_message(visitor, monitio.INFO, "one")


def write_by_notify_many(request: Any, visitor: Recipient) -> None:
    api.notify_many([visitor], monitio.INFO, "one")


def write_by_the_request(request: Any, visitor: Recipient) -> None:
    monitio.add_message(request, 20, "one", live=True)


def write_with_the_response(request: Any, visitor: Recipient) -> None:
    monitio.add_message(request, 20, "one", subject="too much for a cookie")
    request._messages.update(HttpResponse())


WAYS = [
    write_by_create_message,
    write_by_notify_many,
    write_by_the_request,
    write_with_the_response,
]


@pytest.mark.parametrize("write_message", WAYS)
def test_a_write_that_raced_with_the_log_in_is_moved_after_commit(
    request_: Any, visitor: Recipient, write_message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, resolve = user(), visitors.current_recipient
    visitors.merge(visitor.token or "", ann)

    def as_of_before(recipient: Recipient) -> Recipient:
        """The writing transaction does not see the other's commit."""
        return recipient if dispatch.in_transaction() else resolve(recipient)

    monkeypatch.setattr(visitors, "current_recipient", as_of_before)
    with transaction.atomic():
        write_message(request_, visitor)
        assert owner() is None
    assert owner() == ann


@pytest.mark.parametrize("write_message", WAYS)
def test_a_write_that_crosses_the_log_in_reaches_the_user(
    request_: Any, visitor: Recipient, write_message: Any
) -> None:
    """Two connections: on SQLite one waits for the other; elsewhere the log-in commits first."""
    ann = user()
    written, logged_in = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            write_message(request_, visitor)
            written.set()
            assert logged_in.wait(DEADLINE)

    writer = Running(write)
    assert written.wait(DEADLINE)
    other = request_of(None, SessionStore(request_.session.session_key))
    other.session["_monitio_visitor"] = request_.session["_monitio_visitor"]
    logging_in = Running(lambda: login(other, ann))
    if connection.vendor != "sqlite":
        logging_in.result()
    logged_in.set()
    logging_in.result()
    writer.result()
    assert owner() == ann


def test_a_log_in_that_is_open_while_a_write_commits_moves_it(
    request_: Any, visitor: Recipient
) -> None:
    """The other order: the write does not see the log-in, but the log-in sees the write."""
    ann = user()
    api.create_message(visitor, monitio.INFO, "before")
    with transaction.atomic():
        login(request_, ann)
        assert owner() is None
    assert owner() == ann


def test_a_job_that_ends_later_notifies_the_user(request_: Any, visitor: Recipient) -> None:
    ann = user()
    reporter = JobReporter("task", name="Report", recipients=[visitor])
    reporter.started()
    login(request_, ann)
    assert JobReporter("task", recipients=[visitor]).succeeded()
    assert owner() == ann


def test_one_job_never_leaves_a_user_with_two_messages(visitor: Recipient) -> None:
    ann = user()
    job = Job.objects.create(task_id="task")
    for who in (visitor, Recipient.for_user(ann)):
        row = create.build_message(who, monitio.INFO, "one")
        row.job = job
        row.save()
    visitors.merge(visitor.token or "", ann)
    assert owner() == ann


def test_two_log_ins_of_one_token_at_once_end_with_one_owner(visitor: Recipient) -> None:
    people = [user("ann"), user("bob")]
    api.create_message(visitor, monitio.INFO, "one")
    at_once(*[lambda who=who: visitors.merge(visitor.token or "", who) for who in people])
    assert VisitorLogin.objects.get().user == owner()
