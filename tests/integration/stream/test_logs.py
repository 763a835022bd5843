"""Logs contain neither texts of messages nor anything that authenticates a user."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from monitio import INFO, api
from monitio.dispatch import hooks
from monitio.jobs.reporter import JobReporter
from monitio.recipients import Recipient, page_token
from monitio.stream.broadcaster import reset_broadcaster
from monitio.transports import redis
from monitio.utils import database as database_utils
from tests.integration.stream.servers import Server
from tests.support.peers import TIMEOUT, Peer
from tests.support.people import user, visitor_of
from tests.support.servers.ports import free_port
from tests.support.servers.valkey import Valkey

SECRET = "the-diagnosis"
# All loggers, also those that Django and the servers do not propagate.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"all": {"class": "logging.StreamHandler", "level": "DEBUG"}},
    "root": {"handlers": ["all"], "level": "DEBUG"},
}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture all loggers at DEBUG, also those that do not propagate."""
    known = [one for one in logging.root.manager.loggerDict.values() if hasattr(one, "propagate")]
    before = [(one, one.level, one.propagate) for one in known]
    for one in known:
        one.level, one.propagate = logging.DEBUG, True
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]
    caplog.set_level(logging.DEBUG)
    yield caplog
    for one, level, propagate in before:
        one.level, one.propagate = level, propagate
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]


def use_every_feature(client: Client, who: Recipient) -> str:
    """Take a message from its creation to its deletion; everything the recipient saw of it."""
    row = api.create_message(
        who, INFO, SECRET, subject=SECRET, email=not who.is_visitor, url=f"/{SECRET}/"
    )
    reporter = JobReporter(f"task-{who.is_visitor}", name="report", recipients=[who])
    reporter.started()
    reporter.progressed(1, 2, SECRET)
    reporter.failed(SECRET)
    page = {"page": page_token(who)}
    seen = b"".join(client.get(reverse("message_stream"), page).streaming_content)  # type: ignore[attr-defined]
    seen += client.get(reverse("message_json")).content + client.get("/").content
    client.get(reverse("message_detail", args=[row.pk]))
    client.post(reverse("message_mark_read", args=[row.pk]))
    client.post(reverse("message_delete", args=[row.pk]))
    return seen.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("transport", ["polling", "redis", "dead redis"])
def test_using_every_feature_logs_no_text(
    transport: str,
    log: pytest.LogCaptureFixture,
    client: Client,
    settings: Any,
    valkey_server: Valkey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # E-mails are sent by this process.
    monkeypatch.setattr(hooks, "deliver", None)
    settings.MONITIO_STREAMS_PER_PROCESS = 0
    # A busy machine must not count as an unreachable server.
    monkeypatch.setattr(redis, "PUBLISH_TIMEOUT", TIMEOUT)
    monkeypatch.setattr(database_utils, "LOCK_TIMEOUT", TIMEOUT)
    settings.MONITIO_TRANSPORT = transport.split()[-1]
    settings.MONITIO_REDIS_URL = valkey_server.url
    if transport == "dead redis":
        settings.MONITIO_REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    client.force_login(user())
    assert SECRET in use_every_feature(client, Recipient.for_user(user()))
    visitors = Client()
    visitor = visitor_of(visitors)
    assert SECRET in use_every_feature(visitors, visitor)
    reset_broadcaster()
    logged = log.text
    assert ("cannot be reached" in logged) == (transport == "dead redis"), "the log was captured"
    assert SECRET not in logged
    assert str(visitor.token) not in logged
    assert client.cookies["sessionid"].value not in logged
    assert SECRET in mail.outbox[0].subject


@pytest.mark.parametrize("kind", ["uvicorn", "endpoint", "gthread"])
def test_a_server_that_logs_everything_logs_nothing_of_it(
    kind: str,
    site: Peer,
    database: str,
    transport: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    server = Server(kind, database, options=("--log-level", "debug"), LOGGING=LOGGING, **transport)
    people = [site.sign_in(f"logged-{kind}"), site.visit()]
    for browser in people:
        with server.stream(browser) as stream:
            stream.wait_until_it_receives(
                lambda browser=browser: site.write(browser["key"], SECRET)
            )  # type: ignore[misc]
            with server.stream(browser, "u.forged") as other:
                other.wait_until_it_ends()
    with suppress(HTTPError):
        server.get("/nowhere/")
    server.close()
    logged = "".join(capfd.readouterr())
    assert "Not Found: /nowhere/" in logged, "the log was captured"
    assert SECRET not in logged
    for browser in people:
        assert browser["cookie"].partition("=")[2] not in logged
    assert people[1]["key"].partition(":")[2] not in logged
