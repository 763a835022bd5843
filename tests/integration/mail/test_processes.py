"""Several processes send the same mails: each mail leaves once; twice only when a sender died."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.peers import Peer, close_all
from tests.support.servers.smtp import MailServer
from tests.support.waiting import wait_until

PROCESSES = 4
MAILS = 40


@pytest.fixture(scope="module")
def everybody(database: str, _mail_server: MailServer) -> Iterator[list[Peer]]:
    peers = [start(database, _mail_server) for _ in range(PROCESSES)]
    peers[0].migrate()
    yield peers
    close_all(peers)


def start(database: str, server: MailServer) -> Peer:
    return Peer("tests.integration.mail.process", database, **server.settings())


@pytest.fixture
def peers(everybody: list[Peer], mail_server: MailServer) -> list[Peer]:
    everybody[0].clear()
    everybody[0].prepare(MAILS)
    return everybody


def test_every_mail_is_sent_once(peers: list[Peer], mail_server: MailServer) -> None:
    moment = time.monotonic() + 0.3
    for peer in peers:
        peer.begin("send_all", moment)
    assert sum(peer.end() for peer in peers) == MAILS
    assert mail_server.times_sent() == {1: MAILS}
    assert Counter(peers[0].states()) == {"sent": MAILS}


def test_what_a_killed_sender_left_is_sent_again_under_the_same_id(
    peers: list[Peer], mail_server: MailServer, database: str
) -> None:
    victim = start(database, mail_server)
    victim.begin("send_all", time.monotonic(), 2)
    wait_until(lambda: mail_server.sources, 60, "an e-mail")
    for peer in peers:
        peer.begin("send_all", time.monotonic())
    with pytest.raises(AssertionError, match="has died"):
        victim.end()
    victim.close()
    for peer in peers:
        peer.end()
    assert Counter(peers[0].states()) == {"sent": MAILS - 1, "claimed": 1}
    assert mail_server.times_sent() == {1: MAILS}

    assert peers[0].end_leases() == 1
    for peer in peers:
        peer.begin("send_all", time.monotonic())
    assert sum(peer.end() for peer in peers) == 1
    assert Counter(peers[0].states()) == {"sent": MAILS}
    assert mail_server.times_sent() == {1: MAILS - 1, 2: 1}
