"""The e-mail channel, with a real SMTP server."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.integration.channels.base import Conformance, ProcessConformance, Receiver
from tests.integration.channels.base import all_peers as all_peers
from tests.integration.mail.conftest import database as database
from tests.support.servers.smtp import HANG, MailServer

REPLIES = {"later": "450 busy", "never": "550 no such user", "hang": HANG}


class Mailbox(Receiver):
    name = "email"

    def __init__(self, server: MailServer) -> None:
        self.server, self.settings = server, server.settings()

    def reset(self) -> None:
        self.server.reset()

    def texts(self) -> list[str]:
        return [source.decode() for source in list(self.server.sources)]

    def times_sent(self) -> Counter[int]:
        return self.server.times_sent()

    def next_reply(self, reply: str) -> None:
        self.server.script = {"RCPT": [REPLIES[reply]]}


@pytest.fixture
def receiver(mail_server: MailServer) -> Receiver:
    return Mailbox(mail_server)


@pytest.fixture(scope="module")
def server_for_all(_mail_server: MailServer) -> Receiver:
    return Mailbox(_mail_server)


class TestEmail(Conformance):
    pass


class TestProcesses(ProcessConformance):
    pass
