"""Cancelling a job from its message: permission, states and display."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from monitio import api
from monitio.dispatch import hooks
from monitio.exceptions import NotAllowed
from monitio.models import Job, Message
from monitio.recipients import Recipient
from monitio.serializers import snapshot
from monitio.testing import capture_events
from tests.support.jobs import payloads, reporter, rolled_back, subjects_of
from tests.support.people import user, visitor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that the task queue's ``cancel`` was called with."""
    cancelled: list[str] = []
    monkeypatch.setitem(hooks.cancel, "", cancelled.append)
    return cancelled


@pytest.fixture
def message(cancelled: list[str]) -> Message:
    """Ann's message of a running job that can be cancelled."""
    job = reporter(user(), cancellable=True)
    job.queued()
    job.started()
    return Message.objects.get()


def address(message: Message) -> str:
    return reverse("message_cancel", args=[message.pk])


def signed_in(name: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(user(name, **fields))
    return client


def offered(who: Any) -> list[bool]:
    return [entry["job"]["cancel"] for entry in snapshot(Recipient.of(who))["messages"]]


def test_its_recipient_cancels_it(message: Message, cancelled: list[str]) -> None:
    assert api.cancel_job(user(), message.pk)
    assert cancelled == ["task-1"]


def test_the_queue_is_called_once(message: Message, cancelled: list[str]) -> None:
    api.cancel_job(user(), message.pk)
    assert not api.cancel_job(user(), message.pk)
    assert cancelled == ["task-1"]


def test_the_button_is_removed_when_it_is_used(message: Message) -> None:
    assert offered(user()) == [True]
    with capture_events() as events:
        api.cancel_job(user(), message.pk)
    assert [data["job"]["cancel"] for data in payloads(events)] == [False]
    assert offered(user()) == [False]


def test_the_button_is_removed_at_the_end(message: Message) -> None:
    reporter(user()).succeeded()
    assert offered(user()) == [False]


def test_it_is_offered_while_it_waits(cancelled: list[str]) -> None:
    reporter(user(), cancellable=True).queued()
    assert offered(user()) == [True]


def test_it_is_not_offered_unless_the_author_allows_it(cancelled: list[str]) -> None:
    reporter(user()).started()
    assert offered(user()) == [False]
    with pytest.raises(NotAllowed):
        api.cancel_job(user(), Message.objects.get().pk)
    assert cancelled == []


def test_a_job_that_has_ended_is_not_cancelled(message: Message, cancelled: list[str]) -> None:
    reporter(user()).succeeded()
    assert not api.cancel_job(user(), message.pk)
    assert cancelled == []


def test_a_message_without_a_job_has_nothing_to_cancel(cancelled: list[str]) -> None:
    with pytest.raises(NotAllowed):
        api.cancel_job(user(), api.create_message(user(), 120, "text").pk)


def test_a_rollback_undoes_it(message: Message, cancelled: list[str]) -> None:
    with rolled_back():
        api.cancel_job(user(), message.pk)
    assert cancelled == []
    assert offered(user()) == [True]


def test_the_button_stays_if_the_queue_cannot_be_reached(
    message: Message, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(task_id: str) -> None:
        raise OSError("no broker")

    monkeypatch.setitem(hooks.cancel, "", refuse)
    api.cancel_job(user(), message.pk)
    assert offered(user()) == [True]
    assert "could not be cancelled" in caplog.text


def test_a_job_that_no_queue_can_cancel_continues(
    message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(hooks.cancel, "")
    with pytest.raises(NotAllowed):
        api.cancel_job(user(), message.pk)


class TestWithdrawn:
    def test_a_waiting_job_ends(self) -> None:
        job = reporter(user())
        job.queued()
        assert job.cancelled_while_waiting()
        assert subjects_of(user()) == ["revoked 0"]
        assert not job.started()

    def test_a_job_that_waits_for_its_next_attempt_ends(self) -> None:
        job = reporter(user())
        job.started()
        job.retrying(0)
        assert job.cancelled_while_waiting()

    def test_a_running_job_goes_on(self) -> None:
        job = reporter(user())
        job.started()
        assert not job.cancelled_while_waiting()
        assert subjects_of(user()) == ["started 0"]


class TestOnTheWeb:
    def test_a_get_request_shows_a_confirmation(
        self, message: Message, cancelled: list[str]
    ) -> None:
        response = signed_in("ann").get(address(message))
        assert "Cancel “started 0”?" in response.content.decode()
        assert "Keep running" in response.content.decode()
        assert cancelled == []

    def test_its_recipient_posts(self, message: Message, cancelled: list[str]) -> None:
        assert signed_in("ann").post(address(message)).status_code == 302
        assert cancelled == ["task-1"]

    def test_it_needs_the_csrf_token(self, message: Message, cancelled: list[str]) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(user())
        assert client.post(address(message)).status_code == 403
        assert cancelled == []

    @pytest.mark.parametrize("method", ["get", "post"])
    @pytest.mark.parametrize(
        "stranger",
        [
            lambda: signed_in("bob"),
            lambda: signed_in("root", is_superuser=True, is_staff=True),
            Client,
        ],
        ids=["another user", "an administrator", "a visitor"],
    )
    def test_the_job_of_another_user_is_not_found(
        self, message: Message, cancelled: list[str], stranger: Callable[[], Client], method: str
    ) -> None:
        client = stranger()
        visitor_of(client)
        assert getattr(client, method)(address(message)).status_code == 404
        assert cancelled == []
        assert not Job.objects.get().cancel_requested

    def test_a_visitor_cancels_their_own(self, cancelled: list[str]) -> None:
        client, other = Client(), Client()
        visitor_of(other)
        reporter(visitor_of(client), cancellable=True).started()
        message = Message.objects.get()
        assert other.post(address(message)).status_code == 404
        assert client.post(address(message)).status_code == 302
        assert cancelled == ["task-1"]

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_what_is_not_offered_is_not_found(self, cancelled: list[str], method: str) -> None:
        reporter(user()).started()
        client = signed_in("ann")
        assert getattr(client, method)(address(Message.objects.get())).status_code == 404

    def test_the_inbox_without_javascript_offers_it(self, message: Message) -> None:
        client = signed_in("ann")
        assert address(message) in client.get(reverse("message_list")).content.decode()
        client.post(address(message))
        assert address(message) not in client.get(reverse("message_list")).content.decode()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_events():
        yield
