"""What the stream's address answers is kept by nobody, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from monitio.recipients import Recipient, page_token
from tests.support.people import user

pytestmark = pytest.mark.django_db


def is_cached_nowhere(response: Any) -> bool:
    return "no-store" in response["Cache-Control"]


@pytest.fixture
def client(client: Client, settings: Any) -> Client:
    """Somebody signed in, where no stream stays open."""
    settings.MONITIO_STREAMS_PER_PROCESS = 0
    client.force_login(user())
    return client


def get(client: Client, page: str = "") -> Any:
    return client.get(reverse("message_stream"), {"page": page})


def test_a_stream(client: Client) -> None:
    response = get(client, page_token(Recipient.for_user(user())))
    assert b"busy" in b"".join(response.streaming_content)
    assert (response.status_code, is_cached_nowhere(response)) == (200, True)


def test_a_page_that_has_to_stop(client: Client) -> None:
    response = get(client, "u.forged")
    assert (response.status_code, is_cached_nowhere(response)) == (204, True)


@pytest.mark.parametrize("method", ["post", "head", "put", "delete", "options"])
def test_what_is_not_allowed(client: Client, method: str) -> None:
    response = getattr(client, method)(reverse("message_stream"))
    assert (response.status_code, is_cached_nowhere(response)) == (405, True)


def test_a_database_that_does_not_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: Any) -> Recipient:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(Recipient, "existing", fail)
    response = get(client)
    assert (response.status_code, is_cached_nowhere(response)) == (503, True)
    assert response["Retry-After"] == "3"
    assert [record.levelname for record in caplog.records if record.name == "monitio"] == [
        "WARNING"
    ]
