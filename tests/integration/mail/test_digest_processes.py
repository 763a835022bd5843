"""Several beats and workers with one database: every message is in exactly one digest."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from tests.support.peers import Peer, close_all
from tests.support.servers.smtp import DROP, MailServer
from tests.support.waiting import wait_until

PROCESSES = 4
USERS, MESSAGES = 20, 3


@pytest.fixture(scope="module")
def all_peers(database: str, _mail_server: MailServer) -> Iterator[list[Peer]]:
    peers = [start(database, _mail_server) for _ in range(PROCESSES)]
    peers[0].migrate()
    yield peers
    close_all(peers)


def start(database: str, server: MailServer) -> Peer:
    settings = {**server.settings(), "MONITIO_DIGEST_SIZE": 100}
    return Peer("tests.integration.mail.digest_process", database, **settings)


@pytest.fixture
def peers(all_peers: list[Peer], mail_server: MailServer) -> list[Peer]:
    all_peers[0].clear()
    all_peers[0].prepare(USERS, MESSAGES)
    return all_peers


def at_once(peers: list[Peer], function: str, *args: object) -> int:
    """Call the function in all peers at the same moment; the sum of their results."""
    moment = time.monotonic() + 0.3
    for peer in peers:
        peer.begin(function, moment, *args)
    return sum(peer.end() for peer in peers)


def digests_of_messages(server: MailServer) -> dict[str, set[str]]:
    """Message -> the Message-IDs of the digests that contain it."""
    found = defaultdict(set)
    for mail in server.mails:
        for text in re.findall(r"<user[^>]+>", mail.get_body(("plain",)).get_content()):  # type: ignore[union-attr]
            found[text].add(mail["Message-ID"])
    return found


def assert_each_in_one(server: MailServer, texts: list[str]) -> None:
    digests = digests_of_messages(server)
    often = Counter(len(digests[text]) for text in texts)
    assert often == {1: len(texts)}, "in how many digests how many messages are"


def test_every_message_is_in_one_digest(peers: list[Peer], mail_server: MailServer) -> None:
    assert at_once(peers, "send_all") == USERS
    assert len(mail_server.sources) == USERS
    assert_each_in_one(mail_server, peers[0].texts())


def test_two_beats_and_tasks_that_come_twice(peers: list[Peer], mail_server: MailServer) -> None:
    moment = time.monotonic() + 0.3
    for beat in peers[:2]:
        beat.begin("hand_out", moment)
    claims = [claim for beat in peers[:2] for claim in beat.end()]
    assert at_once(peers, "send_sets", claims) == USERS
    assert len(mail_server.sources) == USERS
    assert_each_in_one(mail_server, peers[0].texts())


def test_what_is_written_meanwhile_is_in_a_later_one(
    peers: list[Peer], mail_server: MailServer
) -> None:
    *senders, writer = peers
    for hours in range(2):
        writer.begin("write", f"hour{hours}", MESSAGES)
        at_once(senders, "send_all", hours)
        writer.end()
    at_once(senders, "send_all", 3)
    assert len(peers[0].texts()) == USERS * MESSAGES * 3
    assert_each_in_one(mail_server, peers[0].texts())


def test_what_a_killed_sender_left_goes_again_under_the_same_id(
    peers: list[Peer], mail_server: MailServer, database: str
) -> None:
    victim = start(database, mail_server)
    victim.begin("send_all", time.monotonic(), 0, 2)
    wait_until(lambda: len(mail_server.sources) >= 2, 60, "two digests")
    at_once(peers, "send_all")
    with pytest.raises(AssertionError, match="has died"):
        victim.end()
    victim.close()
    # The lease of the killed sender has expired.
    at_once(peers, "send_all", 1)
    assert_each_in_one(mail_server, peers[0].texts())
    times = mail_server.times_sent()
    assert times == {1: USERS - 1, 2: 1}
    assert peers[0].states() == {"sent": USERS}


def test_a_mail_server_that_goes_down_in_the_middle_loses_and_repeats_nothing(
    peers: list[Peer], mail_server: MailServer
) -> None:
    mail_server.script = {"BODY": [None] * 6 + [DROP] * 4, "CONNECT": [None] * 4 + [DROP] * 50}
    at_once(peers, "send_all")
    assert 0 < len(mail_server.sources) < USERS
    mail_server.script = {}
    for hours in range(1, 4):
        at_once(peers, "send_all", hours)
    assert len(mail_server.sources) == USERS
    assert_each_in_one(mail_server, peers[0].texts())
    assert peers[0].states() == {"sent": USERS}
