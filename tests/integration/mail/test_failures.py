"""Deliveries to a real mail server that refuses, delays or disconnects."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import django
import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

import monitio
from monitio import api, dispatch
from monitio.channels import PermanentFailure, TemporaryFailure, deliveries
from monitio.channels.email.smtp import failure
from monitio.models import Delivery
from tests.support.people import user
from tests.support.servers.ports import free_port
from tests.support.servers.smtp import DROP, HANG, MailServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _site(mail_server: MailServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.hooks, "deliver", None)
    monkeypatch.setattr(dispatch, "_next_try_here", 0.0)
    use(settings, mail_server.settings())


def use(settings: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)


def send() -> Delivery:
    """Send a message by e-mail in this process; its delivery."""
    api.create_message(user(), monitio.INFO, "text", email=True)
    return Delivery.objects.latest("pk")


def send_again(delivery: Delivery) -> Delivery:
    """Send it again as at the time of its next attempt."""
    Delivery.objects.filter(pk=delivery.pk).update(due_at=timezone.now())
    deliveries.run_due()
    delivery.refresh_from_db()
    return delivery


def message_ids(server: MailServer) -> list[str]:
    return [mail["Message-ID"] for mail in server.mails]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("CONNECT", "421 too busy"),
        ("CONNECT", "554 nobody sends from there"),
        ("MAIL", "451 later"),
        ("MAIL", "530 log in first"),
        ("RCPT", "450 greylisted"),
        ("BODY", "452 no space"),
        ("CONNECT", DROP),
        ("EHLO", DROP),
        ("MAIL", DROP),
        ("RCPT", DROP),
        ("BODY", DROP),
    ],
)
def test_a_temporary_failure_is_retried(mail_server: MailServer, command: str, reply: str) -> None:
    mail_server.script = {command: [reply]}
    delivery = send()
    assert delivery.state == "pending"
    assert delivery.due_at > timezone.now()
    assert reply == DROP or reply in delivery.error
    delivery = send_again(delivery)
    assert (delivery.state, delivery.error, delivery.attempts) == ("sent", "", 2)
    assert len(mail_server.mails) == 1


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("MAIL", "550 you may not"),
        ("RCPT", "550 no such user"),
        ("RCPT", "553 not here"),
        ("BODY", "554 looks like spam"),
    ],
)
def test_a_permanent_failure_ends_with_the_servers_reason(
    mail_server: MailServer, command: str, reply: str
) -> None:
    mail_server.script = {command: [reply]}
    delivery = send()
    assert (delivery.state, delivery.error) == ("failed", reply)
    assert send_again(delivery).state == "failed"
    assert mail_server.mails == []


def test_an_email_that_an_admin_retries_can_succeed(mail_server: MailServer) -> None:
    mail_server.script = {"RCPT": ["550 no such user"]}
    delivery = send()
    Delivery.objects.update(state="pending", due_at=timezone.now())
    assert send_again(delivery).state == "sent"


def test_a_server_that_is_down_is_tried_again(mail_server: MailServer, settings: Any) -> None:
    unreachable = MailServer()
    unreachable.port = free_port()
    use(settings, unreachable.settings())
    delivery = send()
    assert delivery.state == "pending" and "refused" in delivery.error
    use(settings, mail_server.settings())
    assert send_again(delivery).state == "sent"


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "BODY"])
def test_a_server_that_hangs_blocks_no_longer_than_the_timeout(
    mail_server: MailServer, settings: Any, command: str
) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 1
    mail_server.script = {command: [HANG]}
    began = time.monotonic()
    delivery = send()
    # The server would never reply.
    assert time.monotonic() - began < 60
    assert delivery.state == "pending"
    settings.MONITIO_EMAIL_TIMEOUT = 60
    assert send_again(delivery).state == "sent"


def test_a_server_that_is_slow_at_every_step_blocks_no_longer(
    mail_server: MailServer, settings: Any
) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 3
    # Each single reply is within the timeout.
    mail_server.seconds = 1
    delivery = send()
    assert delivery.state == "pending"
    # The seconds that were left when its turn came.
    assert re.fullmatch(r"The mail server took longer than [123](\.\d)? seconds\.", delivery.error)
    assert "BODY" not in mail_server.commands


def test_a_mail_that_was_given_up_does_not_leave_later(
    mail_server: MailServer, settings: Any
) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 1.5
    mail_server.seconds = 1
    send()
    # The thread of the abandoned connection ends.
    wait_until(lambda: not _conversations())
    assert mail_server.mails == []


def _conversations() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "monitio-mail"]


@pytest.mark.parametrize("quit_reply", [DROP, HANG, "421 go away"])
def test_an_accepted_email_is_sent_however_the_connection_ends(
    mail_server: MailServer, settings: Any, quit_reply: str
) -> None:
    # The time-out for a reply that never comes.
    settings.MONITIO_EMAIL_TIMEOUT = 4 if quit_reply == HANG else 60
    mail_server.script = {"QUIT": [quit_reply]}
    assert send().state == "sent"
    assert len(mail_server.mails) == 1


def test_a_shorter_timeout_of_the_site_is_used(mail_server: MailServer, settings: Any) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 300
    mailers = mail_server.settings()
    if "MAILERS" in mailers:
        mailers["MAILERS"]["default"]["OPTIONS"]["timeout"] = 0.5
    else:
        mailers["EMAIL_TIMEOUT"] = 0.5
    use(settings, mailers)
    mail_server.script = {"RCPT": [HANG]}
    began = time.monotonic()
    assert send().state == "pending"
    assert time.monotonic() - began < 100


def test_a_mail_that_was_sent_and_not_noted_is_sent_again_under_the_same_id(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: Any) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as moment:
        moment.setattr(deliveries, "_settle", die)
        with pytest.raises(SystemExit):
            send()
    delivery = Delivery.objects.get()
    assert delivery.state == "claimed"
    assert send_again(delivery).state == "sent"
    first, second = message_ids(mail_server)
    assert first == second


def test_other_mails_have_other_ids(mail_server: MailServer) -> None:
    send()
    send()
    assert len(set(message_ids(mail_server))) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"email": ""}, "The user has no e-mail address."),
        ({"is_active": False}, "The user is not active."),
    ],
)
def test_a_user_without_an_address_fails(
    mail_server: MailServer, change: dict[str, Any], reason: str
) -> None:
    ann = user()
    type(ann).objects.update(**change)
    api.create_message(ann.pk, monitio.INFO, "text", email=True)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.error) == ("failed", reason)
    assert mail_server.commands == []


# Other backends.


class ServiceError(Exception):
    """An error as django-anymail raises it."""

    def __init__(self, status_code: int | None) -> None:
        super().__init__("the service says no")
        self.status_code = status_code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ServiceError(400), PermanentFailure),
        (ServiceError(200), PermanentFailure),
        (ServiceError(401), TemporaryFailure),
        (ServiceError(429), TemporaryFailure),
        (ServiceError(503), TemporaryFailure),
        (ServiceError(None), TemporaryFailure),
        (RuntimeError("outage"), TemporaryFailure),
        (ValueError("address"), PermanentFailure),
        (TimeoutError(), TemporaryFailure),
    ],
)
def test_the_errors_of_other_backends(error: Exception, kind: type[Exception]) -> None:
    assert type(failure(error)) is kind


class Counting(EmailBackend):
    """A backend that fails silently."""

    timeout: float | None = None

    def send_messages(self, messages: Any) -> int:
        Counting.timeout = self.timeout
        return 0


def use_backend(settings: Any, path: str) -> None:
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": path}}
    else:
        settings.EMAIL_BACKEND = path


def test_a_backend_that_sends_nothing_is_an_error(settings: Any) -> None:
    use_backend(settings, f"{__name__}.Counting")
    assert send().state == "pending"


def test_a_backend_that_is_not_there_yet_loses_no_mail(settings: Any) -> None:
    use_backend(settings, "no.such.Backend")
    assert send().state == "pending"


def test_another_backend_gets_the_timeout(settings: Any) -> None:
    settings.MONITIO_EMAIL_TIMEOUT = 7
    use_backend(settings, f"{__name__}.Counting")
    send()
    assert Counting.timeout is not None and 6 < Counting.timeout <= 7
