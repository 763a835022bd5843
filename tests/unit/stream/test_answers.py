"""Responses of the stream's address are never cached."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitio import create_message
from monitio.models import Message
from monitio.recipients import Recipient, page_token
from tests.support.people import user

pytestmark = pytest.mark.django_db


def is_never_cached(response: Any) -> bool:
    return "no-store" in response["Cache-Control"]


@pytest.fixture
def client(client: Client, settings: Any) -> Client:
    """A client of a signed-in user; streams end at once."""
    settings.MONITIO_STREAMS_PER_PROCESS = 0
    client.force_login(user())
    return client


def get(client: Client, page: str = "", **query: str) -> Any:
    return client.get(reverse("message_stream"), {"page": page, **query})


def test_a_stream(client: Client) -> None:
    response = get(client, page_token(Recipient.for_user(user())))
    assert b"busy" in b"".join(response.streaming_content)
    assert (response.status_code, is_never_cached(response)) == (200, True)


class TestUnchanged:
    """A page that names its snapshot gets no second copy of it, also from a busy process."""

    @pytest.fixture(autouse=True)
    def _settings(self, settings: Any) -> None:
        settings.MONITIO_SNAPSHOT_SIZE = 2

    def events(self, client: Client, has: str = "") -> dict[str, Any]:
        response = get(client, page_token(Recipient.for_user(user())), has=has)
        lines = b"".join(response.streaming_content).decode().split("\n")
        names = (line.removeprefix("event: ") for line in lines if line.startswith("event: "))
        datas = (json.loads(line.removeprefix("data: ")) for line in lines if "data: " in line)
        return dict(zip(names, datas, strict=True))

    def mark(self, client: Client) -> str:
        return str(self.events(client)["snapshot"]["mark"])

    @pytest.mark.parametrize("count", [0, 1, 4])
    def test_it_is_named(self, client: Client, count: int) -> None:
        for number in range(count):
            create_message(user(), 110, f"text {number}")
        mark = self.mark(client)
        answer = self.events(client, mark)
        assert list(answer) == ["resync", "bye"]
        assert answer["resync"] == {"mark": mark}

    @pytest.mark.parametrize(
        "change",
        [
            lambda newest, below: create_message(user(), 110, "another"),
            lambda newest, below: newest.delete(),
            lambda newest, below: newest.update(read=True),
            lambda newest, below: newest.update(seen=True),
            lambda newest, below: newest.touch(subject="new"),
            lambda newest, below: newest.update(expires=timezone.now() - timedelta(1)),
            lambda newest, below: below.update(read=True),
        ],
        ids=["created", "deleted", "read", "seen", "changed", "expired", "read below the floor"],
    )
    def test_every_change_makes_another_snapshot(self, client: Client, change: Any) -> None:
        pks = [create_message(user(), 110, f"text {number}").pk for number in range(3)]
        mark = self.mark(client)
        change(Message.objects.filter(pk=pks[-1]), Message.objects.filter(pk=pks[0]))
        answer = self.events(client, mark)
        assert list(answer) == ["snapshot", "bye"]
        assert answer["snapshot"]["mark"] != mark

    def test_a_new_name_of_a_sender_is_another_snapshot(self, client: Client) -> None:
        create_message(user(), 110, "text", from_user=user("bob"))
        mark = self.mark(client)
        type(user()).objects.filter(username="bob").update(first_name="Robert")
        assert self.events(client, mark)["snapshot"]["messages"][0]["from"] == "Robert"

    def test_progress_makes_another_snapshot_without_a_new_version(self, client: Client) -> None:
        create_message(user(), 110, "text")
        Message.objects.update(running=True)
        assert self.mark(client) == ""
        assert "snapshot" in self.events(client, "")

    def test_it_is_read_without_the_messages(
        self, client: Client, django_assert_max_num_queries: Any
    ) -> None:
        create_message(user(), 110, "text", from_user=user("bob"))
        mark = self.mark(client)
        # One of the test, session, user, a few columns of each message, and its sender.
        with django_assert_max_num_queries(5) as queries:
            assert "resync" in self.events(client, mark)
        assert not any("subject" in query["sql"] for query in queries)


def test_a_page_of_another_user(client: Client) -> None:
    response = get(client, "u.forged")
    assert (response.status_code, is_never_cached(response)) == (204, True)


@pytest.mark.parametrize("method", ["post", "head", "put", "delete", "options"])
def test_what_is_not_allowed(client: Client, method: str) -> None:
    response = getattr(client, method)(reverse("message_stream"))
    assert (response.status_code, is_never_cached(response)) == (405, True)


def test_a_database_that_does_not_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: Any) -> Recipient:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(Recipient, "existing", fail)
    response = get(client)
    assert (response.status_code, is_never_cached(response)) == (503, True)
    assert response["Retry-After"] == "3"
    assert [record.levelname for record in caplog.records if record.name == "monitio"] == [
        "WARNING"
    ]
