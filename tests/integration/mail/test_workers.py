"""Failures of two real beats and four real prefork workers with one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest

from tests.integration.celery.conftest import ROOT, Worker
from tests.integration.mail import SENDER, SET
from tests.integration.mail.test_digest_processes import assert_each_in_one
from tests.support.peers import Peer
from tests.support.servers.postgres import Postgres
from tests.support.servers.smtp import DROP, HANG, MailServer
from tests.support.servers.valkey import Valkey
from tests.support.waiting import wait_until

SETTINGS = "tests.integration.mail.celery_settings"
USERS, MESSAGES = 40, 3
# Two workers with two processes each, by the name of their queue. Tasks are acknowledged at their
# end, as monitio requests, or at their start, as a site may enforce.
WORKERS: dict[str, dict[str, Any]] = {
    "late": {},
    "early": {"CELERY_TASK_ANNOTATIONS": {"monitio_celery.tasks.deliver": {"acks_late": False}}},
}


def until(condition: Any, message: str = "") -> Any:
    return wait_until(condition, 90, message, interval=0.05)


@pytest.fixture(scope="module")
def site(
    postgres_server: Postgres, valkey_server: Valkey, _mail_server: MailServer
) -> Iterator[Peer]:
    """The web process of a site with two running workers and two running beats."""
    database = postgres_server.database("mailing_workers")
    own = {
        **_mail_server.settings("tests.integration.mail.in_workers.Backend"),
        # A Redis database that no other test uses.
        "CELERY_BROKER_URL": f"{valkey_server.url.removesuffix('0')}11",
    }
    site = Peer("tests.integration.mail.worker_site", database, SETTINGS, **own)
    site.migrate()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        ends.callback(site.close)
        home = Path(folder)
        workers = []
        for name, more in WORKERS.items():
            log = ends.enter_context((home / f"{name}.log").open("wb"))
            options = ("--concurrency", "2", "--pool", "prefork", "-Q", f"celery,{name}")
            workers.append(Worker(_environment(database, own | more), log, *options))
            ends.callback(workers[-1].kill)
        logs = [ends.enter_context((home / f"beat{number}.log").open("wb")) for number in range(2)]
        beats = [_beat(_environment(database, own), log) for log in logs]
        for beat in beats:
            ends.callback(_stop, beat)
        for worker in workers:
            worker.wait_until_ready()
        for log in logs:
            until(lambda log=log: "monitio-send-digests" in Path(log.name).read_text(), "a tick")
        yield site


def _environment(database: str, own: dict[str, Any]) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "MONITIO_TEST_DATABASE": database,
        "TEST_SITE": json.dumps(own),
    }


def _beat(environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tests.integration.celery.project.app", "beat",
         "-l", "info", "--pidfile=", "--schedule", f"{log.name}.schedule"],
        cwd=ROOT, env=environment, stdout=log, stderr=log,
    )  # fmt: skip


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(120)


def until_sent(site: Peer, name: str, count: int) -> None:
    until(lambda: site.states(name) == {"sent": count}, f"{count} digests")


def held_sender(server: MailServer) -> int:
    """The process whose e-mail the server has accepted, and that waits for the reply."""
    until(lambda: "TAKEN" in server.commands, "an e-mail that was taken")
    return int(server.mails[0][SENDER])


def test_every_message_is_in_one_digest(site: Peer, mail_server: MailServer) -> None:
    # Slow enough that no worker sends everything before the others start.
    mail_server.seconds = 0.05
    texts = site.prepare("busy", USERS, MESSAGES)
    site.want_digests("busy")
    until_sent(site, "busy", USERS)
    assert_each_in_one(mail_server, texts)
    assert mail_server.times_sent() == {1: USERS}
    assert len({mail[SENDER] for mail in mail_server.mails}) > 1


def test_a_task_that_comes_twice_sends_once(site: Peer, mail_server: MailServer) -> None:
    mail_server.seconds = 0.05
    texts = site.prepare("twice", USERS, MESSAGES)
    site.give_twice("twice")
    until_sent(site, "twice", USERS)
    assert_each_in_one(mail_server, texts)
    assert mail_server.times_sent() == {1: USERS}


def test_what_a_killed_worker_had_sent_goes_again_under_the_same_id(
    site: Peer, mail_server: MailServer
) -> None:
    texts = site.prepare("killed", USERS, MESSAGES)
    mail_server.script = {"TAKEN": [HANG]}
    site.want_digests("killed")
    os.kill(held_sender(mail_server), signal.SIGKILL)
    until_sent_by_others = USERS - SET
    until(lambda: site.states("killed").get("sent") == until_sent_by_others, "the other sets")
    site.end_leases("killed")
    until_sent(site, "killed", USERS)
    assert_each_in_one(mail_server, texts)
    assert mail_server.times_sent() == {1: USERS - 1, 2: 1}


def test_a_mail_server_that_goes_down_in_the_middle_loses_and_repeats_nothing(
    site: Peer, mail_server: MailServer
) -> None:
    texts = site.prepare("down", USERS, MESSAGES)
    mail_server.script = {"BODY": [None] * 6 + [DROP] * 4, "CONNECT": [None] * 4 + [DROP] * 500}
    site.want_digests("down")
    until(lambda: DROP not in mail_server.script["BODY"] and not site.claimed("down"), "a pause")
    assert 0 < len(mail_server.sources) < USERS
    mail_server.script = {}
    site.end_pauses("down")
    until_sent(site, "down", USERS)
    assert_each_in_one(mail_server, texts)
    assert mail_server.times_sent() == {1: USERS}


@pytest.mark.parametrize("queue", WORKERS)
def test_a_single_mail_whose_sender_was_killed_goes_again_under_the_same_id(
    site: Peer, mail_server: MailServer, queue: str
) -> None:
    site.prepare(f"{queue}-ack", 1, 1)
    mail_server.script = {"TAKEN": [HANG]}
    delivery = site.plan_mail(f"{queue}-ack", queue)
    os.kill(held_sender(mail_server), signal.SIGKILL)
    site.end_leases(f"{queue}-ack")
    until(lambda: site.delivery_state(delivery) == "sent", "the second try")
    assert mail_server.times_sent() == {2: 1}
