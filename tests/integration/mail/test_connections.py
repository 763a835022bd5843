"""E-mails that are sent together share a connection to the mail server."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.utils import timezone

import monitio
from monitio import api, dispatch, preferences
from monitio.channels import deliveries
from monitio.channels.email import smtp
from monitio.digests import sender as digests
from monitio.models import Delivery, Preferences
from tests.support.people import user
from tests.support.servers.smtp import DROP, HANG, MailServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("ann", "bob", "cid")


@pytest.fixture(autouse=True)
def _site(mail_server: MailServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    for name, value in mail_server.settings().items():
        setattr(settings, name, value)


@pytest.fixture
def due() -> None:
    """Three users whose digest is due."""
    for name in NAMES:
        preferences.change(user(name), frequency="daily")
        api.create_message(user(name), monitio.INFO, "one")
    Preferences.objects.update(next_digest_at=timezone.now())


def connections(server: MailServer) -> int:
    return server.commands.count("EHLO")


def test_a_set_of_digests_goes_over_one_connection(due: None, mail_server: MailServer) -> None:
    assert digests.run_due().sent == 3
    assert len(mail_server.sources) == 3
    assert connections(mail_server) == 1


def test_single_mails_that_wait_go_over_one_connection(mail_server: MailServer) -> None:
    for name in NAMES:
        api.create_message(user(name), monitio.INFO, "one", email=True)
    assert deliveries.run_due() == (3, 0)
    assert connections(mail_server) == 1


def test_the_connection_is_closed_with_quit(due: None, mail_server: MailServer) -> None:
    digests.run_due()
    wait_until(lambda: "QUIT" in mail_server.commands, 60, "QUIT")


def test_an_unanswered_quit_is_not_waited_for(
    due: None, mail_server: MailServer, settings: Any
) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 200
    mail_server.script = {"QUIT": [HANG]}
    began = time.monotonic()
    assert digests.run_due().sent == 3
    assert time.monotonic() - began < 100


def test_a_connection_sends_a_limited_number_of_emails(
    due: None, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "MAILS_A_CONNECTION", 2)
    assert digests.run_due().sent == 3
    assert connections(mail_server) == 2


@pytest.mark.parametrize("reply", [DROP, "421 too long idle"])
def test_a_connection_closed_by_the_server_fails_no_email(
    due: None, mail_server: MailServer, reply: str
) -> None:
    mail_server.script = {"NOOP": [reply]}
    assert digests.run_due().sent == 3
    assert connections(mail_server) == 2
    assert len(mail_server.sources) == 3


@pytest.mark.parametrize(
    ("command", "reply"), [("RCPT", "550 no such user"), ("MAIL", "451 later"), ("BODY", DROP)]
)
def test_after_a_failure_the_next_mail_has_a_connection_of_its_own(
    due: None, mail_server: MailServer, command: str, reply: str
) -> None:
    mail_server.script = {command: [None, reply]}
    assert digests.run_due().sent == 2
    assert connections(mail_server) == 2


def test_after_a_server_that_hangs_the_next_mail_has_a_connection_of_its_own(
    due: None, mail_server: MailServer, settings: Any
) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 4
    mail_server.script = {"RCPT": [None, HANG]}
    assert digests.run_due().sent == 2
    assert connections(mail_server) == 2


def test_a_single_email_leaves_no_connection_open(mail_server: MailServer) -> None:
    api.create_message(user(), monitio.INFO, "one", email=True)
    assert deliveries.send(Delivery.objects.get().pk)
    assert mail_server.commands[-1] == "QUIT"
